"""The path that the app runs: Keras' own model, loaded once in the background, asked through the page."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dermascan_core.imaging.preprocess import PreprocessConfig
from dermascan_core.model.checkpoint import save_weights
from dermascan_core.model.dual_branch import build_dual_branch, serving_model
from dermascan_core.model.manifest import file_sha256, load_manifest, save_manifest
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.services import models
from pages._ui import model
from tests.fakes import CODES, fake_manifest
from tests.pages.reading import seen

SIDE_PX = 64
SHIPPED = Path(__file__).resolve().parents[2] / "weights"


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with a small untrained network under the default name."""
    folder = tmp_path_factory.mktemp("weights")
    keras.utils.set_random_seed(1)
    fields = fake_manifest().metadata_fields
    network = build_dual_branch(
        "mobilenet_v2",
        input_px=SIDE_PX,
        metadata_width=MetadataEncoder(fields).width,
        n_classes=len(CODES),
        pretrained=None,
    )
    path = folder / f"{models.DEFAULT_MODEL}.keras"
    manifest = fake_manifest(name=models.DEFAULT_MODEL, preprocess=PreprocessConfig(SIDE_PX, 150))
    save_weights(serving_model(network), path, manifest)
    save_manifest(replace(manifest, sha256=file_sha256(path)), folder / f"{models.DEFAULT_MODEL}.json")
    return folder


@pytest.fixture(params=["untrained", "shipped"])
def fake_model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In place of the fake of the other page tests: a folder of real weights, and nothing cached."""
    folder = request.getfixturevalue("untrained") if request.param == "untrained" else SHIPPED
    if not (folder / f"{models.DEFAULT_MODEL}.keras").is_file():
        pytest.skip("SHIPPED MODEL NOT TESTED: 'weights/dermascan.keras' is not there. Restore it from the release.")
    monkeypatch.setattr(models, "WEIGHTS_DIR", folder)
    monkeypatch.setenv(model.ENGINE_VARIABLE, "keras")
    st.cache_resource.clear()
    yield folder
    st.cache_resource.clear()


def test_page_answers_with_keras_and_names_model_engine_and_weights(
    fake_model: Path, open_page: Callable[[str], AppTest]
) -> None:
    page = open_page("screening")
    page.default_timeout = 120

    page.button(key="example_even-mole").click().run()

    manifest = load_manifest(fake_model / f"{models.DEFAULT_MODEL}.json")
    assert not page.exception
    assert f"Model {models.DEFAULT_MODEL} {manifest.version}, engine keras, weights {manifest.sha256[:12]}" in seen(
        page
    ).replace("\\", "")
    assert len([bar for bar in page.get("progress") if bar.text[0].isdigit()]) == 7


def test_runs_of_a_page_leave_the_cached_model_as_it_was(
    fake_model: Path, open_page: Callable[[str], AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page("screening")
    page.default_timeout = 120
    page.button(key="example_even-mole").click().run()
    first = model.get_predictor()
    cleared: list[str] = []
    monkeypatch.setattr(keras.backend, "clear_session", lambda *args, **options: cleared.append("cleared"))

    page.button(key="change").click().run()
    page.button(key="check").click().run()

    assert cleared == []
    assert model.get_predictor() is first
