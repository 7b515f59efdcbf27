"""Stress tests: the same photos damaged, through the whole pipeline, and what is kept of the answers.

Each photo is brought to 150 px of detail, damaged, and only then searched for a lesion, judged and cut, as an upload is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..domain import ImageType, Metadata, NextStep, Reason
from ..errors import DatasetError
from ..imaging.crop import clamp_crop, find_crop
from ..imaging.overlay import heat_inside
from ..imaging.preprocess import PreprocessConfig
from ..imaging.segment import segment_lesion
from ..model.predictor import PhotoOutput, Predictor
from ..model.views import N_VIEWS, make_views
from ..tables import LabelledPhoto
from .contrast import lesion_contrast
from .damage import CLEAN, SMALL_CHANGES, STRESSES, Damage, damage_photo, to_detail
from .evaluate import PreparedPhoto, judge_output, prepare_pixels, read_labelled
from .results import PhotoResult

_N_READERS = 2


@dataclass(frozen=True, slots=True)
class StressedPhoto:
    """One photo under every damage.

    Attributes:
        results: Damage -> what became of it; ``clean`` among them.
        view_steps: The next step of each of the eight flips and turns alone, the photo as it is first; empty where
            single views were not measured.
        contrast: Between lesion and skin, see ``contrast.lesion_contrast``.
        heat_in_lesion: Share of the heat map of the class shown first that lies inside the lesion; NaN without a
            lesion or a map.
        lesion_share: Share of the square that the lesion covers; NaN without one.
    """

    results: Mapping[str, PhotoResult]
    view_steps: tuple[NextStep, ...]
    contrast: float
    heat_in_lesion: float
    lesion_share: float


@dataclass(frozen=True, slots=True)
class _Prepared:
    squares: Mapping[str, PreparedPhoto]
    contrast: float
    lesion: npt.NDArray[np.bool_] | None  # the mask inside the square, (height, width)


def all_damages() -> dict[str, Damage]:
    """Return every damage by its name, the clean photo first."""
    return {damage.name: damage for damage in (CLEAN, *STRESSES, *SMALL_CHANGES)}


def sample_photos(photos: Sequence[LabelledPhoto], *, limit: int, seed: int) -> list[LabelledPhoto]:
    """Draw photos so that each diagnosis keeps its share, rounded up; in the order of the table.

    Args:
        photos: To draw from.
        limit: About how many; 0 keeps all.
        seed: Of the draw.
    """
    if not limit or limit >= len(photos):
        return list(photos)
    rng = np.random.default_rng(seed)
    kinds = np.array([photo.dx or str(photo.is_malignant) for photo in photos])
    chosen: list[int] = []
    for kind in np.unique(kinds):
        places = np.flatnonzero(kinds == kind)
        n = int(np.ceil(limit * len(places) / len(photos)))
        chosen += rng.choice(places, n, replace=False).tolist()
    return [photos[i] for i in sorted(chosen)]


def stress_photos(
    predictor: Predictor,
    photos: Sequence[LabelledPhoto],
    files: Mapping[str, Path],
    *,
    seed: int,
    single_view: Predictor | None = None,
    use_metadata: bool = True,
    image_type: ImageType = ImageType.DERMOSCOPIC,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[StressedPhoto]:
    """Answer each photo clean and under every damage; photos that cannot be read are left out.

    Args:
        predictor: The model.
        photos: Labelled photos, each once.
        files: image_id -> file.
        seed: Of the damages.
        single_view: The same model without averaging over views (``n_views`` 1); None leaves single views out.
        use_metadata: Whether to tell the model age, sex and site.
        image_type: How the photos were taken, where the labels table does not say.
        on_progress: Called with (done, total).

    Raises:
        DatasetError: If no photo could be read.
    """
    config = predictor.manifest.preprocess
    stressed = []
    with ThreadPoolExecutor(_N_READERS) as pool:
        # Few at a time: each photo becomes two dozen squares.
        for start in range(0, len(photos), 4 * _N_READERS):
            some = photos[start : start + 4 * _N_READERS]
            prepared = pool.map(lambda photo: _prepare(files.get(photo.image_id), photo.image_id, config, seed), some)
            for photo, one in zip(some, prepared, strict=True):
                if one is not None:
                    taken = photo.image_type or image_type
                    told = replace(photo.metadata if use_metadata else Metadata(), image_type=taken)
                    stressed.append(_answer(predictor, single_view, photo, one, told, taken))
            on_progress(min(start + len(some), len(photos)), len(photos))
    if not stressed:
        raise DatasetError(
            f"Expected photos for the {len(photos)} rows of the labels table. None of them could be read. "
            "Check --images."
        )
    return stressed


def _prepare(path: Path | None, image_id: str, config: PreprocessConfig, seed: int) -> _Prepared | None:
    pixels = read_labelled(path)
    if isinstance(pixels, Reason):
        return None
    rgb = to_detail(pixels)
    squares = {
        name: prepare_pixels(damage_photo(rgb, damage, image_id=image_id, seed=seed), config)
        for name, damage in all_damages().items()
    }
    mask = segment_lesion(rgb)
    return _Prepared(squares, lesion_contrast(rgb, mask), None if mask is None else _inside_square(rgb, mask))


def _inside_square(rgb: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    box = clamp_crop(find_crop(rgb), width_px=rgb.shape[1], height_px=rgb.shape[0])
    return mask[box.top_px : box.top_px + box.side_px, box.left_px : box.left_px + box.side_px]


def _answer(
    predictor: Predictor,
    single_view: Predictor | None,
    photo: LabelledPhoto,
    one: _Prepared,
    told: Metadata,
    image_type: ImageType,
) -> StressedPhoto:
    names = list(one.squares)
    squares = np.stack([square for name in names if (square := one.squares[name].square) is not None])
    outputs = [
        *predictor.predict(squares[:1], [told], explain=True),
        *predictor.predict(squares[1:], [told] * (len(squares) - 1)),
    ]
    results = {
        name: judge_output(photo, one.squares[name], told, output, image_type)
        for name, output in zip(names, outputs, strict=True)
    }
    view_steps: tuple[NextStep, ...] = ()
    if single_view is not None:
        views = make_views(squares[0], N_VIEWS)
        clean = one.squares[CLEAN.name]
        view_steps = tuple(
            judge_output(photo, clean, told, output, image_type).next_step
            for output in single_view.predict(views, [told] * N_VIEWS)
        )
    heat, share = (float("nan"), float("nan")) if one.lesion is None else _heat_in(outputs[0], one.lesion)
    return StressedPhoto(results, view_steps, one.contrast, heat, share)


def _heat_in(output: PhotoOutput, lesion: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return (share of the heat inside the lesion, share of the square that the lesion covers)."""
    heat = output.heat_maps.get(output.prediction.predicted)
    return (float("nan"), float(lesion.mean())) if heat is None else heat_inside(heat, lesion)
