"""A demo clinic: made-up people with generated pictures, to try the program with. Marked, never counted, gone by one click."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from ..domain import Answers, ImageType, Metadata
from ..imaging.demo_lesions import draw_lesion
from ..model.predictor import Predictor
from .forgetting import delete_person
from .intake import encode_jpeg
from .keeping import keep_screening, new_photo
from .readings import add_outcome
from .records import ConsentGiven, Records, add_lesion, add_person, list_people
from .screening import screen_lesion

N_PEOPLE = 12
_KEEP = timedelta(days=31)  # somebody who forgets the demo finds it gone
_SITES = ("back", "chest", "upper extremity", "lower extremity", "face", "abdomen")
_KINDS = ("even", "even", "uneven", "even", "red", "even", "uneven", "blurred")
_OUTCOMES = {"uneven": "mel", "even": "nv", "red": "vasc"}
_OUTCOME_EVERY = 3  # every third of them has a made-up result
_PAGE = 200
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Invented:
    """One made-up lesion: its kind, age, sex and place follow from its number alone."""

    number: int

    @property
    def kind(self) -> str:
        return _KINDS[self.number % len(_KINDS)]

    @property
    def metadata(self) -> Metadata:
        rng = np.random.default_rng(self.number)
        sex = ("female", "male")[int(rng.integers(2))]
        return Metadata(age_approx=int(rng.integers(20, 90)), sex=sex, anatom_site=_SITES[self.number % len(_SITES)])

    @property
    def photo(self) -> bytes:
        return encode_jpeg(draw_lesion(self.kind, self.number), quality=92)


def fill_demo_clinic(
    records: Records,
    predictor: Predictor,
    *,
    actor: str,
    now: datetime,
    n_people: int = N_PEOPLE,
    on_progress: Progress = lambda done, total: None,
) -> int:
    """Add made-up people, each with one lesion that the model has answered; some with a made-up result of a biopsy.

    Args:
        records: To add to.
        predictor: Answers, as for anybody.
        actor, now: Who asked for it, and when.
        n_people: How many.
        on_progress: Called with (done, total).

    Returns:
        How many were added.
    """
    for number in range(n_people):
        _add(records, predictor, _Invented(number), actor=actor, now=now)
        on_progress(number + 1, n_people)
    return n_people


def _add(records: Records, predictor: Predictor, invented: _Invented, *, actor: str, now: datetime) -> None:
    consent = ConsentGiven(keep_until=now + _KEEP)
    metadata, name = invented.metadata, f"demo-{invented.number + 1}.jpg"
    person = add_person(
        records,
        consent,
        actor=actor,
        now=now,
        name=f"Demo person {invented.number + 1}",
        sex=metadata.sex,
        is_demo=True,
    )
    lesion = add_lesion(
        records,
        person.id,
        actor=actor,
        now=now,
        label="Generated picture, not a real lesion",
        anatom_site=metadata.anatom_site,
    )
    photo = invented.photo
    screening = screen_lesion(
        [(name, photo)],
        metadata=metadata,
        answers=Answers(),
        image_type=ImageType.DERMOSCOPIC,
        predictor=predictor,
        explain=True,
    )
    keep_screening(records, screening, [new_photo(name, photo)], lesion_id=lesion.id, actor=actor, now=now)
    if invented.number % _OUTCOME_EVERY == 0 and invented.kind in _OUTCOMES:
        add_outcome(
            records,
            lesion.id,
            dx=_OUTCOMES[invented.kind],
            confirmed_by="histopathology",
            found_at=now,
            actor=actor,
            now=now,
            note_text="Made up for the demo clinic.",
        )


def remove_demo_clinic(records: Records, *, actor: str, now: datetime) -> int:
    """Delete every made-up person with all that is kept of them; returns how many there were."""
    n_removed = 0
    while people := list_people(records, is_demo=True, limit=_PAGE).people:
        for person in people:
            delete_person(records, person.id, actor=actor, now=now)
        n_removed += len(people)
    return n_removed


def count_demo_people(records: Records) -> int:
    """Return how many made-up people there are."""
    return list_people(records, is_demo=True, limit=1).n_people
