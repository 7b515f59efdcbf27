"""Class counts before and after balancing: those of the sampler, and a chart of them."""

import io

import numpy as np
import pytest
from PIL import Image

from dermascan_core.datasets.class_counts import ClassBalance, class_counts_before_after, draw_class_counts
from dermascan_core.evaluation.class_draws import draws_per_class
from dermascan_core.tables import LabelledPhoto
from dermascan_core.training.presets import PRESETS, override

PHOTOS = [
    LabelledPhoto(f"{dx}{n}", dx, False) for dx, many in (("nv", 80), ("mel", 16), ("akiec", 4)) for n in range(many)
]


def test_photos_of_an_undivided_class_count_half_for_each():
    counts = class_counts_before_after(PHOTOS, ClassBalance())

    assert [(c.code, c.before, c.after) for c in counts] == [
        ("mel", 16, 16),
        ("nv", 80, 80),
        ("ak", 2, 2),
        ("scc", 2, 2),
    ]


def test_floor_raises_rare_classes_and_no_other():
    counts = class_counts_before_after(PHOTOS, ClassBalance(class_floor=50))

    assert {c.code: c.after for c in counts} == {"mel": 50, "nv": 80, "ak": 50, "scc": 50}


@pytest.mark.parametrize(("balance", "floor"), [(0.0, 0), (0.5, 0), (1.0, 0), (0.5, 30)])
def test_counts_are_those_that_the_sampler_draws(balance, floor):
    preset = override(PRESETS["smoke"], [f"balance={balance}", f"class_floor={floor}"])
    counts = class_counts_before_after(PHOTOS, preset)

    drawn = draws_per_class(np.array([c.before for c in counts]), balance=balance, class_floor=floor)
    assert [c.after for c in counts] == [round(n) for n in drawn]


def test_no_photos_give_no_counts():
    assert class_counts_before_after([], ClassBalance()) == []


def test_chart_has_a_row_a_class_and_a_longer_bar_where_there_is_more():
    image = Image.open(io.BytesIO(draw_class_counts(class_counts_before_after(PHOTOS, ClassBalance()), title="t")))

    pixels = np.asarray(image.convert("RGB")).astype(int)
    assert image.size == (900, 90 + 4 * 46 + 24)
    blue = np.abs(pixels - (86, 180, 233)).sum(axis=2) < 5
    lengths = [blue[90 + 46 * row + 8].sum() for row in range(4)]
    assert lengths[1] == max(lengths)
    assert lengths[1] == pytest.approx(5 * lengths[0], rel=0.02)
