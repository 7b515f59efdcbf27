"""Keeps a screening: its photos without tags, the answer as it was, and a line in the audit trail; or nothing at all.

Image files are written first and the rows that name them last, in one transaction: a kill at any point leaves every kept
case whole, and at most a file that nothing names, which tidying removes.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from PIL import Image
from sqlalchemy.orm import Session

from ..domain import PhotoScreening, Screening, Status
from ..errors import RecordError
from ..imaging.bare import strip_tags
from ..imaging.decode import decode_photo
from ..imaging.overlay import shrink_photo
from ..reports.export import screening_to_json
from ..storage import lesions, screenings
from ..storage.kept import KeptScreening, NewScreening, ScreenedPhoto
from .records import Records, note, require_consent, require_lesion, short_text

THUMBNAIL_SIDE_PX = 256
MAX_FILE_NAME_CHARACTERS = 255
_THUMBNAIL_QUALITY = 85


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A photo about to be kept.

    Attributes:
        name: File name as given; untrusted text, sealed.
        data: The file without its tags.
        thumbnail: A JPEG of at most 256 px a side.
        width_px, height_px: Of the decoded photo, in which squares are given.
    """

    name: str
    data: bytes
    thumbnail: bytes
    width_px: int
    height_px: int

    @property
    def sha256(self) -> str:
        """What it lies under in the image store."""
        return hashlib.sha256(self.data).hexdigest()


def new_photo(name: str, data: bytes) -> NewPhoto:
    """Make a photo ready to be kept: nothing of EXIF, GPS or any other tag is left in it.

    Raises:
        PhotoError: It cannot be decoded; such a file is never kept.
    """
    bare = strip_tags(data)
    rgb = decode_photo(bare)
    buffer = io.BytesIO()
    small = shrink_photo(rgb, max_side_px=THUMBNAIL_SIDE_PX)
    Image.fromarray(small).save(buffer, "JPEG", quality=_THUMBNAIL_QUALITY)
    return NewPhoto(name, bare, buffer.getvalue(), width_px=rgb.shape[1], height_px=rgb.shape[0])


def keep_screening(
    records: Records,
    screening: Screening,
    photos: Sequence[NewPhoto | None],
    *,
    lesion_id: str,
    actor: str,
    now: datetime,
    replaces_id: str | None = None,
    also: Callable[[Session, KeptScreening], None] = lambda session, kept: None,
) -> KeptScreening:
    """Keep a screening and its photos; kept already, nothing changes.

    Args:
        records: To keep it in.
        screening: As it was answered.
        photos: Its photos in their order; None for one that could not be decoded, which is kept by name alone.
        lesion_id: What was looked at.
        actor, now: Who keeps it, and when.
        replaces_id: A kept screening of this lesion that was answered anew, with another square or answer.
        also: Done in the same transaction: both are kept, or neither; what it raises keeps nothing.

    Raises:
        ConsentError: The person does not, or no longer, agree that anything is kept.
        RecordError: There is no such lesion or no such screening of it, or there is no photo.
        StorageError: The disk is full or the database busy; then nothing was kept.
    """
    if len(photos) != len(screening.photos):
        msg = f"Expected one photo, or None, for each of {len(screening.photos)} answers. Received {len(photos)}."
        raise ValueError(msg)
    if all(photo is None for photo in photos):
        raise RecordError("Expected a photo to keep. None of these could be decoded. Take it again.")
    with records.database.reading() as session:  # before anything is written: nothing of somebody who did not agree
        require_consent(session, records.vault, _person_of(session, records, lesion_id), now=now)
    _put_images(records, photos)
    with records.database.transaction() as session:
        require_consent(session, records.vault, _person_of(session, records, lesion_id), now=now)
        new = _new_screening(screening, photos, lesion_id=lesion_id, replaces_id=replaces_id)
        kept = screenings.find_screening(session, records.vault, new.id)
        if kept is None:
            _check_replaced(session, records, new)
            _put_images(records, photos, only_missing=True)  # one may have been removed meanwhile, with another person
            kept = _keep(session, records, new, screening, photos, actor=actor, now=now)
        also(session, kept)
        return kept


def keep_again(
    records: Records,
    screening: Screening,
    data: Sequence[bytes],
    *,
    lesion_id: str,
    replaces_id: str,
    actor: str,
    now: datetime,
) -> KeptScreening:
    """Keep another answer to photos that are kept already; see ``keep_screening``.

    Args:
        records, screening, lesion_id, actor, now: As there.
        data: The photos' bytes, in their order; empty for one that could never be decoded.
        replaces_id: The answer before; it stays.
    """
    photos = [new_photo(photo.name, one) if one else None for photo, one in zip(screening.photos, data, strict=True)]
    return keep_screening(
        records, screening, photos, lesion_id=lesion_id, actor=actor, now=now, replaces_id=replaces_id
    )


def _person_of(session: Session, records: Records, lesion_id: str) -> str:
    return require_lesion(session, records.vault, lesion_id).person_id


def _put_images(records: Records, photos: Sequence[NewPhoto | None], *, only_missing: bool = False) -> None:
    for photo in photos:
        if photo is not None and not (only_missing and records.images.has(_sha256(photo))):
            records.images.put(photo.data, thumbnail=photo.thumbnail)


def _check_replaced(session: Session, records: Records, new: NewScreening) -> None:
    if new.replaces_id is None:
        return
    replaced = screenings.find_screening(session, records.vault, new.replaces_id)
    if replaced is None or replaced.lesion_id != new.lesion_id:
        raise RecordError("The screening that this one replaces is not in the records of this lesion. Choose it again.")


def _keep(
    session: Session,
    records: Records,
    new: NewScreening,
    screening: Screening,
    photos: Sequence[NewPhoto | None],
    *,
    actor: str,
    now: datetime,
) -> KeptScreening:
    number = note(session, actor, "screening kept", f"screening {new.id}", now=now, lesion=new.lesion_id)
    screened = tuple(_keep_photos(session, records, new, screening, photos, now=now))
    return screenings.save_screening(session, records.vault, replace(new, photos=screened), audit_number=number)


def _keep_photos(
    session: Session,
    records: Records,
    new: NewScreening,
    screening: Screening,
    photos: Sequence[NewPhoto | None],
    *,
    now: datetime,
) -> Iterator[ScreenedPhoto]:
    for position, (photo, answer) in enumerate(zip(photos, screening.photos, strict=True)):
        if photo is None:
            continue
        kept = lesions.keep_photo(
            session,
            records.vault,
            lesion_id=new.lesion_id,
            image_sha256=_sha256(photo),
            file_name=short_text(photo.name[-MAX_FILE_NAME_CHARACTERS:], "a file name", MAX_FILE_NAME_CHARACTERS),
            image_type=screening.type_of(answer).value,
            width_px=photo.width_px,
            height_px=photo.height_px,
            now=now,
        )
        yield ScreenedPhoto(position, kept.id, None if answer.crop is None else asdict(answer.crop))


def _new_screening(
    screening: Screening, photos: Sequence[NewPhoto | None], *, lesion_id: str, replaces_id: str | None
) -> NewScreening:
    record = screening_to_json(screening, with_heat_maps=True)
    leading = _leading(screening)
    of_its_type = screening.as_of(leading)
    prediction = None if leading.status is Status.REFUSED else leading.prediction
    return NewScreening(
        id=_id_of(record, photos, lesion_id),
        lesion_id=lesion_id,
        replaces_id=replaces_id,
        screened_at=datetime.fromisoformat(screening.screened_at),
        model=screening.model,
        model_sha256=screening.model_sha256,
        engine=screening.engine,
        app_version=screening.app_version,
        threshold=of_its_type.threshold,
        gate_scores=_scores(leading),
        image_type=of_its_type.image_type.value,
        status=leading.status.value,
        next_step=screening.next_step.value,
        predicted=None if prediction is None else prediction.predicted,
        p_malignant=None if prediction is None else float(prediction.p_malignant),
        record=record,
        photos=(),
    )


def _leading(screening: Screening) -> PhotoScreening:
    """The photo that the plain columns speak of: of those not refused, the one with most cancer or pre-cancer.

    Shares of two kinds of photo do not compare: there the most urgent next step comes first.
    """
    answered = [p for p in screening.photos if p.prediction is not None and p.status is not Status.REFUSED]
    is_mixed = screening.is_mixed
    return max(
        answered,
        key=lambda photo: (*_urgency(photo, is_mixed=is_mixed), _p_malignant(photo)),
        default=screening.photos[0],
    )


def _urgency(photo: PhotoScreening, *, is_mixed: bool) -> tuple[int, bool]:
    if not is_mixed or photo.prediction is None:
        return 0, False
    return photo.next_step.urgency, photo.prediction.is_above_threshold


def _p_malignant(photo: PhotoScreening) -> float:
    return 0.0 if photo.prediction is None else float(photo.prediction.p_malignant)


def _scores(photo: PhotoScreening) -> dict[str, float]:
    measures = {} if photo.quality is None else dict(photo.quality.measures)
    scores = {name: float(value) for name, value in (measures | dict(photo.gate_scores)).items()}
    return {name: value for name, value in scores.items() if math.isfinite(value)}


def _id_of(record: str, photos: Sequence[NewPhoto | None], lesion_id: str) -> str:
    """The same answer of the same photos kept again has the same id, and so becomes no second row."""
    images = [None if photo is None else _sha256(photo) for photo in photos]
    text = json.dumps([lesion_id, images, record])
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def _sha256(photo: NewPhoto) -> str:
    return photo.sha256
