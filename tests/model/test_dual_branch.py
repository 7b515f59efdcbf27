"""The ways in which answers meet the image, and their closed form against slow derivatives."""

import keras
import numpy as np
import pytest

from dermascan_core.model.dual_branch import FUSIONS, build_dual_branch, classifier, head_model, serving_model
from dermascan_core.model.gradcam import grad_cam
from dermascan_core.model.head import Head

N_CLASSES, WIDTH = 4, 5
MODULATION = ("gate", "film_scale", "film_shift")


@pytest.fixture(scope="module", params=FUSIONS)
def network(request):
    """An untrained network whose every head weight is random, so that each path counts."""
    keras.utils.set_random_seed(5)
    model = build_dual_branch(
        "mobilenet", input_px=64, metadata_width=WIDTH, n_classes=N_CLASSES, fusion=request.param, mask_head=True
    )
    rng = np.random.default_rng(2)
    for layer in model.layers:
        if layer.name in ("metadata_branch", "fusion", "logits", *MODULATION):
            layer.set_weights([rng.normal(0, 0.3, w.shape).astype(np.float32) for w in layer.get_weights()])
    return model


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(3)
    return rng.uniform(0, 1, (3, 1024)), rng.normal(size=(3, WIDTH))


def test_head_repeats_the_logits_of_every_fusion(network):
    rng = np.random.default_rng(1)
    images = rng.uniform(0, 255, (3, 64, 64, 3)).astype(np.float32)
    metadata = rng.normal(size=(3, WIDTH)).astype(np.float32)

    logits, embedding, _ = (np.asarray(o) for o in serving_model(network).predict_on_batch([images, metadata]))

    np.testing.assert_allclose(
        Head.of(serving_model(network)).logits(embedding, metadata), logits, rtol=1e-4, atol=1e-4
    )


def test_gradient_of_every_fusion_equals_finite_differences(network, features):
    head, (embedding, metadata) = Head.of(network), features

    gradient = head.embedding_gradient(embedding, metadata, 2)

    rng, step = np.random.default_rng(7), 1e-6
    for _ in range(5):  # along random directions: 1,024 single channels would say no more
        direction = rng.normal(size=embedding.shape)
        up, down = (head.logits(embedding + s * direction, metadata)[:, 2] for s in (step, -step))
        np.testing.assert_allclose((gradient * direction).sum(axis=1), (up - down) / (2 * step), rtol=1e-4, atol=1e-5)


def test_heat_map_of_every_fusion_equals_gradcam_by_gradient_tape(network):
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(4)
    feature_map = rng.uniform(0, 1, (2, 2, 2, 1024)).astype(np.float32)
    metadata = rng.normal(size=(2, WIDTH)).astype(np.float32)
    tail = head_model(network)

    with tf.GradientTape() as tape:
        maps = tf.convert_to_tensor(feature_map)
        tape.watch(maps)
        embedding = tf.reduce_mean(maps, axis=(1, 2))
        logit = tail([embedding, tf.convert_to_tensor(metadata)], training=False)[:, 1]
    weights = tape.gradient(logit, maps).numpy().sum(axis=(1, 2))  # of the mean: the sum over the map's cells
    expected = np.maximum((feature_map * weights[:, None, None, :]).sum(-1), 0)
    found = grad_cam(feature_map, embedding.numpy(), metadata, Head.of(network), 1)

    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_metadata_count_in_every_fusion_but_none(network, features):
    head, (embedding, metadata) = Head.of(network), features

    is_same = np.allclose(head.logits(embedding, metadata), head.logits(embedding, metadata * 0))

    assert is_same is (head.metadata_branch is None)


@pytest.mark.parametrize("fusion", ["gate", "film"])
def test_modulation_starts_out_changing_nothing(fusion, features):
    head = Head.of(build_dual_branch("mobilenet", input_px=64, metadata_width=WIDTH, n_classes=2, fusion=fusion))
    embedding, metadata = features

    np.testing.assert_allclose(head.logits(embedding, metadata), head.logits(embedding, metadata * 0), rtol=1e-6)


def test_mask_head_answers_on_the_feature_grid_and_is_not_served(network):
    logits, mask = network.outputs

    assert (logits.shape[1:], mask.shape[1:]) == ((N_CLASSES,), (2, 2, 1))
    assert "mask" not in {layer.name for layer in serving_model(network).layers}
    assert "mask" not in {layer.name for layer in classifier(network).layers}
    assert classifier(network).output.shape == (None, N_CLASSES)


def test_every_fusion_is_saved_and_loaded(network, tmp_path):
    rng = np.random.default_rng(1)
    batch = [rng.uniform(0, 255, (1, 64, 64, 3)).astype(np.float32), np.ones((1, WIDTH), np.float32)]
    served = serving_model(network)

    served.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras")

    np.testing.assert_allclose(again.predict_on_batch(batch)[0], served.predict_on_batch(batch)[0], rtol=1e-5)
    assert (Head.of(again).metadata_branch is None) is (Head.of(network).metadata_branch is None)


def test_unknown_fusion_is_refused():
    with pytest.raises(ValueError) as error:
        build_dual_branch("mobilenet", input_px=64, metadata_width=WIDTH, n_classes=2, fusion="mean")

    assert str(error.value) == (
        "Invalid value received for argument `fusion`. Expected one of concatenate, gate, film, none. Received: 'mean'"
    )
