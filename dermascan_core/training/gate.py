"""Fits the gate of a model: what its features look like for lesions, and for pictures that show none.

Limits are set on the fold that validated the network, so that a fixed small share of real photos is refused; the pictures
without a lesion are drawn by code (``evaluation.non_lesions``). Half of their families and every library photo are kept
for the scorecard (``evaluation.refusals``).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..domain import ImageType, Metadata
from ..errors import DatasetError
from ..evaluation.evaluate import prepare_pixels, read_labelled
from ..evaluation.files import write_file
from ..evaluation.non_lesions import generated_pictures, spoilt_photos
from ..evaluation.overlap import learnt_lesions
from ..model.predictor import Predictor
from ..tables import LabelledPhoto
from ..taxonomy import HAM_CODES, ham_code
from ..trust.gate import KINDS, Gate, gate_bytes, gate_file
from .data import Dataset, load_dataset
from .run_setup import split_fold

Array = npt.NDArray[np.floating]
Progress = Callable[[str, int, int], None]
# The other half of the families is for the scorecard alone.
FITTED_FAMILIES = (
    "document",
    "noise",
    "one colour",
    "plain skin",
    "wood",
    "cloth",
    "leaves",
    "objects",
    "food",
)
FITTED_DAMAGES = ("inverted lesion", "lesion with a colour filter")
N_COORDINATES = 48
_N_TRAINING, _N_VALIDATION, _N_EACH_FAMILY, _N_SPOILT = 1600, 800, 40, 60
_REFUSED_SHARE = 0.005  # of the validation fold's photos, by each of the two limits
_SHRINKAGE = 0.1
_LEAST_OTHER = 0.5  # no photo is refused as another picture on less than this, whatever its fold would allow
_PENALTY = 10.0


@dataclass(frozen=True, slots=True)
class GateSample:
    """Image features that a gate is fitted on.

    Attributes:
        features: (n, d).
        kinds: Positions in ``KINDS``, (n,).
        classes: Positions in ``HAM_CODES``, (n,); -1 for pictures without a lesion.
    """

    features: Array
    kinds: npt.NDArray[np.intp]
    classes: npt.NDArray[np.intp]


def fit_gate(training: GateSample, validation: GateSample, *, sha256: str, n_coordinates: int = N_COORDINATES) -> Gate:
    """Return the gate of one model.

    The coordinates are the principal components of lesions and other pictures together, whitened so that photos of one
    class spread by 1 in each. There, distance to the nearest class mean is Mahalanobis' (Lee et al. 2018), and a
    multinomial logistic regression parts dermoscopic photos, clinical photos and other pictures.

    Args:
        training: Of photos that the network learnt from, and other pictures.
        validation: Of real photos that it did not learn from; sets the limits.
        sha256: Of the weights.
        n_coordinates: How many principal components are kept.

    Reference: Lee et al. (2018), https://arxiv.org/abs/1807.03888
    """
    is_real = training.classes >= 0
    centre = training.features[is_real].mean(axis=0)
    moved = training.features - centre
    _, _, axes = np.linalg.svd(moved, full_matrices=False)
    axes = axes[:n_coordinates].T  # (d, p)
    place = moved @ axes
    present = np.unique(training.classes[is_real])
    means = np.stack([place[training.classes == k].mean(axis=0) for k in present])
    within = place[is_real] - means[np.searchsorted(present, training.classes[is_real])]
    covariance = within.T @ within / len(within)
    # Shrunk towards a sphere: a few hundred photos cannot tell the smallest spreads.
    covariance = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(
        len(covariance)
    )
    values, vectors = np.linalg.eigh(covariance)
    whiten = vectors / np.sqrt(values)
    weights, bias = fit_kinds(place @ whiten, training.kinds)
    open_gate = Gate(
        sha256=sha256,
        centre=centre,
        directions=axes @ whiten,
        class_means=means @ whiten,
        weights=weights,
        bias=bias,
        max_distance=np.full(2, np.inf),
        max_other=np.ones(2),
    )
    max_distance, max_other = fit_limits(open_gate, validation)
    return Gate(sha256, centre, axes @ whiten, means @ whiten, weights, bias, max_distance, max_other)


def fit_kinds(place: Array, kinds: npt.NDArray[np.integer]) -> tuple[Array, Array]:
    """Return weights (p, 3) and bias (3,) of a multinomial logistic regression with balanced kinds and an L2 penalty.

    A kind without pictures keeps a bias that no photo overcomes.

    Args:
        place: Whitened coordinates (n, p).
        kinds: Positions in ``KINDS``, (n,).
    """
    from scipy.optimize import minimize  # slow to import, and only fitting needs it

    n, p = place.shape
    counts = np.bincount(kinds, minlength=len(KINDS))
    balance = (n / np.maximum(counts, 1) / (counts > 0).sum())[kinds]
    target = np.eye(len(KINDS))[kinds]

    def loss(flat: Array) -> tuple[float, Array]:
        weights, bias = flat[:-3].reshape(p, 3), flat[-3:]
        logits = place @ weights + bias
        logits -= logits.max(axis=1, keepdims=True)
        log_share = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        error = balance[:, np.newaxis] * (np.exp(log_share) - target) / n
        value = -(balance[:, np.newaxis] * target * log_share).sum() / n + _PENALTY / (2 * n) * (weights**2).sum()
        return float(value), np.concatenate([(place.T @ error + _PENALTY / n * weights).ravel(), error.sum(axis=0)])

    found = minimize(loss, np.zeros(3 * p + 3), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    bias = np.where(counts > 0, found[-3:], -1e9)
    return found[:-3].reshape(p, 3), bias


def fit_limits(gate: Gate, validation: GateSample, *, refused_share: float = _REFUSED_SHARE) -> tuple[Array, Array]:
    """Return the limits of distance and of ``p_other`` for dermoscopic and clinical photos, (2,) each.

    Each limit alone would refuse this share of the validation fold's photos of its kind; one fitted on fewer photos than
    can show such a share is twice as far out as the furthest of them. A kind without photos has no distance limit, and
    ``p_other`` may reach ``_LEAST_OTHER``.
    """
    max_distance, max_other = np.full(2, np.inf), np.full(2, _LEAST_OTHER)
    for kind, image_type in enumerate((ImageType.DERMOSCOPIC, ImageType.CLINICAL)):
        own = validation.features[validation.kinds == kind]
        if not len(own):
            continue
        scores = [gate.judge(one, image_type) for one in own]
        distance, other = np.array([s.distance for s in scores]), np.array([s.p_other for s in scores])
        is_enough = len(own) * refused_share >= 1
        max_distance[kind] = np.quantile(distance, 1 - refused_share) if is_enough else 1.25 * distance.max()
        max_other[kind] = min(0.99, max(_LEAST_OTHER, float(np.quantile(other, 1 - refused_share))))
    return max_distance, max_other


def make_gate(
    predictor: Predictor,
    *,
    data: Path | Sequence[Path],
    weights: Path,
    seed: int = 0,
    on_progress: Progress = lambda what, done, total: None,
) -> Gate:
    """Fit the gate of a model and write it beside its weights.

    Args:
        predictor: The model, without a gate.
        data: The data set folders that it was trained on.
        weights: Its weights file.
        seed: Of the choice of photos and of the drawn pictures.
        on_progress: Called with (what, done, total).

    Raises:
        DatasetError: If the data hold no photo of the network's own validation fold, or photos in it that it learnt from.
    """
    dataset = load_dataset(data)
    fold = predictor.manifest.data.get("validation_fold")
    if fold is None:
        raise DatasetError(
            "Expected a model whose manifest names its validation fold. It names none. Release it again."
        )
    learnt, held_out = split_fold(dataset, int(fold))
    known = learnt_lesions(
        held_out,
        split_sha256=dataset.split_sha256,
        learnt_from=predictor.manifest.data.get("split_sha256"),
        unseen_fold=str(fold),
    )
    if known:
        raise DatasetError(
            f"Expected photos in fold {fold} that '{predictor.manifest.name}' has not learnt from. It knows {len(known)} of "
            f"their lesions, {', '.join(sorted(known)[:3])} among them. Part the data as it did: data import does so."
        )
    rng = random.Random(seed)  # noqa: S311  # draws photos, guards no secret
    chosen = _sample(learnt, _N_TRAINING, rng)
    training = [
        _embed_photos(predictor, chosen, dataset, on_progress=partial(on_progress, "photos learnt from")),
        _embed_pictures(
            predictor, _others(chosen, dataset, seed=seed), on_progress=partial(on_progress, "other pictures")
        ),
    ]
    validation = _embed_photos(
        predictor, _sample(held_out, _N_VALIDATION, rng), dataset, on_progress=partial(on_progress, "validation fold")
    )
    gate = fit_gate(_join(training), validation, sha256=predictor.manifest.sha256)
    write_file(gate_file(weights), gate_bytes(gate))
    return gate


def _sample(photos: Sequence[LabelledPhoto], n: int, rng: random.Random) -> list[LabelledPhoto]:
    """Draw up to n dermoscopic photos; clinical ones are few, and all taken."""
    clinical = [p for p in photos if p.metadata.image_type is ImageType.CLINICAL]
    others = [p for p in photos if p.metadata.image_type is not ImageType.CLINICAL]
    return [*rng.sample(others, min(n, len(others))), *clinical]


def _others(chosen: Sequence[LabelledPhoto], dataset: Dataset, *, seed: int) -> Iterator[npt.NDArray[np.uint8]]:
    for _, picture in generated_pictures(_N_EACH_FAMILY, seed=seed, families=FITTED_FAMILIES):
        yield picture
    readable = (read_labelled(dataset.files[p.image_id]) for p in chosen[:_N_SPOILT])
    photos = (pixels for pixels in readable if isinstance(pixels, np.ndarray))
    for damage, picture in spoilt_photos(photos, seed=seed):
        if damage in FITTED_DAMAGES:
            yield picture


def _embed_photos(
    predictor: Predictor,
    photos: Sequence[LabelledPhoto],
    dataset: Dataset,
    *,
    on_progress: Callable[[int, int], None],
) -> GateSample:
    features, kinds, classes = [], [], []
    for done, photo in enumerate(photos, start=1):
        pixels = read_labelled(dataset.files.get(photo.image_id))
        if isinstance(pixels, np.ndarray):
            is_clinical = photo.metadata.image_type is ImageType.CLINICAL
            features.append(embed(predictor, pixels, ImageType.CLINICAL if is_clinical else ImageType.DERMOSCOPIC))
            kinds.append(int(is_clinical))
            classes.append(HAM_CODES.index(ham_code(photo.dx)))
        on_progress(done, len(photos))
    if not features:
        raise DatasetError("Expected photos to fit the gate on. None could be read. Check the data: data verify DIR")
    return GateSample(np.stack(features), np.array(kinds, np.intp), np.array(classes, np.intp))


def _embed_pictures(
    predictor: Predictor, pictures: Iterable[npt.NDArray[np.uint8]], *, on_progress: Callable[[int, int], None]
) -> GateSample:
    total = _N_EACH_FAMILY * len(FITTED_FAMILIES) + _N_SPOILT * len(FITTED_DAMAGES)
    features = []
    for picture in pictures:
        features.append(embed(predictor, picture, ImageType.DERMOSCOPIC))
        on_progress(min(len(features), total), total)
    n = len(features)
    return GateSample(np.stack(features), np.full(n, KINDS.index("other"), np.intp), np.full(n, -1, np.intp))


def embed(predictor: Predictor, pixels: npt.NDArray[np.uint8], image_type: ImageType) -> Array:
    """Return the network's features of a photo, cut as a screening cuts it: (d,)."""
    square = prepare_pixels(pixels, predictor.manifest.preprocess).square
    if square is None:
        raise ValueError("Invalid value received for argument `pixels`. Expected a photo that can be cut.")
    return predictor.predict(square[np.newaxis], [Metadata(image_type=image_type)])[0].embedding


def _join(samples: Sequence[GateSample]) -> GateSample:
    return GateSample(
        np.concatenate([s.features for s in samples]),
        np.concatenate([s.kinds for s in samples]),
        np.concatenate([s.classes for s in samples]),
    )
