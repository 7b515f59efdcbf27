"""Logging in with a real browser: reload, another tab, a stolen cookie, a time-out without a click, a provider, and out again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import update

from dermascan_core.services.access import LOCAL_USER, Role
from dermascan_core.services.logins import NOT_TOGETHER, Access
from dermascan_core.storage.schema import Login
from pages._ui.login_state import LOOKED_AT_EVERY_S
from tests.attacks import SQL_INJECTIONS, XSS
from tests.browser.conftest import free_port, serve_app
from tests.browser.test_app_in_browser import can_scroll_sideways, wait_until_still
from tests.oidc_issuer import Issuer, serve_issuer
from tests.staff import PASSWORD, new_database, staffed

pytestmark = pytest.mark.browser

COOKIE = "dermascan_login"
WALL = "Records are for those who have an account here."
NewBrowser = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clinic")


@pytest.fixture(scope="module")
def clinic(folder: Path) -> Access:
    """The clinic of "anna" and "ben", in the folder that the server reads."""
    (folder / "records").mkdir(mode=0o700)
    return staffed(new_database(folder / "records"))


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with serve_issuer(sub="248289761001", email="carla@clinic.example", email_verified=True) as running:
        yield running


@pytest.fixture(scope="module")
def clinic_address(folder: Path, clinic: Access, issuer: Issuer) -> Iterator[str]:
    port = free_port()
    secrets = folder / "secrets.toml"
    secrets.write_text(issuer.secrets_toml(f"http://localhost:{port}/"), encoding="utf-8")
    more = ["--secrets.files", str(secrets)]
    with serve_app(folder / "log.txt", has_weights=False, port=port, more=more) as address:
        yield address


@pytest.fixture
def new_browser(chromium: Browser) -> Iterator[NewBrowser]:
    """Make browsers that know nothing of each other."""
    made: list[BrowserContext] = []

    def make(width: int = 360) -> BrowserContext:
        context = chromium.new_context(viewport={"width": width, "height": 780})
        context.set_default_timeout(45_000)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


def open_at(context: BrowserContext, address: str, page: str = "accounts") -> Page:
    tab = context.new_page()
    tab.goto(address + page)
    wait_until_still(tab)
    return tab


def log_in(tab: Page, name: str, password: str = PASSWORD) -> None:
    expect(tab.get_by_text(WALL)).to_be_visible()
    tab.locator('input[aria-label="Name"]').fill(name)
    tab.locator('input[aria-label="Password"]').fill(password)
    tab.get_by_role("button", name="Log in", exact=True).click()


def expect_accounts(tab: Page) -> None:
    expect(tab.get_by_role("heading", name="Change an account")).to_be_visible()
    wait_until_still(tab)


def expect_wall(tab: Page) -> None:
    expect(tab.get_by_text(WALL)).to_be_visible()
    wait_until_still(tab)
    expect(tab.get_by_role("heading", name="Change an account")).to_have_count(0)


def cookie_of(context: BrowserContext, name: str = COOKIE) -> dict | None:
    return next((cookie for cookie in context.cookies() if cookie["name"] == name), None)


def open_menu(tab: Page) -> None:
    tab.get_by_test_id("stExpandSidebarButton").click()
    expect(tab.get_by_test_id("stSidebar").get_by_text("Logged in as")).to_be_visible()


def test_login_leads_to_the_page_asked_for_and_outlives_reload_and_new_tab(
    new_browser: NewBrowser, clinic_address: str
) -> None:
    context = new_browser()
    tab = open_at(context, clinic_address)
    assert not can_scroll_sideways(tab)

    log_in(tab, "anna")

    expect_accounts(tab)
    assert tab.url == f"{clinic_address}accounts"
    assert not can_scroll_sideways(tab)
    cookie = cookie_of(context)
    assert (cookie["sameSite"], cookie["secure"], cookie["httpOnly"], cookie["expires"]) == ("Strict", False, False, -1)
    tab.reload()
    expect_accounts(tab)
    expect_accounts(open_at(context, clinic_address))


def test_stolen_cookie_shows_nothing_and_ends_the_session(new_browser: NewBrowser, clinic_address: str) -> None:
    owner, thief = new_browser(), new_browser()
    tab = open_at(owner, clinic_address)
    log_in(tab, "anna")
    expect_accounts(tab)
    expect_wall(open_at(thief, clinic_address))

    thief.add_cookies([cookie_of(owner)])

    expect_wall(open_at(thief, clinic_address))
    tab.reload()
    expect(tab.get_by_text("another browser showed your login")).to_be_visible()


def test_link_that_is_passed_on_shows_the_login(new_browser: NewBrowser, clinic_address: str) -> None:
    tab = open_at(new_browser(), clinic_address)
    log_in(tab, "anna")
    expect_accounts(tab)

    assert tab.url.partition("?")[2] == ""
    stranger = new_browser().new_page()
    stranger.goto(tab.url)

    expect_wall(stranger)


def test_logout_takes_the_cookie_and_the_old_cookie_is_worth_nothing(
    new_browser: NewBrowser, clinic_address: str
) -> None:
    context = new_browser()
    tab = open_at(context, clinic_address)
    other_tab = open_at(context, clinic_address)
    log_in(tab, "anna")
    expect_accounts(tab)
    other_tab.reload()
    expect_accounts(other_tab)
    old = cookie_of(context)

    open_menu(tab)
    tab.get_by_role("button", name="Log out").click()

    expect_wall(tab)
    assert cookie_of(context) is None
    context.add_cookies([old])
    expect_wall(open_at(context, clinic_address))
    expect(other_tab.get_by_text(WALL)).to_be_visible()  # without a click: it looks for itself
    expect(other_tab.get_by_role("heading", name="Change an account")).to_have_count(0)


def test_page_leaves_the_screen_when_the_session_ends_though_nobody_clicks(
    new_browser: NewBrowser, clinic_address: str, clinic: Access
) -> None:
    tab = open_at(new_browser(), clinic_address)
    log_in(tab, "anna")
    expect_accounts(tab)

    with clinic.database.transaction() as session:
        quarter = timedelta(minutes=15, seconds=1)
        session.execute(update(Login).values(seen_at=datetime.now(UTC) - quarter).where(Login.ended_at.is_(None)))

    words = "You were logged out: nothing was clicked for 15 minutes. A review that you had begun is kept as a draft."
    expect(tab.get_by_text(words)).to_be_visible(timeout=(LOOKED_AT_EVERY_S + 25) * 1000)
    expect_wall(tab)
    log_in(tab, "anna")
    expect_accounts(tab)


def test_what_attackers_type_stays_text(new_browser: NewBrowser, clinic_address: str) -> None:
    tab = open_at(new_browser(), clinic_address)

    for text in (*XSS[:3], SQL_INJECTIONS[10]):
        log_in(tab, text[:64], text)
        expect(tab.get_by_text(NOT_TOGETHER)).to_be_visible()
        wait_until_still(tab)
        assert tab.locator('input[aria-label="Name"]').input_value() == text[:64]

    assert tab.evaluate("window.hacked") is None


def test_clinician_is_told_that_the_page_is_for_others(new_browser: NewBrowser, clinic_address: str) -> None:
    tab = open_at(new_browser(), clinic_address)

    log_in(tab, "ben")

    expect(tab.get_by_text("This page is for administrators. You are logged in as ben (clinician).")).to_be_visible()
    open_menu(tab)
    links = tab.get_by_test_id("stSidebarNavLink").all_inner_texts()
    assert any("Login" in link for link in links)
    assert not any("Accounts" in link for link in links)


def ask_provider(tab: Page) -> None:
    tab.get_by_role("button", name="Log in with your organisation").click()


def test_provider_lets_in_whom_an_administrator_has_linked_and_each_word_begins_one_session(
    new_browser: NewBrowser, clinic_address: str, clinic: Access, issuer: Issuer
) -> None:
    context = new_browser(1280)
    tab = open_at(context, clinic_address)
    ask_provider(tab)
    line = f"{issuer.address} 248289761001"
    expect(tab.get_by_text(f"Give this line to an administrator: {line}")).to_be_visible()
    clinic.add_by_provider(LOCAL_USER, "carla", Role.ADMIN, subject=line, now=datetime.now(UTC))

    tab.reload()
    expect_accounts(tab)
    assert tab.url == f"{clinic_address}accounts"
    word = cookie_of(context, "_streamlit_user")
    assert (word["httpOnly"], word["sameSite"]) == (True, "Lax")
    assert cookie_of(context) is None

    tab.get_by_role("button", name="Log out").click()
    tab.wait_for_url(clinic_address)
    assert cookie_of(context, "_streamlit_user") is None
    context.add_cookies([word])
    next_tab = open_at(context, clinic_address)
    expect_wall(next_tab)

    before = issuer.n_logins
    ask_provider(next_tab)
    expect_accounts(next_tab)
    assert issuer.n_logins == before + 1
