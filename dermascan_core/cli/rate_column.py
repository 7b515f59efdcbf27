"""How fast a progress bar moves; apart from ``common``, so that a command that shows no bar does not load rich."""

from __future__ import annotations

from rich.progress import ProgressColumn, Task
from rich.text import Text


class RateColumn(ProgressColumn):
    """Steps a second, of the last seconds; where a step takes longer than a second, seconds a step."""

    def render(self, task: Task) -> Text:
        """Return the text, empty until there is something to tell."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each", style="progress.data.speed")
