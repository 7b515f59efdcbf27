"""How a prediction's numbers are put before a person: in which order, which classes stay possible, and as what percentage."""

from __future__ import annotations

from ..domain import Prediction
from ..taxonomy import HAM_CODES, HAM_MALIGNANT


def ranked_shares(prediction: Prediction) -> list[tuple[str, float]]:
    """Return (code, share) of all seven classes in the order in which they are shown.

    The class that the model shows first leads: it stands out most against its usual share, and need not have the longest
    bar. But no mole or other harmless class ever stands above a longer bar of cancer or pre-cancer: then the longest leads.
    """
    shares = [(code, float(p)) for code, p in zip(HAM_CODES, prediction.ham_probabilities, strict=True)]
    shares.sort(key=lambda pair: -pair[1])
    if shares[0][0] in HAM_MALIGNANT and prediction.predicted not in HAM_MALIGNANT:
        return shares
    return sorted(shares, key=lambda pair: pair[0] != prediction.predicted)


def order_note(prediction: Prediction) -> str:
    """Return why a class without the longest bar is on top, or why the class that stands out most is not; else nothing."""
    if HAM_CODES[int(prediction.ham_probabilities.argmax())] == prediction.predicted:
        return ""
    if ranked_shares(prediction)[0][0] == prediction.predicted:
        return "The class on top stands out most against its usual share, even where its bar is not the longest."
    return "On top is the longest bar, as it is one of cancer or pre-cancer. Against its usual share another class stands out more."


def possible_codes(prediction: Prediction) -> tuple[str, ...]:
    """Return the classes of the 90 % set and that of the longest bar, in the order of ``ranked_shares``.

    The set is fitted class by class, and may leave out the class that is most likely of all; a reader who sees its bar would
    not understand why.
    """
    ranked = [code for code, _ in ranked_shares(prediction)]
    longest = HAM_CODES[int(prediction.ham_probabilities.argmax())]
    return tuple(code for code in ranked if code in prediction.set_90 or code == longest)


def percent_words(share: float) -> str:
    """Return a share in [0, 1] as a percentage that never says none, and never all.

    >>> percent_words(0.0), percent_words(0.004), percent_words(0.126), percent_words(0.997)
    ('under 1 %', 'under 1 %', '13 %', 'over 99 %')
    """
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if share > 0.99 else f"{100 * share:.0f} %"
