"""Opens the records and adds and finds people and lesions. Keeping screenings, readings and deletion have files of their own.

Nothing is kept of anybody who did not agree, and every change is in the audit trail, in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from ..errors import ConsentError, MetadataError, RecordError
from ..storage import audit, lesions, people
from ..storage.database import Database
from ..storage.kept import KeptConsent, KeptLesion, KeptPerson
from ..storage.opening import Storage, open_storage
from ..storage.people import PeoplePage
from ..storage.places import Places, read_places
from ..storage.vault import Vault
from ..taxonomy import parse_site

Records = Storage  # what every function about records takes first

LOCAL = "local"  # who acts where nobody has to log in
CONSENT_VERSION = "1"
CLINIC_BASIS = "clinic-1"  # said once for a whole list of photos, by whoever adds it
CONSENT_TEXTS = {
    "1": (
        "I agree that my photos, my answers and what was found are kept here until the day named, to compare my skin over "
        "time and to be read by the clinicians who work with this program. I may take this back at any time: then nothing "
        "new is kept and everything is deleted. I may ask for a copy, and for deletion, at any time. Nothing is sent "
        "anywhere. If I also agreed to training, confirmed cases may be used, without my name, to make the model better."
    ),
    CLINIC_BASIS: (
        "The clinic states for everybody on this list: they agreed, or another lawful ground allows it, that their photos, "
        "the answers and what was found are kept here until the day named and read by the clinicians who work with this "
        "program. They were told that they may ask for a copy, and for deletion, at any time. Nothing is sent anywhere."
    ),
}
KEEP_DAYS = 365
MAX_NAME_CHARACTERS = 200
OLDEST_BIRTH_YEAR = 1900
_SEXES = ("female", "male")


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """What a person agrees to.

    Attributes:
        keep_until: The day after which everything is deleted.
        text_version: Which of ``CONSENT_TEXTS`` they read.
        allows_training: Whether confirmed cases may be used to train.
    """

    keep_until: datetime
    text_version: str = CONSENT_VERSION
    allows_training: bool = False


def open_records(places: Places | None = None) -> Records:
    """Open the records: the tables brought up to date, the key tried, and what a kill left to remove removed.

    Args:
        places: Where they lie; from the environment where None. Folder, database and key are made on first use.

    Raises:
        StorageError: The database, its folder or the key stands in the way.
    """
    records = open_storage(places or read_places())
    with records.database.reading() as session:
        is_unfinished = bool(lesions.asked_removals(session))
    if is_unfinished:
        remove_images(records)
    return records


def records_address() -> str:
    """Return what tells one set of records from another: database and folder, by the environment; it may hold a password."""
    places = read_places()
    return f"{places.database_url} {places.folder}"


def upgrade_records(places: Places | None = None) -> tuple[str | None, str]:
    """Bring the tables up to this program's version; returns the version before (None where there was none) and after.

    Raises:
        StorageError: The database cannot be reached or written, or is of a newer program.
    """
    database = Database((places or read_places()).database_url)
    try:
        return database.upgrade()
    finally:
        database.close()


def open_existing_records(places: Places | None = None) -> Records:
    """Open records that are there already, and make none.

    Raises:
        RecordError: There are none yet.
        StorageError: As ``open_records``.
    """
    where = places or read_places()
    if where.database_file is not None and not where.database_file.is_file():
        msg = (
            f"There are no records in '{where.folder}' yet. Name their folder with DERMASCAN_RECORDS, or begin them: "
            "python -m dermascan_core db upgrade"
        )
        raise RecordError(msg)
    return open_records(where)


def add_person(
    records: Records,
    consent: ConsentGiven,
    *,
    actor: str,
    now: datetime,
    name: str | None = None,
    birth_year: int | None = None,
    sex: str | None = None,
    is_demo: bool = False,
) -> KeptPerson:
    """Add somebody who agreed, under a new pseudonym.

    Args:
        records: To add to.
        consent: What they agreed to.
        actor: Login name of who adds them, or ``LOCAL``.
        now: The time.
        name, birth_year, sex: Where known; a name is sealed, and needed for nothing.
        is_demo: Made up, for trying the program.

    Raises:
        ConsentError: The consent ends before it begins, or names a text that there is not.
        MetadataError: A birth year or sex that cannot be.
        RecordError: The name is too long.
    """
    _check_born(birth_year, sex, now)
    named = short_text(name, "a name", MAX_NAME_CHARACTERS)
    with records.database.transaction() as session:
        person = people.add_person(
            session,
            records.vault,
            name=named,
            birth_year=birth_year,
            sex=sex,
            is_demo=is_demo,
            created_by=actor,
            now=now,
        )
        note(session, actor, "person added", f"person {person.id}", now=now, is_demo=is_demo)
        _keep_consent(session, person.id, consent, actor=actor, now=now)
    return person


def give_consent(records: Records, person_id: str, consent: ConsentGiven, *, actor: str, now: datetime) -> KeptConsent:
    """Keep another consent of somebody: for longer, for training, or after they took one back.

    Raises:
        ConsentError: It ends before it begins, or names a text that there is not.
        RecordError: There is no such person.
    """
    with records.database.transaction() as session:
        require_person(session, records.vault, person_id)
        return _keep_consent(session, person_id, consent, actor=actor, now=now)


def withdraw_consent(records: Records, person_id: str, *, actor: str, now: datetime) -> int:
    """Take back whatever somebody agreed to: from now on nothing new is kept of them, and the next clean-up deletes all.

    Returns:
        How many consents were standing.

    Raises:
        RecordError: There is no such person.
    """
    with records.database.transaction() as session:
        require_person(session, records.vault, person_id)
        n_withdrawn = people.withdraw_consents(session, person_id, now=now)
        note(session, actor, "consent withdrawn", f"person {person_id}", now=now, consents=n_withdrawn)
    return n_withdrawn


def add_lesion(
    records: Records,
    person_id: str,
    *,
    actor: str,
    now: datetime,
    label: str | None = None,
    anatom_site: str | None = None,
) -> KeptLesion:
    """Add a spot of somebody.

    Args:
        records, person_id: Whose.
        actor, now: Who adds it, and when.
        label: How people tell it from others: "left shoulder, above the scar"; sealed.
        anatom_site: In any archive's spelling; None where unknown.

    Raises:
        ConsentError: They do not, or no longer, agree that anything is kept.
        MetadataError: No known site.
        RecordError: There is no such person, or the label is too long.
    """
    site = None if anatom_site is None else parse_site(anatom_site)
    words = short_text(label, "a label", MAX_NAME_CHARACTERS)
    with records.database.transaction() as session:
        require_consent(session, records.vault, person_id, now=now)
        lesion = lesions.add_lesion(session, records.vault, person_id=person_id, label=words, anatom_site=site, now=now)
        note(session, actor, "lesion added", f"lesion {lesion.id}", now=now)
    return lesion


def find_person(records: Records, person: str) -> KeptPerson:
    """Return somebody by id or pseudonym, as typed.

    Raises:
        RecordError: There is nobody.
    """
    with records.database.reading() as session:
        return require_person(session, records.vault, person)


def list_people(
    records: Records, *, search: str = "", is_demo: bool | None = None, offset: int = 0, limit: int = 50
) -> PeoplePage:
    """Return people whose pseudonym holds ``search``, the last added first."""
    with records.database.reading() as session:
        return people.list_people(session, records.vault, search=search, is_demo=is_demo, offset=offset, limit=limit)


def remove_images(records: Records) -> int:
    """Remove the image files that a deletion asked for and that nothing needs again; returns how many."""
    with records.database.transaction() as session:  # held meanwhile, so that nobody keeps one of them anew
        asked = lesions.asked_removals(session)
        needed = lesions.needed_images(session, asked)
        for image_sha256 in asked:
            if image_sha256 not in needed:
                records.images.remove(image_sha256)
            lesions.removal_done(session, image_sha256)
    return len(set(asked) - needed)


def require_person(session: Session, vault: Vault, person: str) -> KeptPerson:
    """Return somebody by id or pseudonym.

    Raises:
        RecordError: There is nobody.
    """
    found = people.find_person(session, vault, person)
    if found is None:
        msg = "Expected the pseudonym of somebody in the records, such as P-7K3F-23. There is nobody of that one. Check it."
        raise RecordError(msg)
    return found


def require_lesion(session: Session, vault: Vault, lesion_id: str) -> KeptLesion:
    """Return a lesion.

    Raises:
        RecordError: There is none of that id.
    """
    found = lesions.find_lesion(session, vault, lesion_id)
    if found is None:
        raise RecordError("There is no such lesion in the records. It may have been deleted. Choose another.")
    return found


def require_consent(session: Session, vault: Vault, person_id: str, *, now: datetime) -> KeptPerson:
    """Return somebody of whom something may be kept now.

    Raises:
        ConsentError: They do not, or no longer, agree.
        RecordError: There is nobody.
    """
    person = require_person(session, vault, person_id)
    if not any(consent.is_in_force(now) for consent in people.consents_of(session, person.id)):
        raise ConsentError(
            f"Nothing may be kept of {person.pseudonym}: their consent was taken back or is past its day. Ask them again."
        )
    return person


def short_text(text: str | None, what: str, max_characters: int) -> str | None:
    """Return a text without blanks around it; None where nothing is left.

    Raises:
        RecordError: It is longer than ``max_characters``.
    """
    stripped = (text or "").strip()
    if len(stripped) > max_characters:
        msg = f"Expected {what} of at most {max_characters:,} characters. Received {len(stripped):,}. Shorten it."
        raise RecordError(msg)
    return stripped or None


def note(session: Session, actor: str, action: str, subject: str, *, now: datetime, **detail: object) -> int:
    """Put what is being done in the audit trail; returns the entry's number."""
    return audit.record(session, actor=actor, action=action, subject=subject, detail=detail, now=now).number


def check_consent(consent: ConsentGiven, *, now: datetime) -> None:
    """Refuse a consent that nothing can be kept under.

    Raises:
        ConsentError: It ends before it begins, or names a text that there is not.
    """
    if consent.keep_until <= now:
        msg = f"Expected a day in the future until which records are kept. Received {consent.keep_until:%Y-%m-%d}."
        raise ConsentError(msg)
    if consent.text_version not in CONSENT_TEXTS:
        msg = f"Expected a consent to one of the texts {', '.join(CONSENT_TEXTS)}. Received {consent.text_version!r}."
        raise ConsentError(msg)


def _keep_consent(session: Session, person_id: str, consent: ConsentGiven, *, actor: str, now: datetime) -> KeptConsent:
    check_consent(consent, now=now)
    kept = people.add_consent(
        session,
        person_id=person_id,
        text_version=consent.text_version,
        keep_until=consent.keep_until,
        allows_training=consent.allows_training,
        now=now,
    )
    keep_until = f"{consent.keep_until:%Y-%m-%d}"
    note(session, actor, "consent given", f"person {person_id}", now=now, text=consent.text_version, until=keep_until)
    return kept


def _check_born(birth_year: int | None, sex: str | None, now: datetime) -> None:
    if birth_year is not None and not OLDEST_BIRTH_YEAR <= birth_year <= now.year:
        msg = f"Expected a birth year from {OLDEST_BIRTH_YEAR} to {now.year}. Received {birth_year}. Correct it."
        raise MetadataError(msg)
    if sex is not None and sex not in _SEXES:
        raise MetadataError(f"Expected a sex of {' or '.join(_SEXES)}, or none. Received {sex!r}.")
