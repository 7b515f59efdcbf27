import dataclasses

import numpy as np
import pytest

from dermascan_core.domain import Metadata
from dermascan_core.model.predictor import ham_matrix, make_prediction, prediction_from_views
from dermascan_core.taxonomy import HAM_CODES
from tests.fakes import CODES, fake_manifest


@pytest.fixture
def square():
    return np.random.default_rng(5).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)


def _slow_prediction(logits, manifest):
    """Second writing of ``make_prediction``, one number at a time."""
    by_view = []
    for view in logits:
        scores = [
            np.exp(z / manifest.temperature) * c / s
            for z, c, s in zip(view, manifest.class_shares, manifest.sampling_shares, strict=True)
        ]
        by_view.append([score / sum(scores) for score in scores])
    mean = [sum(view[k] for view in by_view) / len(by_view) for k in range(len(manifest.codes))]
    p = dict(zip(manifest.codes, mean, strict=True))
    ham = {"akiec": p["ak"] + p["scc"], "bkl": p["pbk"]} | {c: p[c] for c in ("bcc", "df", "mel", "nv", "vasc")}
    first = max(ham, key=lambda code: ham[code] / manifest.ham_shares[code])
    return ham, first, ham["akiec"] + ham["bcc"] + ham["mel"]


def test_prediction_equals_a_slow_second_writing():
    rng = np.random.default_rng(0)
    manifest = fake_manifest(temperature=0.7, sampling_shares=tuple(rng.dirichlet(np.ones(8))))
    for _ in range(20):
        logits = rng.normal(0, 3, (8, 8))

        prediction = make_prediction(logits, manifest)

        ham, first, p_malignant = _slow_prediction(logits, manifest)
        np.testing.assert_allclose(prediction.ham_probabilities, [ham[c] for c in HAM_CODES], rtol=1e-9)
        assert prediction.predicted == first
        assert prediction.p_malignant == pytest.approx(p_malignant)
        assert prediction.probabilities.sum() == pytest.approx(1)


def test_class_shown_first_is_the_one_raised_most_above_its_share():
    p = dict(zip(CODES, fake_manifest().class_shares, strict=True))
    p["df"] += 0.05
    p["nv"] -= 0.05

    prediction = prediction_from_views(np.array([[p[c] for c in CODES]]), fake_manifest())

    assert prediction.predicted == "df"
    assert "df" in prediction.set_90


def test_set_is_never_empty_and_grows_with_its_promise():
    strict = fake_manifest(conformal={"90": dict.fromkeys(HAM_CODES, 2.0), "95": dict.fromkeys(HAM_CODES, 0.0)})

    prediction = prediction_from_views(np.full((8, 8), 1 / 8), strict)

    assert prediction.set_90 == (prediction.predicted,)
    assert set(prediction.set_95) == set(HAM_CODES)


def test_views_that_disagree_are_counted_and_make_the_answer_unsure():
    sure, other = np.full(8, 0.01), np.full(8, 0.01)
    sure[CODES.index("mel")], other[CODES.index("df")] = 0.93, 0.93

    prediction = prediction_from_views(np.array([sure] * 4 + [other] * 4), fake_manifest())

    assert (prediction.views_agreeing, prediction.n_views, prediction.is_unsure) == (4, 8, True)


@pytest.mark.parametrize(("p_malignant", "expected"), [(0.1999, False), (0.2, True)])
def test_threshold_itself_counts_as_above(p_malignant, expected):
    p = np.zeros(8)
    p[CODES.index("mel")], p[CODES.index("nv")] = p_malignant, 1 - p_malignant

    assert prediction_from_views(p[None], fake_manifest(threshold=0.2)).is_above_threshold is expected


def test_ham_matrix_sums_every_class_once():
    assert ham_matrix(CODES).sum(axis=1).tolist() == [1.0] * 8


@pytest.mark.parametrize(
    "change",
    [
        {"clin_size_long_diam_mm": 14.0},
        {"personal_hx_skin_cancer": True},
        {"family_hx_skin_cancer": True},
        {"high_sun_exposure": True},
        {"immunosuppressed": True},
        {"fitzpatrick_skin_type": 6},
    ],
)
def test_field_without_training_data_leaves_probabilities_bit_equal(tiny_predictor, square, change):
    known = Metadata(age_approx=60, sex="female", anatom_site="back")

    before, after = tiny_predictor.predict(
        np.concatenate([square, square]), [known, dataclasses.replace(known, **change)]
    )

    assert np.array_equal(before.prediction.probabilities, after.prediction.probabilities)


def test_trained_field_does_change_the_probabilities(tiny_predictor, square):
    young, old = tiny_predictor.predict(
        np.concatenate([square, square]), [Metadata(age_approx=20), Metadata(age_approx=80)]
    )

    assert not np.array_equal(young.prediction.probabilities, old.prediction.probabilities)
    np.testing.assert_allclose(
        young.prediction_without_metadata.probabilities, old.prediction_without_metadata.probabilities
    )


def test_answer_without_metadata_equals_a_run_with_everything_unknown(tiny_predictor, square):
    both = tiny_predictor.predict(square, [Metadata(age_approx=70, sex="male", anatom_site="face")])[0]
    unknown = tiny_predictor.predict(square, [Metadata()])[0]

    np.testing.assert_allclose(
        both.prediction_without_metadata.probabilities, unknown.prediction.probabilities, atol=1e-6
    )


def test_turning_the_photo_leaves_the_averaged_answer_alone(tiny_predictor, square):
    turned = np.rot90(square, axes=(1, 2)).copy()

    first, second = (tiny_predictor.predict(s, [Metadata()])[0].prediction for s in (square, turned))

    np.testing.assert_allclose(first.probabilities, second.probabilities, atol=1e-5)


def test_heat_maps_come_for_every_class_only_when_asked(tiny_predictor, square):
    assert not tiny_predictor.predict(square, [Metadata()])[0].heat_maps

    heat_maps = tiny_predictor.predict(square, [Metadata()], explain=True)[0].heat_maps

    assert set(heat_maps) == set(HAM_CODES)
    assert all(m.min() >= 0 and m.max() <= 1 for m in heat_maps.values())


def test_squares_of_another_size_are_a_programming_mistake(tiny_predictor):
    with pytest.raises(ValueError) as error:
        tiny_predictor.predict(np.zeros((1, 60, 60, 3), np.uint8), [Metadata()])

    assert str(error.value) == (
        "Invalid value received for argument `squares`. Expected uint8 (n, 64, 64, 3). Received: uint8 (1, 60, 60, 3)"
    )


@pytest.mark.parametrize("n_views", [1, 2, 3])
def test_photos_that_share_a_batch_are_answered_as_one_by_one(tiny_predictor, n_views):
    squares = np.random.default_rng(2).integers(0, 256, (5, 64, 64, 3)).astype(np.uint8)
    metadata = [Metadata(age_approx=20 + 10 * i) for i in range(5)]
    few = tiny_predictor.with_views(n_views)

    together = few.predict(squares, metadata)
    alone = [few.predict(squares[i : i + 1], metadata[i : i + 1])[0] for i in range(5)]

    for one, other in zip(together, alone, strict=True):
        assert one.prediction.n_views == n_views
        np.testing.assert_allclose(one.prediction.probabilities, other.prediction.probabilities, atol=1e-6)
        np.testing.assert_allclose(
            one.prediction_without_metadata.probabilities, other.prediction_without_metadata.probabilities, atol=1e-6
        )


def test_engine_is_always_given_the_batch_that_it_was_compiled_for(tiny_predictor, square, monkeypatch):
    sizes = []
    run = tiny_predictor._engine.run
    monkeypatch.setattr(tiny_predictor._engine, "run", lambda i, m: (sizes.append(len(i)), run(i, m))[1])

    tiny_predictor.with_views(2).predict(np.repeat(square, 5, axis=0), [Metadata()] * 5)

    assert sizes == [8, 8]


def test_metadata_effects_equal_answers_with_one_field_withheld(tiny_predictor):
    square = np.random.default_rng(4).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    told = Metadata(age_approx=80, sex="male", fitzpatrick_skin_type=2)

    output = tiny_predictor.predict(square, [told], explain=True)[0]

    assert set(output.metadata_effects) == {"age_approx", "sex"}  # no site was told; skin type is no field of the model
    for name, effect in output.metadata_effects.items():
        without = tiny_predictor.predict(square, [dataclasses.replace(told, **{name: None})])[0].prediction
        assert effect == pytest.approx(output.prediction.p_malignant - without.p_malignant, abs=1e-6)
