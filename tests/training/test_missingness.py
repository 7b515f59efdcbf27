import numpy as np
import pytest

from dermascan_core.domain import ImageType, Metadata
from dermascan_core.training.missingness import hiding_probability, withhold

FIELDS = ("age_approx", "sex", "image_type")


def _people(n, n_without_sex, image_type=ImageType.CLINICAL):
    return [Metadata(age_approx=50, sex=None if i < n_without_sex else "male", image_type=image_type) for i in range(n)]


@pytest.fixture(scope="module")
def archive():
    """Phone photos: cancers always with a sex, moles mostly without. Dermoscopy: one in ten without, in both."""
    metadata = [*_people(100, 0), *_people(100, 80)]
    metadata += [*_people(50, 5, ImageType.DERMOSCOPIC), *_people(50, 5, ImageType.DERMOSCOPIC)]
    return metadata, np.repeat([0, 1, 0, 1], [100, 100, 50, 50])


def test_afterwards_every_class_of_a_type_lacks_an_answer_as_often(archive):
    metadata, classes = archive
    hide = hiding_probability(metadata, classes, FIELDS)
    rng = np.random.default_rng(0)

    told = [[withhold(m, FIELDS, p, rng) for m, p in zip(metadata, hide, strict=True)] for _ in range(50)]

    missing = np.mean([[m.sex is None for m in epoch] for epoch in told], axis=0)
    by_class = [missing[start:stop].mean() for start, stop in ((0, 100), (100, 200), (200, 250), (250, 300))]
    np.testing.assert_allclose(by_class, [0.8, 0.8, 0.1, 0.1], atol=0.02)


def test_what_is_never_missing_is_never_withheld(archive):
    hide = hiding_probability(*archive, FIELDS)

    assert hide[:, 0].max() == 0
    assert hide[:, 2].max() == 0
    assert hide[200:].max() == 0


def test_a_handful_of_photos_does_not_decide_for_all():
    metadata = [*_people(50, 0), *_people(3, 3)]

    assert hiding_probability(metadata, np.repeat([0, 1], [50, 3]), FIELDS).max() == 0


def test_the_same_numbers_are_drawn_whatever_is_withheld():
    one, other = np.random.default_rng(1), np.random.default_rng(1)

    withhold(Metadata(), FIELDS, np.ones(3), one)
    withhold(Metadata(age_approx=3), FIELDS, np.zeros(3), other)

    assert one.random() == other.random()
