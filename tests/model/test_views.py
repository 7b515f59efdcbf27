import numpy as np
import pytest

from dermascan_core.model.views import N_VIEWS, make_views, undo_view


def test_eight_views_are_all_different_and_the_first_is_the_photo_itself():
    square = np.arange(9).reshape(3, 3)

    views = make_views(square)

    assert len({view.tobytes() for view in views}) == N_VIEWS == 8
    assert (views[0] == square).all()


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 3), (5, 5, 4), (5, 5, 6)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.int64])
def test_each_view_turns_back_upright(shape, kind):
    square = np.random.default_rng(0).integers(0, 255, shape).astype(kind)

    for number, view in enumerate(make_views(square)):
        assert (undo_view(view, number) == square).all()
