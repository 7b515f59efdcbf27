"""Sentences that count among a hundred photos: what such an answer meant in the test, and what it means elsewhere.

They take numbers and compute none. No sentence speaks of one person's chance.
"""

from __future__ import annotations

from .wording import Voice

# Whose photos are counted, by the group's code (``evaluation.answer_groups``).
_GROUP_WORDS: dict[Voice, dict[str, str]] = {
    Voice.PUBLIC: {
        "above": "the model sees a raised share of cancer or pre-cancer",
        "below": "the model sees a low share of cancer or pre-cancer",
        "in_90": "a kind of it stays possible",
        "in_95_only": "a kind of it stays possible on a stricter look only",
        "in_neither": "no kind of it stays possible even on a stricter look",
    },
    Voice.CLINICIAN: {
        "above": "at or above the operating threshold",
        "below": "below the operating threshold",
        "in_90": "with a malignant class in the 90 % set",
        "in_95_only": "with a malignant class in the 95 % set only",
        "in_neither": "with no malignant class in the 95 % set",
    },
}
WHY_OTHER_FOR_YOU = (
    "For you it differs: the test holds far more cancers than everyday life, and nobody knows how common they are among "
    "people like you. So this count is about the test's photos. It is not your chance of cancer."
)
LOW_ANSWERS_MISS = "A low answer is wrong for some. It does not rule out cancer."
BAYES_ASSUMES = (
    "Carried over by Bayes' rule from how often the test gives such answers to cancers and to other spots. It holds as far "
    "as the spots themselves are alike: a clinic with thinner melanomas, or with other look-alikes, has other counts."
)


def group_words(code: str, voice: Voice) -> str:
    """Return which photos are counted.

    >>> group_words("below/in_neither", Voice.CLINICIAN)
    'below the operating threshold and with no malignant class in the 95 % set'
    """
    words = _GROUP_WORDS[Voice.PUBLIC if voice is Voice.PUBLIC else Voice.CLINICIAN]
    return " and ".join(words[part] for part in code.split("/"))


def of_100(share: float) -> str:
    """Return a share as a count of a hundred, one decimal under 10.

    >>> of_100(0.196), of_100(0.0123), of_100(0.0004)
    ('20', '1.2', 'under 0.1')
    """
    if share >= 0.0995 or share == 0:
        return f"{100 * share:.0f}"
    return f"{100 * share:.1f}" if share >= 0.001 else "under 0.1"


def in_the_test_words(
    code: str, *, share: float, low: float, high: float, n: int, prevalence: float, voice: Voice
) -> str:
    """Return how many of 100 such photos in the test were cancer or pre-cancer, with the mix it holds for.

    Args:
        code: Of the group.
        share, low, high: Cancer or pre-cancer in the group, with its interval.
        n: Photos in the group.
        prevalence: Cancer or pre-cancer in the whole test.
        voice: Who is spoken to.
    """
    counted = f"{of_100(share)} ({of_100(low)} to {of_100(high)}) were cancer or pre-cancer"
    if voice is Voice.PUBLIC:
        return (
            f"Here {group_words(code, voice)}. Of 100 such test photos, {counted}. "
            f"In the whole test it was {of_100(prevalence)} of 100."
        )
    return (
        f"Of 100 test photos {group_words(code, voice)}, as here, {counted}. "
        f"The test has {n} such photos; in the whole test it was {of_100(prevalence)} of 100."
    )


def elsewhere_words(*, share: float, low: float, high: float, prevalence: float) -> str:
    """Return the same at another prevalence."""
    return (
        f"Where {100 * prevalence:g} of 100 spots are cancer or pre-cancer, {of_100(share)} ({of_100(low)} to "
        f"{of_100(high)}) of 100 spots with such an answer would be."
    )


def icons_alt(share: float, high: float) -> str:
    """Return what a picture of a hundred dots shows, for who cannot see it.

    Args:
        share: Cancer or pre-cancer, in [0, 1].
        high: The upper end of its interval.
    """
    return (
        f"100 dots in ten rows of ten. {n_icons(share)} of them are coloured: {of_100(share)} of 100 were cancer or "
        f"pre-cancer. By the interval it may be up to {of_100(high)}."
    )


def n_icons(share: float) -> int:
    """Return how many of a hundred dots are coloured: rounded, but none only where nothing was counted.

    >>> n_icons(0.004), n_icons(0.0), n_icons(0.196)
    (1, 0, 20)
    """
    return 0 if share == 0 else max(round(100 * share), 1)
