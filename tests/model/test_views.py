import numpy as np

from dermascan_core.model.views import N_VIEWS, make_views, undo_view


def test_eight_views_are_all_different_and_the_first_is_the_photo_itself():
    square = np.arange(9).reshape(3, 3)

    views = make_views(square)

    assert len({view.tobytes() for view in views}) == N_VIEWS == 8
    assert (views[0] == square).all()


def test_each_view_turns_back_upright():
    square = np.random.default_rng(0).integers(0, 255, (5, 5, 3))

    for number, view in enumerate(make_views(square)):
        assert (undo_view(view, number) == square).all()
