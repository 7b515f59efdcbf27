"""Measures whether the odd one out of a person's moles is the melanoma: its rank among its owner's other lesions.

The rules that rank were fixed before any melanoma was looked at; ``ORDERS`` says them in words.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..domain import ImageType, Metadata, Reason, Status
from ..errors import DatasetError
from ..imaging.lesion_features import FEATURE_FAMILIES, FEATURE_NAMES, NOISE_FLOORS, measure_lesion
from ..model.predictor import Predictor
from ..tables import LabelledPhoto
from ..taxonomy import HAM_CODES
from ..trust.ugly_duckling import MIN_MOLES, OddOneOut, find_odd_one_out
from . import weighted
from .evaluate import each_once, judge_output, prepare_pixels, read_labelled
from .files import prepare_folder, write_file
from .intervals import LEVEL, N_RESAMPLES, SEED, bootstrap
from .results import PhotoResult

DUCKLING_FILE = "ugly-duckling.json"
LESIONS_FILE = "lesions.csv"
SCHEMA = 1
MIN_LESIONS = (MIN_MOLES, 10)  # of a person: as the page asks, and where "the others" are many enough to mean something
ORDERS: dict[str, str] = {
    "ugly_duckling": "ugly duckling: local outlier factor of pictures and traits together",
    "p_malignant": "network alone: cancer or pre-cancer",
    "p_mel": "network alone: melanoma",
    "combined": "both: mean of the ranks by ugly duckling and by cancer or pre-cancer",
    "pictures": "part of the ugly duckling: pictures (embeddings) alone",
    "traits": "part of the ugly duckling: traits (colour, size, outline) alone",
}
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MeasuredLesion:
    """One lesion of one person.

    Attributes:
        result: What the network made of it, as a screening would judge it.
        embedding: Shape (n_channels,).
        features: Shape (n_features,); NaN where unknown.
    """

    result: PhotoResult
    embedding: Array
    features: Array

    @property
    def is_melanoma(self) -> bool:
        """Whether the labels say melanoma."""
        return self.result.photo.dx == "mel"


@dataclass(frozen=True, slots=True)
class MeasuredPerson:
    """One person's lesions, and how each order sorts them.

    Attributes:
        patient_id: As in the labels.
        lesions: In the order of the labels.
        odd: The comparison.
        scores: Order -> shape (n_lesions,), higher is shown earlier.
    """

    patient_id: str
    lesions: tuple[MeasuredLesion, ...]
    odd: OddOneOut
    scores: Mapping[str, Array]


def run_ugly_duckling(
    predictor: Predictor,
    photos: Sequence[LabelledPhoto],
    files: Mapping[str, Path],
    *,
    out: Path,
    use_metadata: bool = True,
    image_type: ImageType = ImageType.DERMOSCOPIC,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Rank the lesions of every person who has a melanoma, write what was measured, and return it.

    People without a melanoma, or with fewer than three lesions, say nothing about its rank and are not answered. A
    photo that the gate would refuse is ranked too, and counted.

    Args:
        predictor: The model.
        photos: Labelled photos with ``patient_id``, each taken for a lesion of its own.
        files: image_id -> file.
        out: Folder; made if need be. Gets ``ugly-duckling.json`` and ``lesions.csv``.
        use_metadata: Whether to tell the model age, sex and site.
        image_type: How the photos were taken, where the labels table does not say.
        on_progress: Called with (done, total) after each photo.

    Raises:
        DatasetError: If no person has a melanoma beside two other lesions that can be read.
        OutputError: If ``out`` cannot be written; found before the first prediction.
    """
    prepare_folder(out)
    photos = each_once(photos)
    chosen = people_with_melanoma(photos)
    total, done = sum(map(len, chosen.values())), 0
    people, n_unreadable = [], 0
    for patient_id, own in chosen.items():
        lesions = []
        for photo in own:
            lesion = _measure(predictor, photo, files.get(photo.image_id), use_metadata, image_type)
            lesions += [] if lesion is None else [lesion]
            done += 1
            on_progress(done, total)
        n_unreadable += len(own) - len(lesions)
        if len(lesions) >= MIN_MOLES:
            people.append(order_lesions(patient_id, lesions))
    measured = build_measured(people, n_resamples=N_RESAMPLES)
    measured["model"] = _model(predictor)
    measured["data"] |= {
        "use_metadata": use_metadata,
        "n_rows": len(photos),
        "n_people_in_table": len({photo.patient_id for photo in photos} - {""}),
        "n_unreadable": n_unreadable,
    }
    write_file(out / DUCKLING_FILE, (json.dumps(measured, indent=1, allow_nan=False) + "\n").encode())
    write_file(out / LESIONS_FILE, lesions_csv(people).encode())
    return measured


def people_with_melanoma(photos: Sequence[LabelledPhoto]) -> dict[str, list[LabelledPhoto]]:
    """Return patient_id -> photos, for people with a melanoma and three lesions or more.

    Raises:
        DatasetError: If there is none.
    """
    by_person: dict[str, list[LabelledPhoto]] = {}
    for photo in photos:
        if photo.patient_id:
            by_person.setdefault(photo.patient_id, []).append(photo)
    chosen = {
        patient_id: own
        for patient_id, own in by_person.items()
        if len(own) >= MIN_MOLES and any(photo.dx == "mel" for photo in own)
    }
    if not chosen:
        raise DatasetError(
            f"Expected people with a melanoma and {MIN_MOLES} lesions or more. Received {len(by_person)} people, none of "
            "them such a one. The labels table needs patient_id, and a diagnosis that tells melanoma."
        )
    return chosen


def _measure(
    predictor: Predictor, photo: LabelledPhoto, path: Path | None, use_metadata: bool, image_type: ImageType
) -> MeasuredLesion | None:
    pixels = read_labelled(path)
    if isinstance(pixels, Reason):
        return None
    taken = photo.image_type or image_type
    told = replace(photo.metadata if use_metadata else Metadata(), image_type=taken)
    prepared = prepare_pixels(pixels, predictor.manifest.preprocess)
    if prepared.square is None:
        return None
    output = predictor.predict(prepared.square[np.newaxis], [told])[0]
    result = judge_output(photo, prepared, told, output, taken)
    return MeasuredLesion(result, np.asarray(output.embedding, np.float64), measure_lesion(pixels).as_array())


def order_lesions(patient_id: str, lesions: Sequence[MeasuredLesion]) -> MeasuredPerson:
    """Give each lesion of one person a score by every order of ``ORDERS``."""
    embeddings = np.stack([lesion.embedding for lesion in lesions])
    features = np.stack([lesion.features for lesion in lesions])
    probabilities = [prediction for lesion in lesions if (prediction := lesion.result.prediction) is not None]
    odd = _odd(embeddings, features)
    p_malignant = np.array([prediction.p_malignant for prediction in probabilities])
    scores = {
        "ugly_duckling": odd.outlier_factor,
        "p_malignant": p_malignant,
        "p_mel": np.array([p.ham_probabilities[HAM_CODES.index("mel")] for p in probabilities]),
        "combined": -(_mean_ranks(odd.outlier_factor) + _mean_ranks(p_malignant)) / 2,
        "pictures": _odd(embeddings, np.full_like(features, np.nan)).outlier_factor,
        "traits": _odd(np.ones_like(embeddings), features).outlier_factor,
    }
    return MeasuredPerson(patient_id, tuple(lesions), odd, scores)


def _odd(embeddings: Array, features: Array) -> OddOneOut:
    return find_odd_one_out(
        embeddings,
        features,
        floors=[NOISE_FLOORS[name] for name in FEATURE_NAMES],
        families=[FEATURE_FAMILIES[name] for name in FEATURE_NAMES],
    )


def _mean_ranks(scores: Array) -> Array:
    """Return ranks, 1 for the highest; equal scores share their mean rank."""
    above = (scores[None] > scores[:, None]).sum(axis=1)
    equal = (scores[None] == scores[:, None]).sum(axis=1)
    return np.asarray(above + (equal + 1) / 2, np.float64)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a melanoma stands among its owner's lesions that are no cancer: 1 is the first."""

    position: float
    n_beside: int

    @property
    def normalised(self) -> float:
        return (self.position - 1) / self.n_beside


def _place(person: MeasuredPerson, index: int, order: str) -> _Place:
    scores = person.scores[order]
    beside = np.array([not lesion.result.photo.is_malignant for lesion in person.lesions])
    above = (scores[beside] > scores[index]).sum() + 0.5 * (scores[beside] == scores[index]).sum()
    return _Place(1 + float(above), int(beside.sum()))


_HITS: dict[str, Callable[[_Place], bool]] = {
    "top_1": lambda place: place.position <= 1,
    "top_3": lambda place: place.position <= 3,
    "top_10_percent": lambda place: place.position <= _tenth(place.n_beside),
}


def _tenth(n_beside: int) -> int:
    return max(1, -(-(n_beside + 1) // 10))


def build_measured(
    people: Sequence[MeasuredPerson], *, n_resamples: int = N_RESAMPLES, seed: int = SEED
) -> dict[str, Any]:
    """Compute what ``ugly-duckling.json`` holds, but for the model; the schema is in docs/evaluation.md.

    Raises:
        DatasetError: If no melanoma has another lesion beside it that is no cancer.
    """
    cases = [
        (person, index)
        for person in people
        for index, lesion in enumerate(person.lesions)
        if lesion.is_melanoma and any(not other.result.photo.is_malignant for other in person.lesions)
    ]
    if not cases:
        raise DatasetError(
            "Expected a melanoma beside other lesions of the same person. None could be read. Check --images."
        )
    lesions = [lesion for person in people for lesion in person.lesions]
    refused = [lesion for lesion in lesions if lesion.result.status is Status.REFUSED]
    return {
        "schema": SCHEMA,
        "data": {
            "n_people": len(people),
            "n_lesions": len(lesions),
            "n_melanoma": sum(lesion.is_melanoma for lesion in lesions),
            "n_refused": len(refused),
            "n_refused_melanoma": sum(lesion.is_melanoma for lesion in refused),
            "n_without_lesion": sum(bool(np.isnan(lesion.features).all()) for lesion in lesions),
        },
        "orders": ORDERS,
        "intervals": {"level": LEVEL, "n_resamples": n_resamples, "seed": seed, "resampled": "patient"},
        "rows": [
            _row([case for case in cases if len(case[0].lesions) >= least], least, n_resamples=n_resamples, seed=seed)
            for least in MIN_LESIONS
        ],
        "melanomas": [_describe(person, index) for person, index in cases],
    }


def _row(cases: Sequence[tuple[MeasuredPerson, int]], least: int, *, n_resamples: int, seed: int) -> dict[str, Any]:
    places = {order: [_place(person, index, order) for person, index in cases] for order in ORDERS}
    measures: dict[tuple[str, str], weighted.Measure] = {}
    for order, found in places.items():
        measures[order, "mean_rank"] = weighted.share([place.normalised for place in found])
        for name, is_hit in _HITS.items():
            measures[order, name] = weighted.share([is_hit(place) for place in found])
    own = np.array([place.normalised for place in places["p_malignant"]])
    for order in ("ugly_duckling", "combined"):
        other = np.array([place.normalised for place in places[order]])
        measures[order, "mean_rank_less_network"] = weighted.share(other - own)
    groups = [person.patient_id for person, _ in cases]
    estimates = bootstrap(measures, groups, n_resamples=n_resamples, seed=seed)
    below = [i for i, (person, index) in enumerate(cases) if not _is_above(person.lesions[index])]
    return {
        "min_lesions": least,
        "n_people": len(set(groups)),
        "n_melanoma": len(cases),
        "n_lesions": sum(len(person.lesions) for person in {p.patient_id: p for p, _ in cases}.values()),
        "chance": _chance(places["p_malignant"]),
        "measures": {
            order: {name: one.to_dict() for (of, name), one in estimates.items() if of == order} for order in ORDERS
        },
        "below_threshold": {
            "n": len(below),
            **{f"n_{name}": sum(is_hit(places["ugly_duckling"][i]) for i in below) for name, is_hit in _HITS.items()},
        },
    }


def _is_above(lesion: MeasuredLesion) -> bool:
    return lesion.result.prediction is not None and lesion.result.prediction.is_above_threshold


def _chance(places: Sequence[_Place]) -> dict[str, float | None]:
    """What an order drawn by lot would reach on average."""
    sizes = [place.n_beside + 1 for place in places]
    if not sizes:
        return dict.fromkeys(("mean_rank", *_HITS))
    hits = {
        "top_1": [1 / n for n in sizes],
        "top_3": [min(3, n) / n for n in sizes],
        "top_10_percent": [_tenth(n - 1) / n for n in sizes],
    }
    return {"mean_rank": 0.5, **{name: round(float(np.mean(values)), 6) for name, values in hits.items()}}


def _describe(person: MeasuredPerson, index: int) -> dict[str, Any]:
    lesion = person.lesions[index]
    return {
        "image_id": lesion.result.photo.image_id,
        "patient_id": person.patient_id,
        "n_beside": _place(person, index, "p_malignant").n_beside,
        "positions": {order: _place(person, index, order).position for order in ORDERS},
        "outlier_factor": round(float(person.odd.outlier_factor[index]), 4),
        "is_above_threshold": _is_above(lesion),
        "is_refused": lesion.result.status is Status.REFUSED,
        "next_step": str(lesion.result.next_step),
    }


def lesions_csv(people: Sequence[MeasuredPerson]) -> str:
    """Return one line a lesion: what the network said, where each order puts it, and its traits as z-scores."""
    columns = ["image_id", "patient_id", "dx", "refused", "next_step", *ORDERS]
    columns += ["odd_rank", *(f"z_{name}" for name in FEATURE_NAMES)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for person in people:
        for i, lesion in enumerate(person.lesions):
            result = lesion.result
            writer.writerow(
                [
                    *(result.photo.image_id, person.patient_id, result.photo.dx),
                    *(int(result.status is Status.REFUSED), str(result.next_step)),
                    *(f"{person.scores[order][i]:.5g}" for order in ORDERS),
                    person.odd.ranks[i],
                    *("" if np.isnan(z) else f"{z:.2f}" for z in person.odd.z_scores[i]),
                ]
            )
    return text.getvalue()


def _model(predictor: Predictor) -> dict[str, Any]:
    manifest = predictor.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "sha256": manifest.sha256,
        "engine": predictor.engine,
        "app_version": __version__,
        "n_views": manifest.n_views,
        "threshold": manifest.threshold,
    }
