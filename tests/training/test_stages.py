import keras
import pytest

from dermascan_core.training.presets import PRESETS, override
from dermascan_core.training.stages import open_layers, plan_stages
from tests.training.conftest import build_tiny_backbone


def _network():
    backbone = build_tiny_backbone("tiny", input_px=32)
    backbone.name = "backbone"
    image = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(image))
    return keras.Model(image, keras.layers.Dense(2, name="logits")(pooled))


def _open(network):
    return {w.path.split("/")[-2] for w in network.trainable_weights}


@pytest.mark.parametrize(
    ("share", "train_batch_norm", "expected"),
    [
        (0, True, {"logits"}),
        (0.2, True, {"logits", "tiny_depthwise"}),
        (0.8, True, {"logits", "tiny_depthwise", "tiny_norm", "tiny_conv"}),
        (1.0, False, {"logits", "tiny_depthwise", "tiny_conv"}),
    ],
)
def test_layers_open_from_the_top(share, train_batch_norm, expected):
    network = _network()

    open_layers(network, share, train_batch_norm=train_batch_norm)

    assert _open(network) == expected


def test_layers_can_open_one_after_the_other():
    network = _network()

    widths = []
    for share in (0, 0.2, 0.6, 1.0):
        open_layers(network, share, train_batch_norm=True)
        widths.append(len(network.trainable_weights))

    assert widths == [2, 4, 6, 8]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (("warmup_epochs=1", "epochs=3"), [(0, 1, 0, False), (1, 4, 1.0, False)]),
        (("warmup_epochs=0", "epochs=3"), [(0, 3, 1.0, False)]),
        (
            ("warmup_epochs=2", "epochs=4", "unfreeze_stages=2"),
            [(0, 2, 0, False), (2, 3, 0.5, False), (3, 6, 1.0, True)],
        ),
        (("warmup_epochs=0", "epochs=1", "unfreeze_stages=4"), [(0, 1, 1.0, False)]),
        (("warmup_epochs=1", "epochs=3", "open_share=0.6"), [(0, 1, 0, False), (1, 4, 0.6, False)]),
        (
            ("warmup_epochs=0", "epochs=3", "unfreeze_stages=2", "open_share=0.5"),
            [(0, 1, 0.25, False), (1, 3, 0.5, True)],
        ),
    ],
)
def test_stages_cover_every_epoch_once(settings, expected):
    stages = plan_stages(override(PRESETS["smoke"], list(settings)))

    assert [(s.first_epoch, s.last_epoch, s.open_share, s.goes_on) for s in stages] == expected
