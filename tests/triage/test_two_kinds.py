"""What is said of photos taken in two ways: that they were answered apart, and that nobody measured the two together."""

from dataclasses import replace

import pytest

from dermascan_core.domain import ImageType
from dermascan_core.triage.two_kinds import fusion_words, kind_name
from dermascan_core.triage.wording import not_checked, report_sentences
from tests.reports.test_export import ANSWERED, SCREENING

PHONE = replace(ANSWERED, image_type=ImageType.CLINICAL)
SCOPE = replace(ANSWERED, image_type=ImageType.DERMOSCOPIC)
NOT_MEASURED = (
    "Nobody measured how good the answers to a phone photo and a dermatoscope photo of one spot are together: "
    "no such pairs were at hand."
)
BOTH = replace(SCREENING, photos=(PHONE, SCOPE, PHONE))


def test_two_kinds_are_said_to_be_answered_apart_and_not_measured_together():
    assert fusion_words(BOTH) == (
        "These photos were taken in two ways (photos 1 and 3 by phone, photo 2 with a dermatoscope), so each kind was "
        "answered apart, as if it were alone. "
        f"The more urgent answer counts. The shares of the two kinds were not joined. {NOT_MEASURED}"
    )
    assert NOT_MEASURED in not_checked(BOTH)


@pytest.mark.parametrize("photos", [(), (PHONE,), (SCOPE, SCOPE), (PHONE, PHONE)])
def test_one_kind_needs_no_such_words(photos):
    screening = replace(SCREENING, photos=photos)

    assert fusion_words(screening) is None
    assert NOT_MEASURED not in not_checked(screening)
    assert {kind_name(screening, photo) for photo in photos} <= {"photo"}


def test_report_names_the_kind_of_each_photo():
    lines = [line.partition(":")[0] for line in report_sentences(BOTH)]

    assert lines[1:3] == ["Phone photo", "Dermatoscope photo"]
