"""One kept case, opened for reading: its photos, what was asked, and the answer as it was given then."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain import Answers, CropBox, ImageType, Metadata, Reason, Screening
from ..errors import PhotoError, RecordError, StorageError, WeightsError
from ..imaging.decode import decode_photo
from ..model.manifest import Manifest
from ..model.predictor import Predictor
from ..storage import lesions, people, screenings
from ..storage.kept import KeptLesion, KeptPerson, KeptPhoto, KeptScreening
from . import models
from .intake import Intake, encode_jpeg, take_in
from .records import Records
from .screening import screen_lesion
from .stored_screening import read_screening, with_squares

_ZOOM_QUALITY = 92


@dataclass(frozen=True, slots=True)
class CaseAtHand:
    """A kept screening with all that a reader needs to see.

    Attributes:
        screening: As it was kept.
        person, lesion: Whose, and which.
        answer: The record, with the squares that the network saw.
        intakes: Its photos, in the answer's order; one without data is not kept any more, or could never be decoded.
        manifest: Of the very weights that answered; None where other ones are installed now.
    """

    screening: KeptScreening
    person: KeptPerson
    lesion: KeptLesion
    answer: Screening
    intakes: tuple[Intake, ...]
    manifest: Manifest | None


def open_case(records: Records, screening_id: str) -> CaseAtHand:
    """Open one case.

    Raises:
        RecordError: There is none of that id.
        StorageError: The record or a photo cannot be read.
    """
    with records.database.reading() as session:
        kept = screenings.find_screening(session, records.vault, screening_id)
        lesion = None if kept is None else lesions.find_lesion(session, records.vault, kept.lesion_id)
        person = None if lesion is None else people.find_person(session, records.vault, lesion.person_id)
        photos = () if lesion is None else lesions.photos_of(session, records.vault, [lesion.id])
    if kept is None or lesion is None or person is None:
        raise RecordError("There is no such case in the records. It may have been deleted. Choose one from the list.")
    manifest = _manifest_of(kept)
    answer = read_screening(kept.record, phone_test=None if manifest is None else manifest.phone_test)
    intakes = _intakes(records, kept, answer, photos)
    if manifest is not None:
        answer = with_squares(answer, [intake.data for intake in intakes], manifest)
    return CaseAtHand(kept, person, lesion, answer, intakes, manifest)


def zoom_jpeg(intake: Intake) -> bytes | None:
    """Return a photo upright and at its full resolution, without tags; None where it cannot be decoded."""
    try:
        return encode_jpeg(decode_photo(intake.data), quality=_ZOOM_QUALITY)
    except PhotoError:
        return None


def answer_again(
    case: CaseAtHand,
    predictor: Predictor,
    *,
    image_type: ImageType | None,
    metadata: Metadata,
    answers: Answers,
    crops: tuple[CropBox | None, ...],
) -> Screening:
    """Return a new answer to the same photos, with another square, image type or answer; nothing is kept yet.

    Without an image type each photo keeps the one that it had.
    """
    told = None if image_type else [case.answer.type_of(photo) for photo in case.answer.photos]
    return screen_lesion(
        [(intake.name, intake.data) for intake in case.intakes],
        metadata=metadata,
        answers=answers,
        image_type=image_type or case.answer.image_type,
        image_types=told,
        predictor=predictor,
        crops=crops,
        explain=True,
        # Looked at as often as before: an answer of fewer looks could be calmer for that alone.
        repeat=any(photo.repeatability is not None for photo in case.answer.photos),
    )


def _manifest_of(kept: KeptScreening) -> Manifest | None:
    try:
        manifest = models.load_model_manifest(kept.model)
    except WeightsError:
        return None
    return manifest if manifest.sha256 == kept.model_sha256 else None


def _intakes(
    records: Records, kept: KeptScreening, answer: Screening, photos: tuple[KeptPhoto, ...]
) -> tuple[Intake, ...]:
    by_id = {photo.id: photo for photo in photos}
    at = {one.position: by_id.get(one.photo_id) for one in kept.photos}
    return tuple(open_photo(records, at.get(position), photo.name) for position, photo in enumerate(answer.photos))


def open_photo(records: Records, photo: KeptPhoto | None, name: str) -> Intake:
    """Open one kept photo; where that fails the intake has no picture, and its refusal says why.

    Args:
        records: Where it is kept.
        photo: Which one; None for one that was never kept.
        name: To show.
    """
    if photo is None:
        return Intake(name, b"", "", refusal=Reason("not_kept", "This photo could not be decoded, so it was not kept."))
    try:
        return take_in(name, records.images.get(photo.image_sha256))
    except StorageError as error:
        return Intake(name, b"", "", refusal=Reason("photo_lost", str(error)))


def has_pixels(intake: Intake) -> bool:
    """Return whether a photo can be shown."""
    return bool(intake.preview_jpeg)
