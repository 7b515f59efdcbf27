"""Time from the bytes of a 12-megapixel JPEG to the full answer, beside the plain Keras loop of other apps.

    python -m benchmarks.answer_time [--photo FILE] [--rounds 7] [--out docs/answer-time.md]

All read the same bytes with the same network in the same process and take turns. The plain loop is what most "Keras in an
app" code does: Pillow resize, ``model.predict`` once for each of the eight views, Grad-CAM with ``tf.GradientTape``; it does
no quality check, finds no lesion, knows no gate and no similar photos, and answers without the second opinion (metadata
withheld). The second plain loop predicts the eight views as one batch.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import numpy as np
from PIL import Image

from dermascan_core.domain import Answers, ImageType, Metadata
from dermascan_core.imaging.decode import decode_photo
from dermascan_core.imaging.examples import EXAMPLES, make_example
from dermascan_core.model.checkpoint import load_weights
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.model.predictor import Predictor
from dermascan_core.model.views import make_views
from dermascan_core.services.models import load_predictor, weights_file
from dermascan_core.services.screening import screen_lesion

METADATA = Metadata(age_approx=55, sex="female", anatom_site="back")
TWELVE_MEGAPIXELS = (4000, 3000)
PEER = "plain Keras loop, a call for each of the eight views"


def upscaled_jpeg(photo: Path | None) -> bytes:
    """The photo (or a generated example) as a 4000 x 3000 JPEG."""
    rgb = decode_photo(photo.read_bytes()) if photo else make_example(EXAMPLES[0].key)
    buffer = io.BytesIO()
    big = cv2.resize(rgb, TWELVE_MEGAPIXELS, interpolation=cv2.INTER_CUBIC)
    Image.fromarray(big).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def plain_keras(model, data: bytes, metadata: np.ndarray, side_px: int, *, at_once: int) -> Callable[[], None]:
    """The loop to compare with: predict, ``at_once`` views a call, and GradientTape."""
    import keras
    import tensorflow as tf

    with_map = keras.Model(model.inputs, [model.get_layer("feature_map").output, model.get_layer("logits").output])
    logits_only = keras.Model(model.inputs, model.get_layer("logits").output)

    def answer() -> None:
        square = np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((side_px, side_px)))
        views = make_views(square).astype(np.float32)
        many = np.repeat(metadata, at_once, axis=0)
        logits = [logits_only.predict([views[i : i + at_once], many], verbose=0) for i in range(0, len(views), at_once)]
        best = int(np.concatenate(logits).mean(axis=0).argmax())
        with tf.GradientTape() as tape:
            feature_map, score = with_map([tf.constant(views[:1]), tf.constant(metadata)], training=False)
            tape.watch(feature_map)
            top = score[:, best]
        gradient = tape.gradient(top, feature_map)
        np.maximum((feature_map * tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)).numpy().sum(-1), 0)

    return answer


def our_answer(predictor: Predictor, data: bytes, *, repeat: bool) -> Callable[[], None]:
    """What a page does: decode, quality, lesion, gate, eight views, heat maps of seven classes, similar photos."""

    def answer() -> None:
        screening = screen_lesion(
            [("photo.jpg", data)],
            metadata=METADATA,
            answers=Answers(),
            image_type=ImageType.DERMOSCOPIC,
            predictor=predictor,
            explain=True,
            repeat=repeat,
        )
        if screening.photos[0].prediction is None:
            raise SystemExit(f"The photo was refused ({screening.photos[0].reason}); choose another one.")

    return answer


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, help="a real photo; a generated example otherwise")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()

    data = upscaled_jpeg(options.photo)
    started = time.perf_counter()
    predictor = load_predictor()
    load_s = time.perf_counter() - started
    manifest = predictor.manifest
    started = time.perf_counter()
    model = load_weights(manifest, weights_file(manifest))
    keras_load_s = time.perf_counter() - started
    encoded = MetadataEncoder(manifest.metadata_fields).encode([METADATA]).astype(np.float32)
    side_px = manifest.preprocess.input_px
    calls = {
        f"DermaScan, engine {predictor.engine}": our_answer(predictor, data, repeat=False),
        "the same, and ten small changes and what lies over the skin": our_answer(predictor, data, repeat=True),
        PEER: plain_keras(model, data, encoded, side_px, at_once=1),
        "plain Keras loop, the eight views in one call": plain_keras(model, data, encoded, side_px, at_once=8),
    }
    first = {name: _seconds(call) for name, call in calls.items()}
    later: dict[str, list[float]] = {name: [] for name in first}
    for _ in range(options.rounds):
        for name, call in calls.items():
            later[name].append(_seconds(call))
    table = _table(data, load_s, keras_load_s, first, later)
    print(table)
    if options.out:
        options.out.write_text(table, encoding="utf-8")


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _table(
    data: bytes, load_s: float, keras_load_s: float, first: dict[str, float], later: dict[str, list[float]]
) -> str:
    peer = statistics.median(later[PEER])
    rows = "\n".join(
        f"| {name} | {first[name]:.2f} | {statistics.median(times):.3f} ({min(times):.3f} to {max(times):.3f}) "
        f"| {peer / statistics.median(times):.1f} |"
        for name, times in later.items()
    )
    return f"""# From a 12-megapixel JPEG to the full answer

Written by `python -m benchmarks.answer_time`; {os.cpu_count()} cores, {platform.machine()}, Python
{platform.python_version()}, JPEG of {len(data) / 1e6:.1f} MB. Trust the ratios, not the seconds.

Loading the model (once a server): {load_s:.2f} s; TensorFlow, Keras and the same model: {keras_load_s:.1f} s.

| path | first answer, s | later answers, s: median (range) | as fast as the plain loop, times |
| --- | --- | --- | --- |
{rows}

The plain loops do less: no quality check, no lesion, no gate, no similar photos, one heat map instead of seven, no answer
without metadata.
"""


if __name__ == "__main__":
    main()
