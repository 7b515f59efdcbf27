"""Builds the index of similar labelled photos of a released model, and measures it; it ships as ``NAME.cases.npz``.

The photos are those of the ``train`` split: the folds that the network learnt from and the one that validated it. How many
neighbours are shown, and how many dimensions a vector has, is chosen on the fold that validated it; ``test`` is only looked
at when asked for, with what was chosen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from .. import __version__
from ..domain import ImageType, Neighbour
from ..errors import DatasetError, PhotoError
from ..evaluation.files import prepare_folder, write_file
from ..evaluation.retrieval import (
    DEPTHS,
    RETRIEVAL_FILE,
    RETRIEVAL_FOLDER,
    SCHEMA,
    Query,
    measure_retrieval,
    similarity_quantiles,
    vote_score,
)
from ..imaging.decode import read_photo
from ..imaging.preprocess import PreprocessConfig, preprocess
from ..model.predictor import EnginePredictor, PhotoOutput, Predictor
from ..tables import LabelledPhoto, group_of
from ..taxonomy import ham_code
from ..trust.cases import CaseIndex, cases_file, save_cases, unit_length
from .data import Dataset
from .run_setup import split_fold

Array = npt.NDArray[np.floating]
Progress = Callable[[str, int, int], None]
DIMENSIONS = (16, 32, 64)
NEIGHBOURS = (3, 5, 7, 10)
# Differences under this are no differences: the interval of what is compared is several times as wide.
TOLERANCE = 0.01
INDEX_VIEWS = 1  # docs/decisions/0024: eight views of the photos in the index find no better neighbours
_BATCH_SIZE = 64
_N_READERS = 2


@dataclass(frozen=True, slots=True)
class Looked:
    """Photos and what the network makes of them."""

    photos: list[LabelledPhoto]
    outputs: list[PhotoOutput]

    @property
    def embeddings(self) -> Array:
        return np.stack([output.embedding for output in self.outputs])


def build_cases(
    predictor: Predictor,
    dataset: Dataset,
    *,
    weights_dir: Path,
    measure_test: bool = False,
    on_progress: Progress = lambda what, done, total: None,
) -> tuple[CaseIndex, dict[str, Any]]:
    """Write ``NAME.cases.npz`` and ``NAME.evaluation/similar-cases/retrieval.json``.

    Args:
        predictor: The released model.
        dataset: The data set that it was trained on; photos of it that are not there are not in the index.
        weights_dir: Where the model lies.
        measure_test: Whether to measure on the ``test`` split, with what was chosen; else on the fold that validated.
        on_progress: Called with (what, done, total).

    Returns:
        The index, and what ``retrieval.json`` holds.

    Raises:
        DatasetError: If the manifest names no validation fold, the data have no photos of it, or one cannot be read.
        OutputError: If a file cannot be written.
    """
    manifest = predictor.manifest
    if "validation_fold" not in manifest.data:
        raise DatasetError(f"Expected the manifest of '{manifest.name}' to name its validation fold. Release it again.")
    training, validation = split_fold(dataset, int(manifest.data["validation_fold"]))
    test = dataset.part(split="test") if measure_test else []
    if measure_test and not test:
        raise DatasetError("Expected photos in the test split. Received none. Leave --test out, or correct 'split'.")
    folder = weights_dir / f"{manifest.name}.evaluation" / RETRIEVAL_FOLDER
    prepare_folder(folder)
    # Photos in the index are looked at once; those that are searched with, as a screening looks at them.
    once = predictor.with_views(INDEX_VIEWS) if isinstance(predictor, EnginePredictor) else predictor
    known = _look(once, training, dataset, partial(on_progress, "training photos"))
    held_out = _look(predictor, validation, dataset, partial(on_progress, "validation photos"))
    index = make_index(
        np.concatenate([known.embeddings, held_out.embeddings]),
        [*known.photos, *held_out.photos],
        model=manifest.name,
        model_sha256=manifest.sha256,
        n_dimensions=max(DIMENSIONS),
    )
    index, choice = _choose(index, held_out)
    queries = _queries_by_type(index, held_out)
    usual = {kind: similarity_quantiles(own) for kind, own in queries.items()}
    index = replace(
        index,
        source=str(manifest.data.get("name", "")),
        attribution=str(manifest.data.get("source", "")),
        licence=str(manifest.data.get("licence", "")),
        measured={"choice": choice, "usual_similarity": usual, "index_views": INDEX_VIEWS},
    )
    save_cases(index, cases_file(weights_dir, manifest.name))
    if measure_test:
        queries = _queries_by_type(index, _look(predictor, test, dataset, partial(on_progress, "test photos")))
    record = {
        "schema": SCHEMA,
        "model": _describe_model(predictor),
        "measured_on": "test" if measure_test else "validation fold",
        "is_the_models_split": dataset.split_sha256 == manifest.data.get("split_sha256"),
        "index": _describe_index(index) | {"size_bytes": cases_file(weights_dir, manifest.name).stat().st_size},
        "choice": choice,
        "usual_similarity": usual,
        "types": {kind: measure_retrieval(own, k=index.k) for kind, own in queries.items()},
    }
    write_file(folder / RETRIEVAL_FILE, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    return index, record


def _choose(index: CaseIndex, held_out: Looked) -> tuple[CaseIndex, dict[str, Any]]:
    """Return the index with what is chosen by photos of its most frequent type, and how that was."""
    main = Counter(index.image_types.tolist()).most_common(1)[0][0]
    own = _of_type(held_out, main)
    rows = compare_settings(index, own)
    n_dimensions, k = choose_settings(rows)
    choice = {
        "by": "balanced accuracy of the neighbours' vote on the validation fold",
        "image_type": main,
        "n": len(own.photos),
        "tolerance": TOLERANCE,
        "rows": rows,
    }
    return replace(index.with_dimensions(n_dimensions), k=k), choice


def _describe_model(predictor: Predictor) -> dict[str, Any]:
    own = {name: getattr(predictor.manifest, name) for name in ("name", "version", "sha256", "n_views")}
    return own | {"engine": predictor.engine, "app_version": __version__}


def _describe_index(index: CaseIndex) -> dict[str, Any]:
    return {
        "n_photos": len(index),
        "n_lesions": len(set(index.lesion_ids.tolist())),
        "n_by_class": dict(sorted(Counter(index.dx.tolist()).items())),
        "n_dimensions": index.components.shape[1],
        "k": index.k,
        "views": INDEX_VIEWS,
    }


def make_index(
    embeddings: Array, photos: Sequence[LabelledPhoto], *, model: str, model_sha256: str, n_dimensions: int
) -> CaseIndex:
    """Return the index of some photos, in as many dimensions as asked for, or as there are.

    Args:
        embeddings: Array (n, d).
        photos: Their labels.
        model, model_sha256: The weights that made the embeddings.
        n_dimensions: At most so many.
    """
    mean, components = principal_components(embeddings, n_dimensions)
    vectors = unit_length((embeddings.astype(np.float32) - mean) @ components.astype(np.float32))
    return CaseIndex(
        model=model,
        model_sha256=model_sha256,
        ids=np.array([p.image_id for p in photos]),
        lesion_ids=np.array([_lesion_of(p) for p in photos]),
        dx=np.array([ham_code(p.dx) for p in photos]),
        image_types=np.array([_type_of(p) for p in photos]),
        mean=mean,
        components=components,
        vectors=vectors.astype(np.float16),
        k=max(NEIGHBOURS),
    )


def principal_components(
    embeddings: Array, n_components: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float16]]:
    """Return the mean (d,) and the strongest principal components (d, p), rounded as they are stored.

    Each component's largest entry is positive, so that the same photos always give the same index.
    """
    given = np.asarray(embeddings, np.float64)
    mean = given.mean(axis=0)
    covariance = np.cov(given, rowvar=False).reshape(len(mean), len(mean))
    last = len(mean) - 1
    n = min(n_components, len(mean))
    _, vectors = eigh(covariance, subset_by_index=[last - n + 1, last])
    strongest_first = vectors[:, ::-1]
    largest = np.abs(strongest_first).argmax(axis=0)
    signs = np.sign(strongest_first[largest, np.arange(n)])
    return mean.astype(np.float32), (strongest_first * signs).astype(np.float16)


def compare_settings(index: CaseIndex, held_out: Looked) -> list[dict[str, float]]:
    """Return what each number of dimensions and of neighbours reaches on photos that the network did not learn from."""
    available = index.components.shape[1]
    rows = []
    for n_dimensions in sorted({min(p, available) for p in DIMENSIONS}):
        queries = make_queries(index.with_dimensions(n_dimensions), held_out)
        for k in NEIGHBOURS:
            score = round(vote_score(queries, k), 4) if queries else 0.0
            rows.append({"n_dimensions": n_dimensions, "k": k, "vote_balanced_accuracy": score})
    return rows


def choose_settings(rows: Sequence[dict[str, float]]) -> tuple[int, int]:
    """Return (dimensions, neighbours): the fewest of each, in this order, within ``TOLERANCE`` of the best.

    >>> choose_settings([{"n_dimensions": 16, "k": 3, "vote_balanced_accuracy": 0.60},
    ...                  {"n_dimensions": 16, "k": 5, "vote_balanced_accuracy": 0.645},
    ...                  {"n_dimensions": 32, "k": 3, "vote_balanced_accuracy": 0.65}])
    (16, 5)
    """
    best = max(row["vote_balanced_accuracy"] for row in rows)
    good = [row for row in rows if row["vote_balanced_accuracy"] >= best - TOLERANCE]
    first = min(good, key=lambda row: (row["n_dimensions"], row["k"]))
    return int(first["n_dimensions"]), int(first["k"])


def make_queries(index: CaseIndex, looked: Looked) -> list[Query]:
    """Search each photo among those taken alike, without its own lesion (or, where it is known, its own patient)."""
    n_deepest = max(*DEPTHS, *NEIGHBOURS)
    own_lesions: dict[str, set[str]] = {}
    for photo in looked.photos:
        own_lesions.setdefault(group_of(photo), set()).add(_lesion_of(photo))
    queries = []
    for photo, output in zip(looked.photos, looked.outputs, strict=True):
        found: tuple[Neighbour, ...] = index.search(
            output.embedding,
            k=n_deepest,
            image_type=ImageType(_type_of(photo)),
            without_lesions=own_lesions[group_of(photo)],
        )
        if found:
            queries.append(Query(photo, found, output.prediction))
    return queries


def _queries_by_type(index: CaseIndex, looked: Looked) -> dict[str, list[Query]]:
    """Return the queries of each way of taking photos that both the index and the photos know."""
    kinds = sorted({_type_of(photo) for photo in looked.photos})
    found = {kind: make_queries(index, _of_type(looked, kind)) for kind in kinds}
    return {kind: queries for kind, queries in found.items() if queries}


def _look(
    predictor: Predictor, photos: list[LabelledPhoto], dataset: Dataset, on_progress: Callable[[int, int], None]
) -> Looked:
    outputs: list[PhotoOutput] = []
    for part, squares in _prepared(photos, dataset, predictor.manifest.preprocess):
        told = [replace(p.metadata, image_type=ImageType(_type_of(p))) for p in part]
        outputs += predictor.predict(squares, told)
        on_progress(len(outputs), len(photos))
    return Looked(photos, outputs)


def _prepared(
    photos: list[LabelledPhoto], dataset: Dataset, config: PreprocessConfig
) -> Iterator[tuple[list[LabelledPhoto], npt.NDArray[np.uint8]]]:
    def prepare(photo: LabelledPhoto) -> npt.NDArray[np.uint8]:
        try:
            return preprocess(read_photo(dataset.files[photo.image_id]), config)
        except PhotoError as error:
            raise DatasetError(f"The photo '{photo.image_id}' cannot be in an index: {error}") from error

    with ThreadPoolExecutor(_N_READERS) as pool:
        for start in range(0, len(photos), _BATCH_SIZE):
            part = photos[start : start + _BATCH_SIZE]
            yield part, np.stack(list(pool.map(prepare, part)))


def _of_type(looked: Looked, image_type: str) -> Looked:
    places = [i for i, photo in enumerate(looked.photos) if _type_of(photo) == image_type]
    return Looked([looked.photos[i] for i in places], [looked.outputs[i] for i in places])


def _type_of(photo: LabelledPhoto) -> str:
    """How a photo was taken; a table that does not say is of dermoscopic ones, as for ``evaluate``."""
    return (photo.image_type or ImageType.DERMOSCOPIC).value


def _lesion_of(photo: LabelledPhoto) -> str:
    return photo.lesion_id or photo.image_id
