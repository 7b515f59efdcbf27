import dataclasses
import json
import zipfile

import pytest

from dermascan_core.errors import WeightsError
from dermascan_core.imaging.preprocess import PreprocessConfig
from dermascan_core.model.checkpoint import check_weights_file, load_weights, save_weights
from dermascan_core.model.dual_branch import serving_model
from dermascan_core.model.manifest import file_sha256
from tests.fakes import CODES


@pytest.fixture(scope="module")
def saved(tiny_network, tiny_manifest, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.keras"
    save_weights(serving_model(tiny_network), path, tiny_manifest)
    return dataclasses.replace(tiny_manifest, sha256=file_sha256(path)), path


def test_weights_load_with_the_three_serving_outputs(saved):
    manifest, path = saved

    model = load_weights(manifest, path)

    assert [o.shape for o in model.outputs] == [(None, 8), (None, 1280), (None, 2, 2, 1280)]


def test_one_altered_byte_stops_loading_and_names_both_hashes(saved, tmp_path):
    manifest, path = saved
    altered = tmp_path / "tiny.keras"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    altered.write_bytes(data)

    with pytest.raises(WeightsError) as error:
        check_weights_file(manifest, altered)
    assert str(error.value) == (
        f"The weights 'tiny.keras' differ from their manifest: expected sha256 {manifest.sha256}, "
        f"found {file_sha256(altered)}. Restore both from the same release."
    )


def test_missing_weights_are_said(saved, tmp_path):
    with pytest.raises(WeightsError) as error:
        load_weights(saved[0], tmp_path / "tiny.keras")
    assert (
        str(error.value) == "Expected the weights 'tiny.keras' beside their manifest. They are missing. Restore them."
    )


def test_network_of_another_shape_than_both_say_names_the_values_that_differ(saved, tiny_network, tmp_path):
    path = tmp_path / "tiny.keras"
    other = dataclasses.replace(
        saved[0], preprocess=PreprocessConfig(96, 150), codes=CODES[:7], metadata_fields=("sex",)
    )
    save_weights(serving_model(tiny_network), path, other)
    other = dataclasses.replace(other, sha256=file_sha256(path))

    with pytest.raises(WeightsError) as error:
        load_weights(other, path)
    assert (
        "input_px: manifest 96, weights 64; metadata columns: manifest 3, weights 30; classes: manifest 7, weights 8"
        in str(error.value)
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"codes": ("nv", "mel", *CODES[2:])}, "(codes 1: manifest nv, weights mel)"),
        ({"preprocess": PreprocessConfig(64, 150, ("hair",))}, "(preprocess steps 1: manifest hair, weights nothing)"),
        ({"conformal": {"90": {}, "95": {}}}, "(conformal 90 akiec: manifest nothing, weights 0.1)"),
        ({"clinical": {"threshold": 0.5}}, "(clinical: manifest 1 value, weights nothing)"),
        ({"threshold": 0.9}, "threshold: manifest 0.9, weights 0.2"),
        ({"temperature": 3.0}, "temperature: manifest 3.0, weights 1.0"),
        ({"calm_threshold": 0.1}, "(calm_threshold: manifest 0.1, weights nothing)"),
    ],
)
def test_manifest_changed_alone_stops_loading_and_names_the_values(saved, change, named):
    manifest, path = saved

    for load in (load_weights, check_weights_file):  # exported engines ask the second alone
        with pytest.raises(WeightsError) as error:
            load(dataclasses.replace(manifest, **change), path)
        assert named in str(error.value)


def test_release_from_before_the_calm_line_was_sealed_still_loads(saved, tmp_path):
    old = tmp_path / "tiny.keras"
    with zipfile.ZipFile(saved[1]) as now, zipfile.ZipFile(old, "w") as before:
        for name in now.namelist():
            data = now.read(name)
            if name == "dermascan.json":
                data = json.dumps({k: v for k, v in json.loads(data).items() if k != "calm_threshold"}).encode()
            before.writestr(name, data)
    manifest = dataclasses.replace(saved[0], calm_threshold=0.1, sha256=file_sha256(old))

    check_weights_file(manifest, old)
    with pytest.raises(WeightsError, match=r"threshold: manifest 0\.9"):
        check_weights_file(dataclasses.replace(manifest, threshold=0.9), old)


def test_file_that_is_no_keras_archive_is_said(saved, tmp_path):
    junk = tmp_path / "tiny.keras"
    junk.write_bytes(b"junk")
    manifest = dataclasses.replace(saved[0], sha256=file_sha256(junk))

    with pytest.raises(WeightsError, match=r"The weights 'tiny\.keras' cannot be loaded"):
        load_weights(manifest, junk)
