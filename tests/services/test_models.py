from dataclasses import replace

import pytest

from dermascan_core.errors import EngineError, WeightsError
from dermascan_core.model.manifest import save_manifest
from dermascan_core.services.models import WEIGHTS_DIR, list_models, load_model_manifest, load_predictor
from tests.fakes import fake_manifest, write_fake_weights


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
    write_fake_weights(tmp_path, name="a")

    with pytest.raises(EngineError) as error:
        load_predictor("a", "abacus", weights_dir=tmp_path)

    assert str(error.value) == (
        "Expected one of the engines of 'a': keras. Received 'abacus'. "
        "Make one with: python -m dermascan_core export --help"
    )


@pytest.mark.parametrize("engine", ["auto", "litert", "keras"])
def test_threshold_changed_in_the_manifest_alone_stops_every_engine(tmp_path, engine):
    """The exported network knows no threshold, so a manifest that raises it would calm people unseen."""
    for path in WEIGHTS_DIR.glob("dermascan.*"):
        if path.is_file():
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "dermascan.json").unlink()
    manifest = load_model_manifest("dermascan")
    save_manifest(replace(manifest, threshold=0.9), tmp_path / "dermascan.json")

    with pytest.raises(WeightsError, match=r"disagree with their manifest \(threshold: manifest 0\.9, weights 0\.0469"):
        load_predictor("dermascan", engine, weights_dir=tmp_path)


def test_missing_weights_file_is_said(folder):
    with pytest.raises(WeightsError, match=r"Expected the weights 'a\.keras' beside their manifest"):
        load_predictor("a", weights_dir=folder)
