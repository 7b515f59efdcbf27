"""Compares one person's moles: screens each photo, then ranks them by how much each differs from the others."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ..domain import Answers, ImageType, Metadata, NextStep, PhotoScreening, Screening
from ..errors import DatasetError
from ..imaging.decode import decode_photo
from ..imaging.lesion_features import (
    FEATURE_FAMILIES,
    FEATURE_NAMES,
    NO_FEATURES,
    NOISE_FLOORS,
    LesionFeatures,
    measure_lesion,
)
from ..imaging.overlay import shrink_photo
from ..model.manifest import Manifest
from ..model.predictor import PhotoOutput, Predictor
from ..reports.export import photo_row, screen_columns
from ..tables import safe_cell
from ..triage.comparison_words import NO_TRAIT, is_clear, trait_reasons
from ..trust.ugly_duckling import MIN_MOLES as MIN_MOLES
from ..trust.ugly_duckling import find_odd_one_out
from .intake import encode_jpeg
from .screening import screen_lesion

MAX_MOLES = 30
THUMBNAIL_SIDE_PX = 320


@dataclass(frozen=True, slots=True)
class ComparedMole:
    """One mole beside its owner's others.

    Attributes:
        name: File name as given; untrusted text.
        screening: The network's answer for this photo alone, and its next step.
        thumbnail_jpeg: The photo at 320 px at most; empty where it cannot be decoded.
        rank: 1 for the odd one out; None where the photo was not judged.
        outlier_factor: Local outlier factor, about 1 among the others; None where not judged.
        is_clear: Whether it stands out clearly.
        z_scores: Feature -> robust standard deviations above the person's median; NaN where unknown.
        reasons: What sets it apart, the strongest first; may be empty for any but the odd one.
    """

    name: str
    screening: Screening
    thumbnail_jpeg: bytes
    rank: int | None = None
    outlier_factor: float | None = None
    is_clear: bool = False
    z_scores: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def photo(self) -> PhotoScreening:
        """The mole's one photo."""
        return self.screening.photos[0]

    @property
    def next_step(self) -> NextStep:
        """The network's own, which no comparison lowers."""
        return self.screening.next_step


@dataclass(frozen=True, slots=True)
class MoleComparison:
    """One person's moles, the odd one first, those that were not judged last.

    Attributes:
        moles: Ranked.
        n_doubled: Photos left out because the very same file came twice.
        image_type: What took the photos.
    """

    moles: tuple[ComparedMole, ...]
    n_doubled: int
    image_type: ImageType

    @property
    def judged(self) -> tuple[ComparedMole, ...]:
        """The moles that were ranked."""
        return tuple(mole for mole in self.moles if mole.rank is not None)

    @property
    def not_judged(self) -> tuple[ComparedMole, ...]:
        """The moles whose photo was refused."""
        return tuple(mole for mole in self.moles if mole.rank is None)


def compare_moles(
    photos: Sequence[tuple[str, bytes]],
    *,
    image_type: ImageType,
    predictor: Predictor,
    metadata: Metadata | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> MoleComparison:
    """Screen each photo as a mole of its own and rank them by how odd each is among the others.

    Where fewer than three photos can be judged nobody is ranked: every mole comes back as not compared, with its own
    next step.

    Args:
        photos: (file name, bytes), each a different mole of one person, 3 to 30; a file that came twice counts once.
        image_type: What took them.
        predictor: The model.
        metadata: Of the person; None knows nothing.
        on_progress: Called with (done, total) after each photo.

    Raises:
        DatasetError: If there are fewer than three photos, or more than thirty.
    """
    once = {hashlib.sha256(data).hexdigest(): (name, data) for name, data in reversed(photos)}
    unique = list(reversed(once.values()))
    if not MIN_MOLES <= len(unique) <= MAX_MOLES:
        raise DatasetError(
            f"Expected {MIN_MOLES} to {MAX_MOLES} photos, each of another mole of one person. Received {len(unique)}. "
            "Add or remove photos."
        )
    remembering = _Remembering(predictor)
    screenings = []
    for name, data in unique:
        screenings.append(
            screen_lesion(
                [(name, data)],
                metadata=metadata or Metadata(),
                answers=Answers(),
                image_type=image_type,
                predictor=remembering,
            )
        )
        on_progress(len(screenings), len(unique))
    moles = _rank(unique, screenings, remembering)
    return MoleComparison(tuple(moles), len(photos) - len(unique), image_type)


class _Remembering:
    """Passes squares on to a predictor and keeps their embeddings, which a screening does not record."""

    def __init__(self, predictor: Predictor) -> None:
        self.manifest: Manifest = predictor.manifest
        self.engine = predictor.engine
        self._predictor = predictor
        self._embeddings: dict[bytes, npt.NDArray[np.float64]] = {}

    def predict(
        self, squares: npt.NDArray[np.uint8], metadata: Sequence[Metadata], *, explain: bool = False
    ) -> list[PhotoOutput]:
        """See ``Predictor.predict``."""
        outputs = self._predictor.predict(squares, metadata, explain=explain)
        for square, output in zip(squares, outputs, strict=True):
            self._embeddings[square.tobytes()] = np.asarray(output.embedding, np.float64)
        return outputs

    def embedding_of(self, photo: PhotoScreening) -> npt.NDArray[np.float64] | None:
        """Return the embedding of a photo that was answered; None where it was refused."""
        if photo.prediction is None or photo.square is None:
            return None
        return self._embeddings[photo.square.tobytes()]


def _rank(
    photos: Sequence[tuple[str, bytes]], screenings: Sequence[Screening], remembering: _Remembering
) -> list[ComparedMole]:
    embeddings = [remembering.embedding_of(screening.photos[0]) for screening in screenings]
    seen = [_look_again(data, screening) for (_, data), screening in zip(photos, screenings, strict=True)]
    moles = [
        ComparedMole(name, screening, thumbnail)
        for (name, _), screening, (_, thumbnail) in zip(photos, screenings, seen, strict=True)
    ]
    judged = [i for i, embedding in enumerate(embeddings) if embedding is not None]
    if len(judged) < MIN_MOLES:
        return moles
    odd = find_odd_one_out(
        np.stack([known for i in judged if (known := embeddings[i]) is not None]),
        np.stack([seen[i][0].as_array() for i in judged]),
        floors=[NOISE_FLOORS[name] for name in FEATURE_NAMES],
        families=[FEATURE_FAMILIES[name] for name in FEATURE_NAMES],
    )
    for place, i in enumerate(judged):
        z_scores = dict(zip(FEATURE_NAMES, map(float, odd.z_scores[place]), strict=True))
        rank, factor = int(odd.ranks[place]), float(odd.outlier_factor[place])
        reasons = trait_reasons(z_scores) or ((NO_TRAIT,) if rank == 1 else ())
        own = moles[i]
        moles[i] = replace(
            own, rank=rank, outlier_factor=factor, is_clear=is_clear(factor), z_scores=z_scores, reasons=reasons
        )
    return sorted(moles, key=lambda mole: len(moles) + 1 if mole.rank is None else mole.rank)


def _look_again(data: bytes, screening: Screening) -> tuple[LesionFeatures, bytes]:
    """Return a photo's features and its thumbnail; nothing of it where it could not be decoded the first time."""
    if screening.photos[0].quality is None:
        return NO_FEATURES, b""
    rgb = decode_photo(data)  # again, so that thirty large photos are not held in memory at once
    return measure_lesion(rgb), encode_jpeg(shrink_photo(rgb, max_side_px=THUMBNAIL_SIDE_PX))


def comparison_csv(comparison: MoleComparison, codes: Sequence[str]) -> str:
    """Return one line a mole, the odd one first: its rank, why, its traits, then the columns of ``screen --out``.

    Args:
        comparison: The moles.
        codes: The model's class codes; they decide the columns.
    """
    own = ["rank", "outlier_factor", "stands_out", "reasons", *(f"z_{name}" for name in FEATURE_NAMES)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=[*own, *screen_columns(codes)], lineterminator="\n", restval="")
    writer.writeheader()
    for mole in comparison.moles:
        writer.writerow(photo_row(mole.photo, mole.screening) | _own_cells(mole))
    return text.getvalue()


def _own_cells(mole: ComparedMole) -> dict[str, str]:
    if mole.rank is None or mole.outlier_factor is None:
        return {"rank": "", "reasons": "not judged"}
    return {
        "rank": str(mole.rank),
        "outlier_factor": f"{mole.outlier_factor:.4g}",
        "stands_out": str(int(mole.is_clear)),
        "reasons": safe_cell("; ".join(mole.reasons)),
        **{f"z_{name}": "" if np.isnan(z) else f"{z:.2f}" for name, z in mole.z_scores.items()},
    }
