"""The app in a real browser, on a phone's screen: a photo goes in, a result comes out and stays."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dermascan_core.services import models
from dermascan_core.triage.wording import BARS_CAPTION, DISCLAIMER, HEAT_MAP_CAPTION
from tests.browser.conftest import serve_app

pytestmark = pytest.mark.browser

PAGES = ("", "compare_moles", "triage", "performance", "know_your_skin", "about", "accounts", "login")
N_BARS = 9  # seven classes, cancer or pre-cancer together, and how steady the answer is
DARKEST_LIGHT = 120  # a channel's mean under this is a dark ground


def open_page(page: Page, address: str, name: str = "") -> None:
    page.goto(address + name)
    expect(page.get_by_text(DISCLAIMER)).to_be_visible()
    wait_until_still(page)


def wait_until_still(page: Page) -> None:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def screen_photo(page: Page, address: str, photo: Path) -> None:
    open_page(page, address)
    page.get_by_role("button", name="None of these is true").tap()
    wait_until_still(page)
    page.get_by_text("A dermatoscope", exact=False).first.tap()
    wait_until_still(page)
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(photo)
    expect(page.get_by_role("button", name="Remove this photo")).to_be_visible()
    page.get_by_label("Age in years").fill("61")
    page.get_by_label("Age in years").blur()
    wait_until_still(page)
    page.get_by_role("button", name="Check this spot").tap()
    wait_for_result(page)


def wait_for_result(page: Page) -> None:
    """Bars and charts are drawn by parts of Streamlit that the browser fetches when they are first needed."""
    expect(page.get_by_text("What this cannot tell you")).to_be_visible()
    wait_until_still(page)
    expect(page.get_by_test_id("stProgress")).to_have_count(N_BARS)
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.get_by_text(HEAT_MAP_CAPTION)).to_be_visible()


def can_scroll_sideways(page: Page) -> bool:
    return bool(
        page.evaluate(
            """() => [document.documentElement, document.querySelector('[data-testid="stMain"]')]
                .some(element => element.scrollWidth > element.clientWidth + 1)"""
        )
    )


def result_text(page: Page) -> str:
    """What the result says, without the time it was made and without charts, which are drawn when they please."""
    text: str = page.get_by_test_id("stMain").evaluate(
        """main => {
            const charts = [...main.querySelectorAll('[data-testid="stPlotlyChart"]')];
            charts.forEach(chart => { chart.style.display = 'none'; });
            const text = main.innerText;
            charts.forEach(chart => { chart.style.display = ''; });
            return text;
        }"""
    )
    return text.partition("screened at")[0]


def test_phone_uploads_a_photo_and_reads_the_result(
    phone: Page, address: str, photo_file: Path, has_weights: bool
) -> None:
    screen_photo(phone, address, photo_file)

    text = result_text(phone)
    assert "1. " in text
    assert "7. " in text
    assert BARS_CAPTION in text
    assert HEAT_MAP_CAPTION in text
    assert "What to say when you book" in text
    expect(phone.locator(".js-plotly-plot").first).to_be_visible()
    model = models.load_model_manifest() if has_weights else None
    assert (f"weights {model.sha256[:12]}" if model else "engine fake") in text
    assert not can_scroll_sideways(phone)


def test_result_starts_at_the_top_of_a_phones_screen(phone: Page, address: str, photo_file: Path) -> None:
    screen_photo(phone, address, photo_file)

    phone.wait_for_function("document.querySelector('[data-testid=\"stMain\"]').scrollTop === 0")


def test_cut_connection_brings_back_photo_answers_and_result(phone: Page, address: str, photo_file: Path) -> None:
    screen_photo(phone, address, photo_file)
    before = result_text(phone)

    phone.context.set_offline(True)
    phone.evaluate("window.cutSockets.forEach(socket => socket.close())")
    phone.wait_for_timeout(2_500)
    phone.context.set_offline(False)
    phone.wait_for_function("window.cutSockets.length > 1 && window.cutSockets.at(-1).readyState === 1")
    wait_for_result(phone)

    assert result_text(phone) == before
    phone.get_by_role("button", name="Change photos or answers").tap()
    expect(phone.get_by_role("button", name="Remove this photo")).to_be_visible()
    expect(phone.get_by_label("Age in years")).to_have_value("61")


def test_tab_that_was_thrown_away_brings_back_the_result(phone: Page, address: str, photo_file: Path) -> None:
    screen_photo(phone, address, photo_file)
    before = result_text(phone)

    phone.reload()
    wait_for_result(phone)

    assert result_text(phone) == before


def test_passed_on_address_shows_nothing_to_another_browser(
    phone: Page, chromium: Browser, address: str, photo_file: Path
) -> None:
    screen_photo(phone, address, photo_file)
    stranger = chromium.new_context().new_page()

    stranger.goto(phone.url)
    expect(stranger.get_by_role("button", name="Check this spot")).to_be_visible()
    wait_until_still(stranger)

    assert "case=" in phone.url
    assert stranger.get_by_text("What this cannot tell you").count() == 0
    assert stranger.get_by_role("button", name="Remove this photo").count() == 0
    stranger.context.close()


def test_one_tap_on_an_example_answers(phone: Page, address: str) -> None:
    open_page(phone, address)

    phone.get_by_role("button", name="Even brown mole").tap()

    expect(phone.get_by_text("What this cannot tell you")).to_be_visible()


def test_result_can_be_downloaded(phone: Page, address: str, tmp_path: Path) -> None:
    open_page(phone, address)
    phone.get_by_role("button", name="Even brown mole").tap()
    expect(phone.get_by_text("Take it with you")).to_be_visible()
    wait_until_still(phone)

    files = {}
    for label in ("One page to show a doctor (PNG)", "Table (CSV)", "Data (JSON)"):
        with phone.expect_download() as download:
            phone.get_by_role("button", name=label).tap()
        files[label] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[label])

    assert files["One page to show a doctor (PNG)"].read_bytes().startswith(b"\x89PNG")
    assert files["Table (CSV)"].read_text(encoding="utf-8").startswith("image,status,reason,")
    assert isinstance(json.loads(files["Data (JSON)"].read_text(encoding="utf-8")), dict)


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("name", PAGES)
def test_page_never_scrolls_sideways(name: str, width: int, phone: Page, address: str) -> None:
    phone.set_viewport_size({"width": width, "height": 780})

    open_page(phone, address, name)

    assert not can_scroll_sideways(phone)


def test_no_page_asks_another_host_for_anything(chromium: Browser, address: str) -> None:
    """A photo is private, and so is that somebody looks at one: a tab's icon from elsewhere would tell."""
    context = chromium.new_context()
    page = context.new_page()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    for name in PAGES:
        open_page(page, address, name)
    icon = page.evaluate("document.querySelector('link[rel~=icon]').href")
    context.close()

    elsewhere = {url for url in asked if url.startswith("http") and not url.startswith(address)}
    assert elsewhere == set()
    assert icon.startswith("data:image/svg+xml")


@pytest.mark.parametrize("width", [360, 1280])
def test_facts_about_a_model_are_read_to_their_end(width: int, phone: Page, address: str) -> None:
    phone.set_viewport_size({"width": width, "height": 780})
    open_page(phone, address, "about")
    facts = phone.locator('[class*="st-key-facts-0"]')
    expect(facts.get_by_text("sha256")).to_be_visible()

    cut_off = facts.locator("td, td *, [data-testid=stTable] > div").evaluate_all(
        "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.innerText)"
    )

    assert cut_off == []


def test_first_link_asked_of_a_fresh_server_goes_through_the_map(chromium: Browser, tmp_path: Path) -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})

    with serve_app(tmp_path / "log.txt", has_weights=False) as address:
        open_page(page, address, "know_your_skin")

        expect(page.get_by_role("heading", name="Know your skin", level=1)).to_be_visible()
        expect(page.get_by_role("link", name="Model performance")).to_be_visible()
        assert page.get_by_role("link", name="streamlit app").count() == 0
    page.close()


def test_dark_mode_is_dark(chromium: Browser, address: str) -> None:
    page = chromium.new_context(color_scheme="dark").new_page()

    open_page(page, address)

    ground, text = page.evaluate(
        """() => ['stApp', 'stHeading'].map(id => {
            const style = getComputedStyle(document.querySelector(`[data-testid="${id}"]`));
            return (id === 'stApp' ? style.backgroundColor : style.color).match(/\\d+/g).slice(0, 3).map(Number);
        })"""
    )
    assert max(ground) < DARKEST_LIGHT < min(text)
    page.context.close()


def test_clinicians_voice_stands_in_the_address_and_outlives_a_page_change(phone: Page, address: str) -> None:
    phone.set_viewport_size({"width": 1440, "height": 900})
    open_page(phone, address, "?voice=clinician")

    phone.get_by_role("link", name="Know your skin").click()
    expect(phone.get_by_role("heading", name="Know your skin")).to_be_visible()
    wait_until_still(phone)

    expect(phone.get_by_text("Weighted (NG12)")).to_be_visible()
    assert "voice=clinician" in phone.url


def test_start_over_empties_what_the_browser_shows(phone: Page, address: str) -> None:
    open_page(phone, address)
    phone.get_by_role("button", name="None of these is true").tap()
    phone.get_by_label("Age in years").fill("61")
    phone.get_by_label("Age in years").blur()
    chosen = phone.locator('[data-testid="stMain"] button[aria-checked="true"]')
    expect(chosen).to_have_count(9)

    phone.get_by_role("button", name="Start over and delete all of this").tap()

    expect(chosen).to_have_count(0)
    expect(phone.get_by_label("Age in years")).to_have_value("")


def test_answers_outlive_a_visit_to_another_page(phone: Page, address: str) -> None:
    phone.set_viewport_size({"width": 1440, "height": 900})
    open_page(phone, address)
    phone.get_by_label("Age in years").fill("47")
    phone.get_by_label("Age in years").blur()
    wait_until_still(phone)

    phone.get_by_role("link", name="About").click()
    expect(phone.get_by_role("heading", name="About DermaScan")).to_be_visible()
    phone.get_by_role("link", name="Screening").click()

    expect(phone.get_by_label("Age in years")).to_have_value("47")


def test_reload_on_another_page_still_finds_the_result(phone: Page, address: str) -> None:
    phone.set_viewport_size({"width": 1440, "height": 900})
    open_page(phone, address)
    phone.get_by_role("button", name="Even brown mole").tap()
    wait_for_result(phone)
    before = result_text(phone)

    phone.get_by_role("link", name="About").click()
    expect(phone.get_by_role("heading", name="About DermaScan")).to_be_visible()
    wait_until_still(phone)
    phone.reload()
    expect(phone.get_by_role("heading", name="About DermaScan")).to_be_visible()
    wait_until_still(phone)
    phone.get_by_role("link", name="Screening").click()
    wait_for_result(phone)

    assert result_text(phone) == before
