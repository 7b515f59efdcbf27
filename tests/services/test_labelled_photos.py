import io

import numpy as np
import pytest
from PIL import Image

from dermascan_core.domain import ImageType
from dermascan_core.errors import DatasetError, TableError, WeightsError
from dermascan_core.evaluation.results import predictions_csv
from dermascan_core.services.labelled_photos import draw_sheet, find_in_folders, heat_photos, small_photos
from tests.evaluation.results_by_hand import result
from tests.fakes import CODES, FakePredictor, fake_photo, photo_bytes


def test_photos_are_found_in_a_data_set_below_the_folder_and_made_small(tmp_path):
    images = tmp_path / "archive" / "images"
    images.mkdir(parents=True)
    (images / "a.jpg").write_bytes(photo_bytes(fake_photo()))

    assert set(find_in_folders(tmp_path, ["a", "b"])) == {"a"}
    assert small_photos(tmp_path, ["a", "b"], side_px=100)["a"].shape == (75, 100, 3)


def test_heat_of_the_class_asked_lies_over_the_square_that_the_network_saw(tmp_path):
    photo = np.full((150, 200, 3), 90, np.uint8)
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(photo_bytes(photo, "PNG"))
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    told = []

    maps = heat_photos(
        tmp_path, {"a": "mel", "b": "nv", "broken": "nv", "gone": "nv"}, FakePredictor(),
        image_type=ImageType.DERMOSCOPIC, on_progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip

    assert set(maps) == {"a", "b"}
    side = FakePredictor().manifest.preprocess.input_px
    assert maps["a"].shape == (side, side, 3)
    assert (maps["a"][side // 2, side // 2] != 90).any()  # the fake's map is warm in the middle alone
    assert (maps["a"][2, 2] == 90).all()
    assert told[-1][1] == 3


RED, BLUE = (250, 0, 0), (0, 0, 250)


@pytest.fixture
def measured(tmp_path):
    """A model's evaluation of a melanoma that it knows and a nevus that it calls a melanoma, and their photos."""
    evaluation = tmp_path / "tiny.evaluation" / "test"
    evaluation.mkdir(parents=True)
    rows = [result("right", "mel", {"mel": 0.9}), result("wrong", "nv", {"mel": 0.8})]
    (evaluation / "predictions.csv").write_text(predictions_csv(rows, CODES), encoding="utf-8")
    (evaluation / "metrics.json").write_text("{}", encoding="utf-8")
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, colour in (("right", RED), ("wrong", BLUE)):
        (photos / f"{name}.png").write_bytes(photo_bytes(np.full((150, 200, 3), colour, np.uint8), "PNG"))
    return {"weights_dir": tmp_path, "photos": photos}


def _colours(sheet):
    """Which of the photos' plain colours cover a place of the sheet."""
    pixels = np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB"))
    return {colour for colour in (RED, BLUE) if (pixels == colour).all(axis=-1).sum() > 5000}


@pytest.mark.parametrize(("kind", "shown"), [("sample", {RED, BLUE}), ("mistakes", {BLUE})])
def test_sheet_shows_a_sample_of_every_class_or_the_mistakes_alone(measured, kind, shown):
    assert _colours(draw_sheet("tiny", "test", kind=kind, **measured)) == shown


def test_sheet_of_an_evaluation_that_did_not_ship_says_what_makes_it(measured):
    with pytest.raises(WeightsError) as error:
        draw_sheet("tiny", "clinic", **measured)

    assert str(error.value) == (
        "Expected predictions.csv of the evaluation 'clinic' of 'tiny'. There is none. "
        "Make it with: python -m dermascan_core evaluate --help"
    )


def test_sheet_of_mistakes_where_there_are_none_says_so(measured):
    path = measured["weights_dir"] / "tiny.evaluation" / "test" / "predictions.csv"
    path.write_text(predictions_csv([result("right", "mel", {"mel": 0.9})], CODES), encoding="utf-8")

    with pytest.raises(DatasetError, match="Expected photos to draw"):
        draw_sheet("tiny", "test", kind="mistakes", **measured)


def test_folder_without_the_photos_is_refused(tmp_path):
    with pytest.raises(TableError, match="Expected the evaluation's photos in"):
        find_in_folders(tmp_path, ["a"])
