"""What a form says of a lesion: photos, what is known, what was answered; read by the rules of the metadata table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..domain import Answers, ImageType, Metadata, metadata_from_row
from ..services.metadata_table import ANSWER_COLUMNS, METADATA_COLUMNS, answers_from_row
from .multipart import Part
from .problems import ProblemError

PHOTO_FIELD = "photos"
JSON_FIELDS = ("metadata", "answers")
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
_ASKED = (*METADATA_COLUMNS, *ANSWER_COLUMNS)


@dataclass(frozen=True, slots=True)
class LesionForm:
    """One lesion as it was sent.

    Attributes:
        photos: (name, bytes), in the order sent.
        metadata, answers, image_type: As ``services.screening.screen_lesion`` takes them.
        explain, repeat: Whether heat maps, and a second look, are wanted.
        n_refused_before: Photos of this lesion that were refused before.
    """

    photos: tuple[tuple[str, bytes], ...]
    metadata: Metadata
    answers: Answers
    image_type: ImageType
    explain: bool = False
    repeat: bool = False
    n_refused_before: int = 0


def read_lesion_form(parts: Sequence[Part], *, told_image_type: ImageType | None = None) -> LesionForm:
    """Read the parts of a form.

    Args:
        parts: As ``read_parts`` gives them.
        told_image_type: What the photos themselves say took them; counts where the form does not say.

    Raises:
        ProblemError: If there is no photo, a field is unknown, said twice, or cannot be true; names the fields, not what
            stood in them.
    """
    sent = [part for part in parts if part.name == PHOTO_FIELD]
    photos = tuple((name_photo(part, number), part.data) for number, part in enumerate(sent))
    if not photos:
        raise ProblemError(422, "no_photo", f"Expected one photo or more in the field '{PHOTO_FIELD}'. There is none.")
    said = said_fields([part for part in parts if part.name != PHOTO_FIELD])
    image_type = read_image_type(said, told=told_image_type)
    flags = {name: read_flag(said, name) for name in ("explain", "repeat")}
    n_before = read_count(said, "n_refused_before")
    metadata, answers = read_person(said)
    return LesionForm(photos, metadata, answers, image_type, n_refused_before=n_before, **flags)


def name_photo(part: Part, index: int) -> str:
    """Return what a photo is called in answers: as the client called it, else by its place."""
    return part.file_name or f"photo-{index + 1}"


def said_fields(parts: Iterable[Part]) -> dict[str, str]:
    """Return field -> text of a form; the parts ``metadata`` and ``answers`` hold several fields as one JSON object.

    Raises:
        ProblemError: If a field stands twice, or a part is not JSON.
    """
    return _merge(_object_in(part) if part.name in JSON_FIELDS else {part.name: part.text} for part in parts)


def said_texts(parts: Iterable[Part]) -> dict[str, str]:
    """Return field -> text of a form, as it stands.

    Raises:
        ProblemError: If a field stands twice.
    """
    return _merge({part.name: part.text} for part in parts)


def _merge(found: Iterable[dict[str, str]]) -> dict[str, str]:
    said: dict[str, str] = {}
    for fields in found:
        if doubled := sorted(set(fields) & set(said)):
            raise ProblemError(422, "field_twice", f"Expected each field once. Received twice: {_short(doubled)}.")
        said |= fields
    return said


def read_image_type(said: dict[str, str], *, told: ImageType | None = None) -> ImageType:
    """Take how the photos were taken out of the fields; ``told`` where they do not say.

    Raises:
        ProblemError: If it is missing or another word: the answer depends on it, so it is never guessed.
    """
    word = said.pop("image_type", "").strip().lower() or (told or "")
    if word not in list(ImageType):
        raise ProblemError(
            422,
            "image_type_missing",
            "Expected image_type=dermoscopic (through a dermatoscope) or image_type=clinical (a phone or camera).",
        )
    return ImageType(word)


def read_flag(said: dict[str, str], name: str) -> bool:
    """Take a yes or no out of the fields; absent is no.

    Raises:
        ProblemError: If it is another word.
    """
    word = said.pop(name, "").strip().lower()
    if word not in _WORDS:
        raise ProblemError(422, "field_impossible", f"Expected {name} to be true or false. It is something else.")
    return _WORDS[word]


def read_count(said: dict[str, str], name: str) -> int:
    """Take a count out of the fields; absent is 0.

    Raises:
        ProblemError: If it is no whole number from 0 to 1000.
    """
    word = said.pop(name, "").strip() or "0"
    if not (word.isascii() and word.isdigit() and len(word) <= 4 and int(word) <= 1000):
        raise ProblemError(422, "field_impossible", f"Expected {name} to be a whole number from 0 to 1000. It is not.")
    return int(word)


def read_person(said: dict[str, str]) -> tuple[Metadata, Answers]:
    """Read what is left of the fields as one row of a metadata table.

    Raises:
        ProblemError: If a field is unknown, or says what cannot be.
    """
    if unknown := sorted(set(said) - set(_ASKED)):
        raise ProblemError(
            422, "field_unknown", f"Expected fields that /openapi.json names. Received besides: {_short(unknown)}."
        )
    problems: list[str] = []
    metadata = metadata_from_row(said, problems=problems)
    answers = answers_from_row(said, problems=problems)
    if problems:
        raise ProblemError(422, "field_impossible", " ".join(dict.fromkeys(problems)))
    return metadata, answers


def _object_in(part: Part) -> dict[str, str]:
    try:
        found = json.loads(part.text)
    except (ValueError, RecursionError) as error:
        raise ProblemError(
            422, "field_not_json", f"Expected a JSON object in the part '{part.name}'. It is not."
        ) from error
    if not isinstance(found, dict) or not all(_is_plain(value) for value in found.values()):
        raise ProblemError(
            422, "field_not_json", f"Expected the part '{part.name}' to be one flat JSON object. It is something else."
        )
    return {str(name): "" if value is None else str(value) for name, value in found.items()}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def _short(names: Sequence[str]) -> str:
    """Name a few fields, each cut short: the names too come from a client."""
    shown = ", ".join(f"'{name[:40]}'" for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
