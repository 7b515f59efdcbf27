"""Squares and answers between two machines: exact, and safe against whatever else arrives."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from dermascan_core.domain import ImageType, Metadata
from dermascan_core.errors import MetadataError, RemoteServerError, UnreadablePhotoError
from dermascan_core.services.wire import (
    decode_outputs,
    decode_square,
    encode_outputs,
    encode_square,
    metadata_from_json,
    metadata_to_json,
)
from dermascan_core.trust.gate import GateScores
from tests.fakes import FakePredictor, fake_photo, photo_bytes

SQUARE = fake_photo(width=224, height=224)


def same(one, other):
    """Whether two answers are equal, arrays included."""
    for name in ("predicted", "p_malignant", "set_90", "set_95", "codes", "views_agreeing", "n_views", "disagreement"):
        for which in ("prediction", "prediction_without_metadata"):
            assert getattr(getattr(one, which), name) == getattr(getattr(other, which), name)
            np.testing.assert_array_equal(getattr(one, which).probabilities, getattr(other, which).probabilities)
    np.testing.assert_array_equal(one.embedding, other.embedding)
    assert one.embedding.dtype == other.embedding.dtype
    assert one.gate == other.gate
    assert one.metadata_effects == other.metadata_effects
    assert list(one.heat_maps) == list(other.heat_maps)
    for code in one.heat_maps:
        np.testing.assert_array_equal(one.heat_maps[code], other.heat_maps[code])
    return True


def test_answers_survive_exactly():
    first, second = FakePredictor().predict(
        np.stack([SQUARE, SQUARE // 2]), [Metadata(), Metadata(age_approx=80)], explain=True
    )
    first = replace(first, gate=GateScores(1.1, 0.7, 0.2, 0.1, 3.0, 0.5), metadata_effects={"age_approx": 1 / 3})

    found = decode_outputs(encode_outputs([first, second]), n_outputs=2)

    assert same(found[0], first)
    assert same(found[1], second)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 torn", b"<html>", encode_outputs([])], ids=str)
def test_something_else_than_the_answers_is_told_in_one_sentence(data):
    with pytest.raises(RemoteServerError) as caught:
        decode_outputs(data, n_outputs=1)

    assert str(caught.value) == (
        "Expected 1 answers of a DermaScan server. Received something else. Bring both machines to the same version."
    )


def test_pickle_in_place_of_the_answers_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    buffer = io.BytesIO()
    np.savez(buffer, head=np.array([Trap()], dtype=object))

    with pytest.raises(RemoteServerError):
        decode_outputs(buffer.getvalue(), n_outputs=1)

    assert not (tmp_path / "sprung").exists()


def test_square_survives_exactly():
    np.testing.assert_array_equal(decode_square(encode_square(SQUARE), side_px=224), SQUARE)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            photo_bytes(SQUARE[:100]),
            "Expected a PNG of 224x224 px in RGB, as the network takes it. It is something else,",
        ),
        (
            photo_bytes(SQUARE[:100], "PNG"),
            "Expected a PNG of 224x224 px in RGB, as the network takes it. Received: 224x100",
        ),
        (
            photo_bytes(SQUARE[..., 0], "PNG"),
            "Expected a PNG of 224x224 px in RGB, as the network takes it. Received: 224x224",
        ),
        (
            encode_square(SQUARE)[:900],
            "Expected a PNG of 224x224 px in RGB, as the network takes it. It is something else,",
        ),
        (b"", "Expected a PNG of 224x224 px in RGB, as the network takes it. It is something else,"),
    ],
)
def test_other_square_is_refused_before_it_is_decoded(data, sentence):
    with pytest.raises(UnreadablePhotoError) as caught:
        decode_square(data, side_px=224)

    assert str(caught.value).startswith(sentence)


def test_metadata_survives():
    metadata = [Metadata(), Metadata(age_approx=61.5, sex="female", itch=True, image_type=ImageType.CLINICAL)]

    assert metadata_from_json(metadata_to_json(metadata)) == metadata


@pytest.mark.parametrize(
    "row",
    [{"agee": 1}, {"itch": "yes"}, {"age_approx": True}, {"age_approx": [1]}, {"sex": 1}, {"image_type": "x-ray"}, 7],
)
def test_metadata_of_another_shape_is_a_value_error(row):
    with pytest.raises(ValueError, match=r"Expected|not a valid"):
        metadata_from_json(json.dumps([row]))


def test_impossible_metadata_is_told_as_everywhere():
    with pytest.raises(MetadataError):
        metadata_from_json('[{"age_approx": 300}]')
