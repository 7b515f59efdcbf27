"""Lists from the command line: added on a stated ground, worked off, printed, written."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dermascan_core.cli import app
from dermascan_core.services import models
from dermascan_core.services.records import open_records
from tests.fakes import FakePredictor, fake_manifest, fake_photo, photo_bytes

DARK = photo_bytes(fake_photo(lesion=(45, 25, 20)))


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of photos, records, and the fake network."""
    monkeypatch.setenv("DERMASCAN_RECORDS", str(tmp_path / "records"))
    for name in ("DERMASCAN_DATABASE_URL", "DERMASCAN_KEY", "DERMASCAN_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    manifest = fake_manifest(name=models.DEFAULT_MODEL)
    monkeypatch.setattr(models, "list_models", lambda weights_dir=None: [manifest])
    monkeypatch.setattr(models, "load_model_manifest", lambda name, weights_dir=None: manifest)
    monkeypatch.setattr(models, "load_predictor", lambda *names, **options: FakePredictor(manifest=manifest))
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("P1_L1_1.jpg", "P1_L1_2.jpg", "=2+2.jpg"):
        (folder / name).write_bytes(DARK)
    (folder / "torn.jpg").write_bytes(b"x")
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["worklist", *words])


def add(photos: Path, *words: str) -> Result:
    open_records().close()
    return run("add", str(photos), "--keep-until", "2199-12-31", *words)


def test_list_is_added_worked_off_and_written(photos: Path, tmp_path: Path) -> None:
    added = add(photos, "--agree", "--name", "Monday")
    assert added.exit_code == 0, added.output
    number = added.stdout.split()[0]

    assert run("run").exit_code == 0
    assert f"{number}  done  4 of 4  local  Monday" in run("list").stdout
    assert "Wrote" in run("export", number, "--out", str(tmp_path / "list.csv")).stdout
    assert run("export", number, "--out", str(tmp_path / "list.jsonl")).exit_code == 0

    rows = list(csv.DictReader(io.StringIO((tmp_path / "list.csv").read_text(encoding="utf-8"))))
    assert [row["image"] for row in rows][-1] == "torn.jpg"
    assert "'=2+2.jpg" in [row["image"] for row in rows]
    lines = (tmp_path / "list.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4
    assert json.loads(lines[0])["rank"] == 1


def test_nothing_is_kept_without_the_statement(photos: Path) -> None:
    refused = add(photos)

    assert refused.exit_code == 1
    assert "Nothing is stored without a ground" in refused.output
    assert "The clinic states for everybody on this list" in refused.output
    assert run("list").stdout == ""


def test_where_there_are_no_records_none_are_made(photos: Path, tmp_path: Path) -> None:
    refused = run("add", str(photos), "--keep-until", "2199-12-31", "--agree")

    assert refused.exit_code == 1
    assert "There are no records" in refused.output
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("number", ["ffffffff", "' OR 1=1 --", ""])
def test_number_of_no_list_is_one_sentence(photos: Path, tmp_path: Path, number: str) -> None:
    add(photos, "--agree")

    refused = run("export", number, "--out", str(tmp_path / "x.csv"))

    assert refused.exit_code == 1
    assert "Expected the number of one list." in refused.output
