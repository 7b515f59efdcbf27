"""Answers for one photo with a DermaScan ``.tflite`` file alone, as an app on a phone would. Not a medical device.

Needs NumPy, Pillow and ai-edge-litert; nothing of dermascan_core. Everything it knows about the model comes out of the file:

    python answer.py dermascan.tflite photo.jpg --dermatoscope

What it leaves out, and what must be added before anybody relies on it, is said in README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

OUTPUTS_A_MEMBER = 3  # logits, embedding, feature_map
MIN_SIDE_PX = 128
MAX_PIXELS = 80_000_000  # Pillow warns from 89 million on


@dataclass(frozen=True)
class Answer:
    """Shares among archive photos like this one, in [0, 1]: of HAM10000's seven classes, and of cancer or pre-cancer.

    ``set_90`` holds every class that stays possible: in 9 of 10 archive photos the right one is among them.
    """

    probabilities: dict[str, float]
    p_malignant: float
    first: str
    is_above_threshold: bool
    set_90: tuple[str, ...]


def read_description(model: Path) -> dict[str, Any]:
    """Return ``model.json`` from behind the network."""
    try:
        with zipfile.ZipFile(model) as archive:
            return json.loads(archive.read("model.json"))
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise SystemExit(
            f"Expected a .tflite file with model.json packed behind the network. Received '{model}' ({error}). "
            "Export the model again with this version."
        ) from error


def read_square(photo: Path, description: dict[str, Any]) -> np.ndarray:
    """Return the centre square of a photo, uint8 (input_px, input_px, 3), at the detail of the training photos.

    Not to the last bit the app's: Pillow averages areas a little differently from OpenCV, and the app looks for the lesion.
    """
    if description["preprocess"]["steps"]:
        raise SystemExit(
            f"This model wants its photos prepared by steps that are not here: {description['preprocess']}"
        )
    upright = _read_photo(photo)
    side, detail_px = min(upright.size), description["preprocess"]["detail_px"]
    left, top = (upright.width - side) // 2, (upright.height - side) // 2
    square = upright.crop((left, top, left + side, top + side))
    if side > detail_px:
        square = square.resize((detail_px, detail_px), Image.Resampling.BOX)
    input_px = description["preprocess"]["input_px"]
    return np.asarray(square.resize((input_px, input_px), Image.Resampling.BILINEAR), np.uint8)


def _read_photo(photo: Path) -> Image.Image:
    try:
        with Image.open(photo, formats=("JPEG", "PNG", "WEBP")) as opened:
            if opened.width * opened.height > MAX_PIXELS or min(opened.size) < MIN_SIDE_PX:
                raise SystemExit(
                    f"Expected a photo with a short side of {MIN_SIDE_PX} px or more and at most {MAX_PIXELS:,} pixels. "
                    f"Received {opened.width}x{opened.height} px. Take another."
                )
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise SystemExit(f"Expected a JPEG, PNG or WebP photo. '{photo}' cannot be read: {error}") from error


def answer_square(model: Path, square: np.ndarray, metadata: np.ndarray | None = None) -> Answer:
    """Ask the network about every view of a square, and turn its logits into calibrated shares.

    Args:
        model: The ``.tflite`` file; float or whole numbers.
        square: uint8 (input_px, input_px, 3).
        metadata: Encoded age, sex and place, float32 (width,); None: unknown.
    """
    description = read_description(model)
    told = description["metadata_unknown"] if metadata is None else metadata
    interpreter = Interpreter(str(model))
    interpreter.allocate_tensors()
    looks = [_logits(interpreter, view, told) for view in make_views(square, description["n_views"])]
    return _judge(np.concatenate(looks), description)


def make_views(square: np.ndarray, n_views: int) -> list[np.ndarray]:
    """Return the flips and quarter turns, in the app's order."""
    return [np.rot90(square[:, ::-1] if view >= 4 else square, view % 4) for view in range(n_views)]


def _logits(interpreter: Interpreter, view: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Return (n_members, n_classes)."""
    signature = interpreter.get_signature_runner()
    inputs, outputs = signature.get_input_details(), signature.get_output_details()
    given = {"image": view[np.newaxis], "metadata": np.asarray(told)[np.newaxis]}
    results = signature(**{name: _as_input(values, inputs[name]) for name, values in given.items()})
    n_members = len(outputs) // OUTPUTS_A_MEMBER
    names = [f"output_{OUTPUTS_A_MEMBER * member}" for member in range(n_members)]
    return np.concatenate([_as_float(results[name], outputs[name]) for name in names])


def _as_input(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    kind = np.dtype(detail["dtype"])
    if kind.kind == "f":
        return values.astype(np.float32)
    scale, zero = detail["quantization"]
    ends = np.iinfo(kind)
    return np.clip(np.round(values / np.float32(scale)) + zero, ends.min, ends.max).astype(kind)


def _as_float(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    if np.dtype(detail["dtype"]).kind == "f":
        return values
    scale, zero = detail["quantization"]
    return (values.astype(np.float32) - zero) * scale


def _judge(logits: np.ndarray, description: dict[str, Any]) -> Answer:
    """Bring logits (n, n_classes) to the archive's mix of classes, average them, and sum to the seven classes."""
    shares, sampled = np.array(description["class_shares"]), np.array(description["sampling_shares"])
    known = (shares > 0) & (sampled > 0)  # a class that was not there to be learnt has no share
    ratio = np.divide(shares, sampled, out=np.ones_like(shares), where=known)
    scores = np.where(known, logits.astype(np.float64) / description["temperature"] + np.log(ratio), -np.inf)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    mean = (scores / scores.sum(axis=1, keepdims=True)).mean(axis=0)
    seven, usual = (dict.fromkeys(description["ham_codes"], 0.0) for _ in range(2))
    for code, probability, share in zip(description["ham_code_of"].values(), mean, shares, strict=True):
        seven[code] += float(probability)
        usual[code] += float(share)
    p_malignant = sum(seven[code] for code in description["malignant"])
    first = max(seven, key=lambda code: seven[code] / usual[code] if usual[code] > 0 else 0.0)
    possible = tuple(code for code in seven if seven[code] >= description["set_90"][code] or code == first)
    return Answer(seven, p_malignant, first, p_malignant >= description["threshold"], possible)


def describe(answer: Answer, description: dict[str, Any], *, is_dermoscopic: bool) -> list[str]:
    """Return what a person reads; never a verdict, and nothing calm about a photo of a kind that was not tested."""
    words, names = description["words"], description["names"]
    bars = [
        f"  {names[code]}: {share:.1%}" for code, share in sorted(answer.probabilities.items(), key=lambda x: -x[1])
    ]
    malignant = set(description["malignant"])
    finding = []
    if answer.is_above_threshold or answer.first in malignant:
        finding.append(words["above"])
    elif malignant & set(answer.set_90):
        finding.append(words["possible"])
    if not is_dermoscopic:
        finding.append(words["phone_photo"])
    return [
        words["disclaimer"],
        *(finding or [words["below"]]),
        words["overrules"],
        "",
        f"Stands out most against its usual share: {names[answer.first]}",
        "Stay possible: " + "; ".join(names[code] for code in answer.set_90),
        *bars,
        f"  {words['p_malignant']}: {answer.p_malignant:.1%}",
        words["bars"],
        "",
        words["tested_on"],
        words["left_out"],
        f"Model {description['name']} {description['version']}, {description['sha256'][:12]}. {description['licence']}",
    ]


def main() -> None:
    """Read the command line, answer, print."""
    parser = argparse.ArgumentParser(description="Answers for one photo. Not a medical device. Not a diagnosis.")
    parser.add_argument("model", type=Path, help="the .tflite file")
    parser.add_argument("photo", type=Path)
    parser.add_argument("--dermatoscope", action="store_true", help="the photo was taken through a dermatoscope")
    given = parser.parse_args()
    description = read_description(given.model)
    answer = answer_square(given.model, read_square(given.photo, description))
    print("\n".join(describe(answer, description, is_dermoscopic=given.dermatoscope)))


if __name__ == "__main__":
    main()
