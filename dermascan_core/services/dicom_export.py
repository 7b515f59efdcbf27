"""Writes photos as DICOM files that name nobody: one person's under one pseudonym, one lesion's under one name."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..domain import ImageType, Metadata
from ..errors import DatasetError, OutputError, PhotoError
from ..interop.dicom_out import DicomLabel, new_uid, write_dicom
from .arrivals import Arrival, take_in
from .photo_grid import PhotoPlan
from .photo_plans import Planned

MAX_PHOTOS = 20_000


@dataclass(frozen=True, slots=True)
class WrittenPhoto:
    """What became of one photo.

    Attributes:
        photo: Its name; untrusted text.
        file: The DICOM file's name; empty where none was written.
        person, lesion: As the file calls them.
        reason: Why none was written; empty where one was.
    """

    photo: str
    file: str
    person: str
    lesion: str
    reason: str = ""


def as_dicom(data: bytes, *, image_type: ImageType, metadata: Metadata) -> bytes:
    """Return one photo as a DICOM file of a person and a lesion that no other file shares.

    Raises:
        PhotoError: As ``decode_photo``.
    """
    label = DicomLabel(person=_new_pseudonym(), lesion="lesion-1")
    return write_dicom(data, image_type=image_type, metadata=metadata, label=label)


def export_photos(
    planned: Planned,
    out: Path,
    *,
    pseudonym: str = "",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[WrittenPhoto]:
    """Write the photos below a folder, each under a name of random digits, so that none is ever written over.

    Neither a photo's name nor a key of the table or of a DICOM file goes in: each person gets a new pseudonym.

    Args:
        planned: From ``photo_plans.plan_all``.
        out: The folder; made where it is missing.
        pseudonym: What to call the one person whose photos these are; empty makes one up for each person.
        on_progress: Called after each photo with (photos done, photos in all).

    Raises:
        DatasetError: If one pseudonym is to stand for several persons.
        MetadataError: If the pseudonym cannot stand in a DICOM file.
        OutputError: If the folder takes no more.
    """
    persons = {plan.person for plan in planned.plans if plan.person}
    if pseudonym and len(persons) > 1:
        raise DatasetError(
            f"Expected photos of one person for one pseudonym. Table, DICOM files or names tell {len(persons)} persons. "
            "Leave the pseudonym out, and each gets one."
        )
    known: dict[str, _Person] = {}
    n_photos, n_done = sum(len(plan.photos) for plan in planned.plans), 0
    for index, plan in enumerate(planned.plans):
        # Whoever is not named is nobody else either, unless all photos are one person's.
        key = "one" if pseudonym else (plan.person or f"\0{index}")
        person = known.setdefault(key, _Person(pseudonym or _new_pseudonym()))
        for photo in plan.photos:
            label = person.label(plan.lesion or f"\0{index}", photo.image_type)
            yield _write(photo, planned.photos[photo.index], out, label)
            n_done += 1
            on_progress(n_done, n_photos)


def _write(plan: PhotoPlan, arrival: Arrival, out: Path, label: DicomLabel) -> WrittenPhoto:
    try:
        taken_in = take_in(arrival)
        side = taken_in.dicom.side if taken_in.dicom else ""
        data = write_dicom(taken_in.data, image_type=plan.image_type, metadata=plan.metadata, side=side, label=label)
    except PhotoError as error:
        return WrittenPhoto(plan.name, "", label.person, label.lesion, f"{error.code}: {error}")
    path = out / f"{new_uid()}.dcm"
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise OutputError(
            f"Expected a folder that takes DICOM files at '{out}': {error.strerror}. Name another one, or free its disk."
        ) from error
    return WrittenPhoto(plan.name, path.name, label.person, label.lesion)


@dataclass(slots=True)
class _Person:
    """One person's keys: a lesion keeps its name whatever took its photos, and a series holds photos of one kind."""

    pseudonym: str
    study_uid: str = field(default_factory=new_uid)
    lesions: dict[str, DicomLabel] = field(default_factory=dict)
    series: dict[ImageType, DicomLabel] = field(default_factory=dict)

    def label(self, lesion: str, image_type: ImageType) -> DicomLabel:
        name = f"lesion-{len(self.lesions) + 1}"
        about_lesion = self.lesions.setdefault(lesion, DicomLabel(self.pseudonym, name, study_uid=self.study_uid))
        before = self.series.get(image_type, DicomLabel(number=0))
        label = replace(about_lesion, series_uid=before.series_uid, number=before.number + 1)
        self.series[image_type] = label
        return label


def _new_pseudonym() -> str:
    return f"person-{secrets.token_hex(6)}"
