"""What is kept, as plain data: what the repositories hand out, opened, instead of rows of the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class KeptPerson:
    """Somebody whose skin is looked at.

    Attributes:
        id: 32 hex digits.
        pseudonym: What people call them by: ``P-7K3F-23``.
        name: Where one was given; None otherwise.
        birth_year, sex: Where known.
        created_at, created_by: When and by whom they were added.
        is_demo: Made up, for trying the program.
    """

    id: str
    pseudonym: str
    name: str | None
    birth_year: int | None
    sex: str | None
    created_at: datetime
    created_by: str
    is_demo: bool


@dataclass(frozen=True, slots=True)
class KeptConsent:
    """What a person agreed to, and until when it may be kept; no longer once it was withdrawn."""

    id: str
    person_id: str
    text_version: str
    given_at: datetime
    keep_until: datetime
    allows_training: bool
    withdrawn_at: datetime | None

    def is_in_force(self, now: datetime) -> bool:
        """Whether it allows anything to be kept at this time."""
        return self.withdrawn_at is None and self.keep_until > now


@dataclass(frozen=True, slots=True)
class KeptLesion:
    """One spot of one person."""

    id: str
    person_id: str
    label: str | None
    anatom_site: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """A photo of a lesion; its bytes lie in the image store under ``image_sha256``. Sizes are of the decoded photo, in px."""

    id: str
    lesion_id: str
    image_sha256: str
    file_name: str | None
    image_type: str
    width_px: int
    height_px: int
    added_at: datetime


@dataclass(frozen=True, slots=True)
class ScreenedPhoto:
    """A photo that a screening looked at.

    Attributes:
        position: Its place among the record's photos, from 0. One that could not be decoded is in the record alone.
        photo_id: Of ``KeptPhoto``.
        crop: The square: ``left_px``, ``top_px``, ``side_px``, ``source``; None without one.
    """

    position: int
    photo_id: str
    crop: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class NewScreening:
    """A screening about to be kept.

    Attributes:
        id: 32 hex digits that follow from what it says: the same answer kept twice is one row.
        lesion_id: What was looked at.
        replaces_id: The screening that this one was made instead of, with another square or answer; both are kept.
        screened_at, model, model_sha256, engine, app_version: What answered, and when.
        threshold: Of ``p_malignant``, as it held; None where unknown.
        gate_scores: Measure -> number: quality, and how far the photo was from what the network knows.
        status, next_step: As in the record.
        image_type, predicted, p_malignant: Of the photo with the largest share of cancer or pre-cancer, or of photos taken
            in two ways the most urgent one, as is the threshold; the last two are None when all were refused.
        record: The whole answer as JSON.
        photos: In their order.
    """

    id: str
    lesion_id: str
    replaces_id: str | None
    screened_at: datetime
    model: str
    model_sha256: str
    engine: str
    app_version: str
    threshold: float | None
    gate_scores: Mapping[str, float]
    image_type: str
    status: str
    next_step: str
    predicted: str | None
    p_malignant: float | None
    record: str
    photos: tuple[ScreenedPhoto, ...]


@dataclass(frozen=True, slots=True)
class KeptScreening(NewScreening):
    """What a model answered once. ``audit_number`` orders all that is kept, whatever the clock said."""

    audit_number: int


@dataclass(frozen=True, slots=True)
class NewReview:
    """A clinician's reading about to be confirmed.

    Attributes:
        screening_id: What was read.
        reviewer: Login name.
        own_dx, own_step, own_at: What they thought before they saw the model's answer, and when: a HAM10000 code or
            ``unknown``, and a next step.
        decision: ``agree`` with the model, or ``override``.
        final_dx, final_step: What holds.
        reason: Why; asked for where the model is overridden.
    """

    screening_id: str
    reviewer: str
    own_dx: str
    own_step: str
    own_at: datetime
    decision: str
    final_dx: str
    final_step: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class KeptReview(NewReview):
    """A confirmed reading, never changed: a second thought has the next ``version`` of the same reviewer."""

    id: str
    version: int
    confirmed_at: datetime
    audit_number: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A reading not yet confirmed; ``content`` is what the page wants to find again, as JSON."""

    screening_id: str
    reviewer: str
    saved_at: datetime
    content: str


@dataclass(frozen=True, slots=True)
class KeptComment:
    """A remark on a lesion."""

    id: str
    lesion_id: str
    author: str
    text: str
    at: datetime
    audit_number: int


@dataclass(frozen=True, slots=True)
class KeptOutcome:
    """What a lesion turned out to be. A correction is another one with a larger ``audit_number``; the largest counts.

    Attributes:
        dx: A HAM10000 code, or ``other``.
        confirmed_by: How, in the archive's words (``diagnosis_confirm_type``).
        found_at: When the finding was made; entered_at: when it was typed in.
    """

    id: str
    lesion_id: str
    dx: str
    confirmed_by: str
    found_at: datetime
    entered_at: datetime
    entered_by: str
    note: str | None
    audit_number: int
