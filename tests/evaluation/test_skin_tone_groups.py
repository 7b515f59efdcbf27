"""Test photos are grouped by how light their skin looks, whatever the labels say of the person."""

from pathlib import Path

import numpy as np

from dermascan_core.evaluation.evaluate import evaluate_photos
from dermascan_core.tables import LabelledPhoto
from tests.fakes import FakePredictor, photo_bytes
from tests.imaging.pictures import SKIN_TONES, skin_photo


def test_evaluation_counts_photos_by_band(tmp_path: Path) -> None:
    photos, files = [], {}
    for name, tone in (("fair_1", "I"), ("fair_2", "I"), ("dark_1", "VI")):
        files[name] = tmp_path / f"{name}.png"
        files[name].write_bytes(photo_bytes(skin_photo(SKIN_TONES[tone], seed=len(files)), "PNG"))
        photos.append(LabelledPhoto(name, "mel" if name == "dark_1" else "nv", name == "dark_1"))

    done = evaluate_photos(FakePredictor(), photos, files, out=tmp_path / "out")

    assert [result.ita_band for result in done.results] == ["very light", "very light", "dark"]
    rows = {r["name"]: r for r in done.metrics["groups"]["rows"] if r["kind"] == "ita_band"}
    assert {name: (r["n"], r["n_malignant"], r["too_few"]) for name, r in rows.items()} == {
        "very light": (2, 0, True),
        "dark": (1, 1, True),
    }


def test_photo_in_which_nothing_can_be_read_is_counted_as_such(tmp_path: Path) -> None:
    (tmp_path / "blue.png").write_bytes(photo_bytes(np.full((200, 200, 3), (60, 120, 220), np.uint8), "PNG"))
    photos = [LabelledPhoto("blue", "nv", False)]

    done = evaluate_photos(FakePredictor(), photos, {"blue": tmp_path / "blue.png"}, out=tmp_path / "out")

    rows = [(r["name"], r["n"]) for r in done.metrics["groups"]["rows"] if r["kind"] == "ita_band"]
    assert rows == [("no estimate", 1)]
