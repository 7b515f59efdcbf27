import pytest

from dermascan_core.errors import TableError
from dermascan_core.services.labelled_photos import find_in_folders, small_photos
from tests.fakes import fake_photo, photo_bytes


def test_photos_are_found_in_a_data_set_below_the_folder_and_made_small(tmp_path):
    images = tmp_path / "archive" / "images"
    images.mkdir(parents=True)
    (images / "a.jpg").write_bytes(photo_bytes(fake_photo()))

    assert set(find_in_folders(tmp_path, ["a", "b"])) == {"a"}
    assert small_photos(tmp_path, ["a", "b"], side_px=100)["a"].shape == (75, 100, 3)


def test_folder_without_the_photos_is_refused(tmp_path):
    with pytest.raises(TableError, match="Expected the evaluation's photos in"):
        find_in_folders(tmp_path, ["a"])
