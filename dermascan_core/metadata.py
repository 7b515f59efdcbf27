"""What is known about a person and a lesion before any photo is looked at, and how a table's row says it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from .errors import MetadataError
from .taxonomy import is_unknown, parse_site

AGE_RANGE_YEARS = (0.0, 120.0)
SIZE_RANGE_MM = (0.1, 500.0)
_SEX_ALIASES = {"f": "female", "female": "female", "m": "male", "male": "male"}
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class ImageType(StrEnum):
    """How the photo was taken, as the ISIC archive names it."""

    DERMOSCOPIC = "dermoscopic"
    CLINICAL = "clinical"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known about the person and the lesion. None always means unknown, and is always allowed.

    Attributes:
        age_approx: Years, 0 to 120.
        sex: ``female`` or ``male``.
        anatom_site: A site of ``taxonomy.SITES`` or ``taxonomy.UNTESTED_SITES``.
        clin_size_long_diam_mm: Longest diameter in mm, 0.1 to 500.
        personal_hx_skin_cancer: Whether the person had a skin cancer before.
        family_hx_skin_cancer: Whether a parent, sibling or child had melanoma.
        high_sun_exposure: Whether there were blistering sunburns, or years of outdoor work, or sunbeds.
        immunosuppressed: Whether medicines or illness weaken the person's defences.
        fitzpatrick_skin_type: 1 to 6.
        image_type: How the photo was taken.
        itch, grew, hurt, changed, bleed: What the person noticed of the lesion, as PAD-UFES-20 asks it.
        elevation: Whether the lesion is raised.

    Raises:
        MetadataError: If a value cannot be true.
    """

    age_approx: float | None = None
    sex: str | None = None
    anatom_site: str | None = None
    clin_size_long_diam_mm: float | None = None
    personal_hx_skin_cancer: bool | None = None
    family_hx_skin_cancer: bool | None = None
    high_sun_exposure: bool | None = None
    immunosuppressed: bool | None = None
    fitzpatrick_skin_type: int | None = None
    image_type: ImageType | None = None
    itch: bool | None = None
    grew: bool | None = None
    hurt: bool | None = None
    changed: bool | None = None
    bleed: bool | None = None
    elevation: bool | None = None

    def __post_init__(self) -> None:
        _check_range("age in years", self.age_approx, AGE_RANGE_YEARS)
        _check_range("lesion size in mm", self.clin_size_long_diam_mm, SIZE_RANGE_MM)
        _check_range("Fitzpatrick skin type", self.fitzpatrick_skin_type, (1, 6))
        if self.sex not in (None, "female", "male"):
            raise MetadataError(f"Expected sex female or male, or empty for unknown. Received '{self.sex}'.")
        if self.anatom_site is not None and parse_site(self.anatom_site) != self.anatom_site:
            object.__setattr__(self, "anatom_site", parse_site(self.anatom_site))


def _check_range(what: str, value: float | None, bounds: tuple[float, float]) -> None:
    if value is None:
        return
    low, high = bounds
    if not (isinstance(value, (int, float)) and math.isfinite(value) and low <= value <= high):
        raise MetadataError(
            f"Expected {what} between {low:g} and {high:g}, or empty for unknown. Received {value}. "
            "Correct the value, or leave it empty."
        )


def metadata_from_row(row: Mapping[str, Any], *, problems: list[str] | None = None) -> Metadata:
    """Read metadata from one CSV row; columns that are absent or empty are unknown.

    Args:
        row: Column -> text. Read columns: ``age_approx`` or ``age``; ``sex`` or ``gender``;
            ``anatom_site_general``, ISIC 2020's ``anatom_site_general_challenge``, ``localization``, ``anatom_site``
            or ``region``;
            ``clin_size_long_diam_mm``; ``fitzpatrick_skin_type`` or PAD-UFES-20's ``fitspatrick``; ``image_type``;
            the history and symptom columns by their own names.
        problems: Where given, a wrong cell does not take the others down: it counts as unknown, and a sentence goes
            in here.

    Raises:
        MetadataError: Without ``problems``, if a value cannot be read or cannot be true.

    >>> metadata_from_row({"age": "45.0", "sex": "F", "localization": "scalp"}).anatom_site
    'scalp'
    """

    def first(*names: str) -> str | None:
        return next((str(row[n]).strip() for n in names if n in row and not is_unknown(row[n])), None)

    values: dict[str, Any] = {}
    for name, (columns, parse) in _CELLS.items():
        text = first(*columns)
        if text is None:
            continue
        try:
            values |= {name: getattr(Metadata(**{name: parse(text)}), name)}  # checks this value alone
        except MetadataError as error:
            if problems is None:
                raise
            problems.append(str(error))
    return Metadata(**values)


HISTORY_FIELDS = ("personal_hx_skin_cancer", "family_hx_skin_cancer", "high_sun_exposure", "immunosuppressed")
SYMPTOM_FIELDS = ("itch", "grew", "hurt", "changed", "bleed", "elevation")


def _number(what: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise MetadataError(
            f"Expected {what} as a number, or empty for unknown. Received '{text}'. Correct it, or leave it empty."
        ) from error


def _skin_type(text: str) -> int:
    value = _number("Fitzpatrick skin type (1 to 6)", text)
    _check_range("Fitzpatrick skin type", value, (1, 6))  # before int(), which cannot take infinity
    return int(value)


def _image_type(text: str) -> ImageType | None:
    """Read the ISIC archive's words; "clinical: close-up" and its crops of total-body photos are clinical alike."""
    word = text.lower().replace("-", " ").split(":")[0].strip()
    if word in ("dermoscopic", "dermoscopy"):
        return ImageType.DERMOSCOPIC
    return ImageType.CLINICAL if word in ("clinical", "tbp tile", "overview") else None


def _yes_no(what: str, text: str) -> bool:
    if text.lower() not in _YES_NO:
        raise MetadataError(f"Expected yes or no for {what}, or empty for unknown. Received '{text}'.")
    return _YES_NO[text.lower()]


# Field of Metadata -> the columns that may hold it, the first that is filled counts; and how its text is read.
_CELLS: dict[str, tuple[tuple[str, ...], Callable[[str], Any]]] = {
    "age_approx": (("age_approx", "age"), partial(_number, "age in years")),
    "sex": (("sex", "gender"), lambda text: _SEX_ALIASES.get(text.lower(), text)),
    "anatom_site": (
        ("localization", "anatom_site", "anatom_site_general", "anatom_site_general_challenge", "region"),
        parse_site,
    ),
    "clin_size_long_diam_mm": (("clin_size_long_diam_mm",), partial(_number, "lesion size in mm")),
    "fitzpatrick_skin_type": (("fitzpatrick_skin_type", "fitspatrick"), _skin_type),
    "image_type": (("image_type",), _image_type),
    **{name: ((name,), partial(_yes_no, name)) for name in (*HISTORY_FIELDS, *SYMPTOM_FIELDS)},
}
