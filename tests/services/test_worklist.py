"""A list as it is read: its order, what is drawn to be read, filters, and what leaves as CSV and JSONL."""

import csv
import io
import json
import random
from dataclasses import replace

import pytest

from dermascan_core.domain import CalmRate, ImageType, NextStep, Status
from dermascan_core.services.arrivals import Arrival
from dermascan_core.services.lesion_batch import screen_lesions
from dermascan_core.services.metadata_table import read_metadata_table
from dermascan_core.services.photo_grid import group_by_lesion, prefill_grid, read_grid
from dermascan_core.services.worklist import (
    SAMPLE_METADATA_CSV,
    WorklistEntry,
    WorklistFilter,
    calm_summary,
    deciding_photo,
    draw_to_read,
    entry_of,
    matching,
    photo_records,
    rank,
    step_counts,
    to_csv,
    to_jsonl,
    worklist_records,
)
from dermascan_core.triage.reading_order import calm_words
from tests.fakes import CODES, FakePredictor, fake_photo, photo_bytes

PALE, DARK = (photo_bytes(fake_photo(lesion=lesion)) for lesion in ((200, 150, 120), (45, 25, 20)))
CALM = [0.001, 0.99, 0.001, 0.001, 0.001, 0.004, 0.001, 0.001]


def screened(photos: dict[str, bytes], *, table: bytes | None = None, predictor: FakePredictor | None = None):
    arrivals = [Arrival(name, lambda data=data: data) for name, data in photos.items()]
    grid = prefill_grid(
        list(photos), table=None if table is None else read_metadata_table(table), told=[None] * len(photos)
    )
    cells = [{name: getattr(row, name) for name in row.__slots__} for row in grid.rows]
    plans, _ = read_grid(cells, grid, image_type=ImageType.DERMOSCOPIC)
    lesions, _ = group_by_lesion(plans)
    return list(screen_lesions(lesions, arrivals, predictor=predictor or FakePredictor()))


def entry(key: str, step: NextStep, *, p: float | None = 0.1, **changes: object) -> WorklistEntry:
    made = WorklistEntry(key, (f"{key}.jpg",), "", "", "", Status.ANSWERED, step, p, "nv", 0.5, "")
    return replace(made, **changes)


def test_what_was_not_assessed_stands_right_below_urgent() -> None:
    entries = [entry(step.value, step) for step in reversed(NextStep)]

    assert [e.next_step for e in rank(entries)] == [
        NextStep.EMERGENCY,
        NextStep.URGENT_2_WEEKS,
        NextStep.NOT_ASSESSED,
        NextStep.SEE_DOCTOR,
        NextStep.ROUTINE_CHECK,
        NextStep.WATCH,
    ]


def test_within_a_step_the_larger_share_of_cancer_comes_first() -> None:
    entries = [entry("a", NextStep.SEE_DOCTOR, p=0.2), entry("b", NextStep.SEE_DOCTOR, p=0.7)]

    assert [e.key for e in rank(entries)] == ["b", "a"]


def test_photos_of_one_lesion_are_one_entry_and_the_most_urgent_decides() -> None:
    (one,) = screened({"P1_L1_1.jpg": PALE, "P1_L1_2.jpg": DARK})

    made = entry_of(one, key="x")

    assert made.names == ("P1_L1_1.jpg", "P1_L1_2.jpg")
    assert (made.person, made.lesion, made.predicted) == ("P1", "L1", "mel")
    assert deciding_photo(one.screening).name == "P1_L1_2.jpg"
    assert made.thumbnail.startswith(b"\xff\xd8")
    assert len(made.thumbnail) < 8_000


def test_broken_photo_beside_a_good_one_leaves_the_lesion_answered_and_is_told() -> None:
    (one,) = screened({"L1_1.jpg": PALE, "L1_2.jpg": b"torn"})

    made = entry_of(one, key="x")

    assert made.status is not Status.REFUSED
    assert "Expected a photo" in made.reason


def test_unreadable_dicom_file_is_refused_with_its_true_reason() -> None:
    (one,) = screened({"a.dcm": b"\0" * 128 + b"DICM"})

    assert entry_of(one, key="x").reason.startswith("Expected a DICOM file with a picture")
    assert one.screening.next_step is NextStep.NOT_ASSESSED


def test_row_that_was_not_used_is_told_in_the_entry() -> None:
    (one,) = screened({"pale.jpg": PALE}, table=b"image,age\npale.jpg,300\n")

    assert entry_of(one, key="x").reason.startswith("Metadata used in part. The metadata table, line 2: Expected age")


@pytest.mark.parametrize(
    ("n_calm", "share", "n_drawn"), [(40, 0.05, 2), (3, 0.05, 1), (41, 0.05, 3), (5, 0.0, 0), (0, 0.05, 0)]
)
def test_share_of_the_calm_is_drawn_and_at_least_one(n_calm: int, share: float, n_drawn: int) -> None:
    entries = [entry(str(n), NextStep.ROUTINE_CHECK) for n in range(n_calm)] + [entry("u", NextStep.URGENT_2_WEEKS)]

    drawn = [e for e in draw_to_read(entries, share=share, chance=random.Random(3)) if e.is_flagged]

    assert len(drawn) == n_drawn
    assert all(e.is_calm for e in drawn)


def test_filters_keep_the_rank_of_the_whole_list() -> None:
    entries = [
        entry("a", NextStep.URGENT_2_WEEKS, site="back", is_read=True),
        entry("b", NextStep.SEE_DOCTOR, site="face", person="P-7"),
        entry("c", NextStep.WATCH, site="back", is_flagged=True),
    ]

    def keys(**wanted: object) -> list[tuple[int, str]]:
        return [(number, e.key) for number, e in matching(entries, WorklistFilter(**wanted))]

    assert keys() == [(1, "a"), (2, "b"), (3, "c")]
    assert keys(steps=(NextStep.SEE_DOCTOR, NextStep.WATCH)) == [(2, "b"), (3, "c")]
    assert keys(site="back", is_unread=True) == [(3, "c")]
    assert keys(is_flagged=True) == [(3, "c")]
    assert keys(text=" p-7 ") == [(2, "b")]
    assert keys(text="' OR 1=1 --") == []


def test_steps_are_counted_in_reading_order() -> None:
    entries = [entry("a", NextStep.WATCH), entry("b", NextStep.NOT_ASSESSED), entry("c", NextStep.WATCH)]

    assert list(step_counts(entries).items()) == [(NextStep.NOT_ASSESSED, 1), (NextStep.WATCH, 2)]


def test_list_says_how_many_misses_to_expect_among_the_calm() -> None:
    entries = [entry(str(n), NextStep.ROUTINE_CHECK, is_low=n < 30) for n in range(31)]
    summary = calm_summary(entries, CalmRate(share=0.02, low=0.01, high=0.03, prevalence=0.2))

    said = calm_words(summary.n_calm, summary.n_all, n_low=summary.n_low, rate=summary.rate)

    assert said == (
        "31 of 31 are ranked calm (routine check or self-monitoring). In the test, 2.0 of 100 photos with such a low "
        "answer were cancer or pre-cancer all the same: among 30 that would be 0.6 (0.3 to 0.9), if this list is like "
        "the test. There, 20 of 100 photos were. A low answer is wrong for some. It does not rule out cancer."
    )


def test_nothing_measured_is_said_and_not_left_out() -> None:
    assert "was not measured for such photos" in calm_words(2, 2, n_low=0, rate=None)


def test_few_calm_entries_are_never_said_to_hold_no_missed_cancer() -> None:
    said = calm_words(2, 2, n_low=2, rate=CalmRate(0.014, 0.005, 0.024, prevalence=0.2))

    assert "among 2 that would be under 0.1, if this list is like the test" in said


def test_csv_has_the_contracts_columns_first_and_no_formula_anywhere() -> None:
    found = screened({"=1+1.jpg": PALE}, table=b"image,patient_id,lesion_id\n=1+1.jpg,=HYPERLINK(1),@SUM(A1)\n")
    made = entry_of(found[0], key="x")

    text = to_csv(worklist_records([made], {"x": photo_records(found[0].screening, CODES)}), CODES)

    header = text.partition("\n")[0].split(",")
    (row,) = csv.DictReader(io.StringIO(text))
    assert header[:3] == ["image", "status", "reason"]
    assert header[-4:] == ["rank", "person", "lesion", "to_read"]
    assert (row["image"], row["person"], row["lesion"]) == ("'=1+1.jpg", "'=HYPERLINK(1)", "'@SUM(A1)")


def test_jsonl_keeps_names_as_given_and_one_line_a_photo() -> None:
    found = screened({"P1_L1_1.jpg": PALE, "P1_L1_2.jpg": DARK})
    made = entry_of(found[0], key="x")

    lines = to_jsonl(worklist_records([made], {"x": photo_records(found[0].screening, CODES)})).splitlines()

    assert [json.loads(line)["image"] for line in lines] == ["P1_L1_1.jpg", "P1_L1_2.jpg"]
    assert {json.loads(line)["rank"] for line in lines} == {1}


def test_five_thousand_names_that_attack_stay_text() -> None:
    names = ["' OR 1=1 --", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "a\r\nb", "\u202egpj.exe"]
    entries = [entry(str(n), NextStep.WATCH, names=(f"{names[n % 5]}{n}.jpg",)) for n in range(5000)]

    (one,) = screened({"x.jpg": PALE}, predictor=FakePredictor(fixed=CALM))
    record = photo_records(one.screening, CODES)[0]
    text = to_csv(worklist_records(entries, {e.key: [{**record, "image": e.names[0]}] for e in entries}), CODES)

    assert text.count("\n") == 5001
    assert not any(line.startswith(("=", "+", "-", "@")) for line in text.splitlines())


def test_sample_table_can_be_read() -> None:
    table = read_metadata_table(SAMPLE_METADATA_CSV.encode())

    assert sorted(table) == ["photo_1", "photo_2", "photo_3"]
    assert table["photo_2"][0].person == "P2"
