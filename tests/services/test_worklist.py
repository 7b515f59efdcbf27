"""A ranked batch as rows to look at and as a CSV to keep."""

import csv
import io

from dermascan_core.domain import Status
from dermascan_core.services.batch import rank_for_triage, read_metadata_table, screen_each
from dermascan_core.services.worklist import SAMPLE_METADATA_CSV, worklist_csv, worklist_rows
from tests.fakes import CODES, FakePredictor, fake_photo, photo_bytes

PHOTOS = [
    ("pale.jpg", photo_bytes(fake_photo(lesion=(200, 150, 120)))),
    ("dark.jpg", photo_bytes(fake_photo(lesion=(45, 25, 20)))),
    ("=1+1.jpg", b""),
]


def test_rows_come_in_the_order_given_with_picture_and_shares() -> None:
    rows = worklist_rows(rank_for_triage(screen_each(PHOTOS, predictor=FakePredictor())))

    assert [(row.rank, row.name, row.status) for row in rows] == [
        (1, "dark.jpg", Status.ANSWERED),
        (2, "pale.jpg", Status.ANSWERED),
        (3, "=1+1.jpg", Status.REFUSED),
    ]
    assert rows[0].predicted == "mel"
    assert rows[0].thumbnail.startswith("data:image/jpeg;base64,")
    assert (rows[2].thumbnail, rows[2].predicted, rows[2].p_malignant_percent) == ("", "", None)
    assert rows[2].reason == "The file is empty. Choose the photo again, or take a new one."


def test_row_names_the_metadata_that_was_not_used() -> None:
    table = read_metadata_table(b"image,age\npale.jpg,300\n")

    (row,) = worklist_rows(list(screen_each(PHOTOS[:1], predictor=FakePredictor(), metadata=table)))

    assert row.reason.startswith(
        "Metadata used in part. The metadata table, line 2: Expected age in years between 0 and 120"
    )


def test_csv_names_the_metadata_that_was_not_used() -> None:
    table = read_metadata_table(b"image,age\npale.jpg,300\n")

    text = worklist_csv(screen_each(PHOTOS[:1], predictor=FakePredictor(), metadata=table), CODES)

    (row,) = csv.DictReader(io.StringIO(text))
    assert row["reason"].startswith("metadata_not_used: Metadata used in part. The metadata table, line 2:")


def test_csv_has_the_contracts_columns_and_no_formula() -> None:
    text = worklist_csv(screen_each(PHOTOS, predictor=FakePredictor()), CODES)

    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["status"] for row in rows] == ["answered", "answered", "refused"]
    assert rows[2]["image"] == "'=1+1.jpg"
    assert {"image", "status", "reason", "p_mel", "predicted", "set", "next_step", "model"} <= set(rows[0])


def test_sample_table_can_be_read() -> None:
    table = read_metadata_table(SAMPLE_METADATA_CSV.encode())

    assert sorted(table) == ["photo_1", "photo_2", "photo_3"]
    assert not any(row.problem for rows in table.values() for row in rows)
