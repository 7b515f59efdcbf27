from pages._ui.measures import abstention_lines, calm_sentence, not_assessed_words, on_top_words


def test_refusals_for_quality_and_for_untested_people_are_told_apart() -> None:
    evaluation = {
        "abstention": {
            "refused": {
                "n": 44,
                "share": 0.045,
                "n_malignant": 1,
                "reasons": {"not_tested_under_18": 37, "too_blurry": 7},
            },
            "unsure": {"n": 66, "share": 0.0675, "n_malignant": 28},
        }
    }

    refused, unsure = abstention_lines(evaluation)

    assert refused == (
        "Refused: 44 photos (4.5 of 100), 1 of them cancer or pre-cancer. "
        "37 because the person or place was not tested (under 18, nail, mucosa), 7 for quality."
    )
    assert unsure.startswith("Unsure, so a doctor is advised: 66 photos")


def test_cancers_that_would_be_watched_are_counted_against_all_of_them() -> None:
    calm = {"routine_check": {"n": 20, "n_malignant": 9}, "watch": {"n": 31, "n_malignant": 1}}

    line = calm_sentence({"calmest_steps": calm})

    assert line.startswith(
        "If every question were answered calmly, 1 of 10 cancers and pre-cancers, and 30 of 41 other"
    )
    assert line.endswith("self-monitoring, with a visit on any change. So that advice is wrong for some.")
    assert calm_sentence({"next_steps": calm}) == ""
    none = calm | {"watch": {"n": 0, "n_malignant": 0}}
    assert calm_sentence({"calmest_steps": none}).startswith(
        "Even if every question were answered calmly, no photo would"
    )


def test_fewer_not_assessed_than_refused_is_explained() -> None:
    refused = {"n": 44, "share": 0.045, "n_malignant": 1, "reasons": {"not_tested_under_18": 37, "too_blurry": 7}}
    evaluation = {"abstention": {"refused": refused}, "next_steps": {"not_assessed": {"n": 7, "n_malignant": 1}}}

    assert not_assessed_words(evaluation) == (
        "Of the 44 refused photos, 7 are not assessed, for their quality. The other 37, of people or places that were not "
        "tested, are sent to a doctor and counted there."
    )
    assert not_assessed_words({"abstention": {"refused": refused | {"reasons": {"too_blurry": 44}}}}) == ""


def test_small_changes_are_said_to_come_on_top_with_what_was_measured() -> None:
    limit = {"value": 3, "measures": {"made_unsure": {"value": 0.07, "low": 0.05, "high": 0.1}}}

    said = on_top_words({"data": {"n": 1404}, "changes": [{}] * 8, "limit": limit})

    assert "That comes on top; with 1,404 other photos it made 7.0 (5.0 to 10) of 100 answered ones unsure" in said
    assert "(more than 3 changed answers of 8; see *Worse photos*)" in said
    assert on_top_words(None).endswith("That comes on top; how often was not measured for this model.")
