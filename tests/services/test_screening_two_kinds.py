"""A phone photo and a dermatoscope photo of one lesion: answered apart, and the more urgent answer counts."""

from dataclasses import fields
from itertools import product

import numpy as np
import pytest

from dermascan_core.domain import Answers, ImageType, Metadata, NextStep, Status
from dermascan_core.services.explanations import answer_covered
from dermascan_core.services.screening import screen_lesion
from dermascan_core.triage.rules import RULES
from tests.fakes import CODES, FakePredictor, fake_manifest, fake_photo, phone_manifest, photo_bytes

PHONE, SCOPE = ImageType.CLINICAL, ImageType.DERMOSCOPIC
ALL_NO = Answers(*[False] * len(fields(Answers)))
NEVUS = np.full(8, 0.005)
NEVUS[CODES.index("nv")] = 0.97
MELANOMA = np.full(8, 0.02)
MELANOMA[CODES.index("mel")] = 0.86
UNSURE = np.array([0.2, 0.3, 0.15, 0.05, 0.05, 0.15, 0.05, 0.05])
ANSWERS = {"nevus": NEVUS, "melanoma": MELANOMA, "unsure": UNSURE}


class _ByKind(FakePredictor):
    """Gives each kind of photo an answer of its own, and remembers what it was told."""

    def __init__(self, *, phone=NEVUS, scope=NEVUS, manifest=None):
        super().__init__(manifest=manifest)
        self.answers, self.told = {PHONE: phone, SCOPE: scope}, []

    def predict(self, squares, metadata, *, explain=False):
        self.fixed = self.answers[metadata[0].image_type]
        self.told.append(metadata[0].image_type)
        return super().predict(squares, metadata, explain=explain)


@pytest.fixture(scope="module")
def jpeg():
    return photo_bytes(fake_photo(), quality=92)


def _screen(photos, types=None, *, image_type=SCOPE, predictor=None, **options):
    values = {"metadata": Metadata(age_approx=50, fitzpatrick_skin_type=2), "answers": ALL_NO}
    named = [(f"{number}.jpg", data) for number, data in enumerate(photos)]
    return screen_lesion(
        named, image_type=image_type, image_types=types, predictor=predictor or _ByKind(), **(values | options)
    )


def test_each_photo_is_told_to_the_model_as_its_own_kind_and_keeps_its_own_threshold(jpeg):
    manifest = phone_manifest(low=0.95)
    manifest.clinical["threshold"] = 0.01
    predictor = _ByKind(manifest=manifest)

    screening = _screen([jpeg, jpeg], [None, PHONE], predictor=predictor)

    assert predictor.told == [SCOPE, PHONE]
    assert [photo.image_type for photo in screening.photos] == [SCOPE, PHONE]
    assert [photo.threshold for photo in screening.photos] == [0.2, 0.01]
    # The same shares: under the one line, over the other. One threshold for both would have called them alike.
    assert len({photo.prediction.p_malignant for photo in screening.photos}) == 1
    assert [photo.prediction.is_above_threshold for photo in screening.photos] == [False, True]
    assert [photo.next_step for photo in screening.photos] == [NextStep.WATCH, NextStep.SEE_DOCTOR]
    assert screening.next_step is NextStep.SEE_DOCTOR


@pytest.mark.parametrize("order", [(SCOPE, PHONE), (PHONE, SCOPE)], ids=["scope first", "phone first"])
@pytest.mark.parametrize(("scope", "phone"), list(product(ANSWERS, ANSWERS)))
def test_lesion_is_as_urgent_as_the_more_urgent_kind_alone(jpeg, scope, phone, order):
    predictor = _ByKind(scope=ANSWERS[scope], phone=ANSWERS[phone])
    alone = [_screen([jpeg], image_type=kind, predictor=predictor) for kind in order]

    both = _screen([jpeg, jpeg], order, predictor=predictor)

    assert both.next_step is max((one.next_step for one in alone), key=lambda step: step.urgency)
    for photo, one in zip(both.photos, alone, strict=True):
        assert (photo.status, photo.next_step) == (one.photos[0].status, one.next_step)
        assert np.array_equal(photo.prediction.probabilities, one.photos[0].prediction.probabilities)
        assert photo.prediction.set_90 == one.photos[0].prediction.set_90


def test_phone_photo_beside_a_calm_dermatoscope_photo_never_calms_and_says_why(jpeg):
    screening = _screen([jpeg, jpeg], [SCOPE, PHONE])

    assert [photo.next_step for photo in screening.photos] == [NextStep.WATCH, NextStep.ROUTINE_CHECK]
    assert screening.next_step is NextStep.ROUTINE_CHECK
    assert screening.step_reasons == (RULES["phone_photo"].sentence,)


def test_both_kinds_calm_only_where_phone_photos_alone_may(jpeg):
    predictor = _ByKind(manifest=phone_manifest(low=0.95))

    screening = _screen([jpeg, jpeg], [SCOPE, PHONE], predictor=predictor)

    assert screening.next_step is NextStep.WATCH
    [calm] = screening.step_reasons
    assert calm.startswith("No high-risk features were found in each of photos 1 and 2, and no warning sign was named.")


def test_unsure_kind_beside_a_calm_one_keeps_its_doctor(jpeg):
    screening = _screen([jpeg, jpeg], [SCOPE, PHONE], predictor=_ByKind(scope=UNSURE))

    assert [photo.status for photo in screening.photos] == [Status.UNSURE, Status.ANSWERED]
    assert screening.next_step.urgency >= NextStep.SEE_DOCTOR.urgency
    [unsure] = [reason for reason in screening.step_reasons if "unsure" in reason]
    assert unsure == RULES["model_unsure"].sentence.replace("this photo", "photo 1")


@pytest.mark.parametrize("types", [(SCOPE, PHONE), (PHONE, SCOPE)], ids=["phone refused", "scope refused"])
def test_refused_kind_keeps_the_other_from_calming(jpeg, types):
    screening = _screen([jpeg, jpeg[:500]], types, predictor=_ByKind(manifest=phone_manifest(low=0.95)))

    assert [photo.status for photo in screening.photos] == [Status.ANSWERED, Status.REFUSED]
    assert screening.photos[0].next_step is NextStep.WATCH
    assert screening.next_step is NextStep.ROUTINE_CHECK
    assert screening.step_reasons == ("1 of 2 photos could not be assessed, so the others cannot calm.",)


def test_one_refused_photo_of_each_kind_is_enough_refusals(jpeg):
    black = photo_bytes(np.full((300, 400, 3), 4, np.uint8))

    screening = _screen([black, black], [SCOPE, PHONE])

    assert [photo.image_type for photo in screening.photos] == [SCOPE, PHONE]
    assert screening.next_step is NextStep.SEE_DOCTOR
    assert RULES["photos_given_up"].sentence in screening.step_reasons


def test_reasons_are_those_of_both_kinds_where_both_ask_for_the_same_step(jpeg):
    screening = _screen([jpeg, jpeg], [SCOPE, PHONE], metadata=Metadata(age_approx=50))

    assert screening.next_step is NextStep.ROUTINE_CHECK
    assert screening.step_reasons == (RULES["skin_type_open"].sentence, RULES["phone_photo"].sentence)


def test_lesion_of_both_kinds_reads_as_the_kind_of_which_less_is_known(jpeg):
    both, scope, phone = (
        _screen([jpeg, jpeg], types, predictor=_ByKind(manifest=fake_manifest()))
        for types in ([PHONE, None], [None, SCOPE], [PHONE, PHONE])
    )

    assert [(one.image_type, one.is_mixed) for one in (both, scope, phone)] == [
        (PHONE, True),
        (SCOPE, False),
        (PHONE, False),
    ]
    assert [part.image_type for part in both.by_type()] == [PHONE, SCOPE]
    assert [[photo.name for photo in part.photos] for part in both.by_type()] == [["0.jpg"], ["1.jpg"]]
    assert both.as_of(both.photos[1]).image_type is SCOPE
    assert scope.by_type() == (scope,)


def test_as_many_kinds_as_photos_are_expected(jpeg):
    with pytest.raises(ValueError, match="shorter than"):
        _screen([jpeg, jpeg], [PHONE])


def test_a_photo_is_explained_as_its_own_kind(jpeg):
    predictor = _ByKind()
    screening = _screen([jpeg, jpeg], [SCOPE, PHONE], predictor=predictor)
    predictor.told.clear()

    answer_covered(screening, 0, across=0.5, down=0.5, width=0.3, predictor=predictor)
    answer_covered(screening, 1, across=0.5, down=0.5, width=0.3, predictor=predictor)

    assert predictor.told == [SCOPE, PHONE]
