"""Words that no person may read here as a verdict: searched in every text of the pages and of the core."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Words that would be a verdict, a promise or an alarm (safety.md; FTC on health apps). Class names are exempt.
FORBIDDEN = (
    r"\bbenign\b",
    r"\byou are fine\b",
    r"\byou're fine\b",
    r"\b(is|are|looks?|seems?) (fine|harmless|normal|healthy|safe)\b",
    r"\bharmless\b",
    r"\ball clear\b",
    r"\bclear of\b",
    r"\bcancer[- ]free\b",
    r"\bno cancer\b",
    r"\bnot cancer\b",
    r"\bcancer (was )?(detected|found|diagnosed)\b",
    r"\b(detects?|diagnos(es|ed)|finds?) (skin )?(cancer|melanoma)\b",
    r"\byou (have|do not have|don't have) (a )?(skin )?(cancer|melanoma)\b",
    r"\b(risk (is )?low|low[- ]risk)\b",
    r"\bearly detection\b",
    r"\d+(\.\d+)? ?(%|per ?cent) (accura|sure|certain|chance|safe)",
    r"\baccura(te|cy)\b",
    r"\bnothing to worry\b",
    r"\bdo not worry\b",
    r"\bdon't worry\b",
    r"\breassur(ed|ing)\b",
    r"\bno need (to|for)\b",
    r"\bguarantee",
    r"\bproven\b",
)
# A measure's name, read beside its interval on the pages about the model, is no promise about one photo.
MEASURE_NAMES = r"(balanced )?accuracy( \(.*\)| of the most probable class)?"
# Where the text is about measures throughout, "accuracy" is one of them; "accurate" stays a promise there too.
ABOUT_MEASURES = ("dermascan_core/evaluation/", "pages/_ui/measured_")
# "benign" is allowed inside a class's name.
CLASS_NAMES = r"(pigmented )?benign keratos[ie]s"
# taxonomy holds the classes' own names; training writes the documents about data and model.
EXEMPT = ("dermascan_core/taxonomy.py", "dermascan_core/training/")
FILES = [
    path
    for folder in ("dermascan_core", "pages", "streamlit_app.py")
    for path in sorted([ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*.py"))
    if path.is_file() and not path.relative_to(ROOT).as_posix().startswith(EXEMPT)
]


@pytest.mark.parametrize(
    "said",
    [
        "Your mole is benign.",
        "You are fine.",
        "Cancer detected!",
        "We are 95 % accurate.",
        "Melanoma risk low.",
        "Low risk of melanoma.",
        "Early detection saves lives.",
        "You have melanoma.",
        "This looks harmless.",
        "No cancer was seen.",
        "There is nothing to worry about.",
    ],
)
def test_the_forbidden_words_catch_what_they_are_for(said):
    assert any(re.search(pattern, said, re.IGNORECASE) for pattern in FORBIDDEN)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_text_in_the_source_gives_a_verdict(path: Path):
    found = [
        (line, pattern, text)
        for line, text in texts_in(path)
        for pattern in FORBIDDEN
        if re.search(pattern, _without_names(text, path), re.IGNORECASE)
        and not re.fullmatch(MEASURE_NAMES, text, re.IGNORECASE)
    ]

    assert found == []


def _without_names(text: str, path: Path) -> str:
    named = re.sub(CLASS_NAMES, "", text, flags=re.IGNORECASE)
    is_about_measures = path.relative_to(ROOT).as_posix().startswith(ABOUT_MEASURES)
    return re.sub(r"(?<!% )\baccuracy\b", "", named, flags=re.IGNORECASE) if is_about_measures else named


def test_a_promise_is_a_promise_beside_a_measure_too():
    beside = ROOT / "dermascan_core" / "evaluation" / "x.py"

    for said in ("Accurate in 95 of 100.", "95 % accuracy", "a benign mole, not a benign keratosis"):
        assert any(re.search(pattern, _without_names(said, beside), re.IGNORECASE) for pattern in FORBIDDEN)
    for said in ("Accuracy kept under blur", "pigmented benign keratosis"):
        assert not any(re.search(pattern, _without_names(said, beside), re.IGNORECASE) for pattern in FORBIDDEN)


def texts_in(path: Path) -> list[tuple[int, str]]:
    """Return line and text of every string of two words or more that is no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and " " in node.value
        and id(node) not in docstrings
    ]
