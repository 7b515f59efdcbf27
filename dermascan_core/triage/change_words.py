"""Every sentence about two photos of one spot, taken at different times. None of them calms, and none measures."""

from __future__ import annotations

from ..domain import ImageType

NOT_MEASURED = (
    "This program does not measure change. Distance, angle, light and camera alone can make a spot look larger, smaller or "
    "of another colour. Two photos that look alike do not rule out cancer."
)
CHANGE_IS_A_REASON = (
    "Change itself is a reason to see a doctor, whatever any answer here says: in size, shape, colour or feel, seen in these "
    "photos or noticed by the person."
)
DATES_ARE_SCREENINGS = (
    "Dates are the days on which each photo was first screened here; when a photo was taken is not kept. Each photo is "
    "shown whole, in a square of the same size: only a coin or a ruler in both tells how large a spot is."
)
ONE_DATE_SO_FAR = (
    "Photos of one date so far. A later one, screened and kept for this spot, will stand here beside it. With a spot that "
    "changed or worries, do not wait for it: show it to a doctor now."
)
NO_PHOTO_SO_FAR = "No photo of this spot is kept."
DIFFERENT_KINDS = (
    "One of these photos was taken with a dermatoscope, the other with an ordinary camera. They show different things of a "
    "spot and cannot be compared."
)
SHARES_VARY = (
    "Each dot is one answer: of its photos, the one that decided. The shares of different photos of one spot vary "
    "without any change of the spot: a higher or lower dot is no measure of change."
)

_KINDS = {ImageType.DERMOSCOPIC.value: "dermatoscope", ImageType.CLINICAL.value: "phone or camera"}


def camera_words(image_type: str) -> str:
    """Return what took a photo, in a word or three."""
    return _KINDS.get(image_type, "unknown camera")


def days_between_words(n_days: int) -> str:
    """Return how far two photos lie apart.

    >>> days_between_words(0), days_between_words(1), days_between_words(92)
    ('Both photos are of the same day.', '1 day lies between them.', '92 days lie between them.')
    """
    if n_days == 0:
        return "Both photos are of the same day."
    return f"{n_days} day lies between them." if n_days == 1 else f"{n_days:,} days lie between them."


def standing_step_words(title: str, *, n_not_assessed: int) -> str:
    """Return that the most urgent next step of all answers stays, whatever a later photo was answered.

    Args:
        title: Of that step.
        n_not_assessed: How many of the answers gave no class.
    """
    words = (
        f"The most urgent next step of all answers that you have read: **{title}**. A calmer answer to another photo does not "
        "take it back."
    )
    if n_not_assessed:
        words += f" Not assessed: {n_not_assessed}. That says nothing about the spot: show it to a doctor."
    return words


def left_out_words(image_type: str, *, n_of_other_kind: int, n_by_other_model: int) -> str:
    """Return which answers a chart of shares leaves out and why; empty where it leaves out none.

    Args:
        image_type: The kind of photo that is not drawn.
        n_of_other_kind: How many answers to photos of it.
        n_by_other_model: How many answers to photos of the drawn kind, by another model.

    >>> left_out_words("clinical", n_of_other_kind=1, n_by_other_model=0)
    'Not shown: 1 answer to photos by phone or camera, whose shares do not compare with these; it stands in the list above.'
    """
    left_out = []
    if n_of_other_kind:
        left_out.append(f"{_answers(n_of_other_kind)} to photos by {camera_words(image_type)}")
    if n_by_other_model:
        left_out.append(f"{_answers(n_by_other_model)} by another model")
    if not left_out:
        return ""
    stand = "it stands" if n_of_other_kind + n_by_other_model == 1 else "they stand"
    return f"Not shown: {' and '.join(left_out)}, whose shares do not compare with these; {stand} in the list above."


def _answers(n: int) -> str:
    return f"{n} answer" if n == 1 else f"{n} answers"


def steadiness_words(changed_of_100: str, n_photos: int) -> str:
    """Return by how much answers vary without any change of the spot.

    Args:
        changed_of_100: Of 100 test photos, how many were answered otherwise after a small change; as a page writes it.
        n_photos: How many were counted.
    """
    return (
        f"Of 100 photos of our test ({n_photos:,} were counted), {changed_of_100} got another class first, or other advice on "
        "seeing a doctor, when the same photo was only turned, moved, lit or saved a little differently."
    )
