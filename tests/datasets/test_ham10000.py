"""The public archive is played by a few generated 600x450 photos in its own folders and its own table."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from dermascan_core.datasets.ham10000 import import_ham10000
from dermascan_core.errors import DatasetError, TableError
from dermascan_core.tables import SHIPPED_SPLITS
from dermascan_core.training.data import load_dataset
from tests.fakes import fake_photo, photo_bytes

TABLE = """lesion_id,image_id,dx,dx_type,age,sex,localization,dataset
HAM_0000550,ISIC_0024306,nv,follow_up,45.0,male,trunk,vidir_molemax
HAM_0003577,ISIC_0024307,akiec,histo,,unknown,unknown,vidir_molemax
HAM_9999999,ISIC_0099999,nv,histo,50.0,female,back,vidir_molemax
"""
SPLIT = "image_id,lesion_id,split,fold\nISIC_0024306,HAM_0000550,train,4\nISIC_0024307,HAM_0003577,test,\n"
PHOTO = fake_photo(width=600, height=450)


@pytest.fixture
def archive(tmp_path):
    """The archive's folder, unpacked."""
    folder = tmp_path / "archive"
    for part, image_id in (("1", "ISIC_0024306"), ("2", "ISIC_0024307"), ("2", "ISIC_0099999")):
        path = folder / f"HAM10000_images_part_{part}" / f"{image_id}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo_bytes(PHOTO, quality=95))
    (folder / "HAM10000_metadata").write_text(TABLE)
    return folder


@pytest.fixture
def split(tmp_path):
    table = tmp_path / "split.csv"
    table.write_text(SPLIT)
    return table


def test_view_is_the_photo_at_a_third_with_the_archives_table_and_the_split(archive, split, tmp_path):
    summary = import_ham10000(archive, tmp_path / "out", split_table=split)

    assert (summary.n_photos, summary.n_made, summary.n_outside_split, summary.missing) == (2, 2, 1, ())
    with (tmp_path / "out" / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "image_id": "ISIC_0024306",
        "lesion_id": "HAM_0000550",
        "dx": "nv",
        "dx_isic2019": "",
        "dx_type": "follow_up",
        "age_approx": "45",
        "sex": "male",
        "localization": "trunk",
        "image_type": "dermoscopic",
        "split": "train",
        "fold": "4",
        "source": "HAM10000",
        "licence": "CC-BY-NC",
    }
    assert (rows[1]["age_approx"], rows[1]["sex"], rows[1]["localization"], rows[1]["split"]) == ("", "", "", "test")
    with Image.open(tmp_path / "out" / "images" / "ISIC_0024306.jpg") as image:
        assert image.size == (200, 150)
        thirds = PHOTO.reshape(150, 3, 200, 3, 3).mean(axis=(1, 3))
        assert np.abs(np.asarray(image, float) - thirds).mean() < 4


def test_masks_become_the_same_view_where_they_were_unpacked_too(archive, split, tmp_path):
    folder = archive / "HAM10000_segmentations_lesion_tschandl"
    folder.mkdir()
    inside = np.zeros((450, 600), np.uint8)
    inside[90:300, 150:330] = 255
    for image_id in ("ISIC_0024306", "ISIC_0099999"):
        Image.fromarray(inside).save(folder / f"{image_id}_segmentation.png")

    summary = import_ham10000(archive, tmp_path / "out", split_table=split)

    assert (summary.n_photos, summary.n_masks) == (2, 1)
    (mask,) = (tmp_path / "out" / "masks").iterdir()
    assert mask.name == "ISIC_0024306.png"
    with Image.open(mask) as image:
        np.testing.assert_array_equal(np.asarray(image), inside[::3, ::3])


def test_imported_folder_is_a_data_set_that_training_reads(archive, split, tmp_path):
    import_ham10000(archive, tmp_path / "out", split_table=split)

    dataset = load_dataset(tmp_path / "out")

    assert [(p.image_id, p.split, p.fold) for p in dataset.photos] == [
        ("ISIC_0024306", "train", "4"),
        ("ISIC_0024307", "test", ""),
    ]


def test_import_goes_on_where_it_was_stopped_and_mends_a_torn_photo(archive, split, tmp_path):
    import_ham10000(archive, tmp_path / "out", split_table=split)
    (tmp_path / "out" / "images" / "ISIC_0024307.jpg").write_bytes(b"torn")

    again = import_ham10000(archive, tmp_path / "out", split_table=split)

    assert (again.n_photos, again.n_made) == (2, 1)


def test_isic_2019_labels_part_akiec(archive, split, tmp_path):
    labels = tmp_path / "truth.csv"
    labels.write_text("image,MEL,NV,AK,SCC\nISIC_0024306,0.0,1.0,0.0,0.0\nISIC_0024307,0.0,0.0,0.0,1.0\n")

    import_ham10000(archive, tmp_path / "out", split_table=split, isic2019_labels=labels)

    assert [p.dx for p in load_dataset(tmp_path / "out").photos] == ["nv", "scc"]


def test_photos_the_source_lacks_are_named(archive, split, tmp_path):
    (archive / "HAM10000_images_part_2" / "ISIC_0024307.jpg").unlink()

    assert import_ham10000(archive, tmp_path / "out", split_table=split).missing == ("ISIC_0024307",)


def test_folder_without_the_archives_table_is_told_where_to_get_it(tmp_path):
    with pytest.raises(DatasetError) as error:
        import_ham10000(tmp_path, tmp_path / "out")

    assert str(error.value) == (
        f"Expected the archive's table HAM10000_metadata in '{tmp_path}'. It is not there. "
        "Download HAM10000 from https://doi.org/10.7910/DVN/DBW86T and unpack it into that folder."
    )


def test_table_of_another_shape_is_refused(archive, split, tmp_path):
    (archive / "HAM10000_metadata").write_text("image_id,dx\nISIC_0024306,nv\n")

    with pytest.raises(DatasetError) as error:
        import_ham10000(archive, tmp_path / "out", split_table=split)

    assert str(error.value) == (
        "HAM10000_metadata lacks the columns age, dx_type, lesion_id, localization, sex. "
        "Received: dx, image_id. Use the archive's own table."
    )


def test_table_without_photo_names_is_refused(archive, split, tmp_path):
    (archive / "HAM10000_metadata").write_text("foo,bar\n1,2\n")

    with pytest.raises(DatasetError, match="HAM10000_metadata lacks the columns age, dx, dx_type, image_id, "):
        import_ham10000(archive, tmp_path / "out", split_table=split)


def test_other_table_for_the_isic_2019_labels_is_refused(archive, split, tmp_path):
    labels = tmp_path / "truth.csv"
    labels.write_text("image_id,dx\nISIC_0024307,scc\n")

    with pytest.raises(TableError) as error:
        import_ham10000(archive, tmp_path / "out", split_table=split, isic2019_labels=labels)

    assert str(error.value) == (
        "The ISIC 2019 labels lack the columns ak, image, scc. Received: image_id, dx. "
        "Use ISIC_2019_Training_GroundTruth.csv."
    )


def test_photo_of_another_shape_is_refused(archive, split, tmp_path):
    square = archive / "HAM10000_images_part_1" / "ISIC_0024306.jpg"
    square.write_bytes(photo_bytes(fake_photo(width=450, height=450)))

    with pytest.raises(DatasetError) as error:
        import_ham10000(archive, tmp_path / "out", split_table=split)

    assert str(error.value) == (
        "Expected 'ISIC_0024306.jpg' at 600x450 px, as the archive has it. Received 450x450 px. "
        "Use the archive's own files."
    )


def test_source_without_photos_is_refused(archive, split, tmp_path):
    for path in archive.rglob("*.jpg"):
        path.unlink()

    with pytest.raises(DatasetError, match=r"Expected photos of HAM10000 in .* such as ISIC_0024306\.jpg\."):
        import_ham10000(archive, tmp_path / "out", split_table=split)


def test_shipped_split_keeps_every_lesion_in_one_place():
    with (SHIPPED_SPLITS / "ham10000.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    places = {}
    for row in rows:
        places.setdefault(row["lesion_id"], set()).add((row["split"], row["fold"]))
    assert list(rows[0]) == ["image_id", "lesion_id", "split", "fold"]
    assert len({row["image_id"] for row in rows}) == len(rows) == 8990
    assert {len(where) for where in places.values()} == {1}
    assert {row["split"] for row in rows} == {"train", "test"}
    assert {row["fold"] for row in rows if row["split"] == "train"} == set("01234")


def test_given_view_is_of_the_size_and_quality_that_the_import_writes(data_dir):
    given = sorted((data_dir / "ham10000" / "images").glob("*.jpg"))[::900]
    with (SHIPPED_SPLITS / "ham10000.csv").open(newline="") as file:
        ids = {row["image_id"] for row in csv.DictReader(file)}

    for path in given:
        with Image.open(path) as image:
            assert image.size == (200, 150)
            assert list(image.quantization[0]) == _luminance_table(75)
        assert path.stem in ids


def _luminance_table(quality):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG", quality=quality)
    with Image.open(io.BytesIO(buffer.getvalue())) as image:
        return list(image.quantization[0])
