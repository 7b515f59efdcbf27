"""Labelled photos of the archive as the network sees them: the index that ships beside the weights, and its search.

It holds no photo: for each one its name, its diagnosis and a short vector. How it is built and what it is measured on is
left to ``training.case_index``; what a page says about it to ``services.similar_cases``.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import ImageType, Neighbour
from ..errors import OutputError, WeightsError
from ..taxonomy import HAM_CODES

Array = npt.NDArray[np.floating]
Texts = npt.NDArray[np.str_]
FORMAT = 1
ENDING = ".cases.npz"
_TEXT_FIELDS = ("ids", "lesion_ids", "dx", "image_types")
_NUMBER_FIELDS = ("mean", "components", "vectors")
_ABOUT_FIELDS = ("model", "model_sha256", "k", "source", "attribution", "licence", "measured")
# What zipfile, zlib and numpy raise over bytes that are not what was written.
_DAMAGES = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, OverflowError, MemoryError),
    *(SyntaxError, zipfile.BadZipFile, zlib.error, struct.error),
)
_RESTORE = "Restore it from the release, or make it again with: python -m dermascan_core cases build --help"


@dataclass(frozen=True, slots=True, eq=False)
class CaseIndex:
    """Labelled photos, each as a point on a sphere; near points are photos that the network finds alike.

    Attributes:
        model, model_sha256: The weights whose embeddings these are; no others fit.
        ids: Archive names of the photos (n,).
        lesion_ids: Their lesions (n,); a photo without a known lesion is one of its own.
        dx: Their diagnoses (n,), HAM10000 codes.
        image_types: How they were taken (n,), values of ``ImageType``.
        mean: Of the embeddings (d,), float32.
        components: Principal components (d, p), float16, the strongest first.
        vectors: The photos (n, p), float16, each of length 1.
        k: How many neighbours are shown, chosen by measurement.
        source, attribution, licence: Of the photos, in words; where several archives are in it, of each.
        measured: Plain data: how k and p were chosen and what they reach; the keys are in docs/evaluation.md.

    Raises:
        ValueError: If the shapes disagree.
    """

    model: str
    model_sha256: str
    ids: Texts
    lesion_ids: Texts
    dx: Texts
    image_types: Texts
    mean: Array
    components: npt.NDArray[np.float16]
    vectors: npt.NDArray[np.float16]
    k: int
    source: str = ""
    attribution: str = ""
    licence: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)
    # The vectors as float32 of length 1: a batch searches once a photo, and making them takes as long as the search.
    _directions: npt.NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        n, p = self.vectors.shape if self.vectors.ndim == 2 else (-1, -1)
        shapes = {name: getattr(self, name).shape for name in (*_TEXT_FIELDS, *_NUMBER_FIELDS)}
        expected = dict.fromkeys(_TEXT_FIELDS, (n,)) | {
            "mean": self.mean.shape[:1],
            "components": (*self.mean.shape[:1], p),
            "vectors": (n, p),
        }
        if shapes != expected or n < 1 or self.k < 1:
            raise ValueError(
                f"Expected an index whose shapes agree, with a photo or more. Received: {shapes}, k={self.k}"
            )
        if unknown := sorted(set(self.dx.tolist()) - set(HAM_CODES)):
            raise ValueError(f"Expected diagnoses of {', '.join(HAM_CODES)}. Received: {', '.join(unknown)}")
        object.__setattr__(self, "_directions", unit_length(self.vectors))

    def __len__(self) -> int:
        return len(self.ids)

    def project(self, embedding: Array) -> npt.NDArray[np.float32]:
        """Return embeddings (..., d) as points (..., p) of length 1; one that equals the mean stays at zero.

        Raises:
            ValueError: If the last axis is not the index's own.
        """
        given = np.asarray(embedding, np.float32)
        if given.shape[-1:] != self.mean.shape:
            raise ValueError(f"Expected embeddings of length {len(self.mean)}. Received: {given.shape}")
        return unit_length((given - self.mean) @ self.components.astype(np.float32))

    def search(
        self,
        embedding: Array,
        k: int | None = None,
        *,
        image_type: ImageType | None = None,
        without_lesions: Collection[str] = (),
    ) -> tuple[Neighbour, ...]:
        """Return the most similar photos, the nearest first, one a lesion.

        Args:
            embedding: Of the photo looked at (d,), as ``PhotoOutput.embedding``.
            k: At most so many; None for the index's own.
            image_type: Only photos taken like this; None for all.
            without_lesions: Lesions that are left out: the photo's own, where it is in the archive itself.

        Returns:
            Fewer than ``k`` where the index holds fewer lesions; similarities are cosines in [-1, 1].
        """
        wanted = self.k if k is None else k
        similarity = np.clip(self._directions @ self.project(embedding), -1, 1)
        taken = set(without_lesions)
        found: list[Neighbour] = []
        for place in np.argsort(-similarity, kind="stable"):
            if len(found) == wanted:
                break
            lesion = str(self.lesion_ids[place])
            if lesion in taken or (image_type is not None and self.image_types[place] != image_type.value):
                continue
            taken.add(lesion)
            found.append(Neighbour(str(self.ids[place]), lesion, str(self.dx[place]), float(similarity[place])))
        return tuple(found)

    def with_dimensions(self, p: int) -> CaseIndex:
        """Return the same photos by their ``p`` strongest components alone.

        Raises:
            ValueError: If there are not so many.
        """
        if not 1 <= p <= self.components.shape[1]:
            raise ValueError(f"Expected 1 to {self.components.shape[1]} dimensions. Received: {p}")
        vectors = unit_length(self.vectors[:, :p].astype(np.float32)).astype(np.float16)
        return replace(self, components=self.components[:, :p], vectors=vectors)


def label_mix(neighbours: Sequence[Neighbour]) -> dict[str, float]:
    """Return each HAM10000 code's share among some neighbours; every neighbour counts alike, as the eye counts them.

    >>> mix = label_mix([Neighbour("a", "A", "nv", 0.9), Neighbour("b", "B", "mel", 0.8)])
    >>> mix["mel"], mix["nv"], mix["bcc"]
    (0.5, 0.5, 0.0)
    """
    counts = Counter(one.dx for one in neighbours)
    return {code: counts[code] / max(len(neighbours), 1) for code in HAM_CODES}


def unit_length(vectors: Array) -> npt.NDArray[np.float32]:
    """Return vectors (..., p) scaled to length 1; one of length 0 stays."""
    given = np.asarray(vectors, np.float32)
    length = np.linalg.norm(given, axis=-1, keepdims=True)
    return np.asarray(np.divide(given, length, out=np.zeros_like(given), where=length > 0), np.float32)


def cases_file(weights_dir: Path, model: str) -> Path:
    """Return where the index of a model lies."""
    return weights_dir / f"{model}{ENDING}"


def save_cases(index: CaseIndex, path: Path) -> None:
    """Write an index, whole or not at all.

    Raises:
        OutputError: If the disk is full or may not be written.
    """
    about = {name: getattr(index, name) for name in _ABOUT_FIELDS} | {"format": FORMAT}
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        about=np.array(json.dumps(about)),
        **{name: getattr(index, name) for name in (*_TEXT_FIELDS, *_NUMBER_FIELDS)},
    )
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(buffer.getvalue())
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(
            f"Expected to write '{path}'. The disk said: {error.strerror}. Free some space, or choose another folder."
        ) from error


def load_cases(path: Path, *, model_sha256: str) -> CaseIndex:
    """Read the index that belongs to some weights.

    Args:
        path: Of the file.
        model_sha256: Of the weights that are to search in it.

    Raises:
        WeightsError: If it is missing, damaged, of another format, or of other weights; one sentence and what to do.
    """
    if not path.is_file():
        raise WeightsError(f"Expected an index of labelled photos at '{path.name}'. There is none. {_RESTORE}")
    try:
        index = _read_cases(path.read_bytes())
    except _DAMAGES as error:
        raise WeightsError(f"The index of labelled photos '{path.name}' cannot be read: {error}. {_RESTORE}") from error
    if index.model_sha256 != model_sha256:
        raise WeightsError(
            f"Expected '{path.name}' to be of the weights with sha256 {model_sha256}. "
            f"It is of {index.model_sha256}. {_RESTORE}"
        )
    return index


def _read_cases(data: bytes) -> CaseIndex:
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        about = json.loads(str(stored["about"]))
        if about.get("format") != FORMAT:
            raise ValueError(f"format {about.get('format')} instead of {FORMAT}")
        arrays = {name: stored[name] for name in (*_TEXT_FIELDS, *_NUMBER_FIELDS)}
    return CaseIndex(**arrays, **{name: about[name] for name in _ABOUT_FIELDS})
