"""Drift of a folder of photos, from what ships: nothing is typed in."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.domain import ImageType
from dermascan_core.errors import DatasetError
from dermascan_core.evaluation.outcomes import Call, measure_calls
from dermascan_core.services.drift import find_decay, find_drift, screen_for_drift, usual_shares
from dermascan_core.services.models import WEIGHTS_DIR, load_model_manifest, load_predictor
from dermascan_core.services.performance import load_evaluation
from dermascan_core.tables import read_labels
from tests.fakes import FakePredictor, fake_photo, photo_bytes


def test_usual_shares_are_those_of_the_evaluation_that_ships():
    metrics = load_evaluation("dermascan", "test-no-metadata")
    table = np.genfromtxt(
        WEIGHTS_DIR / "dermascan.evaluation" / "test-no-metadata" / "predictions.csv", delimiter=",", names=True, dtype=None,
        encoding="utf-8",
    )  # fmt: skip

    usual = usual_shares(metrics)

    threshold = load_model_manifest("dermascan").threshold
    assert usual["above"].n_true == (table["p_malignant"] >= threshold).sum()
    by_reason = table["refusal_reason"][table["refused"] == 1]
    assert usual["refused"].n_true == (by_reason != "not_tested_under_18").sum()
    assert usual["refused"].n == len(table)


@pytest.mark.parametrize("image_type", list(ImageType))
def test_every_kind_of_photo_of_the_default_has_its_usual_shares(image_type):
    photos = screen_for_drift([], FakePredictor(), image_type=image_type)

    signals = find_drift(photos, load_model_manifest("dermascan"), image_type=image_type)

    assert [signal.name for signal in signals] == ["refused", "unsure", "unlike", "above"]
    assert all(signal.usual is not None and signal.usual.n > 30 for signal in signals)
    assert {signal.verdict for signal in signals} == {"too few"}


def test_command_tells_few_photos_from_many(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(photo_bytes(fake_photo()))
    (tmp_path / "broken.jpg").write_bytes(b"no photo")

    done = CliRunner().invoke(cli.app, ["drift", str(tmp_path), "--out", str(tmp_path / "drift.json")])
    none = CliRunner().invoke(cli.app, ["drift", str(tmp_path / "nowhere")])

    assert done.exit_code == 0, done.output
    assert "4 photos, beside those that dermascan was measured on (dermoscopic)" in done.output
    assert "Expected 30 photos or more to say what is usual. Give more." in done.output
    written = json.loads((tmp_path / "drift.json").read_text())
    assert {signal["verdict"] for signal in written["signals"]} == {"too few"}
    assert written["signals"][0]["n_true"] >= 1  # the broken one is refused
    assert none.exit_code == 1


def test_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"Expected to read .*gone\.jpg': No such file"):
        screen_for_drift([tmp_path / "gone.jpg"], FakePredictor(), image_type=ImageType.DERMOSCOPIC)


def test_photos_of_other_clinics_are_told_from_the_archive_s_own(data_dir):
    """The archive's own test photos are as usual; those of other clinics are not."""
    predictor = load_predictor("dermascan")
    own = [p.image_id for p in read_labels(data_dir / "ham10000" / "metadata.csv", problems=[]) if p.split == "test"]
    chosen = {
        "ham10000": [data_dir / "ham10000" / "images" / f"{image_id}.jpg" for image_id in own[:150]],
        "isic2020_patients": sorted((data_dir / "isic2020_patients" / "images").iterdir())[:150],
    }

    found = {
        name: {
            signal.name: signal.verdict
            for signal in find_drift(
                screen_for_drift(paths, predictor, image_type=ImageType.DERMOSCOPIC),
                predictor.manifest,
                image_type=ImageType.DERMOSCOPIC,
            )
        }
        for name, paths in chosen.items()
    }

    assert set(found["ham10000"].values()) == {"as usual"}
    assert found["isic2020_patients"]["unlike"] == "more"


def test_decay_is_told_beside_the_test_of_the_model():
    calls = [Call(str(n), is_malignant=True, is_called=n < 12) for n in range(20)]

    found = find_decay(measure_calls(calls), "dermascan")

    assert found["sensitivity"][0] == "worse"
    assert found["sensitivity"][1] == load_evaluation("dermascan")["summary"]["sensitivity_at_threshold"]["value"]
    assert found["specificity"][0] == "too few"
    assert find_decay(measure_calls(calls), "no-such-model") == {}
