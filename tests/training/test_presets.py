import pytest

from dermascan_core.model.backbones import BACKBONES
from dermascan_core.training.presets import PRESETS, override


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_names_a_known_backbone(name):
    assert PRESETS[name].backbone in BACKBONES


def test_settings_keep_their_types():
    preset = override(PRESETS["mobilenet_v2"], ["epochs=3", "learning_rate=1e-4", "pretrained=none"])

    assert (preset.epochs, preset.learning_rate, preset.pretrained) == (3, 1e-4, "none")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs", "Expected key=value with one of the keys"),
        ("speed=9", "Received 'speed=9'"),
        ("epochs=many", "Expected epochs as int. Received 'many'."),
        ("batch_size=0", "Expected batch_size of at least 1. Received '0'."),
        ("epochs=-1", "Expected epochs of at least 1. Received '-1'."),
        ("backbone=eyes", "Expected backbone as one of mobilenet_v2, nasnet_mobile, "),
    ],
)
def test_wrong_setting_says_what_was_expected(setting, message):
    with pytest.raises(ValueError) as error:
        override(PRESETS["smoke"], [setting])

    assert message in str(error.value)
