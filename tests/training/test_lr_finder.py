import csv
import itertools

import keras
import numpy as np
import pytest
from PIL import Image

from dermascan_core.errors import TrainingError
from dermascan_core.training.lr_finder import find_learning_rate, run_range_test
from dermascan_core.training.presets import PRESETS, override


def _model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.SGD(1e-3), loss="mse")
    return model


def _batches():
    x = np.ones((4, 1), np.float32)
    return itertools.repeat((x, 3 * x))


def test_rate_rises_geometrically_until_the_loss_bursts():
    # The loss (w - 3)^2 has curvature 2: above a rate of 1 every step makes it worse.
    found = run_range_test(_model(), itertools.islice(_batches(), 80), n_batches=80, lowest=1e-4, highest=100)

    ratios = np.array(found.rates[1:]) / np.array(found.rates[:-1])
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-6)
    assert len(found.rates) < 80
    assert 1e-3 < found.suggested_rate < 1
    assert found.suggested_rate <= found.lowest_loss_rate < 10
    assert found.losses[0] == pytest.approx(9)


def test_loss_that_bursts_at_once_is_said():
    with pytest.raises(TrainingError) as error:
        run_range_test(_model(), itertools.islice(_batches(), 20), n_batches=20, lowest=1e30, highest=1e38)

    assert str(error.value).startswith("Expected a loss that can be followed over some batches. It burst after ")


@pytest.mark.usefixtures("tiny_backbone")
def test_range_test_of_a_recipe_writes_table_and_plot(generated_dataset, tmp_path):
    recipe = override(PRESETS["smoke"], ["input_px=32"])

    found = find_learning_rate(recipe, data=generated_dataset, out=tmp_path, n_batches=12)

    with (tmp_path / "lr-find.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx(found.rates, rel=1e-4)
    with Image.open(tmp_path / "lr-find.png") as plot:
        assert plot.size == (1080, 600)
