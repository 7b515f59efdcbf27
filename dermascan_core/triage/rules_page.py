"""The rules of the next step as the page that a dermatologist checks."""

from __future__ import annotations

from .rules import RULES


def rules_table() -> str:
    """Return the rules as a Markdown table, most urgent first; ``docs/next-steps.md`` holds exactly this."""
    lines = ["| next step | when | what the person reads | source | rule |", "|---|---|---|---|---|"]
    # sorted() is stable: within one step the order of the rules stays.
    for rule in sorted(RULES.values(), key=lambda rule: -rule.step.urgency):
        cells = (rule.step.value, rule.when, rule.sentence, rule.source, f"`{rule.code}`")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
