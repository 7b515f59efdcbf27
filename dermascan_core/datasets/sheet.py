"""The data sheet of a data set: what its photos are, counted from its table and files, and what they cannot say."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..domain import SYMPTOM_FIELDS
from ..evaluation.files import write_file
from ..tables import LabelledPhoto, find_photos, key_column, photo_from_row, read_table, yes_no_or_unknown
from ..taxonomy import CLASS_BY_CODE, HAM_CODES, HAM_NAMES, ham_code, is_unknown
from .class_counts import ClassBalance, class_counts_before_after, draw_class_counts

Row = dict[str, str]
UNKNOWN = "unknown"
AGE_BANDS_YEARS = ((0, 17), (18, 29), (30, 39), (40, 49), (50, 59), (60, 69), (70, 79), (80, 120))
# The floor of ledger row 000.4, shown for every data set so that sheets can be compared.
FLOOR = ClassBalance(balance=0.0, class_floor=2500)
# The whole archive: Tschandl, Rosendahl & Kittler (2018), https://doi.org/10.1038/sdata.2018.161, table 1.
_ARCHIVE_COUNTS = {"akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142}
_DX_TYPES = {
    "histo": "histopathology: tissue under the microscope",
    "follow_up": "no change over three visits or 1.5 years of digital follow-up",
    "consensus": "agreement of experts from the photo alone",
    "confocal": "in-vivo confocal microscopy",
}
_HAM_ABOUT = """\
HAM10000 ("human against machine with 10,000 training images"): dermoscopy of pigmented skin lesions, collected over 20
years at the Department of Dermatology of the Medical University of Vienna and the practice of Cliff Rosendahl in
Queensland. Tschandl, Rosendahl & Kittler, *Scientific Data* 5, 180161 (2018), https://doi.org/10.1038/sdata.2018.161.
**Licence: CC BY-NC 4.0.** Non-commercial use only, and the trained weights carry the same terms.
No photo of the archive lies in this project; `python -m dermascan_core data import ham10000` makes the
200x150 px view that is counted here from the public archive's 600x450 px files. The view holds {share} of the
archive's {archive:,} photos."""
# The whole archive: Pacheco et al. (2020), https://doi.org/10.1016/j.dib.2020.106221.
_PAD, _PAD_PHOTOS, _PAD_PEOPLE = "PAD-UFES-20", 2298, 1373
_PAD_ABOUT = """\
PAD-UFES-20: smartphone photos of skin lesions, with what the people noticed, collected by the dermatological programme of
the Federal University of Espírito Santo, Brazil. Pacheco and others, *Data in Brief* 32, 106221 (2020),
https://doi.org/10.1016/j.dib.2020.106221. **Licence: CC BY 4.0.**
No photo of the archive lies in this project; `python -m dermascan_core data import pad-ufes-20` makes the data set. The
photos that are counted here are {share} of the archive's {archive:,} of {people:,} people."""
_HAM_FINER = """\
"SCC" here is ISIC 2019's label on part of `akiec`: in-situ disease (Bowen). Invasive squamous cell carcinoma is not in
these photos. `bkl` is the archive's pigmented benign keratosis, with seborrheic keratosis inside it unmarked."""
_HAM_LIMITS = """\
- **Nails and mucosa.** The archive leaves them out, and so does the app.
- **Phone photos.** Every photo is dermoscopy; beside a phone photo the app says on how many such photos the model was
  measured, or that it was not.
- **Rare forms**, amelanotic melanoma among them, and lesions outside the seven classes: rashes, infections, wounds."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A data sheet.

    Attributes:
        text: Markdown; names the chart ``chart_name``.
        chart: PNG of the classes before and after balancing.
    """

    text: str
    chart: bytes


def write_sheet(folder: Path, out: Path, *, chart: Path | None = None) -> None:
    """Write the sheet of a data set folder, and its chart beside it or where ``chart`` says.

    Raises:
        TableError: If the table cannot be read, or a row of it is wrong.
        OutputError: If a file cannot be written.
    """
    chart = chart or out.with_suffix(".png")
    table = folder / "metadata.csv"
    rows = read_table(table, what="The data set's table")
    key = key_column(rows[0], what="The data set's table")
    files = find_photos(folder / "images", [photo_from_row(row, key=key).image_id for row in rows])
    sheet = data_sheet(
        rows,
        name=folder.resolve().name,
        sha256=hashlib.sha256(table.read_bytes()).hexdigest(),
        sizes=photo_sizes(files),
        chart_name=_link(chart, out.parent),
    )
    write_file(out, sheet.text.encode())
    write_file(chart, sheet.chart)


def _link(path: Path, start: Path) -> str:
    try:
        return path.resolve().relative_to(start.resolve()).as_posix()
    except ValueError:
        return path.name


def photo_sizes(files: Mapping[str, Path]) -> Counter[tuple[int, int]]:
    """Return (width, height) in px -> photos, read from the files' heads; files that are no photo are left out."""
    sizes: Counter[tuple[int, int]] = Counter()
    for path in files.values():
        try:
            with Image.open(path) as image:
                sizes[image.size] += 1
        except (UnidentifiedImageError, OSError):
            continue
    return sizes


def data_sheet(
    rows: Sequence[Row],
    *,
    name: str,
    sha256: str,
    sizes: Mapping[tuple[int, int], int] | None = None,
    chart_name: str = "classes.png",
) -> Sheet:
    """Return the data sheet.

    Args:
        rows: Of ``metadata.csv``.
        name: Of the data set.
        sha256: Of the table, so that a reader can tell which one was counted.
        sizes: (width, height) in px -> photos.
        chart_name: Where the sheet's link to its chart leads.

    Raises:
        TableError: If a row has no name, or no diagnosis that is known.
    """
    key = key_column(rows[0])
    photos = [photo_from_row(row, key=key) for row in rows]
    is_ham = all(photo.lesion_id.startswith("HAM_") for photo in photos)
    train = [photo for photo in photos if photo.split != "test"]
    balanced = class_counts_before_after(train, FLOOR)
    n_lesions, n_people = (len({getattr(p, a) for p in photos} - {""}) for a in ("lesion_id", "patient_id"))
    owners = ", ".join(f"{n:,} {word}" for n, word in ((n_lesions, "lesions"), (n_people, "people")) if n)
    sections = [
        f"# Data sheet: {name}",
        "Written by `python -m dermascan_core data sheet`; change the program, not this page.\n"
        f"Table: {len(photos):,} photos{f' of {owners}' if owners else ''}, SHA-256 of `metadata.csv` `{sha256}`.",
        "## What they are",
        _about(rows, len(photos), is_ham=is_ham),
        "## Classes and split",
        "All photos of a person or a lesion lie in one part, and a data set that breaks this is refused. The `test` part "
        "is for the\nlast look at a finished model; everything is chosen on the folds of `train`.",
        _class_table(photos, is_ham=is_ham),
        f"Cancer or pre-cancer: {sum(p.is_malignant for p in photos):,} photos.",
        *_folds(photos),
        *_photos_per("lesion", photos),
        *_photos_per("patient", photos),
        "## Classes before and after balancing",
        "Of the training part. A floor of 2,500 draws of a class in an epoch, each draw changed anew, is one of the "
        "recipe's options\n(`class_floor`, `balance`); nothing outside the training fold is ever repeated.",
        _markdown(
            ["Class", "Name", "Photos", "Drawn with a floor of 2,500"],
            [[f"`{c.code}`", c.name, f"{c.before:,.10g}", c.after] for c in balanced],
        ),
        f"![Photos of each class, and draws of an epoch with a floor of 2,500]({chart_name})",
        *_finer(rows, is_ham=is_ham),
        *_confirmed(rows, photos, is_ham=is_ham),
        "## Who and where",
        "Age in years:",
        _count_table("Years", [_age_band(photo) for photo in photos], photos),
        "Sex:",
        _count_table("Sex", [photo.metadata.sex or UNKNOWN for photo in photos], photos),
        "Body site, as the archive writes it:",
        _count_table("Site", [_site(row) for row in rows], photos),
        "Skin type (Fitzpatrick):",
        _count_table("Type", [str(photo.metadata.fitzpatrick_skin_type or UNKNOWN) for photo in photos], photos),
        *_symptoms(rows),
        "## How the photos were taken",
        _count_table("Kind", [_kind(row, is_ham=is_ham) for row in rows], photos),
        *_sizes(sizes or {}),
        "## What these photos cannot say",
        _limits(photos, is_ham=is_ham),
    ]
    chart = draw_class_counts(balanced, title=f"{name}: photos of each class before and after balancing")
    return Sheet("\n\n".join(sections) + "\n", chart)


def _about(rows: Sequence[Row], n: int, *, is_ham: bool) -> str:
    if is_ham:
        archive = sum(_ARCHIVE_COUNTS.values())
        return _HAM_ABOUT.format(share=_percent(n, archive), archive=archive)
    if all(row.get("source") == _PAD for row in rows):
        return _PAD_ABOUT.format(share=_percent(n, _PAD_PHOTOS), archive=_PAD_PHOTOS, people=_PAD_PEOPLE)
    pairs = Counter((_known(row.get("source")), _known(row.get("licence"))) for row in rows)
    lines = [[source, licence, count] for (source, licence), count in sorted(pairs.items())]
    return _markdown(["Source", "Licence", "Photos"], lines)


def _name(code: str) -> str:
    return (
        HAM_NAMES[code] if code in HAM_NAMES else CLASS_BY_CODE[code].name if code else "only malignant or not is known"
    )


def _class_table(photos: Sequence[LabelledPhoto], *, is_ham: bool) -> str:
    codes = {photo: ham_code(photo.dx) if is_ham else photo.dx for photo in photos}
    order = HAM_CODES if is_ham else [*CLASS_BY_CODE, "akiec", "bkl", ""]
    splits = [s for s in ("train", "test", "") if any(p.split == s for p in photos)]
    lines: list[list[object]] = []
    for code in order:
        of_class = [photo for photo in photos if codes[photo] == code]
        if not of_class:
            continue
        cells: list[object] = [f"`{code}`" if code else "none", _name(code)]
        for split in splits:
            part = [photo for photo in of_class if photo.split == split]
            cells += [len(part), len({photo.lesion_id or photo.image_id for photo in part})]
        lines.append([*cells, len(of_class), *([_ARCHIVE_COUNTS[code]] if is_ham else [])])
    totals = [sum(int(str(line[column])) for line in lines) for column in range(2, len(lines[0]))]
    head = [cell for s in splits for cell in (f"{s.capitalize() or 'No split'} photos", "Lesions")]
    whole = ["Whole archive"] if is_ham else []
    return _markdown(["Class", "Name", *head, "All photos", *whole], [*lines, ["all", "", *totals]])


def _folds(photos: Sequence[LabelledPhoto]) -> list[str]:
    folded = [photo for photo in photos if photo.fold]
    if not folded:
        return []
    table = _cross_table([(ham_code(p.dx) or "none", p.fold) for p in folded], "Class")
    return ["Photos by fold of `train`:", table]


def _photos_per(word: str, photos: Sequence[LabelledPhoto]) -> list[str]:
    owners = Counter(owner for photo in photos if (owner := getattr(photo, f"{word}_id")))
    if not owners:
        return []
    spread = sorted(Counter(owners.values()).items())
    shown = ", ".join(f"{n:,} with {k}" for k, n in spread[:8])
    rest = sum(n for _, n in spread[8:])
    return [f"Photos of a {word}: {shown}{f', {rest:,} with more' if rest else ''}."]


def _finer(rows: Sequence[Row], *, is_ham: bool) -> list[str]:
    finer = [row for row in rows if row.get("dx") in ("akiec", "bkl") and not is_unknown(row.get("dx_isic2019"))]
    if not finer:
        return []
    table = _cross_table([(row["dx"], row["dx_isic2019"]) for row in finer], "Class")
    return ["## Finer diagnoses", table, *([_HAM_FINER] if is_ham else [])]


def _confirmed(rows: Sequence[Row], photos: Sequence[LabelledPhoto], *, is_ham: bool) -> list[str]:
    how = [_known(row.get("dx_type")) if "dx_type" in row else photo.confirmed_by or UNKNOWN for row, photo in zip(rows, photos, strict=True)]  # fmt: skip
    pairs = [(one, ham_code(photo.dx) or "none") for one, photo in zip(how, photos, strict=True)]
    words = (
        "Published summaries call all these diagnoses histological; they are not. A melanoma is confirmed by "
        "histopathology, a\nnevus mostly by other means, so this column would tell a network the answer. It is shown here "
        "and used nowhere."
        if is_ham
        else "How a diagnosis was confirmed follows from the diagnosis, so it would tell a network the answer. It is shown "
        "here, and only\ntables of results use it."
    )
    return [
        "## How the diagnosis was confirmed (`dx_type`): never an input",
        _cross_table(pairs, "How", _DX_TYPES),
        words,
    ]


def _symptoms(rows: Sequence[Row]) -> list[str]:
    lines: list[list[object]] = []
    for name in SYMPTOM_FIELDS:
        said = Counter(yes_no_or_unknown(row.get(name, "")) for row in rows)
        if said[True] or said[False]:
            lines.append([name, said[True], said[False], said[None]])
    return ["What people noticed:", _markdown(["Sign", "Yes", "No", "Unknown"], lines)] if lines else []


def _sizes(sizes: Mapping[tuple[int, int], int]) -> list[str]:
    if not sizes:
        return []
    common = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{w}x{h} px ({n:,})" for (w, h), n in common[:5])
    more = f" and {len(common) - 5:,} other sizes" if len(common) > 5 else ""
    short = sorted(min(size) for size, n in sizes.items() for _ in range(n))
    middle = short[len(short) // 2]
    return [f"Sizes: {shown}{more}. Short side: {short[0]} to {short[-1]} px, median {middle} px."]


def _limits(photos: Sequence[LabelledPhoto], *, is_ham: bool) -> str:
    types = Counter(photo.metadata.fitzpatrick_skin_type for photo in photos)
    n_dark = types[5] + types[6]
    if set(types) == {None}:
        skin = "The table has no skin type, so no result can be given by skin type, and nothing here supports a claim\n  about dark skin. Types V and VI are not tested."
    else:
        skin = f"The skin type is known of {len(photos) - types[None]:,} photos; {n_dark:,} are of types V and VI" + (
            ", which is too few for any claim about dark skin." if n_dark < 100 else "."
        )
    young = sum(_age_band(photo) == "0 to 17" for photo in photos)
    share = _percent(sum(p.is_malignant for p in photos), len(photos))
    lines = [
        f"- **Skin tone.** {skin}",
        f"- **Children.** {young} photos are of people under 18"
        + (': too few, so under 18 the app answers "not tested".' if young < 500 else "."),
        _HAM_LIMITS if is_ham else _melanomas(photos),
        f"- **How often.** {share} of these photos show cancer or pre-cancer. Archives are gathered to train programs, so this"
        "\n  is no rate among people who wonder about a mole, and a probability is a share among photos like these.",
    ]
    if is_ham:
        lines.append("- **Detail.** 150 px across the short side of the lesion's frame; larger uploads are brought to the same detail.")  # fmt: skip
    return "\n".join(lines)


def _melanomas(photos: Sequence[LabelledPhoto]) -> str:
    n = sum(photo.dx == "mel" for photo in photos)
    few = ": too few for any figure about melanoma without a wide interval" if n < 100 else ""
    return f"- **Melanoma.** {n:,} photos show one{few}."


def _kind(row: Row, *, is_ham: bool) -> str:
    text = _known(row.get("image_type"))
    if text != UNKNOWN:
        return text
    return "dermoscopic" if is_ham else "smartphone" if "diagnostic" in row and "img_id" in row else UNKNOWN


def _site(row: Row) -> str:
    columns = ("localization", "anatom_site_general", "anatom_site_general_challenge", "region")
    return next((row[c].strip().lower() for c in columns if not is_unknown(row.get(c))), UNKNOWN)


def _age_band(photo: LabelledPhoto) -> str:
    age = photo.metadata.age_approx
    if age is None:
        return UNKNOWN
    low, high = next((low, high) for low, high in AGE_BANDS_YEARS if age < high + 1)
    return f"{low} to {high}"


def _cross_table(pairs: Iterable[tuple[str, str]], head: str, names: Mapping[str, str] | None = None) -> str:
    counts, labels = Counter(pairs), names or {}
    columns = sorted({column for _, column in counts})
    lines = [
        [f"`{name}`" + (f" ({labels[name]})" if name in labels else ""), *(counts[name, column] for column in columns)]
        for name in sorted({name for name, _ in counts})
    ]
    return _markdown([head, *columns], lines)


def _count_table(head: str, values: Sequence[str], photos: Sequence[LabelledPhoto]) -> str:
    pairs = Counter(zip(values, (photo.split for photo in photos), strict=True))
    splits = [s for s in ("train", "test", "") if any(split == s for _, split in pairs)]
    names = sorted(set(values), key=lambda name: (name == UNKNOWN, _leading_number(name), name))
    lines = [[name, *(pairs[name, split] for split in splits)] for name in names]
    return _markdown([head, *(f"{s.capitalize()} photos".strip().capitalize() for s in splits)], lines)


def _leading_number(name: str) -> int:
    first = name.split(" ")[0]
    return int(first) if first.isdigit() else 0


def _known(text: str | None) -> str:
    return UNKNOWN if text is None or is_unknown(text) else text.strip()


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _markdown(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    def cell(value: object) -> str:
        return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "/")

    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in (head, rule, *lines))
