"""The page of reporting guidelines is what its table says, and every file that proves an item is there."""

import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.evaluation.guidelines import STATES, items_of, load_guidelines, render_guidelines
from tests.contract.tree import ROOT

GUIDELINES = load_guidelines()


def test_committed_page_is_what_the_generator_prints():
    page = (ROOT / "docs" / "reporting-guidelines.md").read_text(encoding="utf-8")

    assert page == render_guidelines(GUIDELINES), (
        "Run: python -m dermascan_core guidelines --out docs/reporting-guidelines.md"
    )


def test_four_guidelines_are_mapped_each_with_its_source_and_whether_its_list_is_complete():
    assert [one["name"] for one in GUIDELINES] == ["CLEAR Derm", "GMLP", "TRIPOD+AI", "DECIDE-AI"]
    assert [part["part"] for part in GUIDELINES[0]["parts"]] == [
        "Data",
        "Technique",
        "Technical assessment",
        "Application",
    ]
    assert [item["item"].partition(".")[0] for item in items_of(GUIDELINES[1])] == [str(n) for n in range(1, 11)]
    for one in GUIDELINES:
        assert "https://" in one["source"]
        assert one["complete"].startswith(("No. ", "Yes, "))


@pytest.mark.parametrize("guideline", GUIDELINES, ids=lambda one: one["name"])
def test_each_item_has_a_state_and_the_files_that_prove_it(guideline):
    for item in items_of(guideline):
        assert item["state"] in STATES, item
        assert [path for path in item["proof"] if not (ROOT / path).exists()] == [], item["item"]
        assert item["proof"] or item["state"] == "not met", (
            f"No file shows that this is {item['state']}: {item['item']}"
        )
        assert item["note"] or item["state"] == "met", f"Say what is missing: {item['item']}"
        assert "|" not in item["item"] + item["note"]


def test_page_counts_the_states_of_each_guideline():
    page = render_guidelines(
        [
            {
                "name": "G",
                "about": "Of two items.",
                "source": "https://example.org",
                "complete": "No.",
                "parts": [
                    {
                        "part": "P",
                        "items": [
                            {"item": "a", "state": "met", "proof": ["README.md"], "note": ""},
                            {"item": "b", "state": "not met", "proof": [], "note": "later"},
                        ],
                    }
                ],
            }
        ]
    )

    assert "| G | 1 | 0 | 1 |" in page
    assert "| a | **met** | `README.md` |  |" in page


def test_command_writes_the_page(tmp_path):
    done = CliRunner().invoke(cli.app, ["guidelines", "--out", str(tmp_path / "page.md")])
    printed = CliRunner().invoke(cli.app, ["guidelines"])

    assert done.exit_code == 0, done.output
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == render_guidelines(GUIDELINES) == printed.stdout
