"""Explanations made when they are asked for, on a predictor without a network."""

import numpy as np
import pytest

from dermascan_core.domain import Answers, ImageType, Metadata
from dermascan_core.services.explanations import answer_covered, explain_further
from dermascan_core.services.screening import screen_lesion
from tests.fakes import FakePredictor, fake_photo, photo_bytes


def _screened(predictor, **options):
    return screen_lesion(
        [("a.jpg", photo_bytes(fake_photo(lesion=(60, 35, 28)), quality=95))],
        metadata=Metadata(age_approx=50),
        answers=Answers(),
        image_type=ImageType.DERMOSCOPIC,
        predictor=predictor,
        **options,
    )


def test_covering_the_dark_middle_lowers_melanoma_most():
    predictor = FakePredictor()

    found = explain_further(_screened(predictor, explain=True), 0, "mel", predictor=predictor)

    assert found.occlusion.shape == (6, 6)
    assert np.unravel_index(found.occlusion.argmax(), (6, 6)) in [(2, 2), (2, 3), (3, 2), (3, 3)]
    assert found.occlusion[0].max() == 0
    assert found.probability > 0.2


def test_guided_gradcam_is_left_out_where_the_engine_cannot():
    predictor = FakePredictor()

    assert explain_further(_screened(predictor, explain=True), 0, "nv", predictor=predictor).guided is None


def test_photo_without_heat_maps_cannot_be_explained():
    predictor = FakePredictor()

    with pytest.raises(ValueError, match="Expected a photo with a heat map of 'mel'"):
        explain_further(_screened(predictor), 0, "mel", predictor=predictor)


def test_covering_the_spot_by_hand_takes_melanoma_away_and_leaves_the_screening_alone():
    predictor = FakePredictor()
    screening = _screened(predictor)
    before = screening.photos[0].prediction

    found = answer_covered(screening, 0, across=0.5, down=0.5, width=0.8, predictor=predictor)
    beside = answer_covered(screening, 0, across=0.05, down=0.05, width=0.1, predictor=predictor)

    assert found.before.p_malignant > 0.2
    assert found.after.p_malignant < found.before.p_malignant - 0.1
    assert beside.after.p_malignant == pytest.approx(beside.before.p_malignant)
    assert screening.photos[0].prediction is before
