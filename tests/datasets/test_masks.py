"""Masks brought in with their photos: matched by name, reduced with the view, read by training, kept by a cleaned copy."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dermascan_core.datasets import masks
from dermascan_core.datasets.clean import write_cleaned
from dermascan_core.datasets.form import add_masks, write_dataset
from dermascan_core.datasets.masks import find_masks, write_mask
from dermascan_core.datasets.own_photos import read_folders
from dermascan_core.datasets.split import split_parts
from dermascan_core.datasets.verify import verify_dataset
from dermascan_core.errors import DatasetError
from dermascan_core.imaging.preprocess import PreprocessConfig
from dermascan_core.training.data import load_dataset
from dermascan_core.training.masks import load_masks
from tests.datasets.making import write_photo

TWO_FOLDS = split_parts("kfold", n_folds=2, test_share=0)


def inside(*, width=160, height=128):
    """Return where the lesion is, (height, width): the middle."""
    where = np.zeros((height, width), bool)
    where[height // 4 : -height // 4, width // 4 : -width // 4] = True
    return where


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def photos(tmp_path):
    """Four photos in a folder a class, and what is read of them."""
    for seed, name in enumerate(("nevus/a", "nevus/b_lesion", "melanoma/c", "melanoma/d")):
        write_photo(tmp_path / "mine" / f"{name}.jpg", seed)
    return read_folders(tmp_path / "mine", image_type="dermoscopic").records


def test_masks_are_matched_by_name_and_photos_without_one_stay_without(photos, tmp_path):
    for name in ("a_segmentation.png", "sub/b_lesion.bmp", "C_mask.PNG", "other.png"):
        write(tmp_path / "masks" / name, inside())

    summary = write_dataset(add_masks(photos, tmp_path / "masks"), tmp_path / "out", parts=TWO_FOLDS)

    assert summary.n_masks == 3
    assert sorted(path.name for path in (tmp_path / "out" / "masks").iterdir()) == ["a.png", "b_lesion.png", "c.png"]
    dataset = load_dataset(tmp_path / "out")
    known = load_masks(dataset, dataset.photos, PreprocessConfig(64, 128), grid=2).is_known
    assert dict(zip((p.image_id for p in dataset.photos), known.tolist(), strict=True)) == {
        "a": True,
        "b_lesion": True,
        "c": True,
        "d": False,
    }


def test_mask_becomes_as_small_as_the_view_of_its_photo(tmp_path):
    photo = write_photo(tmp_path / "a.jpg", 1, width=200, height=150)
    large = inside(width=600, height=450)
    large[0, :2] = True  # two pixels of nine

    write_mask(write(tmp_path / "large.png", large), tmp_path / "a.png", photo=photo)

    expected = large.reshape(150, 3, 200, 3).mean(axis=(1, 3)) > 0.5
    np.testing.assert_array_equal(read(tmp_path / "a.png"), np.where(expected, 255, 0))


def test_mask_of_a_view_whose_sides_were_rounded_fits(tmp_path):
    photo = write_photo(tmp_path / "a.jpg", 1, width=200, height=133)  # of 1200x800

    write_mask(write(tmp_path / "large.png", inside(width=1200, height=800)), tmp_path / "a.png", photo=photo)

    assert read(tmp_path / "a.png").shape == (133, 200)


def test_mask_of_too_many_pixels_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(masks, "MAX_PIXELS", 10**6)
    huge = write(tmp_path / "huge.png", inside(width=1250, height=1000))

    with pytest.raises(DatasetError) as error:
        write_mask(huge, tmp_path / "a.png", photo=write_photo(tmp_path / "a.jpg", 1, width=160, height=128))
    assert str(error.value) == (
        "The mask 'huge.png' may have at most 1 megapixels. Received 1250x1000 px. Save it smaller, or take it out."
    )


def test_mask_of_zeros_and_ones_and_one_that_is_empty_keep_their_meaning(tmp_path):
    photo, where = write_photo(tmp_path / "a.jpg", 1), inside()
    ones, empty = (write(tmp_path / f"{n}.png", values) for n, values in (("one", where.astype(np.uint8)), ("none", 0 * where.astype(np.uint8))))  # fmt: skip

    (tmp_path / "out").mkdir()
    for source in (ones, empty):
        write_mask(source, tmp_path / "out" / source.name, photo=photo)

    np.testing.assert_array_equal(read(tmp_path / "out" / "one.png"), np.where(where, 255, 0))
    assert not read(tmp_path / "out" / "none.png").any()


def test_mask_of_a_photo_that_its_camera_turned_has_the_shape_it_is_looked_at(tmp_path):
    photo = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.full((128, 160, 3), 90, np.uint8)).save(photo, exif=exif)

    write_mask(write(tmp_path / "m.png", inside(width=128, height=160)), tmp_path / "a.png", photo=photo)

    assert read(tmp_path / "a.png").shape == (160, 128)


def test_mask_of_another_shape_or_unreadable_is_named(tmp_path):
    photo = write_photo(tmp_path / "a.jpg", 1)
    wrong = write(tmp_path / "wrong.png", inside(width=128, height=128))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")

    with pytest.raises(DatasetError) as error:
        write_mask(wrong, tmp_path / "out.png", photo=photo)
    assert str(error.value) == (
        "Expected the mask 'wrong.png' in its photo's shape, 160x128 px. Received 128x128 px. Replace it, or take it out."
    )
    with pytest.raises(DatasetError, match=r"The mask 'broken\.png' cannot be read\. Replace it, or take it out\."):
        write_mask(broken, tmp_path / "out.png", photo=photo)
    assert not (tmp_path / "out.png").exists()


def test_folder_that_fits_no_photo_is_not_there_or_holds_photos_is_refused(photos, tmp_path):
    write(tmp_path / "masks" / "other.png", inside())

    with pytest.raises(DatasetError, match=r"such as b_lesion\.png\. None of its 1 pictures has one\. Rename them"):
        add_masks(photos[::-1], tmp_path / "masks")
    with pytest.raises(DatasetError, match=r"Expected a folder of masks at '.*nowhere'"):
        find_masks(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"Expected masks and no photos in .* 4 photos were read from there"):
        add_masks(photos, tmp_path / "mine")


def test_import_that_goes_on_keeps_the_masks_and_a_cleaned_copy_takes_them_along(photos, tmp_path):
    records = [replace(photos[0], mask=write(tmp_path / "m.png", inside())), *photos[1:]]
    write_dataset(records, tmp_path / "out", parts=TWO_FOLDS)
    (tmp_path / "m.png").write_bytes(b"gone meanwhile")

    again = write_dataset(records, tmp_path / "out", parts=TWO_FOLDS)
    write_cleaned(verify_dataset(tmp_path / "out"), tmp_path / "clean")

    name = f"{records[0].row['image_id']}.png"
    assert again.n_masks == 1
    assert (tmp_path / "clean" / "masks" / name).read_bytes() == (tmp_path / "out" / "masks" / name).read_bytes()
