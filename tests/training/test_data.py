"""Which photos train: leaks refused by name, the shipped split joined, squares computed once."""

import csv
import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from dermascan_core.domain import ImageType
from dermascan_core.errors import DatasetError, DermaScanError, OutputError
from dermascan_core.imaging.decode import read_photo
from dermascan_core.imaging.preprocess import PreprocessConfig, preprocess
from dermascan_core.tables import LabelledPhoto, split_sha256
from dermascan_core.training import data
from dermascan_core.training.data import (
    class_codes,
    class_counts,
    has_masks,
    load_dataset,
    load_squares,
    targets,
)
from tests.fakes import fake_photo, photo_bytes

CONFIG = PreprocessConfig(input_px=32, detail_px=32)


def _write(folder, rows, *, photos=None):
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / "metadata.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for image_id in photos if photos is not None else [row["image_id"] for row in rows]:
        (folder / "images" / f"{image_id}.jpg").write_bytes(photo_bytes(fake_photo(width=200, height=150)))
    return folder


def _row(image_id, lesion_id, split="train", fold="0", dx="nv"):
    return {"image_id": image_id, "lesion_id": lesion_id, "dx": dx, "split": split, "fold": fold}


def test_lesion_in_two_splits_is_refused_and_named(tmp_path):
    _write(tmp_path, [_row("a", "L1"), _row("b", "L1", split="test", fold=""), _row("c", "L2")])

    with pytest.raises(DatasetError) as error:
        load_dataset(tmp_path)

    assert str(error.value) == (
        "Expected every lesion (or patient) in one split and one fold only. 1 lie in several: L1. "
        "Results on such a split would be too good; correct 'split' and 'fold'."
    )


def test_masks_count_where_a_photo_that_trains_has_one(tmp_path):
    _write(tmp_path, [_row("a", "L1"), _row("b", "L2", split="test", fold="")])
    assert not has_masks([tmp_path])
    (tmp_path / "masks").mkdir()

    for name, expected in (("b", False), ("a", True)):
        (tmp_path / "masks" / f"{name}.png").touch()
        assert has_masks([tmp_path]) == expected


def test_lesion_in_two_folds_is_refused_too(tmp_path):
    _write(tmp_path, [_row("a", "L1", fold="0"), _row("b", "L1", fold="1")])

    with pytest.raises(DatasetError, match="1 lie in several: L1"):
        load_dataset(tmp_path)


def test_patient_in_two_splits_leaks_even_with_different_lesions(tmp_path):
    rows = [_row("a", "L1") | {"patient_id": "P1"}, _row("b", "L2", split="test", fold="") | {"patient_id": "P1"}]
    _write(tmp_path, rows)

    with pytest.raises(DatasetError, match="1 lie in several: P1"):
        load_dataset(tmp_path)


def test_lesion_whose_person_only_one_row_names_leaks_all_the_same(tmp_path):
    rows = [_row("a", "L1") | {"patient_id": "P1"}, _row("b", "L1", split="test", fold="") | {"patient_id": ""}]
    _write(tmp_path, rows)

    with pytest.raises(DatasetError, match="1 lie in several: P1 L1"):
        load_dataset(tmp_path)


def test_lesions_that_are_numbered_anew_for_each_person_do_not_leak(tmp_path):
    rows = [_row("a", "1") | {"patient_id": "P1"}, _row("b", "1", split="test", fold="") | {"patient_id": "P2"}]
    rows += [_row("c", "1", fold="1") | {"patient_id": ""}]

    assert len(load_dataset(_write(tmp_path, rows)).photos) == 3


def test_table_without_a_split_gets_the_one_that_ships(tmp_path):
    _write(tmp_path, [{"image_id": "ISIC_0024306", "dx": "nv"}, {"image_id": "unknown", "dx": "nv"}])

    (photo,) = load_dataset(tmp_path).photos

    assert (photo.image_id, photo.lesion_id, photo.split, photo.fold) == ("ISIC_0024306", "HAM_0000550", "train", "4")


def test_table_without_a_split_of_an_unknown_archive_is_refused(tmp_path):
    _write(tmp_path, [{"image_id": "mine", "dx": "nv"}])

    with pytest.raises(DatasetError, match="Expected columns 'split'"):
        load_dataset(tmp_path)


def test_folder_that_is_no_data_set_is_told_how_to_make_one(tmp_path):
    with pytest.raises(DatasetError) as error:
        load_dataset(tmp_path)

    assert str(error.value) == (
        f"Expected metadata.csv and images/ in '{tmp_path}'. They are not there. "
        "Make them with: python -m dermascan_core data import ham10000 --help"
    )


def test_rows_without_a_photo_are_left_out_and_none_at_all_is_refused(tmp_path):
    dataset = load_dataset(_write(tmp_path / "some", [_row("a", "L1"), _row("b", "L2")], photos=["a"]))

    assert [p.image_id for p in dataset.photos] == ["a"]
    with pytest.raises(DatasetError, match=r"Expected the photos of metadata\.csv in"):
        load_dataset(_write(tmp_path / "none", [_row("a", "L1")], photos=[]))


def test_split_hash_ignores_the_order_of_rows_and_sees_a_moved_photo():
    photos = [LabelledPhoto(name, "nv", False, lesion_id=name, split="train", fold="0") for name in "abc"]
    moved = [*photos[:2], LabelledPhoto("c", "nv", False, lesion_id="c", split="test")]

    assert split_sha256(photos) == split_sha256(photos[::-1])
    assert split_sha256(photos) != split_sha256(moved)


def test_undivided_akiec_is_shared_by_its_two_halves():
    photos = [LabelledPhoto("a", "akiec", True), LabelledPhoto("b", "bkl", False), LabelledPhoto("c", "scc", True)]

    codes = class_codes(photos)

    assert codes == ("ak", "scc", "pbk")
    assert targets(photos, codes).tolist() == [[0.5, 0.5, 0], [0, 0, 1], [0, 1, 0]]
    assert class_counts(photos) == {"akiec": 1, "bkl": 1, "scc": 1}


def test_squares_are_the_pixels_that_serving_sees_and_are_computed_once(tmp_path):
    dataset = load_dataset(_write(tmp_path, [_row("a", "L1"), _row("b", "L2")]))
    seen = []

    def load():
        return load_squares(
            dataset,
            dataset.photos,
            CONFIG,
            cache_dir=tmp_path / "cache",
            on_progress=lambda done, total: seen.append((done, total)),
        )

    first, second = load(), load()

    assert seen == [(1, 2), (2, 2)]
    assert np.array_equal(first, second)
    assert np.array_equal(first[1], preprocess(read_photo(dataset.files["b"]), CONFIG))


def test_changed_photo_is_read_anew(tmp_path):
    folder = _write(tmp_path, [_row("a", "L1")])
    dataset = load_dataset(folder)
    before = np.array(load_squares(dataset, dataset.photos, CONFIG, cache_dir=tmp_path / "cache"))

    dark = fake_photo(width=240, height=180, lesion=(20, 10, 10))
    dataset.files["a"].write_bytes(photo_bytes(dark))

    after = load_squares(dataset, dataset.photos, CONFIG, cache_dir=tmp_path / "cache")
    assert not np.array_equal(before, after)


def test_photo_that_cannot_be_decoded_is_named(tmp_path):
    folder = _write(tmp_path, [_row("a", "L1")])
    (folder / "images" / "a.jpg").write_bytes(b"broken")
    dataset = load_dataset(folder)

    with pytest.raises(DatasetError, match="The photo 'a' cannot train a model: Expected a photo"):
        load_squares(dataset, dataset.photos, CONFIG, cache_dir=tmp_path / "cache")


def test_two_data_sets_train_together(tmp_path):
    one, two = (_write(tmp_path / n, [_row(f"{n}1", f"L{n}1"), _row(f"{n}2", f"L{n}2")]) for n in ("a", "b"))

    dataset = load_dataset([one, two])

    assert [p.image_id for p in dataset.photos] == ["a1", "a2", "b1", "b2"]
    assert dataset.files["b1"].parent == two / "images"


def test_photo_that_lies_in_two_data_sets_is_refused(tmp_path):
    one, two = (_write(tmp_path / n, [_row("a1", "L1")]) for n in ("a", "b"))

    with pytest.raises(DatasetError) as error:
        load_dataset([one, two])

    assert str(error.value) == (
        "Expected every photo once. 1 names occur more than once, such as a1. "
        "Rename them, or leave one of the data sets out."
    )


def test_rows_that_only_say_malignant_or_not_cannot_train(tmp_path):
    folder = _write(tmp_path / "a", [_row("a1", "L1")])
    (folder / "metadata.csv").write_text("image_id,target,split,fold\na1,1,train,0\n")

    with pytest.raises(DatasetError, match="1 only say malignant or not"):
        load_dataset(folder)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            b"image_id,dx,split,fold\na,nv,train,0\nb,measles,train,1\n",
            "The labels table, line 3: Expected a diagnosis such as mel, nv, bcc, ak, scc, pbk, sk, df, vasc, akiec, bkl. "
            "Received 'measles'. Rename it in the table, or leave the row out.",
        ),
        (
            b"image_id,dx,split,fold\na,nv,train,0\na,mel,train,0\n",
            "Expected every photo once. 1 names occur more than once, such as a. "
            "Rename them, or leave one of the data sets out.",
        ),
        (
            b"image_id,dx,age_approx,split,fold\na,nv,-3,train,0\n",
            "The labels table, line 2: Expected age in years between 0 and 120, or empty for unknown. Received -3.0. "
            "Correct the value, or leave it empty.",
        ),
        (
            "image_id,dx,note\na,nv,Präparat\n".encode("latin-1"),
            "The labels table is not UTF-8 text (byte 24 cannot be read). Save it as 'CSV UTF-8' and try again.",
        ),
    ],
    ids=["unknown class", "doubled name", "impossible age", "another encoding"],
)
def test_table_that_cannot_train_is_refused_in_one_sentence(table, sentence, tmp_path):
    folder = _write(tmp_path, [_row("a", "L1"), _row("b", "L2")])
    (folder / "metadata.csv").write_bytes(table)

    with pytest.raises(DermaScanError) as error:
        load_dataset(folder)

    assert str(error.value) == sentence


def test_ages_that_are_not_known_are_no_fault(tmp_path):
    folder = _write(tmp_path, [_row("a", "L1") | {"age_approx": age} for age in ("nan",)])

    (photo,) = load_dataset(folder).photos

    assert photo.metadata.age_approx is None


def test_photos_of_one_class_teach_nothing():
    with pytest.raises(DatasetError) as error:
        class_codes([LabelledPhoto("a", "nv", False), LabelledPhoto("b", "nv", False)])

    assert str(error.value) == (
        "Expected photos of at least two classes. Received 2 photos of one class: nv. "
        "There is nothing to tell apart; add photos of another class."
    )


def test_photos_carry_how_they_were_taken_and_what_the_person_noticed(tmp_path):
    rows = [
        _row("a", "L1") | {"image_type": "clinical: close-up", "itch": "yes", "bleed": "False", "grew": "UNK"},
        _row("b", "L2") | {"image_type": "dermoscopic"},
        _row("c", "L3"),
    ]

    phone, scope, unsaid = load_dataset(_write(tmp_path, rows)).photos

    assert [p.image_type for p in (phone, scope, unsaid)] == [ImageType.CLINICAL, ImageType.DERMOSCOPIC, None]
    assert (phone.metadata.itch, phone.metadata.bleed, phone.metadata.grew) == (True, False, None)
    assert scope.metadata.itch is None


@pytest.mark.real_data
def test_real_split_of_ham10000_is_the_one_that_ships(data_dir):
    dataset = load_dataset(data_dir / "ham10000")

    assert dataset.is_shipped_split
    assert len(dataset.photos) == 8990


def test_disk_without_room_for_the_squares_is_said_before_they_are_made(generated_dataset, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    dataset = load_dataset(generated_dataset)

    with pytest.raises(OutputError, match=r"prepared photos in .* The disk said: No space left on device"):
        load_squares(dataset, dataset.photos[:3], PreprocessConfig(64, 64), cache_dir=tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_two_runs_that_share_a_cache_prepare_it_once(generated_dataset, tmp_path, monkeypatch):
    dataset = load_dataset(generated_dataset)
    prepared, prepare = [], data.preprocess

    def prepare_slowly(photo, config):
        prepared.append(photo)
        time.sleep(0.05)
        return prepare(photo, config)

    monkeypatch.setattr(data, "preprocess", prepare_slowly)
    with ThreadPoolExecutor(2) as threads:
        load = partial(load_squares, dataset, dataset.photos[:3], PreprocessConfig(64, 64), cache_dir=tmp_path)
        one, other = threads.map(lambda _: load(), range(2))

    assert len(prepared) == 3
    assert np.array_equal(one, other)
