"""Four answers in a real browser, from a model whose answer is known: refused, unsure, overruled, and a clear referral."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dermascan_core.domain import NextStep
from dermascan_core.imaging.examples import example_png
from dermascan_core.triage.wording import UNSURE_SENTENCE, Voice, step_title
from tests.browser.conftest import serve_app
from tests.browser.test_app_in_browser import open_page, wait_until_still
from tests.fakes import fake_photo, photo_bytes

pytestmark = pytest.mark.browser

# mel, nv, bcc, ak, scc, pbk, df, vasc
CALM = (0.001, 0.99, 0.001, 0.001, 0.001, 0.004, 0.001, 0.001)
TORN = (0.12, 0.22, 0.12, 0.06, 0.06, 0.22, 0.10, 0.10)
MELANOMA = (0.9, 0.05, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005)


def serving(shares: tuple[float, ...]) -> object:
    @pytest.fixture(scope="module")
    def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        log = tmp_path_factory.mktemp("server") / "log.txt"
        with serve_app(log, has_weights=False, shares=shares) as address:
            yield address

    return served


calm, torn, melanoma = serving(CALM), serving(TORN), serving(MELANOMA)


@pytest.fixture(scope="module")
def lesion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "lesion.jpg"
    path.write_bytes(photo_bytes(fake_photo(width=1200, height=900)))
    return path


def check(page: Page, address: str, photo: Path, *, yes_to: str = "") -> None:
    open_page(page, address)
    page.get_by_role("button", name="None of these is true").tap()
    wait_until_still(page)
    if yes_to:
        page.locator(f".st-key-question-{yes_to}").get_by_text("Yes", exact=True).tap()
        wait_until_still(page)
    page.get_by_text("A dermatoscope", exact=False).first.tap()
    wait_until_still(page)
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(photo)
    expect(page.get_by_role("button", name="Remove this photo")).to_be_visible()
    page.get_by_role("button", name="Check this spot").tap()
    expect(page.get_by_text("What to say when you book")).to_be_visible()
    wait_until_still(page)


def title(step: NextStep) -> str:
    return step_title(step, Voice.PUBLIC)


def test_blurred_photo_is_refused_with_the_one_thing_to_do_and_no_class(phone: Page, calm: str, tmp_path: Path) -> None:
    photo = tmp_path / "blurred.png"
    photo.write_bytes(example_png("blurred"))

    check(phone, calm, photo)

    text = phone.get_by_test_id("stMain").inner_text()
    assert title(NextStep.NOT_ASSESSED) in text
    assert "First: hold still" in text
    expect(phone.get_by_test_id("stProgress")).to_have_count(0)


def test_torn_model_abstains_and_sends_to_a_doctor(phone: Page, torn: str, lesion: Path) -> None:
    check(phone, torn, lesion)

    text = phone.get_by_test_id("stMain").inner_text()
    assert UNSURE_SENTENCE in text
    assert title(NextStep.WATCH) not in text
    assert title(NextStep.ROUTINE_CHECK) not in text


def test_calm_model_is_overruled_by_what_the_person_says(phone: Page, calm: str, lesion: Path) -> None:
    check(phone, calm, lesion, yes_to="changing")

    text = phone.get_by_test_id("stMain").inner_text()
    assert title(NextStep.SEE_DOCTOR) in text
    assert "It has changed." in text


def test_melanoma_is_a_clear_referral(phone: Page, melanoma: str, lesion: Path) -> None:
    check(phone, melanoma, lesion)

    text = phone.get_by_test_id("stMain").inner_text()
    assert title(NextStep.URGENT_2_WEEKS) in text
    assert "It cannot be ruled out" in text
