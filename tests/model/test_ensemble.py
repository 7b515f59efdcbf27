import keras
import numpy as np
import pytest

from dermascan_core.domain import Metadata
from dermascan_core.imaging.preprocess import PreprocessConfig
from dermascan_core.model.checkpoint import load_weights, round_kernels, save_weights
from dermascan_core.model.dual_branch import build_dual_branch
from dermascan_core.model.ensemble import join_members, members_of
from dermascan_core.model.keras_engine import KerasEngine
from dermascan_core.model.manifest import file_sha256
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.model.predictor import EnginePredictor, make_prediction
from tests.fakes import CODES, fake_manifest


@pytest.fixture(scope="module")
def members(tiny_network):
    keras.utils.set_random_seed(3)
    other = build_dual_branch(
        "mobilenet", input_px=96, metadata_width=MetadataEncoder().width, n_classes=len(CODES), pretrained=None
    )
    return [tiny_network, other]


def test_members_see_the_common_square_at_their_own_size(members):
    square = np.random.default_rng(0).uniform(0, 255, (2, 150, 150, 3)).astype("float32")
    metadata = np.zeros((2, MetadataEncoder().width), "float32")

    outputs = join_members(members, input_px=150).predict_on_batch([square, metadata])

    for index, (member, side) in enumerate(zip(members, (64, 96), strict=True)):
        resized = keras.layers.Resizing(side, side)(square)
        expected = member.predict_on_batch([np.asarray(resized), metadata])
        np.testing.assert_allclose(outputs[3 * index], expected, atol=1e-4)


def test_a_single_network_of_that_size_stays_as_it_is(tiny_network):
    joined = join_members([tiny_network], input_px=64)

    assert len(joined.outputs) == 3
    assert members_of(joined) == [joined]


def test_ensemble_answers_with_the_mean_of_its_members_probabilities(members):
    manifest = fake_manifest(preprocess=PreprocessConfig(150, 150), temperature=1.3)
    engine = KerasEngine(join_members(members, input_px=150))
    square = np.random.default_rng(1).integers(0, 256, (1, 150, 150, 3)).astype(np.uint8)

    output = EnginePredictor(manifest, engine).predict(square, [Metadata(age_approx=60)], explain=True)[0]

    from dermascan_core.model.views import make_views

    encoded = np.repeat(MetadataEncoder().encode([Metadata(age_approx=60)]), 8, axis=0)
    looks = engine.run(make_views(square[0]).astype(np.float32), encoded)
    each = [make_prediction(logits, manifest).probabilities for logits, _, _ in looks]
    np.testing.assert_allclose(output.prediction.probabilities, np.mean(each, axis=0), atol=1e-6)
    assert output.embedding.shape == (1280 + 1024,)
    assert {heat_map.shape for heat_map in output.heat_maps.values()} == {(3, 3)}


def test_rounded_kernels_are_stored_in_half_the_space_and_come_back_exactly(members, tmp_path):
    manifest = fake_manifest(name="two", preprocess=PreprocessConfig(150, 150))
    exact = tmp_path / "exact.keras"
    joined = join_members(members, input_px=150)
    save_weights(joined, exact, manifest)

    round_kernels(joined)
    path = tmp_path / "two.keras"
    save_weights(joined, path, manifest)
    from dataclasses import replace

    loaded = load_weights(replace(manifest, sha256=file_sha256(path)), path)

    assert path.stat().st_size < 0.65 * exact.stat().st_size
    for before, after in zip(joined.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert {weight.dtype for weight in loaded.weights} == {"float32"}
    assert list(tmp_path.glob("*whole*")) == []
