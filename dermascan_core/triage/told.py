"""What the person said, in a clinician's few words: what is so, what is not, and what stayed open."""

from __future__ import annotations

from ..domain import ANSWER_FIELDS, HISTORY_FIELDS, SYMPTOM_FIELDS, Answers, Metadata
from .checklist import SEVEN_POINT_WEIGHTS, seven_point_features, seven_point_score
from .policy import open_questions

SIGN_NAMES: dict[str, str] = {
    "unstoppable_bleeding": "bleeding that does not stop",
    "very_unwell": "very unwell, or redness that spreads fast",
    "changing": "changed in size, shape or colour",
    "bleeding": "bleeds, oozes or crusts",
    "new": "new and growing",
    "painful": "hurts or itches",
    "under_nail": "under or beside a nail",
    "on_mucosa": "on mucosa",
    "worried": "worried about it",
    "asymmetric": "asymmetric",
    "irregular_border": "irregular border",
    "several_colours": "several colours",
    "large_diameter": "7 mm or more",
    "evolving": "changed in the last weeks or months",
    "inflamed": "red or swollen",
}
HISTORY_NAMES: dict[str, str] = {
    "personal_hx_skin_cancer": "skin cancer before",
    "family_hx_skin_cancer": "melanoma of a parent, sibling or child",
    "high_sun_exposure": "much sun, or sunbeds",
    "immunosuppressed": "immunosuppressed",
}
# As a table of phone photos names them; no form asks for these, so nobody left them open.
SYMPTOM_NAMES: dict[str, str] = {
    "itch": "itches",
    "grew": "grew",
    "hurt": "hurts",
    "changed": "changed",
    "bleed": "bleeds",
    "elevation": "raised",
}


def told_words(metadata: Metadata, answers: Answers) -> tuple[str, ...]:
    """Return up to four sentences: what was said to be so, not to be so, what stayed open, and the skin type.

    >>> told_words(Metadata(fitzpatrick_skin_type=2), Answers(changing=True, new=False))[:2]
    ('Said to be so: changed in size, shape or colour.', 'Said not to be so: new and growing.')
    """
    said = {
        **{SIGN_NAMES[name]: getattr(answers, name) for name in ANSWER_FIELDS},
        **{HISTORY_NAMES[name]: getattr(metadata, name) for name in HISTORY_FIELDS},
    }
    noticed = {SYMPTOM_NAMES[name]: getattr(metadata, name) for name in SYMPTOM_FIELDS}
    asked_and_noticed = said | {name: value for name, value in noticed.items() if value is not None}
    by_answer = {
        "Said to be so": [name for name, value in asked_and_noticed.items() if value is True],
        "Said not to be so": [name for name, value in asked_and_noticed.items() if value is False],
        "Not answered": [name for name, value in said.items() if value is None],
    }
    skin_type = metadata.fitzpatrick_skin_type
    return (
        *(f"{heading}: {'; '.join(names)}." for heading, names in by_answer.items() if names),
        f"Skin type (Fitzpatrick, 1 to 6): {'not told' if skin_type is None else skin_type}.",
    )


def seven_point_words(answers: Answers, metadata: Metadata) -> str:
    """Return the weighted 7-point score with the features that make it, and how many questions were left open."""
    features = seven_point_features(answers, metadata)
    listed = ", ".join(f"{name} ({SEVEN_POINT_WEIGHTS[name]})" for name in features) or "no feature named"
    n_open = len(open_questions(answers))
    left = f" {n_open} questions about warning signs were left open." if n_open else ""
    score = seven_point_score(answers, metadata)
    return f"Weighted 7-point score from the answers: {score} of 10, as a lower bound: {listed}.{left}"
