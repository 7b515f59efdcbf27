"""Classes and body sites: their codes, names, and the mappings between archives.

The single place where a spelling of HAM10000, the ISIC archive or PAD-UFES-20 becomes ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .errors import MetadataError, TableError


@dataclass(frozen=True, slots=True)
class DiagnosticClass:
    """One diagnosis that a model can name.

    Attributes:
        code: Stable code used in files (``mel``).
        name: Full name as the ISIC archive writes it.
        plain_name: Words for the public; never a verdict.
        ham_code: The HAM10000 code it belongs to (``ak`` and ``scc`` -> ``akiec``).
        is_malignant: Whether it counts towards ``p_malignant`` (cancer or pre-cancer).
    """

    code: str
    name: str
    plain_name: str
    ham_code: str
    is_malignant: bool


CLASSES: tuple[DiagnosticClass, ...] = (
    DiagnosticClass("mel", "melanoma", "Melanoma (a skin cancer)", "mel", True),
    DiagnosticClass("nv", "nevus", "Mole (nevus)", "nv", False),
    DiagnosticClass("bcc", "basal cell carcinoma", "Basal cell carcinoma (a skin cancer)", "bcc", True),
    DiagnosticClass("ak", "actinic keratosis", "Actinic keratosis (sun damage, a pre-cancer)", "akiec", True),
    DiagnosticClass(
        "scc",
        "squamous cell carcinoma",
        "Squamous cell carcinoma, early form (Bowen)",
        "akiec",
        True,
    ),
    DiagnosticClass("pbk", "pigmented benign keratosis", "Keratosis-like growth", "bkl", False),
    DiagnosticClass("sk", "seborrheic keratosis", "Seborrheic keratosis", "bkl", False),
    DiagnosticClass("df", "dermatofibroma", "Dermatofibroma (a firm skin nodule)", "df", False),
    DiagnosticClass("vasc", "vascular lesion", "Blood-vessel lesion (such as an angioma)", "vasc", False),
)
CLASS_BY_CODE = {c.code: c for c in CLASSES}

# HAM10000's seven, in the alphabetical order its own files use.
HAM_CODES: tuple[str, ...] = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
HAM_MALIGNANT: frozenset[str] = frozenset({"akiec", "bcc", "mel"})
HAM_NAMES = {
    "akiec": "actinic keratosis / intraepithelial carcinoma",
    "bcc": "basal cell carcinoma",
    "bkl": "benign keratosis",
    "df": "dermatofibroma",
    "mel": "melanoma",
    "nv": "nevus",
    "vasc": "vascular lesion",
}
HAM_PLAIN_NAMES = {
    "akiec": "Actinic keratosis or early squamous cell cancer",
    "bcc": "Basal cell carcinoma (a skin cancer)",
    "bkl": "Keratosis-like growth",
    "df": "Dermatofibroma (a firm skin nodule)",
    "mel": "Melanoma (a skin cancer)",
    "nv": "Mole (nevus)",
    "vasc": "Blood-vessel lesion (such as an angioma)",
}

_DX_ALIASES = {
    "akiec": "akiec",
    "ack": "ak",
    "actinic keratosis": "ak",
    "bowen": "scc",
    "squamous cell carcinoma": "scc",
    "bkl": "bkl",
    "pigmented benign keratosis": "pbk",
    "seborrheic keratosis": "sk",
    "sek": "sk",
    "nev": "nv",
    "nevus": "nv",
    "naevus": "nv",
    "melanoma": "mel",
    "basal cell carcinoma": "bcc",
    "dermatofibroma": "df",
    "vascular lesion": "vasc",
    "angioma": "vasc",
    "angiokeratoma": "vasc",
    # HAM10000 counts these two as benign keratosis (Tschandl et al. 2018).
    "solar lentigo": "bkl",
    "lichenoid keratosis": "bkl",
}
# What public archives also name, and no class of ours holds: such a row is malignant or not, and nothing finer.
OUTSIDE_DIAGNOSES = frozenset(
    {
        *("unknown", "other", "lentigo nos", "lentigo simplex", "cafe-au-lait macule"),
        *("atypical melanocytic proliferation", "aimp", "scar", "verruca", "acrochordon", "clear cell acanthoma"),
        *("angiofibroma or fibrous papule", "neurofibroma", "adnexal tumor"),
    }
)
# The archive's hierarchy since 2024 (`diagnosis_1` to `diagnosis_5`, SLICE-3D's `iddx_1` to `iddx_5`): how a level
# begins -> class. The finest level that says something counts.
_ISIC_LEVELS = (
    ("melanoma", "mel"),
    ("malignant melanocytic proliferations", "mel"),
    ("nevus", "nv"),
    ("blue nevus", "nv"),
    ("spitz nevus", "nv"),
    ("basal cell carcinoma", "bcc"),
    ("squamous cell carcinoma", "scc"),
    ("solar or actinic keratosis", "ak"),
    ("seborrheic keratosis", "sk"),
    ("pigmented benign keratosis", "pbk"),
    ("solar lentigo", "bkl"),
    ("lichen planus like keratosis", "bkl"),
    ("dermatofibroma", "df"),
    ("hemangioma", "vasc"),
    ("angiokeratoma", "vasc"),
    ("benign soft tissue proliferations - vascular", "vasc"),
)


def parse_diagnosis(text: str) -> str:
    """Return the code of a diagnosis spelt as any of our archives spells it.

    Args:
        text: For example ``mel``, ``MEL``, ``ACK``, ``seborrheic keratosis``.

    Returns:
        One of the nine class codes, or HAM10000's ``akiec`` / ``bkl`` when the source does not part them.

    Raises:
        TableError: If the diagnosis is not known.

    >>> parse_diagnosis("ACK"), parse_diagnosis("bkl"), parse_diagnosis("Melanoma")
    ('ak', 'bkl', 'mel')
    """
    key = text.strip().lower()
    if key in CLASS_BY_CODE:
        return key
    if key in _DX_ALIASES:
        return _DX_ALIASES[key]
    raise TableError(
        f"Expected a diagnosis such as {', '.join([*CLASS_BY_CODE, 'akiec', 'bkl'])}. Received '{text}'. "
        "Rename it in the table, or leave the row out."
    )


def parse_archive_diagnosis(text: str) -> str:
    """Return the code of a diagnosis, or an empty text for one that no class of ours holds.

    Raises:
        TableError: If no archive of ours names it.

    >>> parse_archive_diagnosis("nevus"), parse_archive_diagnosis("lentigo NOS")
    ('nv', '')
    """
    return "" if is_unknown(text) or text.strip().lower() in OUTSIDE_DIAGNOSES else parse_diagnosis(text)


def parse_isic_levels(levels: Iterable[str]) -> str:
    """Return the code of a diagnosis in the ISIC archive's hierarchy, or an empty text if no class of ours holds it.

    Args:
        levels: From ``Benign`` / ``Malignant`` / ``Indeterminate`` down to the finest; empty ones are passed over.

    >>> parse_isic_levels(["Malignant", "Malignant melanocytic proliferations (Melanoma)", "Melanoma in situ"])
    'mel'
    >>> parse_isic_levels(["Benign", "", ""])
    ''
    """
    for level in reversed([level.strip().lower() for level in levels if not is_unknown(level)]):
        found = next((code for begin, code in _ISIC_LEVELS if level.startswith(begin)), None)
        if found:
            return found
    return ""


def ham_code(code: str) -> str:
    """Return HAM10000's code for one of ours; HAM10000's own codes stay as they are.

    >>> ham_code("scc"), ham_code("akiec")
    ('akiec', 'akiec')
    """
    return CLASS_BY_CODE[code].ham_code if code in CLASS_BY_CODE else code


def target_codes(dx: str) -> tuple[str, ...]:
    """Return the class codes that share a photo's target: one, or two for an undivided ``akiec``.

    HAM10000's ``bkl`` is the archive's pigmented benign keratosis.

    >>> target_codes("akiec"), target_codes("bkl"), target_codes("mel")
    (('ak', 'scc'), ('pbk',), ('mel',))
    """
    return {"akiec": ("ak", "scc"), "bkl": ("pbk",), "": ()}.get(dx, (dx,))


# Region -> the finer sites inside it. Region names are the ISIC archive's `anatom_site_general`.
REGIONS: dict[str, tuple[str, ...]] = {
    "head/neck": ("scalp", "face", "ear", "neck"),
    "torso": ("chest", "abdomen", "back", "trunk"),
    "upper extremity": ("hand",),
    "lower extremity": ("foot",),
    "palms/soles": ("acral",),
    "oral/genital": ("genital",),
}
REGION_OF: dict[str, str] = {site: region for region, sites in REGIONS.items() for site in (region, *sites)}
SITES: tuple[str, ...] = tuple(REGION_OF)
# Sites that no training photo shows: the answer is withheld, not guessed (Tschandl et al. 2018 exclude them).
UNTESTED_SITES: dict[str, str] = {
    "nail": "under or beside a nail",
    "mucosa": "inside the mouth, nose, eyelid or genitals",
}

_SITE_ALIASES = {
    "anterior torso": "torso",
    "posterior torso": "back",
    "lateral torso": "torso",
    "head and neck": "head/neck",
    "head": "head/neck",
    "lip": "mucosa",
    "lips": "mucosa",
    "mouth": "mucosa",
    "oral mucosa": "mucosa",
    "vulva": "mucosa",
    "penis": "mucosa",
    "nose": "face",
    "forehead": "face",
    "cheek": "face",
    "arm": "upper extremity",
    "forearm": "upper extremity",
    "upper limb": "upper extremity",
    "leg": "lower extremity",
    "thigh": "lower extremity",
    "lower limb": "lower extremity",
    "palm": "palms/soles",
    "sole": "palms/soles",
    "under a nail": "nail",
    "nail bed": "nail",
    "toenail": "nail",
    "fingernail": "nail",
    "subungual": "nail",
    "oral": "mucosa",
}
_UNKNOWN_WORDS = frozenset({"", "unknown", "unk", "nan", "none", "na", "n/a", "prefer not to say", "not known"})


def is_unknown(text: object) -> bool:
    """Whether a cell means "not known" (empty, nan, unknown, prefer not to say).

    >>> is_unknown(" NaN "), is_unknown(0)
    (True, False)
    """
    return text is None or str(text).strip().lower() in _UNKNOWN_WORDS


def parse_site(text: str) -> str | None:
    """Return our name of a body site spelt as any of our archives spells it; None if unknown.

    Args:
        text: For example ``posterior torso`` (ISIC), ``FOREARM`` (PAD-UFES-20), ``scalp`` (HAM10000).

    Raises:
        MetadataError: If the site is not known.

    >>> parse_site("FOREARM"), parse_site("scalp"), parse_site("")
    ('upper extremity', 'scalp', None)
    """
    if is_unknown(text):
        return None
    key = text.strip().lower()
    key = _SITE_ALIASES.get(key, key)
    if key in REGION_OF or key in UNTESTED_SITES:
        return key
    raise MetadataError(
        f"Expected a body site such as {', '.join((*SITES, *UNTESTED_SITES))}. Received '{text}'. "
        "Correct it, or leave it empty for unknown."
    )
