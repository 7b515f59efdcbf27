"""Splits: groups stay whole, shares are met, and the balance is at least scikit-learn's."""

import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from dermascan_core.datasets.form import split_dataset
from dermascan_core.datasets.split import assign_groups, photo_groups, split_parts, split_photos
from dermascan_core.errors import DatasetError
from dermascan_core.tables import LabelledPhoto, read_split, shipped_splits
from dermascan_core.training.data import load_dataset
from tests.datasets.making import jpeg, picture, read_csv, write_folder


def _photos(n_groups=120, seed=0, by="lesion_id"):
    rng = np.random.default_rng(seed)
    photos = []
    for group in range(n_groups):
        dx = rng.choice(["nv", "mel", "bcc", "df"], p=[0.7, 0.15, 0.1, 0.05])
        for view in range(rng.integers(1, 5)):
            photos.append(LabelledPhoto(f"{group}_{view}", str(dx), dx in ("mel", "bcc"), **{by: f"G{group}"}))
    return photos


def _imbalance(folds, classes):
    """Mean over the classes of the standard deviation of a class's share over the folds: a slow second writing."""
    return np.mean(
        [np.std([np.mean(folds[classes == name] == fold) for fold in np.unique(folds)]) for name in np.unique(classes)]
    )


@pytest.mark.parametrize("seed", range(6))
def test_folds_are_at_least_as_balanced_as_scikit_learns(seed):
    photos = _photos(seed=seed)
    classes = np.array([p.dx for p in photos])
    groups = np.array([p.lesion_id for p in photos])
    places = split_photos(photos, split_parts("kfold", n_folds=5, test_share=0), seed=seed)
    ours = np.array([int(places[p.image_id].fold) for p in photos])

    theirs = np.zeros(len(photos), int)
    oracle = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for fold, (_, held_out) in enumerate(oracle.split(classes, classes, groups)):
            theirs[held_out] = fold

    assert _imbalance(ours, classes) <= _imbalance(theirs, classes) + 1e-3


@pytest.mark.parametrize("by", ["lesion_id", "patient_id"])
@pytest.mark.parametrize("scheme", ["kfold", "80-10-10", "70-20-10"])
def test_no_group_is_parted_and_shares_are_met(scheme, by):
    photos = _photos(n_groups=300, by=by)
    parts = split_parts(scheme)

    places = split_photos(photos, parts, seed=1)

    where = {}
    for photo in photos:
        where.setdefault(getattr(photo, by), set()).add(places[photo.image_id])
    assert {len(found) for found in where.values()} == {1}
    counts = Counter(places.values())
    for part in parts:
        assert counts[part] / len(photos) == pytest.approx(part.share, abs=0.01)


def test_every_class_is_in_every_part_of_70_20_10():
    photos = _photos(n_groups=300)

    places = split_photos(photos, split_parts("70-20-10"), seed=3)

    for dx in ("nv", "mel", "bcc", "df"):
        of_class = [places[p.image_id] for p in photos if p.dx == dx]
        for part in split_parts("70-20-10"):
            assert of_class.count(part) / len(of_class) == pytest.approx(part.share, abs=0.05)


def test_patient_beats_lesion_and_a_shared_picture_joins_two_people():
    photos = [
        LabelledPhoto("a", "nv", False, patient_id="P1", lesion_id="1"),
        LabelledPhoto("b", "nv", False, patient_id="P1", lesion_id="2"),
        LabelledPhoto("c", "nv", False, patient_id="P2", lesion_id="1"),
        LabelledPhoto("d", "nv", False, lesion_id="1"),
        LabelledPhoto("e", "nv", False),
    ]

    assert photo_groups(photos) == {"a": "a", "b": "a", "c": "c", "d": "d", "e": "e"}
    assert photo_groups(photos, [("b", "c")]) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e"}


def test_lesion_whose_person_only_one_row_names_is_one_group():
    photos = [
        LabelledPhoto("a", "nv", False, patient_id="P1", lesion_id="L1"),
        LabelledPhoto("b", "nv", False, lesion_id="L1"),
        LabelledPhoto("c", "nv", False, patient_id="P1"),
    ]

    assert photo_groups(photos) == {"a": "a", "b": "a", "c": "a"}


def test_same_seed_gives_the_same_split_and_another_seed_another():
    photos, parts = _photos(), split_parts("kfold")

    assert split_photos(photos, parts, seed=1) == split_photos(photos, parts, seed=1)
    assert split_photos(photos, parts, seed=1) != split_photos(photos, parts, seed=2)


def test_photos_of_the_shipped_test_split_stay_in_the_test():
    shipped_test, shipped_train = "ISIC_0024315", "ISIC_0024306"
    photos = [
        *_photos(n_groups=60),
        LabelledPhoto(shipped_test, "nv", False),
        LabelledPhoto(shipped_train, "nv", False),
    ]

    for seed in range(5):
        places = split_photos(photos, split_parts("kfold"), seed=seed)
        assert (places[shipped_test].split, places[shipped_train].split) == ("test", "train")


@pytest.mark.parametrize("path", shipped_splits(), ids=lambda path: path.stem)
def test_an_archive_brought_in_again_is_parted_as_the_released_model_knew_it(path):
    shipped = read_split(path)
    known = [replace(row, dx="nv", split="", fold="") for row in shipped]

    places = split_photos([*_photos(n_groups=60), *known], split_parts("kfold"), seed=3)

    assert {row.image_id: (places[row.image_id].split, places[row.image_id].fold) for row in shipped} == {
        row.image_id: (row.split, row.fold) for row in shipped
    }


def test_shipped_training_photos_still_train_where_the_folds_are_others():
    shipped = next(row for path in shipped_splits() for row in read_split(path) if row.fold == "4")
    photos = [*_photos(n_groups=60), replace(shipped, dx="nv", split="", fold="")]

    for scheme in ("70-20-10", "80-10-10"):
        assert split_photos(photos, split_parts(scheme))[shipped.image_id].split == "train"


def test_groups_may_be_barred_from_a_part():
    allowed = np.array([[True, False]] * 9 + [[False, True]])

    assert assign_groups(np.ones((10, 1)), [0.5, 0.5], allowed=allowed).tolist() == [0] * 9 + [1]


def test_too_few_groups_are_told():
    photos = [LabelledPhoto(str(i), "nv", False, patient_id="P") for i in range(9)]

    with pytest.raises(DatasetError) as error:
        split_photos(photos, split_parts("kfold", n_folds=2, test_share=0))

    assert str(error.value) == (
        "Expected at least 2 people, lesions or photos to part. Received 1 that may not be parted. Choose fewer folds."
    )


def test_unknown_scheme_and_impossible_shares_are_told():
    with pytest.raises(DatasetError, match=r"Expected a scheme: kfold, 80-10-10, 70-20-10\. Received '60-40'\."):
        split_parts("60-40")
    with pytest.raises(DatasetError, match=r"Received 1 and 0\.1\. Correct them\."):
        split_parts("kfold", n_folds=1)


def test_split_of_a_folder_keeps_its_other_columns_and_is_read_by_training(tmp_path):
    rows = [
        {"image_id": f"p{i}", "dx": ("nv", "mel")[i % 2], "patient_id": f"P{i // 2}", "note": "x"} for i in range(24)
    ]
    same = jpeg(picture(99))
    folder = write_folder(tmp_path / "set", rows, pictures={"p0": same, "p23": same})

    places = split_dataset(folder, split_parts("80-10-10"), seed=2)

    assert sum(places.values()) == 24
    assert set(places) == {("train", "0"), ("train", "1"), ("test", "")}
    written = read_csv(folder / "metadata.csv")
    assert {row["note"] for row in written} == {"x"}
    place = {row["image_id"]: (row["split"], row["fold"]) for row in written}
    assert place["p0"] == place["p1"] == place["p22"] == place["p23"]  # one picture, two people
    assert len(load_dataset(folder).photos) == 24


def test_split_that_is_there_is_not_overwritten_by_chance(tmp_path):
    rows = [{"image_id": f"p{i}", "dx": ("nv", "mel")[i % 2], "split": "train", "fold": "0"} for i in range(12)]
    folder = write_folder(tmp_path, rows)

    with pytest.raises(DatasetError, match=r"It has one\. Replace it with --replace"):
        split_dataset(folder, split_parts("kfold", n_folds=2))

    before = (folder / "metadata.csv").read_bytes()
    split_dataset(folder, split_parts("kfold", n_folds=2), out=tmp_path / "new.csv", must_replace=True)
    assert (folder / "metadata.csv").read_bytes() == before
    assert Counter(row["split"] for row in read_csv(tmp_path / "new.csv"))["test"] in (1, 2)
