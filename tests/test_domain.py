"""Cells that people write: each read by itself, so that a wrong one takes no other down."""

import pytest

from dermascan_core.domain import SYMPTOM_FIELDS, ImageType, Metadata, metadata_from_row
from dermascan_core.errors import MetadataError
from dermascan_core.taxonomy import parse_site


def test_wrong_cell_leaves_the_others_of_its_row():
    problems = []

    metadata = metadata_from_row(
        {"age": "9", "sex": "F", "localization": "moon", "immunosuppressed": "maybe"}, problems=problems
    )

    assert metadata == Metadata(age_approx=9, sex="female")
    assert problems[0].endswith("Received 'moon'. Correct it, or leave it empty for unknown.")
    assert problems[1] == "Expected yes or no for immunosuppressed, or empty for unknown. Received 'maybe'."


@pytest.mark.parametrize(
    ("column", "cell"),
    [("age", "300"), ("age", "nine"), ("sex", "x"), ("region", "moon"), ("fitspatrick", "7"), ("fitspatrick", "inf")],
)
def test_wrong_cell_stops_where_no_problems_are_collected(column, cell):
    with pytest.raises(MetadataError, match="Received"):
        metadata_from_row({column: cell})


@pytest.mark.parametrize(
    ("site", "ours"),
    [
        *((site, "mucosa") for site in ("oral mucosa", "Mouth", "lips", "vulva", "penis")),
        *((site, "nail") for site in ("toenail", "Fingernail", "nail bed", "subungual")),
    ],
)
def test_untested_sites_are_known_by_their_everyday_names(site, ours):
    assert parse_site(site) == ours


@pytest.mark.parametrize(
    ("cell", "image_type"),
    [
        ("dermoscopic", ImageType.DERMOSCOPIC),
        ("clinical: close-up", ImageType.CLINICAL),
        ("TBP tile: close-up", ImageType.CLINICAL),
        ("RCM: macroscopic", None),
        ("", None),
    ],
)
def test_image_type_is_read_as_the_archive_writes_it(cell, image_type):
    assert metadata_from_row({"image_type": cell}).image_type == image_type


@pytest.mark.parametrize("name", SYMPTOM_FIELDS)
def test_symptoms_are_read_by_pads_own_columns(name):
    assert metadata_from_row({name: "True"}) == Metadata(**{name: True})
    assert metadata_from_row({name: "UNK"}) == Metadata()
