"""What reading large JPEGs reduced changes in their answers, and what it saves, beside reading them whole.

    python -m benchmarks.large_jpeg FOLDER [--out docs/large-jpeg.md]

Takes the JPEGs of a folder whose short side has 2,000 px or more as they are, and every JPEG once more enlarged to a width
of 4,000 px, which is 12 megapixels at 4:3.
"""

from __future__ import annotations

import argparse
import io
import platform
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dermascan_core.domain import Answers, ImageType, Metadata, Screening
from dermascan_core.imaging import decode
from dermascan_core.model.predictor import Predictor
from dermascan_core.services.models import load_predictor
from dermascan_core.services.screening import screen_lesion

LARGE_PX = 2 * decode.MIN_REDUCED_SIDE_PX
ENLARGED_PX = 4000
N_READS = 3  # of which the fastest counts


@dataclass(frozen=True, slots=True)
class Pair:
    """One photo read both ways.

    Attributes:
        largest_change: Of a probability of HAM10000's seven; None where one of both was refused.
        is_other_step, is_other_status: Whether the next step, and what became of it, differ.
        reduced_ms, whole_ms: Processor time of decoding.
    """

    largest_change: float | None
    is_other_step: bool
    is_other_status: bool
    reduced_ms: float
    whole_ms: float


def large_photos(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (kind, bytes) of each large JPEG, and of each JPEG enlarged."""
    for path in sorted(folder.rglob("*.jp*g")):
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as photo:
            width, height = photo.size
            if min(width, height) >= LARGE_PX:
                yield "as they are", data
            size = (ENLARGED_PX, round(ENLARGED_PX * height / width))
            enlarged, buffer = photo.convert("RGB").resize(size, Image.Resampling.BICUBIC), io.BytesIO()
        enlarged.save(buffer, "JPEG", quality=92)
        if min(size) >= LARGE_PX:
            yield "enlarged to 12 megapixels", buffer.getvalue()


def measure(data: bytes, predictor: Predictor) -> Pair:
    """Answer one photo both ways."""
    reduced, reduced_ms = _screen(data, predictor), _decode_ms(data)
    with _whole():
        whole, whole_ms = _screen(data, predictor), _decode_ms(data)
    one, other = reduced.photos[0], whole.photos[0]
    change = None
    if one.prediction is not None and other.prediction is not None:
        change = float(np.abs(one.prediction.ham_probabilities - other.prediction.ham_probabilities).max())
    return Pair(change, reduced.next_step is not whole.next_step, one.status is not other.status, reduced_ms, whole_ms)


@contextmanager
def _whole() -> Iterator[None]:
    """Let the decoder reduce nothing."""
    before, decode._REDUCTIONS = decode._REDUCTIONS, ()  # type: ignore[assignment]
    try:
        yield
    finally:
        decode._REDUCTIONS = before


def _screen(data: bytes, predictor: Predictor) -> Screening:
    return screen_lesion(
        [("photo.jpg", data)],
        metadata=Metadata(),
        answers=Answers(),
        image_type=ImageType.DERMOSCOPIC,
        predictor=predictor,
    )


def _decode_ms(data: bytes) -> float:
    times = []
    for _ in range(N_READS):
        started = time.thread_time()
        decode.decode_photo(data)
        times.append(1000 * (time.thread_time() - started))
    return min(times)


def table(pairs: dict[str, list[Pair]]) -> str:
    """Return the page."""
    lines = "\n".join(_line(kind, some) for kind, some in pairs.items())
    return f"""# Large JPEGs, read reduced and whole

Written by `python -m benchmarks.large_jpeg`; {platform.machine()}, Python {platform.python_version()}. The change is the
largest of a photo's seven probabilities; decoding is processor time, medians over photos.

| photos | how many | largest change of a probability: median / largest | other next step | other of answered, unsure, refused | decoding, ms: reduced / whole |
| --- | --- | --- | --- | --- | --- |
{lines}
"""


def _line(kind: str, pairs: list[Pair]) -> str:
    changes = [pair.largest_change for pair in pairs if pair.largest_change is not None]
    reduced, whole = (
        statistics.median(times) for times in zip(*[(p.reduced_ms, p.whole_ms) for p in pairs], strict=True)
    )
    change = f"{statistics.median(changes):.4f} / {max(changes):.4f}" if changes else "all refused"
    return (
        f"| {kind} | {len(pairs)} | {change} | {sum(p.is_other_step for p in pairs)} "
        f"| {sum(p.is_other_status for p in pairs)} | {reduced:.0f} / {whole:.0f} |"
    )


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="large photos")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    predictor = load_predictor()
    pairs: dict[str, list[Pair]] = {}
    for kind, data in large_photos(options.folder):
        pairs.setdefault(kind, []).append(measure(data, predictor))
    if not pairs:
        raise SystemExit(f"Expected JPEGs in '{options.folder}'. There is none. Name another folder.")
    if len(pairs) > 1:
        pairs["all"] = [pair for some in pairs.values() for pair in some]
    page = table(pairs)
    print(page)
    if options.out:
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
