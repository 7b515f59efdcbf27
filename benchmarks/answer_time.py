"""Time from the bytes of a 12-megapixel JPEG to the full answer with heat maps, beside a plain Keras loop.

    python -m benchmarks.answer_time [--photo FILE] [--rounds 7] [--out docs/answer-time.md]

Both read the same bytes with the same network in the same process and take turns. The plain loop is what most
"Keras in an app" code does: Pillow resize, ``model.predict`` on the eight views, Grad-CAM with ``tf.GradientTape``; it
does no quality check, finds no lesion, and answers without the second opinion (metadata withheld).
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
from dermascan_core.model.keras_engine import KerasEngine
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.model.predictor import EnginePredictor
from dermascan_core.model.views import make_views
from dermascan_core.services.models import load_model_manifest, weights_file
from dermascan_core.services.screening import screen_lesion

METADATA = Metadata(age_approx=55, sex="female", anatom_site="back")
TWELVE_MEGAPIXELS = (4000, 3000)


def upscaled_jpeg(photo: Path | None) -> bytes:
    """The photo (or a generated example) as a 4000 x 3000 JPEG."""
    rgb = decode_photo(photo.read_bytes()) if photo else make_example(EXAMPLES[0].key)
    buffer = io.BytesIO()
    big = cv2.resize(rgb, TWELVE_MEGAPIXELS, interpolation=cv2.INTER_CUBIC)
    Image.fromarray(big).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def plain_keras(model, data: bytes, metadata: np.ndarray, side_px: int) -> Callable[[], None]:
    """The loop to compare with: predict and GradientTape."""
    import keras
    import tensorflow as tf

    with_map = keras.Model(model.inputs, [model.get_layer("feature_map").output, model.get_layer("logits").output])
    logits_only = keras.Model(model.inputs, model.get_layer("logits").output)

    def answer() -> None:
        square = np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((side_px, side_px)))
        views = make_views(square).astype(np.float32)
        many = np.repeat(metadata, len(views), axis=0)
        best = int(logits_only.predict([views, many], verbose=0).mean(axis=0).argmax())
        with tf.GradientTape() as tape:
            feature_map, logits = with_map([tf.constant(views[:1]), tf.constant(metadata)], training=False)
            tape.watch(feature_map)
            score = logits[:, best]
        gradient = tape.gradient(score, feature_map)
        np.maximum((feature_map * tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)).numpy().sum(-1), 0)

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
    manifest = load_model_manifest()
    engine = KerasEngine.load(manifest, weights_file(manifest))
    predictor = EnginePredictor(manifest, engine)
    load_s = time.perf_counter() - started

    def ours() -> None:
        screening = screen_lesion(
            [("photo.jpg", data)],
            metadata=METADATA,
            answers=Answers(),
            image_type=ImageType.DERMOSCOPIC,
            predictor=predictor,
            explain=True,
            repeat=True,
        )
        if screening.photos[0].prediction is None:
            raise SystemExit(f"The photo was refused ({screening.photos[0].reason}); choose another one.")

    encoded = MetadataEncoder(manifest.metadata_fields).encode([METADATA])
    plain = plain_keras(engine._model, data, encoded, manifest.preprocess.input_px)
    first = {name: _seconds(call) for name, call in (("DermaScan", ours), ("plain Keras loop", plain))}
    later: dict[str, list[float]] = {name: [] for name in first}
    for _ in range(options.rounds):
        for name, call in (("DermaScan", ours), ("plain Keras loop", plain)):
            later[name].append(_seconds(call))
    table = _table(data, load_s, first, later)
    print(table)
    if options.out:
        options.out.write_text(table, encoding="utf-8")


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _table(data: bytes, load_s: float, first: dict[str, float], later: dict[str, list[float]]) -> str:
    ratio = statistics.median(later["plain Keras loop"]) / statistics.median(later["DermaScan"])
    rows = "\n".join(
        f"| {name} | {first[name]:.2f} | {statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f}) |"
        for name, times in later.items()
    )
    return f"""# From a 12-megapixel JPEG to the full answer

Written by `python -m benchmarks.answer_time`; {os.cpu_count()} cores, {platform.machine()}, Python
{platform.python_version()}, JPEG of {len(data) / 1e6:.1f} MB. Trust the ratio, not the seconds.

Loading and warming up the model (once a server): {load_s:.1f} s.

| path | first answer, s | later answers, s: median (range) |
| --- | --- | --- |
{rows}

The plain loop takes {ratio:.2f} times as long as DermaScan, which in that time also checks the quality, finds the lesion,
answers with and without metadata, draws heat maps for seven classes instead of one, and answers ten small changes of the
photo and, where something lies over the skin, the photo without it.
"""


if __name__ == "__main__":
    main()
