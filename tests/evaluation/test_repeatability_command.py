"""``repeatability`` as a script would use it, and the file read back where the app looks for it."""

import json

import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.errors import WeightsError
from dermascan_core.model.manifest import save_manifest
from dermascan_core.services import models
from dermascan_core.services.performance import load_repeatability, repeatability_limit
from tests.fakes import FakePredictor, fake_manifest, fake_photo, photo_bytes


@pytest.fixture(autouse=True)
def _fake_model(monkeypatch):
    monkeypatch.setattr(models, "load_predictor", lambda name, engine, **_: FakePredictor())


@pytest.fixture
def folder(tmp_path):
    for number, colour in enumerate([(40, 25, 20), (120, 70, 50)]):
        (tmp_path / f"P_{number}.png").write_bytes(photo_bytes(fake_photo(lesion=colour), "PNG"))
    (tmp_path / "labels.csv").write_text("image_id,lesion_id,dx,split,fold\nP_0,L0,mel,train,0\nP_1,L1,nv,train,1\n")
    save_manifest(fake_manifest(), tmp_path / "fake.json")
    return tmp_path


def _run(folder, *options):
    out = folder / "fake.evaluation" / "repeatability"
    arguments = ["repeatability", "fake", "--images", folder, "--labels", folder / "labels.csv", "--out", out, *options]
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_command_measures_one_fold_and_the_app_reads_its_limit(folder):
    done = _run(folder, "--split", "train", "--fold", "0")

    assert done.exit_code == 0, done.stderr
    measured = load_repeatability("fake", weights_dir=folder)
    assert (measured["data"]["n"], measured["data"]["fold"]) == (1, "0")
    assert f"Limit: {measured['limit']['value']}," in done.stdout
    assert repeatability_limit(fake_manifest(), weights_dir=folder) == measured["limit"]["value"]


def test_unknown_fold_says_which_there_are(folder):
    done = _run(folder, "--fold", "7")

    assert done.exit_code == 1
    assert "Expected rows of the fold '7' in 'labels.csv'. It has: 0, 1." in done.stderr


def test_file_of_other_weights_is_refused_where_it_is_shown(folder):
    _run(folder)
    path = folder / "fake.evaluation" / "repeatability" / "repeatability.json"
    measured = json.loads(path.read_text())
    measured["model"]["sha256"] = "1" * 64
    path.write_text(json.dumps(measured))

    with pytest.raises(WeightsError, match="Restore both from the same release"):
        load_repeatability("fake", weights_dir=folder)
