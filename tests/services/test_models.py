import pytest

from dermascan_core.errors import EngineError, WeightsError
from dermascan_core.model.manifest import file_sha256, save_manifest
from dermascan_core.services.models import list_models, load_model_manifest, load_predictor
from tests.fakes import fake_manifest


@pytest.fixture
def folder(tmp_path):
    for name in ("b", "a"):
        save_manifest(fake_manifest(name=name), tmp_path / f"{name}.json")
    return tmp_path


def test_models_are_listed_by_name(folder):
    assert [m.name for m in list_models(folder)] == ["a", "b"]


def test_empty_folder_lists_nothing(tmp_path):
    assert list_models(tmp_path) == []


@pytest.mark.parametrize("name", ["c", "../a", "/etc/passwd"])
def test_unknown_model_names_those_that_ship(folder, name):
    with pytest.raises(WeightsError) as error:
        load_model_manifest(name, folder)

    assert str(error.value) == (
        f"Expected one of the models in '{folder.name}/': a, b. Received '{name}'. "
        "Restore the folder from the release, or train and release a model."
    )


def test_unknown_engine_names_those_that_exist(tmp_path):
    (tmp_path / "a.keras").write_bytes(b"weights")
    save_manifest(fake_manifest(name="a", sha256=file_sha256(tmp_path / "a.keras")), tmp_path / "a.json")

    with pytest.raises(EngineError) as error:
        load_predictor("a", "abacus", weights_dir=tmp_path)

    assert str(error.value) == (
        "Expected one of the engines of 'a': keras. Received 'abacus'. "
        "Make one with: python -m dermascan_core export --help"
    )


def test_missing_weights_file_is_said(folder):
    with pytest.raises(WeightsError, match=r"Expected the weights 'a\.keras' beside their manifest"):
        load_predictor("a", weights_dir=folder)
