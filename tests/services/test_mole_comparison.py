"""Comparing one person's moles: ranks, reasons, refused photos, and next steps that no comparison lowers."""

import csv
import io

import pytest

from dermascan_core.domain import Answers, ImageType, Metadata, NextStep, Status
from dermascan_core.errors import DatasetError
from dermascan_core.services.mole_comparison import MoleComparison, compare_moles, comparison_csv
from dermascan_core.services.screening import screen_lesion
from tests.fakes import CODES, FakePredictor, fake_photo, photo_bytes

BROWNS = [(120, 70, 50), (124, 74, 52), (117, 68, 50), (121, 72, 54), (118, 72, 50)]
BLACK = (45, 25, 20)


def mole(colour: tuple[int, int, int], **options: float) -> bytes:
    return photo_bytes(fake_photo(lesion=colour, **options))  # type: ignore[arg-type]


def family() -> list[tuple[str, bytes]]:
    return [(f"brown_{i}.jpg", mole(colour)) for i, colour in enumerate(BROWNS)]


def compare(photos: list[tuple[str, bytes]], **options: object) -> MoleComparison:
    return compare_moles(photos, **({"image_type": ImageType.DERMOSCOPIC, "predictor": FakePredictor()} | options))  # type: ignore[arg-type]


def test_dark_mole_among_brown_ones_is_first_and_says_why() -> None:
    comparison = compare([*family()[:2], ("black.jpg", mole(BLACK)), *family()[2:]])

    odd = comparison.moles[0]
    assert (odd.name, odd.rank) == ("black.jpg", 1)
    assert odd.is_clear
    assert any(reason.startswith("darker than your others by ") for reason in odd.reasons)
    assert [m.rank for m in comparison.moles] == [1, 2, 3, 4, 5, 6]
    assert odd.thumbnail_jpeg.startswith(b"\xff\xd8")


def test_large_mole_among_small_ones_is_called_larger() -> None:
    small = [(f"small_{i}.jpg", mole(BROWNS[i], radius_share=0.13 + 0.003 * i)) for i in range(4)]

    comparison = compare([*small, ("large.jpg", mole(BROWNS[4], radius_share=0.36))])

    assert comparison.moles[0].name == "large.jpg"
    assert any("larger in its photo than your others" in reason for reason in comparison.moles[0].reasons)


def test_next_step_of_each_photo_is_the_screening_s_own() -> None:
    photos = [*family(), ("black.jpg", mole(BLACK))]
    person = Metadata(age_approx=75.0, sex="male")

    comparison = compare(photos, metadata=person)

    for compared in comparison.moles:
        alone = screen_lesion(
            [(compared.name, dict(photos)[compared.name])],
            metadata=person,
            answers=Answers(),
            image_type=ImageType.DERMOSCOPIC,
            predictor=FakePredictor(),
        )
        assert compared.next_step is alone.next_step


def test_photo_that_fails_the_gate_is_not_judged_and_comes_last() -> None:
    blurred = photo_bytes(fake_photo()[:90, :90])

    comparison = compare([("broken.jpg", b"no photo"), ("tiny.jpg", blurred), *family()])

    assert [m.name for m in comparison.not_judged] == ["broken.jpg", "tiny.jpg"]
    assert {m.photo.status for m in comparison.not_judged} == {Status.REFUSED}
    assert {m.next_step for m in comparison.not_judged} == {NextStep.NOT_ASSESSED}
    assert [m.rank for m in comparison.moles] == [1, 2, 3, 4, 5, None, None]
    assert comparison.moles[-2].thumbnail_jpeg == b""


def test_fewer_than_three_judged_photos_are_not_ranked() -> None:
    comparison = compare([("broken.jpg", b"no photo"), *family()[:2]])

    assert comparison.judged == ()
    assert [m.name for m in comparison.moles] == ["broken.jpg", "brown_0.jpg", "brown_1.jpg"]


def test_person_under_18_is_not_judged() -> None:
    comparison = compare(family(), metadata=Metadata(age_approx=12.0))

    assert comparison.judged == ()


def test_same_photo_twice_counts_once() -> None:
    comparison = compare([*family(), ("copy.jpg", family()[0][1])])

    assert comparison.n_doubled == 1
    assert [m.name for m in comparison.moles if m.name == "copy.jpg"] == []


@pytest.mark.parametrize("n_photos", [0, 2, 31])
def test_wrong_number_of_photos_is_one_sentence(n_photos: int) -> None:
    photos = [(f"{i}.jpg", bytes([i])) for i in range(n_photos)]

    with pytest.raises(
        DatasetError, match=f"Expected 3 to 30 photos, .* Received {n_photos}\\. Add or remove photos\\."
    ):
        compare(photos)


def test_progress_counts_each_photo() -> None:
    told: list[tuple[int, int]] = []

    compare(family()[:3], on_progress=lambda done, total: told.append((done, total)))

    assert told == [(1, 3), (2, 3), (3, 3)]


def test_table_has_a_line_a_mole_and_no_name_runs_as_a_formula() -> None:
    comparison = compare([*family(), ("=black.jpg", mole(BLACK)), ("broken.jpg", b"no photo")])

    rows = list(csv.DictReader(io.StringIO(comparison_csv(comparison, CODES))))

    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "5", "6", ""]
    assert rows[0]["image"] == "'=black.jpg"
    assert float(rows[0]["z_lightness"]) < -2
    assert rows[0]["next_step"] == str(comparison.moles[0].next_step)
    assert (rows[-1]["reasons"], rows[-1]["p_malignant"]) == ("not judged", "")
