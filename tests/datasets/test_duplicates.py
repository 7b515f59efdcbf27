"""Duplicates: one picture saved again is found however it was changed; other pictures are left apart."""

import cv2
import numpy as np
import pytest
from PIL import Image

from dermascan_core.datasets.duplicates import find_duplicates, join_groups, photo_print, read_prints, similarity
from tests.datasets.making import jpeg, picture
from tests.fakes import fake_photo

ORIGINAL = picture(7)
CHANGES = {
    "saved again as JPEG of quality 30": lambda p: np.asarray(_decoded(jpeg(p, 30))),
    "half as large": lambda p: cv2.resize(p, (240, 192), interpolation=cv2.INTER_AREA),
    "squashed to a square": lambda p: cv2.resize(p, (128, 128), interpolation=cv2.INTER_AREA),
    "brighter": lambda p: np.clip(p * 1.15, 0, 255).astype(np.uint8),
    "blurred": lambda p: cv2.GaussianBlur(p, (0, 0), 1),
    "mirrored": lambda p: np.ascontiguousarray(p[:, ::-1]),
    "turned by 90 degrees": lambda p: np.rot90(p).copy(),
    "turned by 180 degrees": lambda p: np.rot90(p, 2).copy(),
    "transposed": lambda p: p.transpose(1, 0, 2).copy(),
}


def _decoded(data):
    import io

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _pairs(tmp_path, photos):
    files = {}
    for name, rgb in photos.items():
        files[name] = tmp_path / f"{name}.png"
        Image.fromarray(rgb).save(files[name])
    prints, broken = read_prints(files)
    assert broken == {}
    return find_duplicates(prints, files)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_same_picture_is_found_when(change, tmp_path):
    large = picture(7, width=480, height=384)

    (pair,) = _pairs(tmp_path, {"a": large, "b": CHANGES[change](large), "c": picture(8)})

    assert (pair.first, pair.second, pair.is_exact) == ("a", "b", False)
    assert pair.n_bits <= 48
    assert pair.similarity >= 0.6


def test_same_pixels_in_another_file_format_are_an_exact_duplicate(tmp_path):
    (pair,) = _pairs(tmp_path, {"a": ORIGINAL, "b": ORIGINAL.copy()})

    assert (pair.is_exact, pair.n_bits, pair.similarity) == (True, 0, 1.0)


def test_different_pictures_are_no_duplicates(tmp_path):
    assert _pairs(tmp_path, {str(seed): picture(seed) for seed in range(40)}) == []


def test_two_moles_in_the_same_place_are_no_duplicates(tmp_path):
    frame = fake_photo(width=200, height=150).astype(float)
    moles = {
        str(seed): np.clip(0.7 * frame + 0.3 * picture(seed, width=200, height=150), 0, 255).astype(np.uint8)
        for seed in range(6)
    }

    assert _pairs(tmp_path, moles) == []


def test_hash_of_a_turned_photo_is_among_the_views_of_the_photo():
    square = picture(3, width=160, height=160)
    own = photo_print(square)

    for turned in (square[:, ::-1], square[::-1], np.rot90(square), np.rot90(square, 3), square.transpose(1, 0, 2)):
        other = photo_print(np.ascontiguousarray(turned))
        assert min(np.bitwise_count(own.fine[view] ^ other.fine[0]).sum() for view in range(8)) <= 12


def test_similarity_is_the_correlation_at_the_best_shift():
    grey = cv2.cvtColor(picture(1, width=96, height=96), cv2.COLOR_RGB2GRAY)

    assert similarity(grey, grey) == pytest.approx(1, abs=1e-4)
    assert similarity(grey, np.roll(grey, 3, axis=1)) > 0.8
    assert similarity(grey, cv2.cvtColor(picture(2, width=96, height=96), cv2.COLOR_RGB2GRAY)) < 0.5


def test_photos_that_cannot_be_decoded_are_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no photo")

    prints, broken = read_prints({"a": tmp_path / "a.jpg"})

    assert prints == {}
    assert broken["a"].code == "unreadable"


def test_groups_join_through_shared_names():
    groups = join_groups([("x", "y"), ("b", "a"), ("y", "z"), ("q",)])

    assert groups == {"a": "a", "b": "a", "q": "q", "x": "x", "y": "x", "z": "x"}


@pytest.mark.real_data
def test_one_mole_photographed_once_lies_in_ham10000_under_two_lesions(data_dir):
    # Both pairs were looked at: the same photograph, once with other colours, once shifted by some pixels.
    names = ["ISIC_0030074", "ISIC_0025226", "ISIC_0027027", "ISIC_0029036", "ISIC_0027757", "ISIC_0032082"]
    files = {name: data_dir / "ham10000" / "images" / f"{name}.jpg" for name in names}
    prints, _ = read_prints(files)

    found = {(pair.first, pair.second) for pair in find_duplicates(prints, files)}

    assert found == {("ISIC_0030074", "ISIC_0025226"), ("ISIC_0027027", "ISIC_0029036")}
