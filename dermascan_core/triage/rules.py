"""The rules of the next step as data: when each applies, which step it asks for, what it says, and where it is from.

``policy`` decides which rules apply; ``docs/next-steps.md`` is this table, so that a dermatologist can check it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..domain import NextStep
from .checklist import LARGE_DIAMETER_MM, SEVEN_POINT_URGENT
from .sources import ABCDE, ADULTS, CAUTION, CKS, HAM10000, NG12, OVERRULE, SEVEN_POINT, UNMEASURED

MIN_AGE_YEARS = 18
UNTESTED_SKIN_TYPES = (5, 6)
PHONE_CALM_SENSITIVITY = 0.9  # phone photos may be calm above it: the lower end of what was measured on such photos


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the policy.

    Attributes:
        code: Stable name.
        key: Whose key it is: ``answers``, ``history``, ``untested``, ``model`` or ``photo``.
        step: The next step that the rule asks for; the most urgent of all that apply wins.
        when: The condition, in words that a dermatologist can check.
        sentence: What the person reads; may hold ``{score}``, ``{n_refused}`` and ``{n_photos}``.
        source: Where it is from.
    """

    code: str
    key: str
    step: NextStep
    when: str
    sentence: str
    source: str


_RULES = (
    # --- answers: what the person says overrules any model
    Rule(
        "unstoppable_bleeding",
        "answers",
        NextStep.EMERGENCY,
        "Bleeding does not stop after ten minutes of firm pressure",
        "It is bleeding and the bleeding does not stop.",
        OVERRULE,
    ),
    Rule(
        "very_unwell",
        "answers",
        NextStep.EMERGENCY,
        "Fever, fast spreading redness, or feeling very ill with it",
        "Feeling very ill, or redness that spreads fast, cannot wait for a photo check.",
        OVERRULE,
    ),
    Rule(
        "seven_point",
        "answers",
        NextStep.URGENT_2_WEEKS,
        f"Weighted 7-point score of {SEVEN_POINT_URGENT} or more (change in size, shape or colour 2; unlike half or "
        f"uneven edge 2; several colours 2; {LARGE_DIAMETER_MM:g} mm or more 1; red or swollen 1; oozing or bleeding 1; "
        "pain or itch 1)",
        "The answers score {score} on the 7-point checklist that doctors use. "
        f"With {SEVEN_POINT_URGENT} or more, a doctor should see it within 2 weeks.",
        SEVEN_POINT,
    ),
    Rule(
        "new_and_bleeding",
        "answers",
        NextStep.URGENT_2_WEEKS,
        "New and growing, and it bleeds, oozes or crusts (nodular melanoma or squamous cell carcinoma to be considered)",
        "It is new, it grows and it bleeds. A doctor should see it within 2 weeks.",
        NG12,
    ),
    Rule(
        "changing",
        "answers",
        NextStep.SEE_DOCTOR,
        "Changed in size, shape or colour, or is changing lately",
        "It has changed. A doctor should see it, whatever the photo shows.",
        OVERRULE,
    ),
    Rule(
        "bleeding",
        "answers",
        NextStep.SEE_DOCTOR,
        "Bleeds, oozes or crusts",
        "It bleeds, oozes or crusts. A doctor should see it, whatever the photo shows.",
        OVERRULE,
    ),
    Rule(
        "new",
        "answers",
        NextStep.SEE_DOCTOR,
        "New and growing",
        "It is new and it grows. A doctor should see it, whatever the photo shows.",
        OVERRULE,
    ),
    Rule(
        "painful",
        "answers",
        NextStep.SEE_DOCTOR,
        "Hurts or itches",
        "It hurts or itches. A doctor should see it, whatever the photo shows.",
        OVERRULE,
    ),
    Rule(
        "inflamed",
        "answers",
        NextStep.SEE_DOCTOR,
        "Red or swollen",
        "It is red or swollen. A doctor should see it, whatever the photo shows.",
        OVERRULE,
    ),
    Rule(
        "asymmetric",
        "answers",
        NextStep.SEE_DOCTOR,
        "One half looks unlike the other",
        "One half looks unlike the other. A doctor should see it, whatever the photo shows.",
        ABCDE,
    ),
    Rule(
        "irregular_border",
        "answers",
        NextStep.SEE_DOCTOR,
        "Edge uneven, notched or blurred",
        "Its edge is uneven. A doctor should see it, whatever the photo shows.",
        ABCDE,
    ),
    Rule(
        "several_colours",
        "answers",
        NextStep.SEE_DOCTOR,
        "Several colours",
        "It has several colours. A doctor should see it, whatever the photo shows.",
        ABCDE,
    ),
    Rule(
        "worried",
        "answers",
        NextStep.SEE_DOCTOR,
        "The person is worried about it",
        "Being worried is reason enough to show it to a doctor, whatever the photo shows.",
        CKS,
    ),
    Rule(
        "large",
        "answers",
        NextStep.ROUTINE_CHECK,
        f"{LARGE_DIAMETER_MM:g} mm wide or more, as measured or as answered, and nothing else named",
        f"It is {LARGE_DIAMETER_MM:g} mm wide or more. That alone is common, and worth a check.",
        ABCDE,
    ),
    # --- untested: nobody measured how good the answer is here, so it cannot calm
    Rule(
        "under_18",
        "untested",
        NextStep.SEE_DOCTOR,
        f"Age under {MIN_AGE_YEARS}",
        f"This program was not tested on people under {MIN_AGE_YEARS}. Ask a doctor to look at the spot.",
        ADULTS,
    ),
    Rule(
        "nail",
        "untested",
        NextStep.SEE_DOCTOR,
        "Under or beside a nail",
        "This program was not tested on spots under or beside a nail. Ask a doctor to look at it.",
        HAM10000,
    ),
    Rule(
        "mucosa",
        "untested",
        NextStep.SEE_DOCTOR,
        "Inside the mouth, nose, eyelid or genitals (the ISIC region oral/genital included; genital skin is not)",
        "This program was not tested on spots inside the mouth, nose, eyelid or genitals. Ask a doctor to look at it.",
        HAM10000,
    ),
    Rule(
        "dark_skin",
        "untested",
        NextStep.ROUTINE_CHECK,
        "Fitzpatrick skin type V or VI",
        "This program was not tested on brown or black skin (types V and VI), so its answer cannot calm.",
        UNMEASURED,
    ),
    Rule(
        "phone_photo",
        "untested",
        NextStep.ROUTINE_CHECK,
        "Clinical (phone) photo, not a dermoscopic one",
        "This program was not tested on phone photos, so its answer cannot calm.",
        UNMEASURED,
    ),
    Rule(
        "phone_photo_measured",
        "untested",
        NextStep.ROUTINE_CHECK,
        "The same of a model that was measured on phone photos, and where the lower end of its sensitivity for cancer "
        f"and pre-cancer on them, or for melanoma alone, is not above {100 * PHONE_CALM_SENSITIVITY:.0f} %",
        "This program's test on phone photos is not enough for its answer to calm.",
        UNMEASURED,
    ),
    Rule(
        "age_open",
        "untested",
        NextStep.ROUTINE_CHECK,
        f"Age not known, so it may be under {MIN_AGE_YEARS}",
        f"The age is not known, and people under {MIN_AGE_YEARS} were not tested. "
        "Add the age: without it, the photo alone cannot calm.",
        UNMEASURED,
    ),
    Rule(
        "skin_type_open",
        "untested",
        NextStep.ROUTINE_CHECK,
        "Fitzpatrick skin type not known, so it may be V or VI",
        "The skin type is not known, and brown or black skin (types V and VI) was not tested. "
        "Add the skin type: without it, the photo alone cannot calm.",
        UNMEASURED,
    ),
    # --- history: raises the floor of an assessed photo, never the alarm
    Rule(
        "personal_history",
        "history",
        NextStep.ROUTINE_CHECK,
        "A skin cancer before",
        "After a skin cancer, each new spot is worth a check.",
        CAUTION,
    ),
    Rule(
        "family_history",
        "history",
        NextStep.ROUTINE_CHECK,
        "A parent, sibling or child had melanoma",
        "When someone in the close family had melanoma, a check now and then is wise.",
        CAUTION,
    ),
    Rule(
        "immunosuppressed",
        "history",
        NextStep.ROUTINE_CHECK,
        "Medicines or illness weaken the defences",
        "With weakened body defences, skin checks matter more.",
        CAUTION,
    ),
    Rule(
        "sun_exposure",
        "history",
        NextStep.ROUTINE_CHECK,
        "Blistering sunburns, years of outdoor work, or sunbeds",
        "After much sun, or sunbeds, a check now and then is wise.",
        CAUTION,
    ),
    # --- model: with and without the metadata; both are read, the more urgent counts
    Rule(
        "model_melanoma",
        "model",
        NextStep.URGENT_2_WEEKS,
        "Melanoma is shown first, or stands in the 95 % set while the share of cancer or pre-cancer reaches the threshold",
        "This photo has features that the model links with melanoma. It cannot be ruled out.",
        NG12,
    ),
    Rule(
        "model_squamous",
        "model",
        NextStep.URGENT_2_WEEKS,
        "Actinic keratosis / squamous cell carcinoma is shown first (the model cannot part the two safely: the worse counts)",
        "This photo has features that the model links with sun damage or early squamous cell cancer. "
        "It cannot be ruled out.",
        NG12,
    ),
    Rule(
        "model_threshold",
        "model",
        NextStep.SEE_DOCTOR,
        "The share of cancer or pre-cancer reaches the operating threshold, without the two above or with basal cell "
        "carcinoma shown first (which asks for routine referral unless site or size is a concern)",
        "This photo has features that the model links with skin cancer or pre-cancer. They cannot be ruled out.",
        NG12,
    ),
    Rule(
        "model_set_malignant",
        "model",
        NextStep.SEE_DOCTOR,
        "A malignant class is shown first or stands in the shown (90 %) set, below the threshold",
        "The model cannot rule out every kind of skin cancer or pre-cancer in this photo.",
        CAUTION,
    ),
    Rule(
        "model_unsure",
        "model",
        NextStep.SEE_DOCTOR,
        "The model is unsure: turned views of the photo disagree, four or more classes stay possible, or small changes "
        "of the photo change the answer more often than the model's limit",
        "The model is unsure about this photo. Being unsure is not a good sign or a bad sign: let a doctor look.",
        CAUTION,
    ),
    Rule(
        "model_set_95_malignant",
        "model",
        NextStep.ROUTINE_CHECK,
        "A malignant class stands in the 95 % set only",
        "Looked at more strictly, a kind of skin cancer or pre-cancer stays possible in this photo.",
        CAUTION,
    ),
    Rule(
        "model_not_calm",
        "model",
        NextStep.ROUTINE_CHECK,
        "The share of cancer or pre-cancer is below the threshold, but reaches the calm line: what 99.5 % of the cancers and "
        "pre-cancers, and 99 % of the melanomas, reached on the photos that the threshold was chosen on",
        "Some skin cancers were answered like this when the model was tried out, so its answer cannot calm.",
        CAUTION,
    ),
    Rule(
        "calm_withheld",
        "model",
        NextStep.ROUTINE_CHECK,
        "Whoever runs this installation withholds calm answers (docs/kill-switch.md), and the model answered a photo",
        "Calm answers are withheld here at present, so the photo alone cannot calm.",
        CAUTION,
    ),
    Rule(
        "questions_open",
        "answers",
        NextStep.ROUTINE_CHECK,
        "A warning-sign question is unanswered, so only one of the two keys is calm",
        "Not all questions about warning signs were answered, so the photo alone cannot calm.",
        CAUTION,
    ),
    Rule(
        "model_calm",
        "model",
        NextStep.WATCH,
        "Dermoscopic photo, none of the above: no malignant class in the 95 % set, below the calm line, "
        "a lesion that stands out with enough pixels, age and skin type known, every warning sign answered no, and "
        "no sign of the ABCDE list named",
        "No high-risk features were found in this photo, and no warning sign was named. This does not rule out cancer.",
        CAUTION,
    ),
    # --- photo
    Rule(
        "no_lesion",
        "photo",
        NextStep.ROUTINE_CHECK,
        "No lesion stands out from the skin in the square that the model sees",
        "No spot stands out in this photo, so what the model answered may be about plain skin, and cannot calm.",
        CAUTION,
    ),
    Rule(
        "few_pixels",
        "photo",
        NextStep.ROUTINE_CHECK,
        "The square that the model sees has fewer pixels than the photos it was measured on",
        "The part of the photo that the model saw has few pixels, so fine signs may be lost, and it cannot calm.",
        UNMEASURED,
    ),
    Rule(
        "several_lesions",
        "photo",
        NextStep.ROUTINE_CHECK,
        "More than one spot stands out in the photo, and the model judges one",
        "More than one spot stands out in this photo, and only one was judged, so the answer cannot calm about the others.",
        CAUTION,
    ),
    Rule(
        "lesion_at_edge",
        "photo",
        NextStep.ROUTINE_CHECK,
        "The lesion reaches the edge of the photo, so part of it was not seen",
        "The spot reaches the edge of the photo. A part that was not seen cannot calm.",
        CAUTION,
    ),
    Rule(
        "looks_clinical",
        "photo",
        NextStep.ROUTINE_CHECK,
        "Called a dermoscopic photo, but it looks like one of a phone or camera",
        "This photo looks as if no dermatoscope had taken it. Read as the wrong kind of photo, an answer cannot calm.",
        CAUTION,
    ),
    Rule(
        "photos_refused",
        "photo",
        NextStep.ROUTINE_CHECK,
        "Some photos of the lesion could not be judged, beside others that could",
        "{n_refused} of {n_photos} photos could not be assessed, so the others cannot calm.",
        CAUTION,
    ),
    Rule(
        "photos_given_up",
        "photo",
        NextStep.SEE_DOCTOR,
        "No photo of the lesion could be judged, and two or more were refused",
        "We could not assess it from photos, and do not ask for another one. A doctor can look at the spot itself.",
        CAUTION,
    ),
    Rule(
        "refused",
        "photo",
        NextStep.NOT_ASSESSED,
        "The photo could not be judged; history alone does not change this, an answer or an untested site or age does",
        "The photo could not be assessed. Do not use this as reassurance.",
        CAUTION,
    ),
)
RULES: dict[str, Rule] = {rule.code: rule for rule in _RULES}

ARTEFACTS_CHANGE_STEP = (
    "With what lies over the skin painted over, the model's answer asks for another step. The more urgent one counts."
)
WITHOUT_ARTEFACTS = "With what lies over the skin painted over:"
WITHOUT_METADATA = "Without age, sex and body site:"
METADATA_CHANGES_STEP = (
    "The model's answer with age, sex and body site differs from its answer without them. The more urgent one counts."
)
