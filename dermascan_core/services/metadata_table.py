"""The table of what is known about many photos: which row is about which photo, and what is wrong with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..domain import ANSWER_FIELDS, HISTORY_FIELDS, SYMPTOM_FIELDS, Answers, Metadata, metadata_from_row
from ..errors import TableError
from ..tables import key_column, photo_key, read_table
from ..taxonomy import is_unknown

METADATA_COLUMNS = (
    *("age_approx", "age", "sex", "gender"),
    *("localization", "anatom_site", "anatom_site_general", "region"),
    *("clin_size_long_diam_mm", "fitzpatrick_skin_type"),
    *HISTORY_FIELDS,
)
GROUP_COLUMNS = ("patient_id", "lesion_id")
ANSWER_COLUMNS = (*ANSWER_FIELDS, *SYMPTOM_FIELDS)
# PAD-UFES-20's columns -> the question that they answer where they say yes.
_SYMPTOM_ANSWERS = {
    "changed": "changing",
    "grew": "changing",
    "bleed": "bleeding",
    "itch": "painful",
    "hurt": "painful",
}
MAX_KEY_CHARS = 64
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")


@dataclass(frozen=True, slots=True)
class MetadataRow:
    """One row.

    Attributes:
        photo: The photo's name as the table writes it, perhaps with a folder.
        line: In the table; the header is line 1.
        metadata: What the row says; a cell that cannot be read counts as unknown.
        answers: What it says about warning signs; an empty cell is not answered.
        problem: What was not used and why; empty when there was nothing wrong.
        person, lesion: ``patient_id`` and ``lesion_id``: photos of one lesion are judged together where that is offered.
    """

    photo: str
    line: int
    metadata: Metadata = Metadata()  # noqa: RUF009  frozen, so one default serves all
    problem: str = ""
    answers: Answers = Answers()  # noqa: RUF009
    person: str = ""
    lesion: str = ""


# `tables.photo_key` -> the rows of that name, whatever their folders.
MetadataTable = Mapping[str, Sequence[MetadataRow]]


def read_metadata_table(source: Path | bytes) -> dict[str, tuple[MetadataRow, ...]]:
    r"""Read the metadata of many photos, and what was answered about them.

    The table has ``image`` or ``image_id``, and any of ``METADATA_COLUMNS``, ``ANSWER_COLUMNS`` and ``GROUP_COLUMNS``. A cell that cannot be true becomes one sentence about it; the row's other cells and the other rows go on.

    Args:
        source: A CSV file, or its bytes.

    Raises:
        TableError: If the table cannot be read, names no photos, or has none of the columns.

    >>> table = read_metadata_table(b"image_id,age\nISIC_1.jpg,61\na/ISIC_2,300\n")
    >>> table["isic_1"][0].metadata.age_approx, table["isic_2"][0].problem[:69]
    (61.0, 'Metadata used in part. The metadata table, line 3: Expected age in ye')
    """
    rows = read_table(source, what="The metadata table")
    key = key_column(rows[0], what="The metadata table")
    if not {*METADATA_COLUMNS, *ANSWER_COLUMNS, *GROUP_COLUMNS} & set(rows[0]):
        raise TableError(
            f"The metadata table needs at least one of the columns {', '.join(METADATA_COLUMNS)}. "
            f"Received the columns: {', '.join(rows[0])}. Add or rename a column."
        )
    table: dict[tuple[str, ...], MetadataRow] = {}
    for line, row in enumerate(rows, start=2):
        read = _read_row(line, row, row.get(key, ""))
        place = _parts(read.photo)
        earlier = table.get(place)
        if earlier is not None and _said(earlier) != _said(read):
            read = _not_used(
                read.photo,
                line,
                f"The photo '{read.photo}' also stands in line {earlier.line} with other values. Keep one of the two.",
            )
        table[place] = read
    by_key: dict[str, tuple[MetadataRow, ...]] = {}
    for found in table.values():
        by_key[photo_key(found.photo)] = (*by_key.get(photo_key(found.photo), ()), found)
    return by_key


def answers_from_row(row: Mapping[str, str], *, problems: list[str]) -> Answers:
    """Read the answers about warning signs from one row, each from the column of its own name.

    PAD-UFES-20's columns ``changed``, ``grew``, ``bleed``, ``itch`` and ``hurt`` count where they say yes. Their no
    leaves the question open, because each asks for less than the question does.

    Args:
        row: Column -> text; absent or empty is not answered.
        problems: A cell that is neither yes nor no counts as not answered, and a sentence goes in here.

    >>> answers_from_row({"worried": "no", "itch": "True", "hurt": "False"}, problems=[]).painful
    True
    """
    values: dict[str, bool] = {}
    for name in ANSWER_FIELDS:
        text = "" if is_unknown(row.get(name)) else row[name].strip()
        if text.lower() in (*_YES, *_NO):
            values[name] = text.lower() in _YES
        elif text:
            problems.append(f"Expected yes or no for {name}, or empty for unknown. Received '{text}'.")
    for column, name in _SYMPTOM_ANSWERS.items():
        if (row.get(column) or "").strip().lower() in _YES:
            values[name] = True
    return Answers(**values)


def match_rows(photos: Sequence[tuple[str, object]], table: MetadataTable) -> list[MetadataRow | None]:
    """Return the row about each photo, None where there is none.

    A row and a photo agree when one path ends with the other, whatever the case and the file's ending; the row that
    agrees in most folders wins. Where that leaves two rows for one photo, or one row for several photos, nobody's
    metadata is guessed: the row comes back empty, and its problem says why.

    Args:
        photos: (name, file or bytes); the same pair twice is the same photo.
        table: From ``read_metadata_table``.
    """
    best = [_best_rows(name, table) for name, _ in photos]
    sharers: dict[MetadataRow, set[tuple[str, object]]] = defaultdict(set)
    for photo, rows in zip(photos, best, strict=True):
        for row in rows:
            sharers[row].add(photo)
    return [_only_row(name, rows, sharers) for (name, _), rows in zip(photos, best, strict=True)]


def unused_rows(names: Sequence[str], table: MetadataTable) -> tuple[str, ...]:
    """Return the names in the table that no photo agrees with."""
    by_key: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for name in names:
        by_key[photo_key(name)].append(_parts(name))
    return tuple(
        row.photo
        for key, rows in table.items()
        for row in rows
        if not any(_agreement(_parts(row.photo), parts) for parts in by_key.get(key, ()))
    )


def _best_rows(name: str, table: MetadataTable) -> list[MetadataRow]:
    scored = [(_agreement(_parts(row.photo), _parts(name)), row) for row in table.get(photo_key(name), ())]
    top = max((score for score, _ in scored), default=0)
    return [row for score, row in scored if top and score == top]


def _only_row(
    name: str, rows: Sequence[MetadataRow], sharers: Mapping[MetadataRow, set[tuple[str, object]]]
) -> MetadataRow | None:
    if not rows:
        return None
    first = rows[0]
    if len(rows) > 1:
        lines = " and ".join(str(row.line) for row in rows)
        return _not_used(
            name, first.line, f"Lines {lines} may both mean the photo '{name}'. Name it by its folder too."
        )
    if len(sharers[first]) > 1:
        return _not_used(
            name,
            first.line,
            f"'{first.photo}' may mean {len(sharers[first])} photos of this batch. "
            "Write the folder too, as in 'folder/photo.jpg'.",
        )
    return first


def _read_row(line: int, row: Mapping[str, str], photo: str) -> MetadataRow:
    if not photo:
        return _not_used(f"line {line}", line, "Expected a photo's name. The cell is empty. Fill it in.")
    problems: list[str] = []
    metadata = metadata_from_row(row, problems=problems)
    answers = answers_from_row(row, problems=problems)
    person, lesion = (_group_key(row.get(column)) for column in GROUP_COLUMNS)
    said = f"Metadata used in part. The metadata table, line {line}: {' '.join(problems)}" if problems else ""
    return MetadataRow(photo, line, metadata, said, answers, person, lesion)


def _group_key(text: str | None) -> str:
    return "" if is_unknown(text) else str(text).strip()[:MAX_KEY_CHARS]


def _said(row: MetadataRow) -> tuple[Metadata, Answers, bool, str, str]:
    return row.metadata, row.answers, bool(row.problem), row.person, row.lesion


def _not_used(photo: str, line: int, sentence: str) -> MetadataRow:
    return MetadataRow(photo, line, Metadata(), f"Metadata not used. The metadata table, line {line}: {sentence}")


def _parts(name: str) -> tuple[str, ...]:
    """The photo's path, last part first, without its ending."""
    *folders, _ = name.replace("\\", "/").lower().split("/")
    return (photo_key(name), *(folder for folder in reversed(folders) if folder not in ("", ".")))


def _agreement(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many parts agree; 0 when a part that both have differs."""
    shared = min(len(one), len(other))
    return shared if one[:shared] == other[:shared] else 0
