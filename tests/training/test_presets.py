import pytest

from dermascan_core.model.backbones import BACKBONES
from dermascan_core.training.presets import PRESETS, override, read_range


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_names_a_known_backbone(name):
    assert PRESETS[name].backbone in BACKBONES


def test_settings_keep_their_types():
    preset = override(PRESETS["mobilenet_v2"], ["epochs=3", "learning_rate=1e-4", "pretrained=none"])

    assert (preset.epochs, preset.learning_rate, preset.pretrained) == (3, 1e-4, "none")


def test_a_change_of_photos_is_set_by_itself_and_is_unset_in_every_recipe():
    preset = override(
        PRESETS["smoke"], ["rotation_degrees=180", "zoom_range=0.8-1.2", "flips=false", "noise_probability=0"]
    )

    assert (preset.rotation_degrees, preset.zoom_range, preset.flips, preset.noise_probability) == (
        180,
        "0.8-1.2",
        False,
        0,
    )
    assert read_range("jpeg_quality", "22-90") == (22, 90)
    for recipe in PRESETS.values():
        assert {getattr(recipe, name) for name in ("rotation_degrees", "zoom_range", "flips", "jpeg_quality")} == {None}


def test_the_whole_backbone_trains_unless_a_recipe_says_otherwise():
    assert PRESETS["mobilenet_v2"].open_share == 1
    assert override(PRESETS["mobilenet_v2"], ["open_share=1"]) == PRESETS["mobilenet_v2"]


def test_resnet50_is_trained_as_the_ledger_says():
    recipe = PRESETS["resnet50"]

    assert (recipe.backbone, recipe.optimizer, recipe.schedule) == ("resnet50", "adam", "constant")
    assert (recipe.learning_rate, recipe.batch_size, recipe.epochs) == (1e-3, 32, 50)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs", "Expected key=value with one of the keys"),
        ("speed=9", "Received 'speed=9'"),
        ("epochs=many", "Expected epochs as int. Received 'many'."),
        ("batch_size=0", "Expected batch_size of at least 1. Received '0'."),
        ("epochs=-1", "Expected epochs of at least 1. Received '-1'."),
        ("mixup=-1", "Expected mixup of at least 0. Received '-1'."),
        ("seed=-1", "Expected seed of at least 0. Received '-1'."),
        ("learning_rate=0", "Expected learning_rate above 0. Received '0'."),
        ("learning_rate=inf", "Expected learning_rate above 0. Received 'inf'."),
        ("clip_norm=nan", "Expected clip_norm of at least 0. Received 'nan'."),
        ("open_share=0", "Expected open_share above 0 and up to 1. Received '0'."),
        ("open_share=1.1", "Expected open_share above 0 and up to 1. Received '1.1'."),
        ("open_share=nan", "Expected open_share above 0 and up to 1. Received 'nan'."),
        ("label_smoothing=1", "Expected label_smoothing from 0 to below 1. Received '1'."),
        ("mix_probability=1.5", "Expected mix_probability from 0 to 1. Received '1.5'."),
        (
            "steps=hair,eyes",
            "Expected steps among hair, glare, colour, clahe, sharpen, with commas between. Received 'eyes'.",
        ),
        ("rotation_degrees=181", "Expected rotation_degrees from 0 to 180. Received '181'."),
        ("rotation_degrees=-1", "Expected rotation_degrees from 0 to 180. Received '-1'."),
        ("noise_probability=2", "Expected noise_probability from 0 to 1. Received '2'."),
        ("brightness=1", "Expected brightness from 0 to below 1. Received '1'."),
        ("flips=perhaps", "Expected flips as bool. Received 'perhaps'."),
        ("zoom_range=1.2", "Expected zoom_range as LOW-HIGH, within 0.2 to 5. Received '1.2'."),
        ("zoom_range=1.2-0.8", "Expected zoom_range as LOW-HIGH, within 0.2 to 5. Received '1.2-0.8'."),
        ("zoom_range=nan-1", "Expected zoom_range as LOW-HIGH, within 0.2 to 5. Received 'nan-1'."),
        ("downsample_range=0-1", "Expected downsample_range as LOW-HIGH, within 0.05 to 1. Received '0-1'."),
        ("jpeg_quality=40-40", "within 1 to 100, in whole numbers and LOW below HIGH. Received '40-40'."),
        ("jpeg_quality=40.5-90", "within 1 to 100, in whole numbers and LOW below HIGH. Received '40.5-90'."),
        ("backbone=eyes", "Expected backbone as one of mobilenet_v2, mobilenet_v2_attention, "),
    ],
)
def test_wrong_setting_says_what_was_expected(setting, message):
    with pytest.raises(ValueError) as error:
        override(PRESETS["smoke"], [setting])

    assert message in str(error.value)
