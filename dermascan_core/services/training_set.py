"""Verified cases out of the records as a data set to train on: with consent for it, and never of its own accord."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from .. import __version__
from ..datasets.form import free_text
from ..datasets.verified import VerifiedPhoto, place_of, write_verified
from ..domain import Metadata
from ..errors import DatasetError, OutputError
from ..storage import lesions, people, screenings
from ..storage.kept import KeptPhoto
from .outcome_statistics import VERIFIED_BY, VerifiedCase, verified_cases
from .readings import OTHER, OTHER_CANCER
from .records import Records, note
from .stored_screening import read_screening

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class ExportedCases:
    """What went out, and what did not.

    Attributes:
        n_photos, n_lesions, n_people: What went out in all.
        n_held_out: Photos of these in the second folder.
        n_without_consent: Verified lesions whose person did not, or no longer, agree to training.
        n_without_class: Verified lesions of a finding that no class holds.
    """

    n_photos: int
    n_lesions: int
    n_people: int
    n_held_out: int
    n_without_consent: int
    n_without_class: int


def export_training_set(
    records: Records,
    out: Path,
    *,
    actor: str,
    now: datetime,
    site_id: str = "",
    verified_by: Sequence[str] = VERIFIED_BY,
    hold_out: float = 0.0,
    on_progress: Progress = lambda sentence, done, total: None,
) -> ExportedCases:
    """Write the verified cases of people who agreed to training as a data set, and note it in the audit trail.

    Names in it are hashes: they keep a person's photos together and name nobody. Made-up people are left out.

    Args:
        records: To export from.
        out: A new or empty folder.
        actor, now: Who exports, and when.
        site_id: How this clinic is called, for the column ``source``.
        verified_by: The ways of confirming that count.
        hold_out: Share of people whose cases go to a second folder, ``OUT-frozen``, to judge by and never to learn from: the
            same people each time, by their names in the set.
        on_progress: Called with (sentence, done, total).

    Raises:
        DatasetError: If no verified case may be used.
        OutputError: If the folder holds something, or cannot be written.
    """
    frozen = out.with_name(f"{out.name}-frozen")
    for folder in (out, frozen):
        _require_empty(folder)
    cases = verified_cases(records, verified_by=verified_by)
    classed = [case for case in cases if case.dx not in (OTHER, OTHER_CANCER)]
    allowed = [case for case in classed if _may_train(records, case, now)]
    photos = [photo for case in allowed for photo in _photos(records, case)]
    if not photos:
        raise DatasetError(
            f"Expected verified cases of people who agreed to training. Of {len(cases)} verified lesions none may be used. "
            "Enter outcomes, and ask for this consent when keeping a case."
        )
    about = {
        "site_id": site_id,
        "exported_at": now.isoformat(),
        "app_version": __version__,
        "verified_by": list(verified_by),
        "names": "SHA-256 of the record's id, shortened",
    }
    held, learnt = _parted(photos, hold_out)
    for folder, part in ((out, learnt), (frozen, held)):
        if part:
            write_verified(part, folder, source=free_text(site_id), about=about, on_progress=on_progress)
    with records.database.transaction() as session:
        note(session, actor, "training set exported", "outcomes", now=now, photos=len(photos), lesions=len(allowed))
    return ExportedCases(
        n_photos=len(photos),
        n_held_out=len(held),
        n_lesions=len({photo.lesion_id for photo in photos}),
        n_people=len({photo.patient_id for photo in photos}),
        n_without_consent=len(classed) - len(allowed),
        n_without_class=len(cases) - len(classed),
    )


def _require_empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(
            f"Expected a new or empty folder for the training set. '{folder}' holds something. Name another."
        )


def _parted(photos: Sequence[VerifiedPhoto], hold_out: float) -> tuple[list[VerifiedPhoto], list[VerifiedPhoto]]:
    held = [photo for photo in photos if place_of(f"held {photo.patient_id}") < hold_out]
    return held, [photo for photo in photos if photo not in held]


def _may_train(records: Records, case: VerifiedCase, now: datetime) -> bool:
    with records.database.reading() as session:
        consents = people.consents_of(session, case.record.person_id)
    return any(consent.allows_training and consent.is_in_force(now) for consent in consents)


def _photos(records: Records, case: VerifiedCase) -> Iterator[VerifiedPhoto]:
    with records.database.reading() as session:
        kept = lesions.photos_of(session, records.vault, [case.record.lesion_id])
        answered = screenings.screenings_of(session, records.vault, [case.record.lesion_id])
    told = read_screening(answered[-1].record).metadata if answered else Metadata()
    for number, photo in enumerate(kept):
        yield _photo(records, case, photo, number, told)


def _photo(records: Records, case: VerifiedCase, photo: KeptPhoto, number: int, told: Metadata) -> VerifiedPhoto:
    lesion = _name(case.record.lesion_id)
    known = {"age_approx": told.age_approx, "sex": told.sex, "anatom_site_general": told.anatom_site}
    head = records.images.get(photo.image_sha256)[:8]
    return VerifiedPhoto(
        image_id=f"{lesion}_{number}",
        lesion_id=lesion,
        patient_id=_name(case.record.person_id),
        dx=case.dx,
        confirmed_by=case.confirmed_by,
        image_type=photo.image_type,
        known={
            name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in known.items() if value
        },
        data=partial(records.images.get, photo.image_sha256),
        ending=".png" if head.startswith(b"\x89PNG") else ".jpg",
        provenance={
            "image_sha256": photo.image_sha256,
            "outcome_entry": case.record.outcomes[-1].audit_number,
            "found_at": f"{case.found_at:%Y-%m-%d}",
            "model_answered": None if case.answer is None else case.answer.predicted,
        },
    )


def _name(record_id: str) -> str:
    return hashlib.sha256(f"dermascan {record_id}".encode()).hexdigest()[:16]
