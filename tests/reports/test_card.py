"""The one-page card: a PNG of one A4 page whose text never runs off and whose words keep the rules."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dermascan_core.domain import (
    Answers,
    CalmRate,
    ImageType,
    Metadata,
    NextStep,
    PhotoScreening,
    Prediction,
    Reason,
    Screening,
    Status,
)
from dermascan_core.reports import card, paper
from dermascan_core.reports.card import render_card
from dermascan_core.taxonomy import HAM_CODES
from dermascan_core.triage.rules import RULES
from dermascan_core.triage.wording import Voice

PREDICTION = Prediction(
    codes=HAM_CODES,
    probabilities=np.array([0.05, 0.1, 0.1, 0.03, 0.3, 0.4, 0.02]),
    ham_probabilities=np.array([0.05, 0.1, 0.1, 0.03, 0.3, 0.4, 0.02]),
    predicted="mel",
    p_malignant=0.45,
    set_90=("mel", "nv"),
    set_95=("bcc", "mel", "nv"),
    views_agreeing=8,
    n_views=8,
    is_above_threshold=True,
)
PHOTO = PhotoScreening(
    name="mole.jpg",
    status=Status.ANSWERED,
    reason=None,
    quality=None,
    crop=None,
    prediction=PREDICTION,
    prediction_without_metadata=PREDICTION,
    next_step=NextStep.URGENT_2_WEEKS,
    square=np.full((224, 224, 3), (10, 200, 30), np.uint8),
)
REFUSED = replace(
    PHOTO,
    status=Status.REFUSED,
    reason=Reason("too_blurry", "The photo is not sharp."),
    next_step=NextStep.NOT_ASSESSED,
)
SCREENING = Screening(
    photos=(PHOTO,),
    metadata=Metadata(age_approx=61, sex="female", anatom_site="back", clin_size_long_diam_mm=6.5),
    answers=Answers(changing=True),
    image_type=ImageType.DERMOSCOPIC,
    next_step=NextStep.URGENT_2_WEEKS,
    step_reasons=(RULES["model_melanoma"].sentence,),
    disagreement=None,
    model="dermascan",
    model_sha256="ab" * 32,
    engine="keras",
    app_version="0.1.0",
    screened_at="2026-03-01T10:20:30+00:00",
)
LONGEST = replace(
    SCREENING,
    photos=(
        replace(
            PHOTO,
            status=Status.UNSURE,
            reason=Reason("unsure", "Unsure."),
            prediction=replace(PREDICTION, set_90=HAM_CODES),
            image_type=ImageType.CLINICAL,
        ),
        replace(REFUSED, image_type=ImageType.DERMOSCOPIC),
    ),
    answers=Answers(*[True] * 9),
    metadata=Metadata(
        age_approx=12, sex="female", anatom_site="oral/genital", clin_size_long_diam_mm=12.5, fitzpatrick_skin_type=6
    ),
    image_type=ImageType.CLINICAL,
    step_reasons=tuple(
        sorted(
            (rule.sentence.format(score=5, n_refused=1, n_photos=2) for rule in RULES.values()), key=len, reverse=True
        )
    ),
    disagreement="The 2 photos of this lesion were answered differently. "
    "The next step follows the most urgent one. Show all of them to a doctor.",
    model="a" * 200,
)


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def texts_of(screening: Screening, monkeypatch: pytest.MonkeyPatch, photo_index: int = 0, **options) -> str:
    """Return everything written onto the card, line ends as blanks; ``options`` go to ``render_card``."""
    said: list[str] = []
    write = card.Page.write

    def listening(page, text, **style):
        said.append(text)
        write(page, text, **style)

    monkeypatch.setattr(card.Page, "write", listening)
    render_card(screening, photo_index=photo_index, **options)
    return " ".join(dict.fromkeys(said))


CALM_WORDS = (
    "Of 100 test photos whose answer was below the line for a doctor, as here, 1.2 (0.9 to 1.6) were cancer or pre-cancer all the same. "
    "In the whole test it was 20 of 100; everyday life has far fewer."
)


def test_low_answer_stands_beside_how_often_such_answers_were_wrong(monkeypatch):
    low = replace(PHOTO, prediction=replace(PREDICTION, is_above_threshold=False))
    calm = replace(SCREENING, photos=(low,), calm_rate=CalmRate(0.012, 0.009, 0.016, prevalence=0.2))

    assert CALM_WORDS in texts_of(calm, monkeypatch)
    assert "below the line for a doctor" not in texts_of(replace(calm, photos=(PHOTO,)), monkeypatch)


def test_card_is_one_a4_page_without_tags():
    image = Image.open(io.BytesIO(render_card(SCREENING)))

    assert (image.format, image.size, image.mode) == ("PNG", (1240, 1754), "RGB")
    assert set(image.info) == {"dpi"}
    assert dict(image.getexif()) == {}


def test_card_shows_the_square_that_the_network_saw():
    pixels = pixels_of(render_card(SCREENING))

    assert (pixels == (10, 200, 30)).all(axis=-1).sum() > 350 * 350


@pytest.mark.parametrize("screening", [SCREENING, LONGEST], ids=["short", "longest"])
@pytest.mark.parametrize("step", list(NextStep))
def test_nothing_is_drawn_outside_the_margins(screening: Screening, step: NextStep):
    pixels = pixels_of(render_card(replace(screening, next_step=step)))

    for border in (pixels[:, :76], pixels[:, -76:], pixels[:30], pixels[-30:]):
        assert (border == 255).all()


def test_longest_card_keeps_its_words_readable(monkeypatch: pytest.MonkeyPatch):
    scales: list[float] = []
    draw = card._draw_card

    def listening(page, *arguments, **options):
        scales.append(page.scale)
        draw(page, *arguments, **options)

    monkeypatch.setattr(card, "_draw_card", listening)
    render_card(LONGEST)

    # 24 px * 0.7 at 150 dpi is 8 points.
    assert scales[-1] >= 0.7


def test_card_says_step_time_booking_limits_disclaimer_and_model(monkeypatch: pytest.MonkeyPatch):
    text = texts_of(SCREENING, monkeypatch)

    for words in (
        "Not a medical device. Not a diagnosis. A low result does not rule out skin cancer.",
        "Skin photo check, 1 March 2026, 10:20 UTC",
        "See a doctor within 2 weeks",
        "How soon: Book today, for a visit within 2 weeks",
        "Dermatoscope photo, as the network saw it. As told: age 61, female, back, 6.5 mm.",
        "Melanoma (a skin cancer)",
        "Stays possible: Melanoma (a skin cancer), Mole (nevus).",
        "It is not your chance of cancer.",
        "This photo has features that the model links with melanoma. It cannot be ruled out.",
        '"I have a spot on my back. It has changed. '
        'I would like a doctor to look at it within 2 weeks, to check for skin cancer."',
        "Brown and black skin (types V and VI) was not tested.",
        "Model dermascan, engine keras, DermaScan 0.1.0, 2026-03-01T10:20:30+00:00",
        "Weights sha256 " + "ab" * 32,
    ):
        assert words in text


def test_class_shown_first_leads_even_where_another_bar_is_longer(monkeypatch: pytest.MonkeyPatch):
    text = texts_of(SCREENING, monkeypatch)

    assert text.index("Melanoma (a skin cancer)") < text.index("Mole (nevus)")
    assert "stands out most against its usual share" in text


def test_refused_photo_shows_no_class(monkeypatch: pytest.MonkeyPatch):
    text = texts_of(replace(SCREENING, photos=(REFUSED,), step_reasons=()), monkeypatch)

    assert "Could not assess this photo. The photo is not sharp. Do not use this as reassurance." in text
    assert "Mole" not in text
    assert "%" not in text


def test_phone_photo_and_untested_skin_are_marked_beside_the_bars(monkeypatch: pytest.MonkeyPatch):
    text = texts_of(LONGEST, monkeypatch)

    assert "Not tested on phone photos." in text
    assert "Not tested on brown or black skin" in text
    assert "Grey bars: the model is unsure." in text


def test_card_of_two_kinds_names_both_and_marks_the_phone_photo_alone(monkeypatch: pytest.MonkeyPatch):
    photos = tuple(replace(PHOTO, image_type=one) for one in (ImageType.DERMOSCOPIC, ImageType.CLINICAL))
    both = replace(SCREENING, photos=photos, image_type=ImageType.CLINICAL)

    scope, phone = (texts_of(both, monkeypatch, photo_index=index) for index in (0, 1))

    assert "Dermatoscope photo 1 of 2, as the network saw it." in scope
    assert "Phone photo 2 of 2, as the network saw it." in phone
    assert "The bars may be far off" in phone
    assert "The bars may be far off" not in scope
    for text in (scope, phone):
        assert "These photos were taken in two ways (photo 1 with a dermatoscope, photo 2 by phone)" in text
        assert "no such pairs were at hand." in text


def test_calm_card_says_what_to_watch(monkeypatch: pytest.MonkeyPatch):
    text = texts_of(replace(SCREENING, next_step=NextStep.WATCH), monkeypatch)

    assert "See a doctor if any of these 7 points fits It gets bigger." in text


@pytest.mark.parametrize("step", list(NextStep))
def test_card_s_own_words_hold_no_verdict(step: NextStep, monkeypatch: pytest.MonkeyPatch):
    text = texts_of(replace(LONGEST, next_step=step), monkeypatch)

    assert not re.search(
        r"\bbenign\b|you are fine|cancer detected|accura|low[- ]risk|risk low|early detection|you have (a )?(melanoma|cancer)",
        text,
        re.IGNORECASE,
    )


def test_second_photo_can_be_shown(monkeypatch: pytest.MonkeyPatch):
    assert "Dermatoscope photo 2 of 2" in texts_of(LONGEST, monkeypatch, photo_index=1)


@pytest.mark.parametrize("index", [-1, 1])
def test_photo_that_is_not_there_is_a_programming_mistake(index: int):
    with pytest.raises(
        ValueError, match=rf"^Invalid value received for argument `photo_index`\. Expected 0 to 0\. Received: {index}$"
    ):
        render_card(SCREENING, photo_index=index)


def test_nobody_is_spoken_to_on_a_page_in_the_voice_of_a_record():
    with pytest.raises(
        ValueError,
        match=r"^Invalid value received for argument `voice`\. Expected public or clinician\. Received: report$",
    ):
        render_card(SCREENING, voice=Voice.REPORT)


def test_card_draws_signs_that_the_font_lacks_as_question_marks():
    assert paper.printable("Modell\u00fc \u65e5\n2") == "Modell? ? 2"
