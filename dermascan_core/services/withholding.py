"""The kill switch: which of the model's answers this installation withholds, since when, by whom and why.

One small file beside the records is the switch, and ``DERMASCAN_WITHHOLD`` a second one; the stricter counts. Both are read
anew for each lesion, by every process. Imports no database before there are records.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AnswersWithheldError, RecordError, StorageError
from ..storage.files import make_private_folder, write_whole
from ..storage.places import Places, read_places
from .access import Action, User, check
from .check import Check

if TYPE_CHECKING:
    from ..storage.audit import Entry
    from ..storage.database import Database

VARIABLE = "DERMASCAN_WITHHOLD"
ACTION, SUBJECT = "answers withheld", "model answers"
ACTION_GIVEN = "answers given again"
MIN_REASON_CHARACTERS, MAX_REASON_CHARACTERS = 3, 200
# A reason and a name stand in Markdown, in tables and in JSON as they are: what would make a link or a style is refused.
_REFUSED_SIGNS = frozenset("<>[]*`$\\|~")
_MAX_SIZE_BYTES = 10_000


class Withheld(StrEnum):
    """What is withheld. Declared from the least to the most."""

    NONE = "none"
    CALM = "calm"
    ALL = "all"

    @property
    def strictness(self) -> int:
        """0 for none to 2 for all."""
        return list(Withheld).index(self)


@dataclass(frozen=True, slots=True)
class Withholding:
    """What is withheld, and why.

    Attributes:
        withheld: Nothing, calm answers, or all.
        by: Login name of who said so, or what did; "" where nobody ever touched the switch.
        at: When; None where unknown.
        why: In words.
        problem: What is wrong with the switch itself, so that it withholds to be careful; "" where nothing is.
    """

    withheld: Withheld
    by: str = ""
    at: datetime | None = None
    why: str = ""
    problem: str = ""

    @property
    def bars_calm(self) -> bool:
        """Whether no answer may be calmer than a routine check."""
        return self.withheld is not Withheld.NONE

    @property
    def bars_all(self) -> bool:
        """Whether no photo is answered at all."""
        return self.withheld is Withheld.ALL

    @property
    def words(self) -> str:
        """What is withheld, by whom, since when, why, and what stands all the same; "" where nothing ever was.

        >>> Withholding(Withheld.ALL, "anna", datetime(2026, 11, 27, 9, 5, tzinfo=UTC), "two missed melanomas.").words
        "The model's answers are stopped here, by anna on 2026-11-27 09:05 UTC: two missed melanomas. What your own \
answers ask for still stands, and a doctor can look at the spot itself."
        """
        if not self.by:
            return ""
        since = "" if self.at is None else f" on {self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        said = f"{_BEGINNINGS[self.withheld]}, by {self.by}{since}: {self.why.rstrip('.')}."
        return f"{said} {_ENDS[self.withheld]}".rstrip()


GIVEN = Withholding(Withheld.NONE)
_BEGINNINGS = {
    Withheld.NONE: "All answers are given again",
    Withheld.CALM: "Calm answers are withheld here",
    Withheld.ALL: "The model's answers are stopped here",
}
_ENDS = {
    Withheld.NONE: "",
    Withheld.CALM: "Until that is ended, no answer is calmer than a routine check. What asks for a doctor still stands.",
    Withheld.ALL: "What your own answers ask for still stands, and a doctor can look at the spot itself.",
}


def stricter(first: Withholding, second: Withholding) -> Withholding:
    """Return which of the two withholds more; the first where both do the same."""
    return max(first, second, key=lambda one: one.withheld.strictness)


def read_withholding(places: Places | None = None, environ: Mapping[str, str] = os.environ) -> Withholding:
    """Return what is withheld now.

    A switch that cannot be read, or makes no sense, withholds calm answers: somebody may have meant to.

    Args:
        places: Where records lie; from the environment where None.
        environ: Where ``DERMASCAN_WITHHOLD`` is looked up.
    """
    return stricter(read_switch(places), _from_environment(environ))


def read_switch(places: Places | None = None) -> Withholding:
    """Return what the file says, whatever the environment says."""
    path = (places or read_places()).switch
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SIZE_BYTES)
    except FileNotFoundError:
        return GIVEN
    except OSError as error:
        return _careful(f"'{path.name}' cannot be opened ({error.strerror}). Let this user read it")
    try:
        read = json.loads(data)
        at = datetime.fromisoformat(read["at"])
        if at.tzinfo is None:
            raise ValueError("no zone")
        return Withholding(Withheld(read["withheld"]), check_words(read["by"], "a name"), at, check_words(read["why"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, RecordError):
        return _careful(f"'{path.name}' is damaged. Set it anew: python -m dermascan_core answers --help")


def _from_environment(environ: Mapping[str, str]) -> Withholding:
    said = environ.get(VARIABLE, "").strip().lower()
    if said in ("", Withheld.NONE):
        return GIVEN
    if said in (Withheld.CALM, Withheld.ALL):
        return Withholding(Withheld(said), "whoever runs this program", None, f"{VARIABLE} is set")
    return _careful(f"{VARIABLE} is neither calm, all nor none, but '{_without_signs(said[:20])}'. Correct it")


def _careful(problem: str) -> Withholding:
    plain = _without_signs(problem)
    return Withholding(Withheld.CALM, "the program itself, to be careful", None, plain, plain)


def _without_signs(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable() and sign not in _REFUSED_SIGNS)


def check_words(text: str, what: str = "a reason") -> str:
    """Return a text without blanks around it.

    Raises:
        RecordError: It is too short, too long, or holds signs that would be more than words on a page.
    """
    stripped = text.strip()
    least = MIN_REASON_CHARACTERS if what == "a reason" else 1
    if not least <= len(stripped) <= MAX_REASON_CHARACTERS:
        raise RecordError(
            f"Expected {what} of {least} to {MAX_REASON_CHARACTERS} characters, for whoever meets the switch later. "
            f"Received {len(stripped)}."
        )
    if not stripped.isprintable() or set(stripped) & _REFUSED_SIGNS:
        raise RecordError(
            f"Expected {what} in plain words on one line, without the signs {' '.join(sorted(_REFUSED_SIGNS))}. Leave them out."
        )
    return stripped


def refuse_when_stopped() -> None:
    """Do nothing, unless all answers are stopped here.

    Raises:
        AnswersWithheldError: They are.
    """
    withholding = read_withholding()
    if withholding.bars_all:
        raise AnswersWithheldError(withholding.words)


def set_withholding(
    user: User, withheld: Withheld, *, why: str, now: datetime, places: Places | None = None
) -> Withholding:
    """Turn the switch, and put that in the audit trail where there are records.

    What withholds more is in force even where the trail then cannot be written; what withholds less only when it is.

    Args:
        user: Who does; takes an administrator.
        withheld: What to withhold from now on.
        why: A reason of 3 to 200 characters.
        now: The time.
        places: Where records lie; from the environment where None.

    Raises:
        AccessError: They may not.
        RecordError: The reason will not do.
        StorageError: The file or the trail cannot be written.
    """
    check(user, Action.WITHHOLD_ANSWERS)
    return turn_switch(withheld, by=user.name, why=why, now=now, places=places)


def turn_switch(
    withheld: Withheld,
    *,
    by: str,
    why: str,
    now: datetime,
    places: Places | None = None,
    database: Database | None = None,
) -> Withholding:
    """The same for a rule of the program, which has no role. See ``set_withholding``.

    Args:
        withheld, why, now, places: As there.
        by: Who or what does.
        database: Of the records, where it is open; else it is opened where there is one.
    """
    where = places or read_places()
    turned = Withholding(withheld, check_words(by, "a name"), now, check_words(why))
    is_more = withheld.strictness >= read_switch(where).withheld.strictness
    if is_more:
        _write(where, turned)
    if database is not None:
        _note(database, turned)
    elif (opened := _database(where)) is not None:
        try:
            opened.upgrade()
            _note(opened, turned)
        finally:
            opened.close()
    if not is_more:
        _write(where, turned)
    return turned


def _write(places: Places, turned: Withholding) -> None:
    assert turned.at is not None, "only what somebody said is written"
    said = {"withheld": turned.withheld, "by": turned.by, "at": turned.at.isoformat(), "why": turned.why}
    make_private_folder(places.folder)
    write_whole(places.switch, (json.dumps(said, ensure_ascii=False, indent=1) + "\n").encode())


def _note(database: Database, turned: Withholding) -> None:
    from .records import note

    action = ACTION if turned.bars_calm else ACTION_GIVEN
    assert turned.at is not None, "only what somebody said is noted"
    with database.transaction() as session:
        note(session, turned.by, action, SUBJECT, now=turned.at, withheld=turned.withheld.value, why=turned.why)


def _database(places: Places) -> Database | None:
    """Return the database of the records; None where there are none."""
    if places.database_file is not None and not Path(places.database_file).is_file():
        return None
    from ..storage.database import Database

    return Database(places.database_url)


def check_switch(places: Places, environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Say for ``doctor`` what is withheld, and where the switch and the audit trail differ; nothing where all is as ever."""
    name, found = "answers", read_withholding(places, environ)
    problem = read_switch(places).problem or found.problem
    if problem:
        said = f"calm ones are withheld, to be careful: {problem} (the switch: '{places.switch}')"
        return [Check(name, False, said, "Do what is said there.")]
    if (missed := _only_in_trail(places)) is not None:
        said = f"the audit trail says that {missed.actor} withheld them on {missed.at:%Y-%m-%d}, and '{places.switch}' does not"
        return [Check(name, False, said, "Say which holds: python -m dermascan_core answers --help")]
    return [Check(name, True, found.words)] if found.by else []


def _only_in_trail(places: Places) -> Entry | None:
    """Return the trail's last word on the switch, where it withholds more than the file: the file was lost or removed."""
    try:
        database = _database(places)
        if database is None:
            return None
        from ..storage.audit import entries
        from ..storage.database import newest_version

        if database.version() != newest_version():
            return None
        with database.reading() as session:
            last = next(reversed(list(entries(session, subjects=[SUBJECT]))), None)
        in_trail = Withheld.NONE if last is None else Withheld(str(last.detail.get("withheld", "none")))
    except (StorageError, ValueError):
        return None  # what is wrong with the records is said by their own check
    return last if in_trail.strictness > read_switch(places).withheld.strictness else None
