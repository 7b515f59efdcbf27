"""The rules as a table: the document holds exactly them, and each can come about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dermascan_core.domain import Answers, ImageType, Metadata, Status
from dermascan_core.triage.rules import RULES
from dermascan_core.triage.rules_page import rules_table
from tests.triage.test_policy import ADULT, ANSWER_NAMES, HISTORY, URGENT, decide, make_prediction, phone_test


def test_documentation_holds_exactly_the_rules_of_the_code():
    page = Path(__file__).parents[2] / "docs" / "next-steps.md"

    assert rules_table() in page.read_text(encoding="utf-8")


def test_every_rule_is_reachable_by_some_answer_or_photo():
    # One situation each; together they must use every sentence of the table.
    def reasons_of(*arguments, **options):
        return decide(*arguments, **options)[1]

    said = {
        *reasons_of(),
        *reasons_of(Answers()),
        *reasons_of(
            metadata=Metadata(),
            warnings=[rule.code for rule in RULES.values() if rule.key == "photo"],
            n_refused=1,
            n_photos=2,
        ),
        *reasons_of(Answers(**dict.fromkeys(ANSWER_NAMES, True))),
        *reasons_of(
            metadata=Metadata(
                age_approx=10, anatom_site="nail", fitzpatrick_skin_type=6, **dict.fromkeys(HISTORY, True)
            ),
            image_type=ImageType.CLINICAL,
        ),
        *reasons_of(image_type=ImageType.CLINICAL, phone_test=phone_test(low=0.5)),
        *reasons_of(is_calm_withheld=True),
        *reasons_of(metadata=replace(ADULT, clin_size_long_diam_mm=8)),
        *reasons_of(status=Status.REFUSED, is_given_up=True),
        *(
            sentence
            for prediction in (
                URGENT,
                make_prediction("akiec"),
                make_prediction(is_above_threshold=True),
                make_prediction("bcc"),
                make_prediction(views_agreeing=1),
                make_prediction(set_95=("mel",)),
                make_prediction(is_above_calm_line=True),
            )
            for sentence in reasons_of(prediction=prediction, without=prediction)
        ),
    }

    assert {rule.sentence.format(score=10, n_refused=1, n_photos=2) for rule in RULES.values()} <= said
