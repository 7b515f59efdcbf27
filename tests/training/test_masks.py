"""Masks on the network's squares: found, cut as the photo is, brought to the grid, learnt, and not served."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

from dermascan_core.errors import DatasetError
from dermascan_core.imaging.crop import find_crop
from dermascan_core.imaging.decode import read_photo
from dermascan_core.imaging.preprocess import PreprocessConfig, preprocess
from dermascan_core.model.dual_branch import classifier
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.tables import LabelledPhoto
from dermascan_core.training.data import Dataset, load_dataset
from dermascan_core.training.losses import ClassLoss
from dermascan_core.training.masks import MaskLoss, feature_grid, load_masks, to_grid
from dermascan_core.training.presets import PRESETS
from dermascan_core.training.sampling import make_batches
from tests.fakes import fake_photo

CONFIG = PreprocessConfig(64, 150)


@pytest.fixture
def dataset(tmp_path):
    """Three photos of which two have a mask: where the photo is dark."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for number in range(3):
        photo = fake_photo(width=200, height=150, lesion=(70, 40, 35), radius_share=0.2 + 0.05 * number)
        Image.fromarray(photo).save(tmp_path / "images" / f"photo_{number}.png")
        is_lesion = photo.mean(axis=2) < 110
        if number < 2:
            mask = Image.fromarray(np.where(is_lesion, 255, 0).astype(np.uint8))
            mask.save(tmp_path / "masks" / f"photo_{number}{('', '_segmentation')[number]}.png")
    photos = tuple(LabelledPhoto(f"photo_{n}", "nv", False) for n in range(3))
    files = {p.image_id: tmp_path / "images" / f"{p.image_id}.png" for p in photos}
    return Dataset(photos, files, "")


def test_mask_is_cut_as_its_photo_is(dataset):
    masks = load_masks(dataset, dataset.photos, CONFIG, grid=2)

    for number in range(2):
        square = preprocess(read_photo(dataset.files[f"photo_{number}"]), CONFIG)
        is_dark = square.mean(axis=2) < 110
        assert np.mean((masks.squares[number] > 127) == is_dark) > 0.97
        assert masks.squares[number].any()
    assert masks.is_known.tolist() == [True, True, False]


def test_square_is_the_photos_own_and_not_the_masks(dataset):
    wrong = dataset.files["photo_0"].parent.parent / "masks" / "photo_0.png"
    Image.fromarray(np.pad(np.full((20, 20), 255, np.uint8), ((0, 130), (0, 180)))).save(wrong)

    masks = load_masks(dataset, dataset.photos, CONFIG, grid=2)

    box = find_crop(read_photo(dataset.files["photo_0"]))
    expected = max(20 - box.left_px, 0) * max(20 - box.top_px, 0) * (64 / box.side_px) ** 2
    assert (masks.squares[0] > 127).sum() == pytest.approx(expected, abs=40)


def test_folder_without_masks_is_refused(dataset):
    with pytest.raises(DatasetError) as error:
        load_masks(dataset, dataset.photos[2:], CONFIG, grid=2)

    assert str(error.value) == (
        "Expected the lesions' masks as masks/IMAGE_ID.png beside images/. None of the photos has one. "
        "Bring them with data import (docs/data.md), or train with mask_weight=0."
    )


def test_mask_of_another_shape_or_unreadable_is_named(dataset):
    path = dataset.files["photo_0"].parent.parent / "masks" / "photo_0.png"
    Image.fromarray(np.zeros((200, 200), np.uint8)).save(path)
    with pytest.raises(DatasetError, match=r"'photo_0.png' in its photo's shape, 200x150 px. Received 200x200 px"):
        load_masks(dataset, dataset.photos, CONFIG, grid=2)
    path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"The mask 'photo_0.png' cannot be read. Replace it, or take it out."):
        load_masks(dataset, dataset.photos, CONFIG, grid=2)


def test_grid_holds_the_share_of_each_cell_that_is_covered():
    mask = np.zeros((1, 10, 10), np.float32)
    mask[0, :4, :5] = 1

    assert to_grid(mask, 2)[0, ..., 0].tolist() == [[pytest.approx(0.8), 0], [0, 0]]
    assert (to_grid(np.full((1, 10, 10), -1, np.float32), 3) == -1).all()


def test_loss_equals_keras_binary_cross_entropy_and_leaves_unknown_out():
    rng = np.random.default_rng(0)
    shares, logits = (rng.random((3, 2, 2, 1)).astype(np.float32), rng.normal(0, 3, (3, 2, 2, 1)).astype(np.float32))
    shares[2] = -1

    found = np.asarray(MaskLoss(reduction="none")(shares, logits))

    theirs = keras.losses.BinaryCrossentropy(from_logits=True, reduction="none")
    expected = np.asarray(theirs(shares[:2], logits[:2])).mean(axis=(1, 2))
    np.testing.assert_allclose(found, [*expected, 0], rtol=1e-5)


def small_network():
    """One convolution in the place of a backbone, with the layer names of a dual branch."""
    keras.utils.set_random_seed(0)
    image, metadata = keras.Input((64, 64, 3), name="image"), keras.Input((3,), name="metadata")
    feature_map = keras.layers.Conv2D(8, 32, strides=32, activation="relu", name="feature_map")(
        keras.layers.Rescaling(1 / 255)(image)
    )
    pooled = keras.layers.GlobalAveragePooling2D(name="embedding")(feature_map)
    logits = keras.layers.Dense(2, name="logits")(keras.layers.Concatenate()([pooled, metadata]))
    return keras.Model([image, metadata], [logits, keras.layers.Conv2D(1, 1, name="mask")(feature_map)])


def test_network_learns_the_masks_and_is_served_without_them(dataset):
    model = small_network()
    masks = load_masks(dataset, dataset.photos, CONFIG, grid=feature_grid(model))
    squares = np.stack([preprocess(read_photo(dataset.files[p.image_id]), CONFIG) for p in dataset.photos])
    batches = make_batches(
        replace(PRESETS["smoke"], batch_size=3, augment="standard"),
        squares,
        np.eye(2, dtype=np.float32)[[0, 1, 0]],
        [p.metadata for p in dataset.photos],
        encoder=MetadataEncoder(("sex",)),
        masks=masks,
    )
    model.compile(optimizer="adam", loss=[ClassLoss(), MaskLoss()], loss_weights=[1.0, 0.5], jit_compile=False)

    inputs, (_, on_grid) = batches[0]

    before = float(MaskLoss()(on_grid, model.predict_on_batch(inputs)[1]))
    model.fit(batches, epochs=20, shuffle=False, verbose=0)

    assert float(MaskLoss()(on_grid, model.predict_on_batch(inputs)[1])) < before
    assert classifier(model).predict_on_batch(inputs).shape == (3, 2)


@pytest.mark.real_data
def test_archives_masks_lie_on_their_lesions(data_dir):
    dataset = load_dataset(data_dir / "ham10000")
    photos = dataset.part(split="train")[:20]

    masks = load_masks(dataset, photos, PreprocessConfig(), grid=5)

    darker = []
    for photo, mask in zip(photos, masks.squares, strict=True):
        square = preprocess(read_photo(dataset.files[photo.image_id]), PreprocessConfig()).mean(axis=2)
        is_lesion = mask > 127
        if 0.02 < is_lesion.mean() < 0.9:
            darker.append(square[~is_lesion].mean() - square[is_lesion].mean())
    assert masks.is_known.all()
    assert np.mean(np.array(darker) > 0) > 0.9
