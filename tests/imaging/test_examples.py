import numpy as np
import pytest

from dermascan_core.domain import Answers, ImageType, Metadata
from dermascan_core.imaging.crop import find_crop
from dermascan_core.imaging.decode import decode_photo
from dermascan_core.imaging.examples import EXAMPLES, Example, example_png, make_example
from dermascan_core.imaging.quality import assess_quality

KEYS = [example.key for example in EXAMPLES]


def test_there_are_four_examples_and_their_keys_are_stable() -> None:
    assert KEYS == ["even-mole", "irregular-dark", "red-bump", "blurred"]


@pytest.mark.parametrize("example", EXAMPLES, ids=KEYS)
def test_every_example_says_that_it_is_generated_and_fills_the_form(example: Example) -> None:
    assert "Generated picture, not a real lesion" in example.title
    assert example.image_type is ImageType.DERMOSCOPIC
    assert isinstance(example.metadata, Metadata)
    assert example.metadata.age_approx is not None
    assert example.metadata.fitzpatrick_skin_type is not None  # without it, no example could be answered calmly
    assert example.answers != Answers()
    assert example.description.endswith(".")


@pytest.mark.parametrize("key", KEYS)
def test_example_is_the_same_on_every_call_and_belongs_to_the_caller(key: str) -> None:
    first = make_example(key)
    first[:] = 0

    second = make_example(key)

    assert second.shape == (450, 600, 3)
    assert second.dtype == np.uint8
    assert second.mean() > 100
    assert np.array_equal(second, make_example(key))


@pytest.mark.parametrize("key", KEYS)
def test_example_png_holds_the_same_pixels(key: str) -> None:
    assert np.array_equal(decode_photo(example_png(key)), make_example(key))


@pytest.mark.parametrize("key", ["even-mole", "irregular-dark", "red-bump"])
def test_good_examples_pass_the_gate_and_their_lesion_is_found(key: str) -> None:
    photo = make_example(key)

    report, box = assess_quality(photo), find_crop(photo)

    assert report.failures == ()
    assert report.warnings == ()
    assert box.source == "lesion"
    assert 0.10 < report.measures["lesion_share"] < 0.50


def test_the_bad_photo_is_refused_as_blurred() -> None:
    assert [reason.code for reason in assess_quality(make_example("blurred")).failures] == ["too_blurry"]


def test_unknown_example_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError) as caught:
        make_example("mole")

    assert str(caught.value) == (
        "Invalid value received for argument `key`. "
        "Expected ['even-mole', 'irregular-dark', 'red-bump', 'blurred']. Received: 'mole'"
    )
