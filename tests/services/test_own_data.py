"""A person's own data: everything, in one zip, and nobody else's."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from dermascan_core.errors import OutputError, RecordError
from dermascan_core.imaging.decode import decode_photo
from dermascan_core.services.history import person_history
from dermascan_core.services.own_data import export_person, export_person_to_file
from dermascan_core.services.records import Records
from tests.clinic import NOW, answered
from tests.services.test_forgetting import with_everything


def exported(records: Records, person: str) -> zipfile.ZipFile:
    out = io.BytesIO()
    export_person(records, person, out, actor="ada", now=NOW)
    return zipfile.ZipFile(out)


def test_export_holds_all_that_was_kept(records: Records) -> None:
    person = with_everything(records)

    archive = exported(records, person.pseudonym)

    whole = json.loads(archive.read("records.json"))
    [lesion] = whole["lesions"]
    [screening] = lesion["screenings"]
    assert sorted(archive.namelist()) == ["about.txt", "photos/lesion-1-photo-1.jpg", "records.json"]
    assert (whole["person"]["name"], lesion["label"]) == ("Jane Roe", "left shoulder")
    assert whole["consents"][0]["text"].startswith("I agree that my photos")
    assert lesion["photos"][0]["file"] == "photos/lesion-1-photo-1.jpg"
    assert lesion["photos"][0]["file_name"] == "mole.jpg"
    assert screening["record"]["photos"][0]["name"] == "mole.jpg"
    assert screening["reviews"][0]["reason"] == "Seen by Dr Smith."
    assert screening["drafts"][0]["content"] == {"note": "x"}
    assert (lesion["comments"][0]["text"], lesion["outcomes"][0]["dx"]) == ("Ask her sister.", "nv")
    assert [entry["action"] for entry in whole["trail"]] == [
        *("person added", "consent given", "lesion added", "screening kept", "review confirmed"),
        *("comment added", "outcome entered", "own data exported"),
    ]
    assert decode_photo(archive.read("photos/lesion-1-photo-1.jpg")).shape == (225, 300, 3)
    assert person.pseudonym in archive.read("about.txt").decode()


def test_export_holds_nothing_of_anybody_else(records: Records) -> None:
    person, other = with_everything(records), with_everything(records, shade=90)

    text = exported(records, person.id).read("records.json").decode()

    assert other.pseudonym not in text
    assert other.id not in text
    [lesion] = person_history(records, other.id).lesions
    assert lesion.photos[0].image_sha256 not in text


def test_photo_whose_file_is_gone_does_not_stop_the_export(records: Records) -> None:
    person = with_everything(records)
    [lesion] = person_history(records, person.id).lesions
    records.images.path(lesion.photos[0].image_sha256).unlink()

    archive = exported(records, person.id)

    assert json.loads(archive.read("records.json"))["lesions"][0]["photos"][0]["file"] is None
    assert sorted(archive.namelist()) == ["about.txt", "records.json"]


def test_file_names_of_people_never_become_names_in_the_zip(records: Records) -> None:
    from dermascan_core.services.keeping import keep_screening
    from tests.clinic import somebody

    person, lesion = somebody(records)
    screening, photos = answered(name="../../etc/passwd\0=1+1.jpg")
    keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)

    archive = exported(records, person.id)

    assert "photos/lesion-1-photo-1.jpg" in archive.namelist()
    photo = json.loads(archive.read("records.json"))["lesions"][0]["photos"][0]
    assert photo["file_name"] == "../../etc/passwd\0=1+1.jpg"


def test_export_to_a_file_is_whole_or_not_there(records: Records, tmp_path: Path) -> None:
    person = with_everything(records)
    path = tmp_path / "theirs.zip"

    assert export_person_to_file(records, person.id, path, actor="ada", now=NOW) == 1

    assert path.stat().st_mode & 0o777 == 0o600
    assert zipfile.ZipFile(path).testzip() is None
    with pytest.raises(OutputError, match="is there already"):
        export_person_to_file(records, person.id, path, actor="ada", now=NOW)
    with pytest.raises(OutputError, match="cannot be written"):
        export_person_to_file(records, person.id, tmp_path / "no" / "x.zip", actor="ada", now=NOW)
    with pytest.raises(RecordError, match="There is nobody"):
        export_person_to_file(records, "P-0", tmp_path / "y.zip", actor="ada", now=NOW)
    assert [p.name for p in tmp_path.iterdir() if p.suffix in (".zip", ".part")] == ["theirs.zip"]
