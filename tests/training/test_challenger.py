"""A challenger starts from the shipped network, never learns from what judges it, and replaces nothing."""

import json
from dataclasses import replace

import pytest
from PIL import Image
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.errors import DatasetError, OutputError
from dermascan_core.services.models import load_predictor
from dermascan_core.training import challenger as making
from dermascan_core.training.data import load_dataset
from dermascan_core.training.presets import PRESETS, override
from tests.training.conftest import dataset_rows, write_dataset


@pytest.fixture(scope="module")
def frozen_folder(tmp_path_factory):
    rows = [
        {"image_id": f"frozen_{dx}_{n}", "lesion_id": f"frozen_{dx}_{n}", "dx": dx, "split": "test", "fold": ""}
        for dx in ("mel", "nv")
        for n in range(6)
    ]
    folder = write_dataset(tmp_path_factory.mktemp("frozen") / "frozen", rows=rows)
    for path in (folder / "images").iterdir():  # pictures that no other data set of these tests holds
        Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path, quality=85)
    return folder


def test_frozen_set_under_another_name_is_refused(frozen_folder):
    with pytest.raises(DatasetError, match="Expected the frozen set 0000 in"):
        making.read_frozen(frozen_folder, expected_sha256="0000")


@pytest.mark.parametrize("what", ["name", "lesion", "lesion of a person", "picture"])
def test_nothing_of_the_frozen_set_is_learnt_from(what, frozen_folder, tmp_path):
    rows = dataset_rows()
    if what == "name":
        rows[0]["image_id"] = "FROZEN_mel_0"
    if what.startswith("lesion"):
        rows[0]["lesion_id"] = "frozen_mel_0"
    if what == "lesion of a person":  # the frozen set names no people
        rows = [row | {"patient_id": f"P {row['lesion_id']}"} for row in rows]
    data = write_dataset(tmp_path / "data", rows=rows)
    if what == "picture":
        copied = (frozen_folder / "images" / "frozen_mel_3.jpg").read_bytes()
        (data / "images" / f"{rows[0]['image_id']}.jpg").write_bytes(copied)
    frozen = making.read_frozen(frozen_folder)

    with pytest.raises(DatasetError, match="Expected no photo of the frozen set"):
        making.refuse_overlap(load_dataset(data), frozen)


def test_challenger_is_trained_judged_and_not_promoted_without_the_rule(
    shipped, frozen_folder, generated_dataset, tmp_path, monkeypatch
):
    monkeypatch.setitem(PRESETS, "challenger", override(PRESETS["smoke"], ["backbone=mobilenet", "warmup_epochs=0"]))
    frozen = making.read_frozen(frozen_folder)

    done = CliRunner().invoke(
        cli.app,
        [
            *("challenger", "ours", "--data", str(generated_dataset), "--model", "shipped", "--promote"),
            *("--frozen", str(frozen_folder), "--frozen-sha256", frozen.sha256),
            *("--weights-dir", str(shipped), "--out", str(tmp_path)),
        ],
    )

    assert done.exit_code == 0, done.output
    assert "6 frozen photos show cancer or pre-cancer; at least 30 are needed." in done.output
    assert "Not better by the rule: 'shipped' stays, and nothing was put beside it." in done.output
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert verdict["frozen_sha256"] == frozen.sha256
    assert not verdict["is_better"]
    assert sorted(path.name for path in shipped.iterdir()) == ["shipped.json", "shipped.keras"]


def test_promotion_lies_beside_and_never_over(shipped, tmp_path):
    manifest = load_predictor("shipped", "keras", weights_dir=shipped).manifest
    (tmp_path / "weights").mkdir()
    for ending in ("keras", "json"):
        (tmp_path / "weights" / f"ours.{ending}").write_bytes((shipped / f"shipped.{ending}").read_bytes())
    ours, to = replace(manifest, name="ours"), tmp_path / "to"
    to.mkdir()

    making.promote(ours, out=tmp_path, weights_dir=to)

    assert sorted(path.name for path in to.iterdir()) == ["ours.json", "ours.keras"]
    with pytest.raises(OutputError, match="no weights are ever overwritten"):
        making.promote(ours, out=tmp_path, weights_dir=to)


def test_fingerprint_names_the_set(frozen_folder):
    done = CliRunner().invoke(cli.app, ["data", "fingerprint", str(frozen_folder)])

    assert done.exit_code == 0
    assert making.read_frozen(frozen_folder).sha256 in done.output
    assert "12 photos, 6 of cancer or pre-cancer." in done.output
