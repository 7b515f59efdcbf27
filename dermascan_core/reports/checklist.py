"""The photo checklist as one page to print: a self-contained HTML file with a box to tick before each line."""

from __future__ import annotations

from html import escape

from ..triage.technique import GROUPS, SOURCE, WHOSE_ADVICE
from ..triage.wording import DISCLAIMER

_STYLE = """
body { font: 11pt/1.35 system-ui, sans-serif; color: #000; background: #fff; max-width: 46em; margin: 1.5em auto; padding: 0 1em; }
h1 { font-size: 17pt; margin: 0 0 .3em; } h2 { font-size: 12pt; margin: 0 0 .2em; }
h2 small { font-weight: 400; font-size: 9pt; } ul { list-style: none; margin: 0; padding: 0; }
li { padding-left: 1.7em; text-indent: -1.7em; } li::before { content: "\\2610"; display: inline-block; width: 1.7em; text-indent: 0; }
main { columns: 2 18em; column-gap: 2em; } section { break-inside: avoid; padding-bottom: .8em; } p { font-size: 9pt; } .lead { font-size: 11pt; }
@page { margin: 14mm; }
"""


def render_checklist() -> str:
    """Return the checklist as HTML for paper; it fetches nothing and runs no script."""
    sections = "\n".join(
        f"<section><h2>{escape(group.name)} <small>({group.n_recommendations} of 33)</small></h2>\n<ul>"
        + "".join(f"<li>{escape(line)}</li>" for line in group.advice)
        + "</ul></section>"
        for group in GROUPS
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Photo checklist - DermaScan</title><style>{_STYLE}</style></head><body>\n"
        f'<h1>How to photograph a spot</h1>\n<p class="lead">{escape(DISCLAIMER)}</p>\n'
        f"<main>\n{sections}\n</main>\n<p>{escape(WHOSE_ADVICE)} {escape(SOURCE)}</p>\n</body></html>\n"
    )
