import numpy as np
import pytest

from dermascan_core.model.predictor import prediction_from_views
from dermascan_core.taxonomy import HAM_CODES, HAM_MALIGNANT
from dermascan_core.triage.shown import order_note, percent_words, possible_codes, ranked_shares
from tests.fakes import CODES, fake_manifest


def _prediction(manifest=None, **shares):
    p = np.array([shares.get(code, 0.0) for code in CODES])
    return prediction_from_views(p[None] / p.sum(), manifest or fake_manifest())


def test_class_shown_first_leads_and_the_others_follow_by_their_bars():
    prediction = _prediction(mel=0.3, nv=0.6, bcc=0.1)  # melanoma stands out most against its usual share

    assert prediction.predicted == "mel"
    assert [code for code, _ in ranked_shares(prediction)][:3] == ["mel", "nv", "bcc"]
    assert order_note(prediction).startswith("The class on top stands out most")


def test_no_mole_stands_above_a_longer_bar_of_cancer():
    shares = np.full(8, 0.02)
    shares[[CODES.index("bcc"), CODES.index("nv")]] = 0.78, 0.1  # an archive in which bcc is what is usual
    prediction = _prediction(fake_manifest(class_shares=tuple(shares)), bcc=0.47, nv=0.41, mel=0.02)

    assert prediction.predicted == "nv"
    assert [code for code, _ in ranked_shares(prediction)][:2] == ["bcc", "nv"]
    assert order_note(prediction).startswith("On top is the longest bar")


def test_longest_bar_stays_possible_where_the_fitted_set_leaves_it_out():
    conformal = {level: dict.fromkeys(HAM_CODES, 0.1) | {"nv": 0.9} for level in ("90", "95")}
    prediction = _prediction(fake_manifest(conformal=conformal), nv=0.66, mel=0.34)

    assert prediction.predicted == "mel"
    assert prediction.set_90 == ("mel",)
    assert possible_codes(prediction) == ("mel", "nv")
    usual = _prediction(nv=0.98, mel=0.01)
    assert possible_codes(usual) == usual.set_90 == ("nv",)
    assert order_note(usual) == ""


@pytest.mark.parametrize("seed", range(5))
def test_every_class_is_shown_once_and_cancer_is_never_below_a_shorter_harmless_bar_on_top(seed):
    rng = np.random.default_rng(seed)
    for p in rng.dirichlet(np.full(len(CODES), 0.4), 200):
        ranked = ranked_shares(prediction_from_views(p[None], fake_manifest()))

        assert sorted(code for code, _ in ranked) == sorted(HAM_CODES)
        longest = max(share for _, share in ranked)
        (top, share), malignant = ranked[0], [s for code, s in ranked if code in HAM_MALIGNANT]
        assert top in HAM_MALIGNANT or share == longest or max(malignant) < longest


def test_percentages_never_say_none_or_all():
    assert [percent_words(share) for share in (0.0, 0.0099, 0.01, 0.5, 0.99, 0.9901, 1.0)] == [
        "under 1 %", "under 1 %", "1 %", "50 %", "99 %", "over 99 %", "over 99 %",
    ]  # fmt: skip
