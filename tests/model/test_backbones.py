import keras
import numpy as np
import pytest

from dermascan_core.errors import WeightsError
from dermascan_core.model.backbones import BACKBONES, BATCH_NORM_MOMENTUM, build_backbone, scale_input


@pytest.mark.parametrize("name", BACKBONES)
def test_every_name_is_a_network_of_keras_applications(name):
    class_name = BACKBONES[name].class_name
    assert callable(getattr(keras.applications, class_name)) if class_name else name == "compact_transformer"


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("mobilenet_v2", keras.applications.mobilenet_v2),
        ("nasnet_mobile", keras.applications.nasnet),
        ("densenet121", keras.applications.densenet),
        ("resnet50", keras.applications.resnet),
        ("efficientnet_b0", keras.applications.efficientnet),
    ],
)
def test_scaling_equals_the_networks_own_preprocessing(name, module):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.float32)
    image = keras.Input((8, 8, 3))
    scaled = keras.Model(image, keras.layers.Identity()(scale_input(name, image)))

    np.testing.assert_allclose(np.asarray(scaled(pixels)), module.preprocess_input(pixels.copy()), atol=1e-4)


def test_batch_norm_follows_the_weights_within_a_few_hundred_steps():
    network = build_backbone("mobilenet_v2", input_px=32, weights=None)

    momenta = {layer.momentum for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)}

    assert momenta == {BATCH_NORM_MOMENTUM}


def test_unknown_backbone_names_those_that_exist():
    with pytest.raises(ValueError) as error:
        build_backbone("mobilenet_v9", input_px=32, weights=None)

    assert str(error.value) == (
        f"Invalid value received for argument `name`. Expected {list(BACKBONES)}. Received: 'mobilenet_v9'"
    )


def test_missing_starting_weights_say_what_to_do(tmp_path):
    with pytest.raises(WeightsError, match=r"Give a local file \(--set pretrained=FILE"):
        build_backbone("mobilenet_v2", input_px=32, weights=tmp_path / "none.weights.h5")


@pytest.mark.slow
def test_nasnet_mobile_builds_with_the_layers_that_heat_maps_need():
    from dermascan_core.model.dual_branch import build_dual_branch

    network = build_dual_branch("nasnet_mobile", input_px=96, metadata_width=3, n_classes=8)

    assert network.get_layer("feature_map").output.shape == (None, 3, 3, 1056)


@pytest.mark.parametrize("failed", [True, False])
def test_download_that_failed_is_told_and_any_other_failure_is_not_hidden(monkeypatch, failed):
    """Keras raises a bare Exception where there is no internet."""
    what = (
        "URL fetch failure on https://example.org/net.h5: None -- Name or service not known" if failed else "a defect"
    )

    def refuse(**options):
        raise Exception(what)  # as keras.utils.get_file does

    monkeypatch.setattr(keras.applications, "MobileNetV2", refuse)

    with pytest.raises(WeightsError if failed else Exception, match=what[:17]) as raised:
        build_backbone("mobilenet_v2", input_px=64, weights="imagenet")

    assert isinstance(raised.value, WeightsError) is failed
