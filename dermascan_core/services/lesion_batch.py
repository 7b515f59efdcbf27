"""Screens a batch lesion by lesion: all photos of one together, several lesions at once, answers in the order given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from ..domain import PhotoScreening, Reason, Screening
from ..errors import PhotoError
from ..model.litert_engine import n_cores
from ..model.predictor import Predictor
from ..native_threads import one_thread_each
from .arrivals import Arrival, take_in
from .photo_grid import LesionPlan, PhotoPlan
from .screeners import in_order
from .screening import screen_lesion

_AHEAD = 2  # lesions begun or finished for each thread, before the oldest is asked for


@dataclass(frozen=True, slots=True)
class ScreenedLesion:
    """One lesion with its answer; each photo's reason names what of its row was not used."""

    plan: LesionPlan
    screening: Screening


def screen_lesions(
    plans: Sequence[LesionPlan], arrivals: Sequence[Arrival], *, predictor: Predictor, n_workers: int | None = None
) -> Iterator[ScreenedLesion]:
    """Screen lesions, several at once, and give them in their order.

    A photo that cannot be read is recorded as refused, with its reason; the lesion's others go on.

    Args:
        plans: Lesions.
        arrivals: All photos that came in; a plan names its own by their index.
        predictor: The model; called by several threads at once.
        n_workers: Lesions at once; by default as many as cores.
    """
    n_threads = n_workers or n_cores()
    screen = partial(screen_plan, arrivals=arrivals, predictor=predictor)
    with one_thread_each(), ThreadPoolExecutor(n_threads, thread_name_prefix="worklist") as pool:
        yield from in_order(partial(pool.submit, screen), plans, n_ahead=lambda: _AHEAD * n_threads)


def screen_plan(plan: LesionPlan, *, arrivals: Sequence[Arrival], predictor: Predictor) -> ScreenedLesion:
    """Screen one lesion."""
    photos: list[tuple[str, bytes | Reason]] = []
    for photo in plan.photos:
        try:
            photos.append((photo.name, take_in(arrivals[photo.index]).data))
        except PhotoError as error:
            photos.append((photo.name, Reason(error.code, str(error))))
    first = plan.photos[0]
    screening = screen_lesion(
        photos, metadata=first.metadata, answers=first.answers, image_type=first.image_type, predictor=predictor
    )
    return ScreenedLesion(plan, replace(screening, photos=_with_problems(screening.photos, plan.photos)))


def _with_problems(photos: Sequence[PhotoScreening], plans: Sequence[PhotoPlan]) -> tuple[PhotoScreening, ...]:
    return tuple(
        replace(photo, reason=with_unused_metadata(photo.reason, plan.problem)) if plan.problem else photo
        for photo, plan in zip(photos, plans, strict=True)
    )


def with_unused_metadata(reason: Reason | None, problem: str) -> Reason:
    """Return the reason with the metadata named that was not used, so that every writer tells it."""
    if reason is None:
        return Reason("metadata_not_used", problem)
    return Reason(reason.code, f"{reason.sentence} {problem}")
