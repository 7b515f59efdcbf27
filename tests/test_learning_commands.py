"""The commands about learning from verified cases, as a script would call them."""

import csv
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.services.keeping import keep_screening
from dermascan_core.services.readings import add_outcome
from dermascan_core.services.records import ConsentGiven, add_lesion, add_person, open_records
from tests.clinic import answered


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def verified(tmp_path, monkeypatch):
    """Records with one biopsied case of somebody who agreed to training."""
    monkeypatch.setenv("DERMASCAN_RECORDS", str(tmp_path / "records"))
    records, now = open_records(), datetime.now(UTC)
    consent = ConsentGiven(keep_until=now + timedelta(days=9), allows_training=True)
    person = add_person(records, consent, actor="ada", now=now)
    lesion = add_lesion(records, person.id, actor="ada", now=now)
    screening, photos = answered(72)
    keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=now)
    add_outcome(
        records, lesion.id, dx="bcc", confirmed_by="histopathology", found_at=now, actor="ada", now=datetime.now(UTC)
    )
    return lesion.id


def test_training_set_says_what_went_out(verified, tmp_path):
    done = run("records", "training-set", "--out", tmp_path / "set", "--site-id", "clinic-a")

    assert done.exit_code == 0, done.output
    assert f"1 photo of 1 lesion of 1 person in '{tmp_path / 'set'}'." in done.output
    assert (tmp_path / "set" / "metadata.csv").is_file()


def test_training_set_without_records_is_told_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("DERMASCAN_RECORDS", str(tmp_path / "nowhere"))

    done = run("records", "training-set", "--out", tmp_path / "set")

    assert done.exit_code == 1
    assert done.output.startswith("Error: There are no records in")
    assert not (tmp_path / "nowhere").exists()


def test_way_of_confirming_that_is_none_is_a_wrong_argument(verified, tmp_path):
    done = run("records", "training-set", "--out", tmp_path / "set", "--confirmed-by", "a feeling")

    assert done.exit_code == 2
    assert "Received 'a feeling'." in " ".join(done.output.replace("│", " ").split())


def test_errors_are_written_with_the_site(verified, tmp_path):
    done = run("records", "errors", "--out", tmp_path / "errors.csv", "--site-id", "clinic-a")

    assert done.exit_code == 0, done.output
    with (tmp_path / "errors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["site_id"] for row in rows} <= {"clinic-a"}
    assert f"{len(rows)} line" in done.output
