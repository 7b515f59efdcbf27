"""Options of a recipe on a handful of real photos, with a tiny network: each trains an epoch and leaves what can be used."""

import csv

import numpy as np
import pytest

from dermascan_core.domain import Metadata
from dermascan_core.model.dual_branch import IMAGE_INPUT, METADATA_INPUT
from dermascan_core.training.finished_run import load_network, read_run
from dermascan_core.training.fit import train
from dermascan_core.training.presets import PRESETS, override
from dermascan_core.training.run_folder import read_epochs

pytestmark = [pytest.mark.slow, pytest.mark.real_data, pytest.mark.usefixtures("tiny_backbone")]
N_EACH = {"0": 4, "1": 8}  # photos of each class by fold; fold 0 validates
OPTIONS = (
    # Of classes, weights and steps.
    "smote=true", "class_floor=12 balance=0", "ema_decay=0.9", "schedule=one_cycle", "schedule=plateau",
    "curriculum_epochs=1", "accumulate_steps=2", "adaptive_clip=0.01 clip_norm=0", "optimizer=rmsprop", "optimizer=adam",
    # Of the network, and of what it sees.
    "fusion=film", "fusion=gate", "mask_weight=0.3", "pipeline=tf_data", "steps=hair", "steps=clahe", "steps=sharpen",
    "steps=colour",
    # Of how far photos are changed; alone, so that nothing else can fail for it.
    "augment=none flips=true", "augment=none quarter_turns=true", "augment=none rotation_degrees=30",
    "augment=none rotation_degrees=180", "augment=none zoom_range=0.8-1.2", "augment=none brightness=0.2 contrast=0.2",
    "augment=none saturation=0.3 hue_degrees=15", "augment=none noise_probability=1", "augment=none cutout_probability=1",
    "augment=none downsample_probability=1 downsample_range=0.3-0.6", "augment=none jpeg_probability=1 jpeg_quality=10-60",
)  # fmt: skip


@pytest.fixture(scope="module")
def real_dataset(data_dir, tmp_path_factory):
    """84 photos of HAM10000 with their masks, the same number of each class."""
    source, folder = data_dir / "ham10000", tmp_path_factory.mktemp("real") / "ham10000"
    with (source / "metadata.csv").open(newline="", encoding="utf-8") as file:
        known = [row for row in csv.DictReader(file) if row["split"] == "train"]
    parts = sorted({(row["dx"], fold) for row in known for fold in N_EACH})
    rows = [
        row
        for dx, fold in parts
        for row in [one for one in known if (one["dx"], one["fold"]) == (dx, fold)][: N_EACH[fold]]
    ]
    for kind, ending in (("images", "jpg"), ("masks", "png")):
        (folder / kind).mkdir(parents=True)
        for row in rows:
            (folder / kind / f"{row['image_id']}.{ending}").symlink_to(source / kind / f"{row['image_id']}.{ending}")
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.mark.parametrize("settings", OPTIONS)
def test_option_trains_on_real_photos_and_leaves_a_network_that_answers(real_dataset, tmp_path, settings):
    recipe = override(PRESETS["smoke"], ["input_px=48", "warmup_epochs=0", *settings.split()])

    out = train(recipe, data=real_dataset, out=tmp_path / "run", cache=real_dataset.parent / "squares").out

    row = read_epochs(out / "epochs.csv")[0]
    assert np.isfinite([row["loss"], row["val_loss"], row["val_score"]]).all()
    run = read_run(out)
    network, _ = load_network(run)
    photo = np.full((1, 48, 48, 3), 120, np.float32)
    logits = network.predict_on_batch({IMAGE_INPUT: photo, METADATA_INPUT: run.encoder.encode([Metadata()])})
    assert np.asarray(logits).shape == (1, len(run.codes))
    assert np.isfinite(logits).all()
