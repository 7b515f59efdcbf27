import json
from dataclasses import fields, replace

import numpy as np
import pytest

from dermascan_core.domain import Answers, CalmRate, CropBox, ImageType, Metadata, NextStep, Status
from dermascan_core.evaluation.damage import damage_photo
from dermascan_core.evaluation.stress import all_damages
from dermascan_core.model.manifest import save_manifest
from dermascan_core.services import models
from dermascan_core.services.performance import repeatability_limit
from dermascan_core.services.screening import screen_lesion
from dermascan_core.triage.rules import ARTEFACTS_CHANGE_STEP
from tests.fakes import CODES, FakePredictor, fake_manifest, fake_photo, phone_manifest, photo_bytes

ALL_NO = Answers(*[False] * len(fields(Answers)))
NEVUS = np.full(8, 0.005)
NEVUS[CODES.index("nv")] = 0.97
MELANOMA = np.full(8, 0.02)
MELANOMA[CODES.index("mel")] = 0.86


@pytest.fixture(scope="module")
def jpeg():
    return photo_bytes(fake_photo(), quality=92)


def _screen(photos, *, fixed=NEVUS, **options):
    values = {
        "metadata": Metadata(age_approx=50, fitzpatrick_skin_type=2),
        "answers": Answers(),
        "image_type": ImageType.DERMOSCOPIC,
        "predictor": FakePredictor(fixed=fixed),
    }
    return screen_lesion(photos, **(values | options))


def test_photo_is_answered_with_prediction_crop_and_model_named(jpeg):
    screening = _screen([("mole.jpg", jpeg)], explain=True)

    photo = screening.photos[0]
    assert (photo.status, photo.reason, photo.prediction.predicted) == (Status.ANSWERED, None, "nv")
    assert photo.crop.source == "lesion"
    assert photo.square.shape == (160, 160, 3)
    assert set(photo.heat_maps) >= {"mel", "nv"}
    assert (screening.model, screening.engine, screening.model_sha256) == ("fake", "fake", "0" * 64)


def test_phone_photo_is_judged_by_what_was_measured_of_the_model_on_such_photos(jpeg):
    calm = {"image_type": ImageType.CLINICAL, "answers": ALL_NO}
    plain, measured, good = (
        _screen([("mole.jpg", jpeg)], predictor=FakePredictor(fixed=NEVUS, manifest=manifest), **calm)
        for manifest in (fake_manifest(), phone_manifest(low=0.86), phone_manifest(low=0.95))
    )

    assert (plain.phone_test, plain.next_step) == (None, NextStep.ROUTINE_CHECK)
    assert plain.step_reasons == ("This program was not tested on phone photos, so its answer cannot calm.",)
    assert (measured.phone_test.n_photos, measured.next_step) == (400, NextStep.ROUTINE_CHECK)
    assert measured.step_reasons == ("This program's test on phone photos is not enough for its answer to calm.",)
    assert [p.next_step for p in (good, *good.photos)] == [NextStep.WATCH, NextStep.WATCH]


def test_broken_photo_is_refused_beside_a_good_one(jpeg):
    screening = _screen([("bad.jpg", jpeg[:500]), ("good.jpg", jpeg)])

    bad, good = screening.photos
    assert (bad.status, bad.prediction, bad.reason.code) == (Status.REFUSED, None, "unreadable")
    assert bad.next_step is NextStep.NOT_ASSESSED
    assert good.status is Status.ANSWERED
    assert screening.next_step is good.next_step


def test_photo_of_failed_quality_gets_no_class():
    black = photo_bytes(np.full((300, 400, 3), 4, np.uint8))

    predictor = FakePredictor(fixed=NEVUS)
    screening = _screen([("night.jpg", black)], predictor=predictor)

    assert screening.photos[0].status is Status.REFUSED
    assert screening.photos[0].prediction is None
    assert screening.next_step is NextStep.NOT_ASSESSED
    assert predictor.n_calls == 0


@pytest.mark.parametrize(
    "untested",
    [
        {"metadata": Metadata(age_approx=12)},
        {"answers": Answers(under_nail=True)},
        {"answers": Answers(on_mucosa=True)},
        {"metadata": Metadata(anatom_site="nail")},
    ],
)
def test_untested_people_and_places_get_no_class_but_a_clinician(jpeg, untested):
    screening = _screen([("a.jpg", jpeg)], **untested)

    assert screening.photos[0].status is Status.REFUSED
    assert screening.photos[0].prediction is None
    assert screening.next_step.urgency >= NextStep.SEE_DOCTOR.urgency


def test_next_step_follows_the_most_urgent_photo_and_says_that_they_differ():
    dark, light = (photo_bytes(fake_photo(lesion=c), quality=95) for c in ((20, 10, 10), (190, 140, 115)))
    predictor = FakePredictor(manifest=fake_manifest(threshold=0.3))

    screening = _screen([("light.jpg", light), ("dark.jpg", dark)], predictor=predictor)

    steps = [p.next_step for p in screening.photos]
    assert steps[1].urgency > steps[0].urgency
    assert screening.next_step is steps[1]
    assert "answered differently" in screening.disagreement


def test_photos_that_agree_are_not_called_different(jpeg):
    assert _screen([("a.jpg", jpeg), ("b.jpg", jpeg)]).disagreement is None


def test_answers_overrule_a_calm_model(jpeg):
    calm = _screen([("a.jpg", jpeg)], answers=ALL_NO)
    asked = _screen([("a.jpg", jpeg)], answers=replace(ALL_NO, bleeding=True))

    assert calm.next_step is NextStep.WATCH
    assert asked.next_step.urgency >= NextStep.SEE_DOCTOR.urgency


def test_model_overrules_calm_answers(jpeg):
    screening = _screen([("a.jpg", jpeg)], fixed=MELANOMA)

    assert screening.next_step is NextStep.URGENT_2_WEEKS
    assert screening.step_reasons


def test_phone_photo_is_never_calm(jpeg):
    assert _screen([("a.jpg", jpeg)], image_type=ImageType.CLINICAL).next_step is not NextStep.WATCH


def test_no_photo_at_all_still_follows_the_answers():
    assert _screen([]).next_step is NextStep.NOT_ASSESSED
    assert _screen([], answers=Answers(changing=True)).next_step.urgency >= NextStep.SEE_DOCTOR.urgency


def test_crop_set_by_hand_is_used_and_kept_inside_the_photo(jpeg):
    screening = _screen([("a.jpg", jpeg)], crops=[CropBox(500, 400, 300, "hand")])

    assert screening.photos[0].crop == CropBox(300, 150, 300, "hand")


def test_crop_set_by_hand_below_the_smallest_photo_is_refused(jpeg):
    screening = _screen([("a.jpg", jpeg)], crops=[CropBox(250, 180, 90, "hand")], answers=ALL_NO)

    photo = screening.photos[0]
    assert (photo.status, photo.prediction, screening.next_step) == (Status.REFUSED, None, NextStep.NOT_ASSESSED)
    assert str(photo.reason) == (
        "crop_too_small: The square set by hand must be at least 128 px wide. Received 90 px. "
        "Make it larger, or take the photo closer."
    )


def test_crop_set_by_hand_beside_the_lesion_cannot_calm(jpeg):
    screening = _screen([("a.jpg", jpeg)], crops=[CropBox(0, 0, 150, "hand")], answers=ALL_NO)

    assert screening.photos[0].status is Status.ANSWERED
    assert screening.photos[0].next_step is NextStep.ROUTINE_CHECK
    assert screening.next_step is NextStep.ROUTINE_CHECK
    assert screening.step_reasons == (
        "No spot stands out in this photo, so what the model answered may be about plain skin, and cannot calm.",
    )


def test_refused_photo_beside_a_calm_one_keeps_the_lesion_from_calming(jpeg):
    screening = _screen([("bad.jpg", jpeg[:500]), ("good.jpg", jpeg)], answers=ALL_NO)

    assert screening.photos[1].next_step is NextStep.WATCH
    assert screening.next_step is NextStep.ROUTINE_CHECK
    assert screening.step_reasons == ("1 of 2 photos could not be assessed, so the others cannot calm.",)


def test_history_does_not_calm_a_refused_photo(jpeg):
    screening = _screen([("bad.jpg", jpeg[:500])], metadata=Metadata(family_hx_skin_cancer=True))

    assert screening.photos[0].next_step is NextStep.NOT_ASSESSED
    assert screening.next_step is NextStep.NOT_ASSESSED


def test_imaging_step_changes_what_the_network_sees(jpeg):
    plain, sharp = (_screen([("a.jpg", jpeg)], steps=s).photos[0].square for s in ((), ("sharpen",)))

    assert not np.array_equal(plain, sharp)


def test_screening_carries_how_often_low_answers_of_this_model_were_wrong(jpeg, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "WEIGHTS_DIR", tmp_path)
    save_manifest(fake_manifest(), tmp_path / "fake.json")
    measured = {
        "schema": 1,
        "model": {"sha256": "0" * 64},
        "summary": {"malignant_share_below_threshold": {"value": 0.012, "low": 0.009, "high": 0.016}},
        "malignant": {"prevalence": 0.195},
    }
    (tmp_path / "fake.evaluation" / "test").mkdir(parents=True)
    (tmp_path / "fake.evaluation" / "test" / "metrics.json").write_text(json.dumps(measured))

    assert _screen([("a.jpg", jpeg)]).calm_rate == CalmRate(0.012, 0.009, 0.016, prevalence=0.195)


def test_screening_without_a_shipped_evaluation_carries_no_rate(jpeg):
    assert _screen([("a.jpg", jpeg)]).calm_rate is None


def test_stages_are_reported_in_order_and_end_at_one(jpeg):
    stages = []

    _screen([("a.jpg", jpeg), ("b.jpg", jpeg)], on_stage=lambda sentence, share: stages.append((sentence, share)))

    assert stages[0][0] == "Reading photo 1 of 2"
    assert stages[-1] == ("Done", 1.0)
    assert [share for _, share in stages] == sorted(share for _, share in stages)


class _Flickering(FakePredictor):
    """Calm about the photo as it is, alarmed about every change of it."""

    def predict(self, squares, metadata, *, explain=False):
        self.fixed = NEVUS if len(squares) == 1 else MELANOMA
        return super().predict(squares, metadata, explain=explain)


def test_answer_that_small_changes_overturn_is_unsure_and_never_calm(jpeg):
    screening = _screen([("a.jpg", jpeg)], answers=ALL_NO, predictor=_Flickering(), repeat=True)

    photo = screening.photos[0]
    assert (photo.repeatability.n_changed, photo.repeatability.limit) == (10, 5)
    assert (photo.status, photo.reason.code) == (Status.UNSURE, "not_repeatable")
    assert photo.reason.sentence.startswith("The answer changed in 10 of 10 small changes")
    assert photo.prediction.predicted == "nv"
    assert screening.next_step is NextStep.SEE_DOCTOR


def test_steady_answer_stays_as_it_is(jpeg):
    plain, repeated = (_screen([("a.jpg", jpeg)], answers=ALL_NO, repeat=repeat) for repeat in (False, True))

    assert plain.photos[0].repeatability is None
    assert repeated.photos[0].repeatability.n_changed == 0
    assert (repeated.next_step, repeated.photos[0].status) == (plain.next_step, plain.photos[0].status)


@pytest.mark.parametrize(("sha256", "expected"), [("0" * 64, 2), ("1" * 64, 5)])
def test_limit_of_changed_answers_is_the_one_fitted_for_these_weights(tmp_path, sha256, expected):
    folder = tmp_path / "fake.evaluation" / "repeatability"
    folder.mkdir(parents=True)
    (folder / "repeatability.json").write_text(
        json.dumps({"schema": 1, "model": {"sha256": sha256}, "limit": {"value": 2}})
    )

    assert repeatability_limit(fake_manifest(), weights_dir=tmp_path) == expected


class _BlindUnderHair(FakePredictor):
    """Sees a melanoma only where no hair lies over it: calm about the photo, alarmed about the one painted over."""

    def predict(self, squares, metadata, *, explain=False):
        self.n_calls += 1
        self.fixed = MELANOMA if self.n_calls == 2 else NEVUS
        self.n_calls -= 1
        return super().predict(squares, metadata, explain=explain)


def test_answer_without_the_hair_raises_the_urgency_and_says_so():
    haired = damage_photo(fake_photo(width=200, height=150), all_damages()["hair"], image_id="a", seed=0)
    haired = photo_bytes(np.repeat(np.repeat(haired, 3, axis=0), 3, axis=1), quality=95)

    plain = _screen([("a.jpg", haired)], answers=ALL_NO)
    screening = _screen([("a.jpg", haired)], answers=ALL_NO, predictor=_BlindUnderHair(), repeat=True)

    photo = screening.photos[0]
    assert plain.next_step is NextStep.WATCH
    assert photo.artefacts.flagged == ("hair",)
    assert (photo.prediction.predicted, photo.artefacts.prediction.predicted) == ("nv", "mel")
    assert screening.next_step is photo.next_step is NextStep.URGENT_2_WEEKS
    assert screening.step_reasons[-1] == ARTEFACTS_CHANGE_STEP


def test_photo_without_artefacts_is_not_painted_over(jpeg):
    photo = _screen([("a.jpg", jpeg)], repeat=True).photos[0]

    assert (photo.artefacts.flagged, photo.artefacts.prediction, photo.artefacts.square) == ((), None, None)
