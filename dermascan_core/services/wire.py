"""Squares and answers between two machines: PNG one way, NumPy arrays and JSON the other; never a pickle.

Floats survive exactly, so that an answer from another machine is the answer that its engine gave.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..domain import Metadata, Prediction
from ..errors import RemoteServerError, UnreadablePhotoError
from ..metadata import ImageType
from ..model.predictor import PhotoOutput
from ..trust.gate import GateScores

FORMAT = 1
_NUMBERS = ("p_malignant", "views_agreeing", "n_views", "is_above_threshold", "is_above_calm_line", "disagreement")
_TEXTS = ("predicted", "set_90", "set_95", "codes")
_MAPS = ("heat_maps", "heat_maps_plus_plus")
_KIND_OF = {"float | None": (int, float), "int | None": (int,), "bool | None": (bool,)}
_KINDS = {field.name: _KIND_OF.get(str(field.type), (str,)) for field in fields(Metadata)}
# What a torn or foreign file makes numpy, zipfile and json raise.
_READ_ERRORS = (ValueError, TypeError, LookupError, OSError, EOFError, zipfile.BadZipFile, MemoryError)


def encode_square(square: npt.NDArray[np.uint8]) -> bytes:
    """Return a square (side, side, 3), uint8 RGB, as PNG: nothing is lost."""
    buffer = io.BytesIO()
    Image.fromarray(square).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def decode_square(data: bytes, *, side_px: int) -> npt.NDArray[np.uint8]:
    """Return a square (side_px, side_px, 3), uint8 RGB, from PNG.

    Raises:
        UnreadablePhotoError: If it is no RGB PNG of that size; nothing is decoded before that is known.
    """
    expected = f"Expected a PNG of {side_px}x{side_px} px in RGB, as the network takes it."
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.size != (side_px, side_px) or image.mode != "RGB":
                came = f"{image.width}x{image.height} px, {image.mode}"
                raise UnreadablePhotoError(f"{expected} Received: {came}. Send the square of the model's input.")
            return np.asarray(image, np.uint8)
    except (OSError, SyntaxError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UnreadablePhotoError(f"{expected} It is something else, or damaged. Send it again.") from error


def metadata_to_json(metadata: Sequence[Metadata]) -> str:
    """Return what the model is told of each square as JSON."""
    return json.dumps([asdict(one) for one in metadata])


def metadata_from_json(text: str) -> list[Metadata]:
    """Return what ``metadata_to_json`` wrote.

    Raises:
        ValueError: If it is something else, or names an unknown field.
        MetadataError: If a value cannot be true.
    """
    rows = json.loads(text)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("Expected a list of objects.")
    return [
        Metadata(**{name: _checked(name, value) for name, value in row.items() if value is not None}) for row in rows
    ]


def _checked(name: str, value: Any) -> Any:
    kinds = _KINDS.get(name)
    # To Python yes is a number.
    if kinds is None or not isinstance(value, kinds) or (isinstance(value, bool) and kinds != (bool,)):
        raise ValueError("Expected fields of the metadata, each of its type.")
    return ImageType(str(value)) if name == "image_type" else value


def encode_outputs(outputs: Sequence[PhotoOutput]) -> bytes:
    """Return answers as an ``.npz`` without pickles."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    heads = []
    for number, output in enumerate(outputs):
        arrays[f"{number}.embedding"] = np.asarray(output.embedding)
        for which in ("prediction", "prediction_without_metadata"):
            prediction: Prediction = getattr(output, which)
            arrays[f"{number}.{which}.probabilities"] = np.asarray(prediction.probabilities)
            arrays[f"{number}.{which}.ham_probabilities"] = np.asarray(prediction.ham_probabilities)
        for which in _MAPS:
            arrays |= {f"{number}.{which}.{code}": heat_map for code, heat_map in getattr(output, which).items()}
        heads.append(_head_of(output))
    text = json.dumps({"format": FORMAT, "outputs": heads}, allow_nan=False).encode()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, head=np.frombuffer(text, np.uint8), **arrays)
    return buffer.getvalue()


def _head_of(output: PhotoOutput) -> dict[str, Any]:
    return {
        "prediction": _plain(output.prediction),
        "prediction_without_metadata": _plain(output.prediction_without_metadata),
        "gate": None if output.gate is None else asdict(output.gate),
        "metadata_effects": dict(output.metadata_effects),
        **{which: list(getattr(output, which)) for which in _MAPS},
    }


def _plain(prediction: Prediction) -> dict[str, Any]:
    numbers = {name: getattr(prediction, name) for name in _NUMBERS}
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in numbers.items()}
    return plain | {name: getattr(prediction, name) for name in _TEXTS}


def decode_outputs(data: bytes, *, n_outputs: int) -> list[PhotoOutput]:
    """Return what ``encode_outputs`` wrote.

    Args:
        data: The file.
        n_outputs: How many were asked for.

    Raises:
        RemoteServerError: If it is something else, or holds another number of answers.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            head = json.loads(arrays["head"].tobytes())
            if head["format"] != FORMAT or len(head["outputs"]) != n_outputs:
                raise ValueError("Expected another format, or another number of answers.")
            return [_output_of(number, one, arrays) for number, one in enumerate(head["outputs"])]
    except _READ_ERRORS as error:
        raise RemoteServerError(
            f"Expected {n_outputs} answers of a DermaScan server. Received something else. "
            "Bring both machines to the same version."
        ) from error


def _output_of(number: int, head: dict[str, Any], arrays: Any) -> PhotoOutput:
    def prediction(which: str) -> Prediction:
        own = {name: arrays[f"{number}.{which}.{name}"] for name in ("probabilities", "ham_probabilities")}
        texts: dict[str, Any] = {
            name: tuple(text) if isinstance(text, list) else text for name, text in head[which].items()
        }
        return Prediction(**texts, **own)

    maps = {which: {code: arrays[f"{number}.{which}.{code}"] for code in head[which]} for which in _MAPS}
    return PhotoOutput(
        prediction("prediction"),
        prediction("prediction_without_metadata"),
        arrays[f"{number}.embedding"],
        gate=None if head["gate"] is None else GateScores(**head["gate"]),
        metadata_effects=head["metadata_effects"],
        **maps,
    )
