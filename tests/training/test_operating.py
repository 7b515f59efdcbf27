import numpy as np
import pytest

from dermascan_core.domain import ImageType, Metadata
from dermascan_core.errors import DatasetError
from dermascan_core.model.predictor import make_prediction, prediction_from_views
from dermascan_core.tables import LabelledPhoto
from dermascan_core.training.operating import choose_calm_threshold, choose_threshold, fit_decisions, shares_by_type
from tests.fakes import CODES, fake_manifest

RNG = np.random.default_rng(0)
NV_SHARES = np.array([0.1, 0.6, 0.05, 0.05, 0.05, 0.1, 0.025, 0.025])
PHONE_SHARES = np.array([0.2, 0.2, 0.3, 0.2, 0.1, 0.0, 0.0, 0.0])
EVEN = np.full(8, 1 / 8)


def _prediction(p_mel, p_bcc=0.0):
    p = np.zeros(8)
    p[CODES.index("mel")], p[CODES.index("bcc")], p[CODES.index("nv")] = p_mel, p_bcc, 1 - p_mel - p_bcc
    return prediction_from_views(p[None], fake_manifest())


def test_threshold_is_the_stricter_of_malignant_and_melanoma_sensitivity():
    melanomas = [0.10 + 0.01 * i for i in range(40)]
    others = [0.02 + 0.01 * i for i in range(10)]
    predictions = [_prediction(p) for p in melanomas] + [_prediction(0, p) for p in others] + [_prediction(0.05)] * 50
    labels = ["mel"] * 40 + ["bcc"] * 10 + ["nv"] * 50
    photos = [LabelledPhoto(str(i), dx, dx != "nv") for i, dx in enumerate(labels)]

    point = choose_threshold(predictions, photos)

    # Of 50 malignant 2 may be missed, of 40 melanomas 2: the third lowest malignant (0.04) is the stricter.
    assert point.threshold == pytest.approx(0.04)
    assert point.malignant_sensitivity == 48 / 50
    assert point.melanoma_sensitivity == 1.0
    assert point.specificity == 0.0


def test_calm_line_is_the_stricter_of_99_5_percent_of_the_cancers_and_99_of_the_melanomas():
    predictions = [_prediction(0.2 + 0.001 * i) for i in range(100)] + [
        _prediction(0, 0.01 + 0.001 * i) for i in range(300)
    ]
    photos = [LabelledPhoto(str(i), "mel" if i < 100 else "bcc", True) for i in range(400)]

    # Of 400 malignant 2 may be missed, of 100 melanomas 1.
    assert choose_calm_threshold(predictions, photos) == pytest.approx(0.012)
    assert choose_calm_threshold(predictions[:299], photos[:299]) == pytest.approx(0.011)
    # Of 100 malignant none: the melanomas alone would allow one.
    assert choose_calm_threshold(predictions[:100], photos[:100]) == pytest.approx(0.2)


def test_threshold_without_melanoma_is_refused():
    with pytest.raises(DatasetError, match="Expected melanoma photos in the validation fold"):
        choose_threshold([_prediction(0.1)], [LabelledPhoto("1", "nv", False)])


def _photos(codes, image_type):
    malignant = {"mel", "bcc", "ak", "scc"}
    dx = {"pbk": "bkl"}
    return [
        LabelledPhoto(f"{image_type}_{i}", dx.get(c, c), c in malignant, Metadata(image_type=image_type))
        for i, c in enumerate(codes)
    ]


def _logits(codes, strength):
    truth = [CODES.index(code) for code in codes]
    return RNG.normal(0, 1, (len(codes), 8, 8)) + strength * np.eye(8)[truth][:, None]


@pytest.fixture(scope="module")
def both_types():
    """Dermoscopic photos that are answered well, and phone photos of fewer classes that are answered worse."""
    skin = [*CODES] * 30
    phone = ["mel", "nv", "bcc", "ak", "scc"] * 12
    photos = _photos(skin, ImageType.DERMOSCOPIC) + _photos(phone, ImageType.CLINICAL)
    logits = np.concatenate([_logits(skin, 4.0), _logits(phone, 1.0)])
    shares = {ImageType.DERMOSCOPIC: (NV_SHARES, EVEN), ImageType.CLINICAL: (PHONE_SHARES, PHONE_SHARES)}
    return photos, logits, shares


def test_each_image_type_gets_decisions_of_its_own(both_types):
    photos, logits, shares = both_types

    manifest, point = fit_decisions(fake_manifest(), logits, photos, shares, where="some photos")

    clinical = manifest.as_for(ImageType.CLINICAL)
    assert manifest.class_shares == tuple(NV_SHARES)
    assert clinical.class_shares == tuple(PHONE_SHARES)
    assert clinical.temperature != manifest.temperature
    assert clinical.threshold_rule == manifest.threshold_rule
    assert manifest.calm_line < manifest.threshold
    assert clinical.calm_line == manifest.clinical["calm_threshold"] <= clinical.threshold
    assert manifest.threshold_rule.endswith("on some photos")
    assert point.malignant_sensitivity >= 0.95
    assert manifest.clinical["validation_at_threshold"]["malignant_sensitivity"] >= 0.95
    alone, _ = fit_decisions(
        fake_manifest(), logits[:240], photos[:240], {ImageType.DERMOSCOPIC: (NV_SHARES, EVEN)}, where="some photos"
    )
    assert (alone.temperature, alone.threshold, alone.clinical) == (manifest.temperature, manifest.threshold, None)


def test_a_class_that_phone_photos_do_not_have_is_never_answered_for_them(both_types):
    photos, logits, shares = both_types
    manifest, _ = fit_decisions(fake_manifest(), logits, photos, shares, where="some photos")

    prediction = make_prediction(np.eye(8)[[CODES.index("df")] * 8] * 50, manifest.as_for(ImageType.CLINICAL))

    p = dict(zip(CODES, prediction.probabilities, strict=True))
    assert p["df"] == p["vasc"] == p["pbk"] == 0
    assert sum(p.values()) == pytest.approx(1)
    assert not {"df", "vasc"} & {prediction.predicted, *prediction.set_90, *prediction.set_95}


def test_without_a_melanoma_phone_photos_get_no_decisions_of_their_own(both_types):
    photos, logits, shares = both_types
    kept = [i for i, p in enumerate(photos) if p.dx != "mel" or p.metadata.image_type is ImageType.DERMOSCOPIC]

    manifest, _ = fit_decisions(fake_manifest(), logits[kept], [photos[i] for i in kept], shares, where="some photos")

    assert manifest.clinical is None


def test_run_that_learnt_from_one_type_has_one_pair_of_shares():
    record = {"class_shares": [0.5, 0.5], "sampling_shares": [0.3, 0.7]}

    assert list(shares_by_type(record)) == [ImageType.DERMOSCOPIC]
