"""Every variant of a small network measured, on the fold that validated it and no other photo."""

import json
from dataclasses import replace

import pytest

from dermascan_core.errors import DatasetError
from dermascan_core.model.manifest import save_manifest
from dermascan_core.services import compression
from dermascan_core.services.compression import compress_model
from dermascan_core.services.models import load_model_manifest
from dermascan_core.tables import find_photos, read_labels
from tests.fakes import fake_photo, photo_bytes
from tests.small_network import release_small_network


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    rows = ["image_id,dx,lesion_id,split,fold"]
    for number, (dx, shade, split, fold) in enumerate(
        [
            ("mel", 30, "train", "0"),
            ("nv", 110, "train", "0"),
            ("mel", 40, "train", "0"),
            ("nv", 120, "train", "1"),
            ("bcc", 90, "train", "1"),
            ("nv", 100, "test", ""),
        ]
    ):
        if split != "test":  # a test photo that anybody opens is missed
            (folder / "images" / f"p{number}.jpg").write_bytes(photo_bytes(fake_photo(lesion=(shade, 40, 35))))
        rows.append(f"p{number},{dx},L{number},{split},{fold}")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    read = read_labels(folder / "metadata.csv")
    return folder, read, find_photos(folder / "images", [row.image_id for row in read])


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    release_small_network(folder, data={"validation_fold": 0})
    return folder


def test_every_variant_is_measured_and_nothing_is_left_beside_the_weights(data_set, released):
    before = sorted(path.name for path in released.iterdir())
    _, rows, files = data_set

    measured = compress_model("small", rows, files, weights_dir=released)

    assert (measured["data"]["n_photos"], measured["data"]["n_malignant"], measured["data"]["n_in_fold"]) == (3, 2, 3)
    by_name = {row["name"]: row for row in measured["rows"]}
    assert list(by_name)[:6] == ["float32", "float16", "int8, nearest", "int8, nearest, 4x", "int8", "integer"]
    assert [name for name in by_name if name.startswith("pruned")] == [
        *("pruned 30%, every", "pruned 30%", "pruned 50%", "pruned 70%")
    ]
    assert by_name["float32"]["agreement"]["max_probability_difference"] == 0
    assert 0 < by_name["float16"]["agreement"]["max_probability_difference"] < 0.01
    assert by_name["float16"]["size_bytes"] < by_name["float32"]["size_bytes"]
    assert by_name["pruned 70%"]["zipped_bytes"] < by_name["float32"]["zipped_bytes"]
    assert all(row["ms_a_photo"] > 0 for row in measured["rows"])
    assert set(by_name["integer"]["operators"]) >= {"CONV_2D", "FULLY_CONNECTED"}
    json.dumps(measured, allow_nan=False)
    assert sorted(path.name for path in released.iterdir()) == before


def test_model_that_no_fold_validated_is_refused(data_set, released, tmp_path):
    manifest = replace(load_model_manifest("small", released), data={})
    (tmp_path / "small.keras").write_bytes((released / "small.keras").read_bytes())
    save_manifest(manifest, tmp_path / "small.json")
    _, rows, files = data_set

    with pytest.raises(DatasetError, match=r"^Expected a model that one fold validated\. 'small' names none"):
        compress_model("small", rows, files, weights_dir=tmp_path)


def test_data_set_without_that_fold_is_refused(data_set, released):
    _, rows, files = data_set

    with pytest.raises(DatasetError, match=r"^Expected photos of the split 'train' and fold '0' in the labels table\."):
        compress_model("small", [row for row in rows if row.fold != "0"], files, weights_dir=released)


def test_photos_that_cannot_be_read_are_said(data_set, released):
    _, rows, _ = data_set

    with pytest.raises(DatasetError, match=r"^Expected photos for 3 rows of the labels table\. None can be read\."):
        compress_model("small", rows, {}, weights_dir=released)


def test_small_kernels_stay():
    import numpy as np

    large = compression._of_large(np.zeros_like)

    assert large(np.ones((8, 9))).all()
    assert not large(np.ones((8, 32))).any()


def test_command_writes_figures_and_page(data_set, released, tmp_path):
    from typer.testing import CliRunner

    from dermascan_core.cli import app

    folder, _, _ = data_set
    page = tmp_path / "docs" / "compression.md"
    given = ["compress", "small", "--data", str(folder), "--out", str(tmp_path / "out"), "--page", str(page)]

    done = CliRunner().invoke(app, [*given, "--weights-dir", str(released)])

    assert done.exit_code == 0, done.output
    assert done.output.startswith("3 photos of fold 0, which validated the model, 2 malignant.\n")
    figures = json.loads((tmp_path / "out" / "compression.json").read_text())
    assert len(figures["rows"]) == 14
    assert page.read_text().startswith("# Smaller networks: what each loses\n")
