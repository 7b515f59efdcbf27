from html.parser import HTMLParser

from dermascan_core.reports.checklist import render_checklist
from dermascan_core.triage.technique import GROUPS
from dermascan_core.triage.wording import DISCLAIMER


class Reader(HTMLParser):
    """Counts elements, gathers text, and checks that each element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_checklist_holds_every_line_with_a_box_and_the_disclaimer() -> None:
    reader = Reader()

    reader.feed(render_checklist())

    assert reader.open == []
    assert reader.seen.count("li") == sum(len(group.advice) for group in GROUPS)
    assert all(line in reader.text for group in GROUPS for line in group.advice)
    assert DISCLAIMER in reader.text


def test_checklist_fetches_nothing_and_runs_nothing() -> None:
    html = render_checklist()

    assert "<script" not in html
    assert "<link" not in html
    assert "src=" not in html
    assert "url(" not in html
