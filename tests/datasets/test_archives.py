"""Imports: small generated archives with the public archives' own file names, columns and values."""

import h5py
import numpy as np
import pytest
from PIL import Image

from dermascan_core.datasets.archives import (
    read_isic2019,
    read_isic2020,
    read_isic2024,
    read_pad_ufes_20,
    read_ph2,
)
from dermascan_core.datasets.form import write_dataset
from dermascan_core.datasets.own_photos import read_csv, read_folders
from dermascan_core.datasets.split import split_parts
from dermascan_core.datasets.verify import verify_dataset
from dermascan_core.domain import ImageType
from dermascan_core.errors import DatasetError
from dermascan_core.tables import read_labels
from dermascan_core.training.data import load_dataset
from tests.datasets.making import jpeg, picture, write_csv, write_photo
from tests.datasets.making import read_csv as read_rows

TWO_FOLDS = split_parts("kfold", n_folds=2, test_share=0)
CLASSES_2019 = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")


@pytest.fixture
def isic2019(tmp_path):
    labels = {"ISIC_0000001": "MEL", "ISIC_0000002_downsampled": "NV", "ISIC_0000003": "BKL", "ISIC_0000004": "SCC"}
    truth = [{"image": i, **{c: float(c == label) for c in CLASSES_2019}} for i, label in labels.items()]
    about = [
        {
            "image": i,
            "age_approx": "55.0",
            "anatom_site_general": "anterior torso",
            "lesion_id": f"BCN_{n}",
            "sex": "female",
        }
        for n, i in enumerate(labels)
    ]
    about[1] |= {"age_approx": "", "anatom_site_general": "", "lesion_id": "", "sex": ""}
    folder = tmp_path / "ISIC_2019"
    write_csv(folder / "ISIC_2019_Training_GroundTruth.csv", truth)
    write_csv(folder / "ISIC_2019_Training_Metadata.csv", about)
    for seed, image in enumerate(labels):
        write_photo(folder / "ISIC_2019_Training_Input" / "ISIC_2019_Training_Input" / f"{image}.jpg", seed)
    return folder


def test_isic2019_becomes_a_data_set_that_training_reads(isic2019, tmp_path):
    archive = read_isic2019(isic2019)

    summary = write_dataset(archive.records, tmp_path / "out", parts=TWO_FOLDS)

    assert (summary.n_photos, summary.n_placed, summary.missing, summary.damaged) == (4, 4, (), ())
    photos = load_dataset(tmp_path / "out").photos
    assert [p.dx for p in photos] == ["mel", "nv", "bkl", "scc"]
    assert photos[0].metadata.anatom_site == "torso"
    assert photos[0].image_type is ImageType.DERMOSCOPIC
    assert {p.fold for p in photos} == {"0", "1"}
    assert verify_dataset(tmp_path / "out").is_sound


def test_isic2019_row_without_a_class_is_refused_or_left_out(isic2019):
    path = isic2019 / "ISIC_2019_Training_GroundTruth.csv"
    path.write_text(path.read_text() + "ISIC_0000005," + ",".join("0.0" for _ in range(8)) + ",1.0\n")

    with pytest.raises(DatasetError) as error:
        read_isic2019(isic2019)

    assert str(error.value) == (
        "Expected diagnoses among mel, nv, bcc, ak, scc, pbk, sk, df, vasc, akiec, bkl and their names. "
        "Received also 'UNK' (1). Rename them, or leave these rows out with --skip-unknown."
    )
    archive = read_isic2019(isic2019, skip_unknown=True)
    assert (len(archive.records), archive.skipped) == (4, {"UNK": 1})


def test_isic2020_keeps_patients_and_knows_moles_nobody_biopsied_as_benign_only(tmp_path):
    row = {"sex": "male", "age_approx": "45.0", "anatom_site_general_challenge": "torso", "patient_id": "IP_1"}
    rows = [
        {"image_name": "ISIC_1", **row, "lesion_id": "IL_1", "diagnosis": "unknown", "benign_malignant": "benign", "target": 0},
        {"image_name": "ISIC_2", **row, "lesion_id": "IL_2", "diagnosis": "melanoma", "benign_malignant": "malignant", "target": 1},
        {"image_name": "ISIC_3", **row, "patient_id": "IP_2", "lesion_id": "IL_3", "diagnosis": "lentigo NOS", "benign_malignant": "benign", "target": 0},
        {"image_name": "ISIC_4", **row, "patient_id": "IP_3", "lesion_id": "IL_4", "diagnosis": "nevus", "benign_malignant": "benign", "target": 0},
    ]  # fmt: skip
    write_csv(tmp_path / "ISIC_2020_Training_GroundTruth_v2.csv", rows)
    for seed, one in enumerate(rows):
        write_photo(tmp_path / "train" / f"{one['image_name']}.jpg", seed)

    write_dataset(read_isic2020(tmp_path).records, tmp_path / "out", parts=TWO_FOLDS)

    photos = {p.image_id: p for p in read_labels(tmp_path / "out" / "metadata.csv")}
    assert [(p.dx, p.is_malignant) for p in photos.values()] == [("", False), ("mel", True), ("", False), ("nv", False)]
    assert photos["ISIC_1"].fold == photos["ISIC_2"].fold  # one person
    assert photos["ISIC_1"].metadata.anatom_site == "torso"
    known = read_isic2020(tmp_path, skip_unknown=True)
    assert [r.row["image_id"] for r in known.records] == ["ISIC_2", "ISIC_4"]


ISIC2024 = {
    "isic_id": "ISIC_0015670",
    "target": "0",
    "patient_id": "IP_1235828",
    "age_approx": "60.0",
    "sex": "male",
    "anatom_site_general": "lower extremity",
    "clin_size_long_diam_mm": "3.04",
    "image_type": "TBP tile: close-up",
    "tbp_tile_type": "3D: white",
    "tbp_lv_A": "20.24",
    "tbp_lv_location": "Right Leg - Upper",
    "tbp_lv_nevi_confidence": "0.002",
    "tbp_lv_dnn_lesion_confidence": "97.5",
    "attribution": "Memorial Sloan Kettering Cancer Center",
    "copyright_license": "CC-BY",
    "lesion_id": "",
    "iddx_full": "Benign",
    "iddx_1": "Benign",
    "iddx_2": "",
    "iddx_3": "",
    "iddx_4": "",
    "iddx_5": "",
    "mel_mitotic_index": "",
    "mel_thick_mm": "",
}
MELANOMA = {
    "isic_id": "ISIC_0082829",
    "target": "1",
    "patient_id": "IP_2",
    "lesion_id": "IL_6727506",
    "iddx_full": "Malignant::Malignant melanocytic proliferations (Melanoma)::Melanoma in situ",
    "iddx_1": "Malignant",
    "iddx_2": "Malignant melanocytic proliferations (Melanoma)",
    "iddx_3": "Melanoma in situ",
}


@pytest.mark.parametrize("packed", [True, False], ids=["HDF5", "folder"])
def test_isic2024_keeps_its_measurements_and_enlarges_small_tiles(packed, tmp_path):
    rows = [ISIC2024, {**ISIC2024, **MELANOMA}]
    write_csv(tmp_path / "train-metadata.csv", rows)
    tiles = {row["isic_id"]: jpeg(picture(n, width=side, height=side)) for n, (row, side) in enumerate(zip(rows, (101, 139), strict=True))}  # fmt: skip
    if packed:
        with h5py.File(tmp_path / "train-image.hdf5", "w") as file:
            for name, data in tiles.items():
                file[name] = np.void(data)
    else:
        for name, data in tiles.items():
            path = tmp_path / "train-image" / "image" / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    summary = write_dataset(read_isic2024(tmp_path).records, tmp_path / "out", parts=TWO_FOLDS)

    assert summary.how["enlarged copy"] == 1
    with Image.open(tmp_path / "out" / "images" / "ISIC_0015670.jpg") as image:
        assert image.size == (128, 128)
    assert (tmp_path / "out" / "images" / "ISIC_0082829.jpg").read_bytes() == tiles["ISIC_0082829"]
    benign, melanoma = read_rows(tmp_path / "out" / "metadata.csv")
    assert (benign["dx"], benign["target"], melanoma["dx"]) == ("", "0", "mel")
    assert (benign["tbp_lv_a"], benign["clin_size_long_diam_mm"], benign["licence"]) == ("20.24", "3.04", "CC-BY")
    assert benign["image_type"] == "TBP tile: close-up"
    assert benign["attribution"] == "Memorial Sloan Kettering Cancer Center"
    assert not {"iddx_full", "mel_thick_mm", "tbp_lv_dnn_lesion_confidence"} & set(benign)
    photo = read_labels(tmp_path / "out" / "metadata.csv")[0]
    assert photo.image_type is ImageType.CLINICAL  # a close-up, not dermoscopy
    assert verify_dataset(tmp_path / "out").is_sound


PAD = {
    "patient_id": "PAT_1516",
    "lesion_id": "1765",
    "age": "8",
    "gender": "FEMALE",
    "skin_cancer_history": "True",
    "fitspatrick": "3.0",
    "region": "ARM",
    "diameter_1": "6.0",
    "diameter_2": "5.0",
    "diagnostic": "NEV",
    "itch": "False",
    "grew": "UNK",
    "hurt": "False",
    "changed": "UNK",
    "bleed": "True",
    "elevation": "True",
    "img_id": "PAT_1516_1765_530.png",
    "biopsed": "False",
}


def test_pad_ufes_20_keeps_what_the_person_noticed(tmp_path):
    other = {**PAD, "patient_id": "PAT_2", "diagnostic": "MEL", "img_id": "PAT_2_9_1.png", "biopsed": "True"}
    write_csv(tmp_path / "metadata.csv", [PAD, other])
    for part, (seed, row) in enumerate(enumerate([PAD, other]), start=1):
        path = tmp_path / "images" / f"imgs_part_{part}" / row["img_id"]
        path.parent.mkdir(parents=True)
        Image.fromarray(picture(seed)).save(path)

    write_dataset(read_pad_ufes_20(tmp_path).records, tmp_path / "out", parts=TWO_FOLDS)

    nevus, melanoma = load_dataset(tmp_path / "out").photos
    assert (nevus.dx, nevus.patient_id, nevus.image_type) == ("nv", "PAT_1516", ImageType.CLINICAL)
    assert nevus.metadata.fitzpatrick_skin_type == 3
    assert nevus.metadata.clin_size_long_diam_mm == 6
    assert nevus.metadata.personal_hx_skin_cancer is None  # the archive's field is of the family too
    symptoms = nevus.metadata
    assert (symptoms.itch, symptoms.grew, symptoms.bleed, symptoms.elevation) == (False, None, True, True)
    assert (melanoma.dx, melanoma.is_malignant) == ("mel", True)


PH2_TEXT = """|| Name   || Histological Diagnosis || Clinical Diagnosis || Asymmetry | Pigment Network ||  Colors      ||
|| IMD003 ||                        ||                  0 ||         0 |               T ||       4      ||
|| IMD058 ||        Melanoma        ||                  2 ||         2 |              AT || 3  4  5      ||

Legends:
Clinical Diagnosis: 0 - Common Nevus; 1 - Atypical Nevus; 2 - Melanoma.
"""
PH2_SHEET = (
    "Legend,,,,\nX - present,,,,\n\nImage Name,Histological Diagnosis,Common Nevus,Atypical Nevus,Melanoma\n"
    "IMD003,,X,,\nIMD058,Melanoma,,,X\n"
)


@pytest.mark.parametrize(("name", "text"), [("PH2_dataset.txt", PH2_TEXT), ("PH2_dataset.csv", PH2_SHEET)])
def test_ph2_takes_its_dermoscopic_pictures_and_beside_them_its_masks(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    inside = np.zeros((128, 160), bool)
    inside[40:90, 60:100] = True
    for seed, case in enumerate(("IMD003", "IMD058")):
        pictures = {
            f"{case}_Dermoscopic_Image/{case}.bmp": Image.fromarray(picture(seed)),
            f"{case}_lesion/{case}_lesion.bmp": Image.fromarray(inside),
            f"{case}_roi/{case}_R1_Label3.bmp": Image.fromarray(~inside),
        }
        for file, image in pictures.items():
            path = tmp_path / "PH2 Dataset images" / case / file
            path.parent.mkdir(parents=True)
            image.save(path)
    (tmp_path / "PH2 Dataset images" / "IMD058" / "IMD058_lesion" / "IMD058_lesion.bmp").unlink()

    summary = write_dataset(read_ph2(tmp_path).records, tmp_path / "out", parts=TWO_FOLDS)

    assert (summary.n_photos, summary.n_masks) == (2, 1)
    assert [(p.image_id, p.dx, p.confirmed_by) for p in load_dataset(tmp_path / "out").photos] == [
        ("IMD003", "nv", "clinic"),
        ("IMD058", "mel", "histopathology"),
    ]
    (mask,) = (tmp_path / "out" / "masks").iterdir()
    assert mask.name == "IMD003.png"
    with Image.open(mask) as image:
        np.testing.assert_array_equal(np.asarray(image), np.where(inside, 255, 0))


def test_folder_a_class_becomes_a_data_set(tmp_path):
    for seed, name in enumerate(("nevus/a", "nevus/b", "melanoma/c", "basal cell carcinoma/d")):
        write_photo(tmp_path / "mine" / f"{name}.jpg", seed)

    archive = read_folders(tmp_path / "mine", image_type="clinical", licence="CC0")
    write_dataset(archive.records, tmp_path / "out", parts=TWO_FOLDS)

    assert {p.image_id: p.dx for p in load_dataset(tmp_path / "out").photos} == {
        "a": "nv",
        "b": "nv",
        "c": "mel",
        "d": "bcc",
    }
    assert {row["licence"] for row in read_rows(tmp_path / "out" / "metadata.csv")} == {"CC0"}


def test_folder_with_train_and_test_keeps_its_split(tmp_path):
    for seed, name in enumerate(("Train/nevus/a", "Train/melanoma/b", "Val/nevus/c", "Test/nevus/d")):
        write_photo(tmp_path / "mine" / f"{name}.jpg", seed)

    summary = write_dataset(read_folders(tmp_path / "mine", image_type="dermoscopic").records, tmp_path / "out")

    assert summary.has_own_split
    places = {p.image_id: (p.split, p.fold) for p in load_dataset(tmp_path / "out").photos}
    assert places == {"a": ("train", "1"), "b": ("train", "1"), "c": ("train", "0"), "d": ("test", "")}


def test_folder_named_for_no_diagnosis_is_refused_with_the_known_ones(tmp_path):
    write_photo(tmp_path / "measles" / "a.jpg", 1)

    with pytest.raises(DatasetError, match=r"Received also 'measles' \(1\)\. Rename them"):
        read_folders(tmp_path, image_type="clinical")


def test_any_table_is_read_by_its_own_column_names(tmp_path):
    rows = [{"file": f"x/{n}.jpg", "label": ("MEL", "nevus")[n % 2], "who": f"P{n}", "years": "50"} for n in range(4)]
    write_csv(tmp_path / "t.csv", rows)
    for n in range(4):
        write_photo(tmp_path / "photos" / "x" / f"{n}.jpg", n)
    columns = {"dx": "label", "patient_id": "who", "age_approx": "Years"}

    archive = read_csv(tmp_path / "t.csv", tmp_path / "photos", columns=columns, constants={"image_type": "clinical"})
    write_dataset(archive.records, tmp_path / "out", parts=TWO_FOLDS)

    photos = load_dataset(tmp_path / "out").photos
    assert [(p.image_id, p.dx, p.patient_id, p.metadata.age_approx) for p in photos] == [
        ("0", "mel", "P0", 50.0),
        ("1", "nv", "P1", 50.0),
        ("2", "mel", "P2", 50.0),
        ("3", "nv", "P3", 50.0),
    ]


def test_column_that_is_not_there_is_told(tmp_path):
    write_csv(tmp_path / "t.csv", [{"file": "a.jpg", "label": "mel"}])

    with pytest.raises(DatasetError, match=r"\(file, label\)\. Received 'dx=diagnose'\. Correct it\."):
        read_csv(tmp_path / "t.csv", tmp_path, columns={"dx": "diagnose"}, constants={})


def test_import_goes_on_where_it_was_stopped_and_names_what_is_missing(isic2019, tmp_path):
    (isic2019 / "ISIC_2019_Training_Input" / "ISIC_2019_Training_Input" / "ISIC_0000004.jpg").unlink()
    first = write_dataset(read_isic2019(isic2019).records, tmp_path / "out", parts=TWO_FOLDS)
    table = (tmp_path / "out" / "metadata.csv").read_bytes()

    again = write_dataset(read_isic2019(isic2019).records, tmp_path / "out", parts=TWO_FOLDS)

    assert (first.n_placed, again.n_placed, again.missing) == (3, 0, ("ISIC_0000004",))
    assert (tmp_path / "out" / "metadata.csv").read_bytes() == table


def test_copies_do_not_share_the_archives_files(isic2019, tmp_path):
    linked = write_dataset(read_isic2019(isic2019).records, tmp_path / "linked", parts=TWO_FOLDS)
    copied = write_dataset(read_isic2019(isic2019).records, tmp_path / "copied", parts=TWO_FOLDS, must_copy=True)

    source = isic2019 / "ISIC_2019_Training_Input" / "ISIC_2019_Training_Input" / "ISIC_0000001.jpg"
    assert set(linked.how) <= {"hard link", "symbolic link"}
    assert copied.how == {"copy": 4}
    assert (tmp_path / "linked" / "images" / "ISIC_0000001.jpg").samefile(source)
    assert not (tmp_path / "copied" / "images" / "ISIC_0000001.jpg").samefile(source)


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (read_isic2019, "ISIC_2019_Training_GroundTruth.csv"),
        (read_isic2020, "ISIC_2020_Training_GroundTruth_v2.csv"),
        (read_isic2024, "train-metadata.csv"),
        (read_pad_ufes_20, "metadata.csv"),
    ],
)
def test_folder_without_the_archives_table_and_a_table_of_another_shape_are_told(read, name, tmp_path):
    with pytest.raises(DatasetError) as error:
        read(tmp_path)
    assert str(error.value) == f"Expected the archive's table {name} in '{tmp_path}'. It is not there. Check --source."

    (tmp_path / name).write_text("foo,bar\n1,2\n")
    with pytest.raises(
        DatasetError, match=rf"{name} lacks the columns .*\. Received: foo, bar\. Use the archive's own"
    ):
        read(tmp_path)


def test_archive_without_photos_is_refused(isic2019, tmp_path):
    for path in isic2019.rglob("*.jpg"):
        path.unlink()

    with pytest.raises(DatasetError, match=r"Expected photos that the archive's table names\. None of them is there\."):
        write_dataset(read_isic2019(isic2019).records, tmp_path / "out")


@pytest.mark.real_data
def test_real_smartphone_photos_become_a_data_set_that_trains_beside_ham10000(data_dir, tmp_path):
    write_dataset(read_pad_ufes_20(data_dir / "pad_ufes_20").records, tmp_path / "pad", find_same=False)

    dataset = load_dataset([tmp_path / "pad", data_dir / "ham10000"])

    assert len(dataset.photos) == 529 + 8990
    phone = [p for p in dataset.photos if p.image_type is ImageType.CLINICAL]
    assert len(phone) == 529
    assert sum(p.metadata.bleed is True for p in phone) > 50
