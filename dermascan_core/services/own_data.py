"""Hands somebody everything that is kept of them: one zip of JSON, their photos, and who did what with it."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from ..errors import OutputError, StorageError
from ..storage import audit
from .history import LesionHistory, PersonHistory, person_history
from .records import CONSENT_TEXTS, Records, note

_ENDINGS = {b"\xff\xd8\xff": "jpg", b"\x89PNG": "png"}
_ABOUT = (
    "All that DermaScan keeps of {pseudonym}, as of {now}.\n\n"
    "records.json  what was agreed to, every lesion, screening, reading, remark and outcome, and who did what, when\n"
    "photos/       the photos as they are kept, named as in records.json\n\n"
    "Not a medical device. Not a diagnosis.\n"
)


def export_person(records: Records, person: str, out: IO[bytes], *, actor: str, now: datetime) -> int:
    """Write everything about somebody as a zip, and put in the audit trail that it was given out.

    Args:
        records, person: Whose, by id or pseudonym.
        out: Where the zip goes; it may be large.
        actor, now: Who asked for it, and when.

    Returns:
        How many photos are in it. One whose file is gone or damaged is named in ``records.json`` and left out.

    Raises:
        RecordError: There is nobody.
        SealError: The key is another one.
    """
    history = person_history(records, person)
    with records.database.transaction() as session:
        note(session, actor, "own data exported", f"person {history.person.id}", now=now)
    with records.database.reading() as session:
        trail = [_plain(asdict(entry)) for entry in audit.entries(session, subjects=list(_subjects(history)))]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        files = _write_photos(archive, records, history)
        whole = {"exported_at": now, **_person(history, files), "trail": trail}
        archive.writestr("records.json", json.dumps(_plain(whole), indent=2) + "\n")
        archive.writestr("about.txt", _ABOUT.format(pseudonym=history.person.pseudonym, now=f"{now:%Y-%m-%d %H:%M}"))
    return sum(name is not None for name in files.values())


def export_person_to_file(records: Records, person: str, path: Path, *, actor: str, now: datetime) -> int:
    """Write the same to a file, whole or not at all; only its owner may read it.

    Raises:
        OutputError: The file is there already, or cannot be written.
        RecordError, SealError: As ``export_person``.
    """
    if path.exists():
        raise OutputError(f"Expected a new file for the export. '{path}' is there already. Name another.")
    half = path.with_name(f".{path.name}.part")
    try:
        with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            n_photos = export_person(records, person, out, actor=actor, now=now)
        os.replace(half, path)
    except OSError as error:
        msg = f"The export '{path}' cannot be written ({error.strerror}). Name a file in a folder that can be written."
        raise OutputError(msg) from error
    finally:
        half.unlink(missing_ok=True)
    return n_photos


def _write_photos(archive: zipfile.ZipFile, records: Records, history: PersonHistory) -> dict[str, str | None]:
    """Write every photo under a name of our own; returns photo id -> that name, None where the file is gone."""
    names: dict[str, str | None] = {}
    for number, lesion in enumerate(history.lesions, start=1):
        for place, photo in enumerate(lesion.photos, start=1):
            try:
                data = records.images.get(photo.image_sha256)
            except StorageError:
                names[photo.id] = None
                continue
            ending = next((end for magic, end in _ENDINGS.items() if data.startswith(magic)), "bin")
            names[photo.id] = f"photos/lesion-{number}-photo-{place}.{ending}"
            archive.writestr(f"photos/lesion-{number}-photo-{place}.{ending}", data)
    return names


def _person(history: PersonHistory, files: dict[str, str | None]) -> dict[str, Any]:
    return {
        "person": asdict(history.person),
        "consents": [asdict(one) | {"text": CONSENT_TEXTS.get(one.text_version)} for one in history.consents],
        "lesions": [_lesion(lesion, files) for lesion in history.lesions],
    }


def _lesion(history: LesionHistory, files: dict[str, str | None]) -> dict[str, Any]:
    return {
        **asdict(history.lesion),
        "photos": [asdict(photo) | {"file": files[photo.id]} for photo in history.photos],
        "screenings": [
            asdict(case.screening)
            | {"record": json.loads(case.screening.record), "reviews": [asdict(one) for one in case.reviews]}
            | {"drafts": [asdict(one) | {"content": json.loads(one.content)} for one in case.drafts]}
            for case in history.cases
        ],
        "comments": [asdict(one) for one in history.comments],
        "outcomes": [asdict(one) for one in history.outcomes],
    }


def _subjects(history: PersonHistory) -> Iterator[str]:
    yield f"person {history.person.id}"
    for lesion in history.lesions:
        yield f"lesion {lesion.lesion.id}"
        yield from (f"screening {case.screening.id}" for case in lesion.cases)


def _plain(value: Any) -> Any:
    """Times as ISO 8601 text, at any depth; the rest is JSON already."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
