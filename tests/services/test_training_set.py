"""Verified cases out of the records: only with consent for it, split-safe, in a form that training reads."""

import csv
import json

import pytest

from dermascan_core.errors import DatasetError, OutputError
from dermascan_core.services.keeping import keep_screening
from dermascan_core.services.readings import add_outcome
from dermascan_core.services.records import ConsentGiven, add_lesion, add_person, withdraw_consent
from dermascan_core.services.training_set import export_training_set
from dermascan_core.training.data import load_dataset
from tests.clinic import CONSENT, NOW, answered

TRAINS = ConsentGiven(keep_until=CONSENT.keep_until, allows_training=True)


def verified(records, dx, *, shade, consent=TRAINS, is_demo=False, person=None, way="histopathology"):
    person = person or add_person(records, consent, actor="ada", now=NOW, is_demo=is_demo, name="Jane Roe")
    lesion = add_lesion(records, person.id, actor="ada", now=NOW, label="left shoulder")
    screening, photos = answered(shade)
    keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)
    add_outcome(records, lesion.id, dx=dx, confirmed_by=way, found_at=NOW, actor="ada", now=NOW)
    return person


def rows_of(folder):
    with (folder / "metadata.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def export(records, folder, **options):
    return export_training_set(records, folder, actor="local", now=NOW, **options)


def test_verified_cases_become_a_data_set_that_training_reads(records, tmp_path):
    for number in range(12):
        verified(records, "mel" if number % 2 else "nv", shade=60 + number)

    done = export(records, tmp_path / "set", site_id="clinic A")

    assert (done.n_photos, done.n_lesions, done.n_people) == (12, 12, 12)
    assert len(load_dataset(tmp_path / "set").photos) == 12
    rows = rows_of(tmp_path / "set")
    assert {row["source"] for row in rows} == {"clinic A"}
    assert {row["dx_type"] for row in rows} == {"histopathology"}
    assert {row["age_approx"] for row in rows} == {"65"}
    assert {row["split"] for row in rows} == {"train"}


def test_lesions_of_one_person_lie_in_one_part(records, tmp_path):
    person = verified(records, "mel", shade=60)
    for number in range(1, 5):
        verified(records, "nv", shade=60 + number, person=person)
    for number in range(5, 15):
        verified(records, "nv" if number % 2 else "bcc", shade=60 + number)

    export(records, tmp_path / "set")

    places: dict[str, set] = {}
    for row in rows_of(tmp_path / "set"):
        places.setdefault(row["patient_id"], set()).add((row["split"], row["fold"]))
    assert max(len(where) for where in places.values()) == 1
    assert len(places) == 11


def test_held_out_people_are_the_same_each_time_and_in_neither_folder_twice(records, tmp_path):
    for number in range(20):
        verified(records, "nv", shade=60 + number)

    first = export(records, tmp_path / "a", hold_out=0.4)
    export(records, tmp_path / "b", hold_out=0.4)

    learnt, held = ({row["patient_id"] for row in rows_of(tmp_path / name)} for name in ("a", "a-frozen"))
    assert not learnt & held
    assert len(learnt | held) == 20
    assert 0 < first.n_held_out == len(held) < 20
    assert {row["patient_id"] for row in rows_of(tmp_path / "b-frozen")} == held


def test_a_person_stays_in_their_fold_while_the_set_grows(records, tmp_path):
    for number in range(6):
        verified(records, "nv", shade=60 + number)
    export(records, tmp_path / "a")
    for number in range(6, 12):
        verified(records, "mel", shade=60 + number)
    export(records, tmp_path / "b")

    before, after = ({row["patient_id"]: row["fold"] for row in rows_of(tmp_path / name)} for name in "ab")

    assert len(after) == 12
    assert {name: after[name] for name in before} == before


def test_without_consent_for_training_nothing_goes_out(records, tmp_path):
    verified(records, "mel", shade=60)
    verified(records, "mel", shade=61, consent=CONSENT)
    taken_back = verified(records, "mel", shade=62)
    withdraw_consent(records, taken_back.id, actor="ada", now=NOW)

    done = export(records, tmp_path / "set")

    assert (done.n_lesions, done.n_without_consent) == (1, 2)


def test_demo_people_and_unknown_classes_are_left_out(records, tmp_path):
    verified(records, "mel", shade=60)
    verified(records, "mel", shade=61, is_demo=True)
    verified(records, "other_cancer", shade=62)

    done = export(records, tmp_path / "set")

    assert (done.n_lesions, done.n_without_class) == (1, 1)


def test_only_the_chosen_ways_count(records, tmp_path):
    verified(records, "nv", shade=60, way="single image expert consensus")

    with pytest.raises(DatasetError, match="Of 0 verified lesions none may be used"):
        export(records, tmp_path / "set")
    done = export(records, tmp_path / "set", verified_by=("single image expert consensus",))
    assert done.n_lesions == 1


def test_nothing_in_the_set_names_anybody_and_provenance_leads_back(records, tmp_path):
    person = verified(records, "mel", shade=60)

    export(records, tmp_path / "set", site_id="=HYPERLINK(1)")

    texts = [path.read_text() for path in (tmp_path / "set").glob("*.[cj]s*")]
    assert len(texts) == 2
    for secret in (person.id, person.pseudonym, "Jane Roe", "left shoulder", "mole.jpg"):
        assert [text for text in texts if secret in text] == []
    provenance = json.loads((tmp_path / "set" / "provenance.json").read_text())
    [photo] = provenance["photos"].values()
    assert records.images.has(photo["image_sha256"])
    assert rows_of(tmp_path / "set")[0]["source"] == "'=HYPERLINK(1)"


def test_folder_that_holds_something_is_left_alone(records, tmp_path):
    verified(records, "mel", shade=60)
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(OutputError, match="Expected a new or empty folder"):
        export(records, tmp_path)
