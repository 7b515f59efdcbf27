"""Gradients from a Keras process of its own are those of Keras in this one."""

import numpy as np
import pytest

from dermascan_core.errors import EngineError
from dermascan_core.model.keras_engine import KerasEngine
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.services import keras_worker
from tests.small_network import random_squares, release_small_network


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return release_small_network(folder), folder


def test_gradient_of_another_process_is_the_one_of_this_process(released):
    manifest, folder = released
    square = random_squares(1)[0]
    answers = np.zeros(MetadataEncoder(manifest.metadata_fields).width, np.float32)
    here = KerasEngine.load(manifest, folder / "small.keras").guided_gradients(square.astype(np.float32), answers, 0)

    there = keras_worker.guided_gradients(manifest, square, answers, 0, weights_dir=folder)

    np.testing.assert_allclose(there, here, atol=1e-6)


def test_worker_that_cannot_answer_is_one_sentence_with_its_last_words(released, tmp_path):
    manifest, _ = released

    with pytest.raises(
        EngineError, match=r"^Keras could not explain the photo in its own process \(.*Received 'small'"
    ):
        keras_worker.guided_gradients(manifest, random_squares(1)[0], np.zeros(3), 0, weights_dir=tmp_path)


def test_worker_that_takes_too_long_is_stopped(released):
    manifest, folder = released

    with pytest.raises(EngineError, match=r"^Expected Keras to explain the photo within 0 s\. It did not\."):
        keras_worker.guided_gradients(
            manifest, random_squares(1)[0], np.zeros(3), 0, weights_dir=folder, timeout_s=0.05
        )
