from pages._ui.measures import abstention_lines, next_step_rows


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


def test_next_steps_with_calm_answers_stand_beside_those_without_answers() -> None:
    steps = {"routine_check": {"n": 5, "n_malignant": 1}, "watch": {"n": 0, "n_malignant": 0}}
    calm = {"routine_check": {"n": 2, "n_malignant": 1}, "watch": {"n": 3, "n_malignant": 0}}

    assert [list(row.values())[1:] for row in next_step_rows({"next_steps": steps})] == [[5, 1]]
    both = next_step_rows({"next_steps": steps, "calmest_steps": calm})
    assert [list(row.values())[1:] for row in both] == [[5, 1, 2, 1], [0, 0, 3, 0]]
