"""The same batches by two roads."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from dermascan_core.errors import TrainingError
from dermascan_core.training.pipeline import as_tf_data
from dermascan_core.training.presets import PRESETS
from tests.training.test_sampling import PLAIN, make

pytest.importorskip("tensorflow")
FULL = replace(PLAIN, augment="strong", mixup=0.4, cutmix=1.0, mix_probability=0.5, class_floor=80)


def as_arrays(dataset):
    return [(np.asarray(inputs["image"]), np.asarray(inputs["metadata"]), target) for inputs, target in iter(dataset)]


def test_every_epoch_holds_exactly_what_the_batches_hold():
    batches, again = make(FULL), make(FULL)
    dataset = as_tf_data(batches, FULL)

    for _ in range(2):
        found = as_arrays(dataset)
        assert len(found) == len(again)
        for (image, metadata, target), (inputs, expected) in zip(
            found, (again[i] for i in range(len(again))), strict=True
        ):
            assert np.array_equal(image, inputs["image"])
            assert np.array_equal(metadata, inputs["metadata"])
            assert np.array_equal(target, expected)
        batches.on_epoch_end()
        again.on_epoch_end()


def test_masks_come_along():
    dataset = as_tf_data(make(FULL, with_masks=True), FULL)

    (_, _, (targets, masks)) = as_arrays(dataset)[0]
    _, (expected_targets, expected_masks) = make(FULL, with_masks=True)[0]

    assert np.array_equal(targets, expected_targets)
    assert np.array_equal(masks, expected_masks)


def test_training_goes_through_the_epochs_and_a_resumed_one_repeats(tmp_path):
    def trained(first_epoch, epochs, weights=None):
        keras.utils.set_random_seed(0)
        image, metadata = keras.Input((16, 16, 3), name="image"), keras.Input((2,), name="metadata")
        pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
        model = keras.Model([image, metadata], keras.layers.Dense(2)(keras.layers.Concatenate()([pooled, metadata])))
        model.compile(optimizer="sgd", loss="mse", jit_compile=False)
        if weights is not None:
            model.set_weights(weights)
        batches = make(FULL, first_epoch=first_epoch)
        model.fit(
            as_tf_data(batches, FULL),
            initial_epoch=first_epoch,
            epochs=epochs,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.go_to(epoch))],
            shuffle=False,
            verbose=0,
        )
        assert batches.epoch == epochs - 1
        return model.get_weights()

    unbroken = trained(0, 2)
    resumed = trained(1, 2, weights=trained(0, 1))

    for one, other in zip(unbroken, resumed, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_another_backend_is_named(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")

    with pytest.raises(TrainingError) as error:
        as_tf_data(make(), PRESETS["smoke"])

    assert str(error.value) == (
        "Expected TensorFlow as Keras' backend for pipeline=tf_data. Received jax. "
        "Set pipeline=pydataset, which gives the same batches, or KERAS_BACKEND=tensorflow."
    )
