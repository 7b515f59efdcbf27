"""Every page and every role: what somebody may not see is not shown, whichever way they came."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from dermascan_core.services.access import LOCAL_USER, Action, Role, User, check, make_access, may
from dermascan_core.services.logins import Access
from dermascan_core.storage.schema import Login
from pages._ui.access import LOGIN_PAGE, PAGE_ROLES
from tests.attacks import SQL_INJECTIONS, XSS
from tests.pages.reading import seen
from tests.staff import BROWSER, OTHER_BROWSER, PASSWORD, hash_quickly, staffed

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
OpenPage = Callable[[str], AppTest]
WALLS = ("Records need a login here", "Records are for those who have an account here", "This page is for ")
VISITORS = ("visitor, no accounts", "visitor", "clinician", "admin", "at the machine, no accounts")
ROLE_OF = {
    "visitor, no accounts": Role.PUBLIC,
    "visitor": Role.PUBLIC,
    "clinician": Role.CLINICIAN,
    "admin": Role.ADMIN,
    "at the machine, no accounts": Role.ADMIN,
}


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the browser sends: its mark and its login cookie; a test may change them."""
    sent = {"mark": BROWSER, "cookie": ""}
    monkeypatch.setattr("pages._ui.login_token.browser_here", lambda: sent["mark"])
    monkeypatch.setattr("pages._ui.login_token.cookie_here", lambda: sent["cookie"])
    return sent


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch, records_folder: Path) -> Access:
    """A clinic with an administrator "anna" and a clinician "ben", whose time runs on by itself."""
    hash_quickly(monkeypatch)
    return staffed(make_access().database)


@pytest.fixture
def at_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages._ui.access.is_local_visit", lambda: True)


def log_in(page: AppTest, name: str, password: str = PASSWORD) -> AppTest:
    page.text_input(key="login_name").set_value(name)
    next(box for box in page.text_input if box.label == "Password").set_value(password)
    page.button(key="log_in").click().run()
    assert not page.exception
    return page


def is_walled(page: AppTest) -> bool:
    return any(wall in seen(page) for wall in WALLS)


def open_as(visitor: str, name: str, request: pytest.FixtureRequest) -> AppTest:
    """Follow a link straight to a page, as somebody."""
    request.getfixturevalue("browser")
    if visitor == "at the machine, no accounts":
        request.getfixturevalue("at_the_machine")
    elif visitor != "visitor, no accounts":
        request.getfixturevalue("clinic")
    page = request.getfixturevalue("open_page")
    if visitor in ("clinician", "admin"):
        token = log_in(page(LOGIN_PAGE), "ben" if visitor == "clinician" else "anna").session_state["login_token"]
        request.getfixturevalue("browser")["cookie"] = token
    return page(name)


@pytest.mark.parametrize("visitor", VISITORS)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_shown_to_whom_its_role_allows_and_to_nobody_else(
    name: str, visitor: str, request: pytest.FixtureRequest
) -> None:
    page = open_as(visitor, name, request)

    is_allowed = ROLE_OF[visitor].includes(PAGE_ROLES.get(name, Role.PUBLIC))
    is_asked = name == LOGIN_PAGE and visitor == "visitor"  # the door itself
    assert is_walled(page) == (not is_allowed or is_asked)
    if not is_allowed:
        assert len(page.header) == len(page.dataframe) == len(page.get("file_uploader")) == len(page.get("image")) == 0


def required_role(path: Path) -> str | None:
    """The role that a page asks for right after its frame; None where it asks for none."""
    calls = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
    found = [ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func) == "require"]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize("name", PAGES)
def test_page_asks_for_the_role_that_the_table_gives_it(name: str) -> None:
    role = PAGE_ROLES.get(name)

    assert required_role(ROOT / "pages" / f"{name}.py") == (None if role is None else f"Role.{role.name}")


def test_page_asks_for_its_role_before_anything_else() -> None:
    for name in PAGE_ROLES:
        text = (ROOT / "pages" / f"{name}.py").read_text(encoding="utf-8")
        assert re.search(r"page_frame\([^\n]*\)\n    (\w+ = )?require\(Role\.\w+\)\n", text), name


def test_every_page_of_the_clinic_has_a_role_and_hides_from_the_others() -> None:
    text = (ROOT / "streamlit_app.py").read_text(encoding="utf-8")
    clinic = text.partition('"Clinic": [')[2].partition("\n        ],")[0]

    listed = re.findall(r'"pages/(\w+)\.py"', clinic)

    assert sorted(listed) == sorted([*PAGE_ROLES, LOGIN_PAGE])
    assert re.findall(r'visibility\("(\w+)"\)', clinic) == listed


def test_without_records_no_page_imports_a_database(records_folder: Path) -> None:
    code = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        "page = AppTest.from_file('pages/know_your_skin.py', default_timeout=60).run()\n"
        "assert not page.exception\n"
        "import pages._ui.access as access\n"
        "assert access.current_user() == access.NOBODY\n"
        "print(' '.join(m for m in ('sqlalchemy', 'alembic', 'argon2', 'cryptography', 'authlib') if m in sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
    assert not records_folder.exists()


@pytest.mark.parametrize("action", list(Action))
def test_each_action_has_its_least_role(action: Action) -> None:
    allowed = [role for role in Role if may(role, action)]

    assert allowed == list(Role)[-len(allowed) :]
    assert Role.ADMIN in allowed
    check(LOCAL_USER, action)


def test_refusal_says_who_may() -> None:
    with pytest.raises(
        Exception, match=r"^To see cases, log in as a clinician\. Nobody is logged in here, or not any more\.$"
    ):
        check(User("public", Role.PUBLIC), Action.SEE_CASES)
    with pytest.raises(Exception, match=r"^To manage accounts takes an administrator\. 'ben' is a clinician\."):
        check(User("ben", Role.CLINICIAN), Action.MANAGE_ACCOUNTS)


def test_login_in_the_place_of_a_page_leads_to_that_page(
    clinic: Access, browser: dict[str, str], open_page: OpenPage
) -> None:
    page = open_page("accounts")
    assert is_walled(page)

    log_in(page, "anna")

    assert not is_walled(page)
    assert list(page.dataframe[0].value["name"]) == ["anna", "ben"]
    assert [text.value for text in page.sidebar.text] == ["Logged in as anna (admin)"]


def test_failed_login_says_one_sentence_and_keeps_the_name_and_not_the_password(
    clinic: Access, browser: dict[str, str], open_page: OpenPage
) -> None:
    page = log_in(open_page("accounts"), "anna", "wrong password")

    assert [error.value for error in page.error] == [
        "This name and this password do not go together. Capital letters matter in passwords."
    ]
    assert page.text_input(key="login_name").value == "anna"
    assert "wrong password" not in str(page.session_state)


def test_cookie_of_another_browser_sees_the_wall(clinic: Access, browser: dict[str, str], open_page: OpenPage) -> None:
    browser["cookie"] = log_in(open_page("accounts"), "anna").session_state["login_token"]
    browser["mark"] = OTHER_BROWSER

    assert is_walled(open_page("accounts"))

    browser["mark"] = BROWSER
    page = open_page("accounts")
    assert "another browser showed your login" in page.info[0].value


def test_logout_ends_the_tab_the_cookie_and_what_was_open(
    clinic: Access, browser: dict[str, str], open_page: OpenPage
) -> None:
    page = log_in(open_page("accounts"), "anna")
    browser["cookie"] = page.session_state["login_token"]
    page.session_state["somebody's photos"] = b"private"

    page.button(key="log_out").click().run()

    assert is_walled(page)
    assert "somebody's photos" not in page.session_state
    assert is_walled(open_page("accounts"))


def test_next_person_at_the_tab_finds_nothing_of_the_one_before(
    clinic: Access, browser: dict[str, str], open_page: OpenPage
) -> None:
    page = log_in(open_page("accounts"), "anna")
    page.session_state["somebody's photos"] = b"private"
    clinic.log_out(page.session_state["login_token"], now=datetime.now(UTC))
    page.run()
    assert "somebody's photos" in page.session_state

    log_in(page, "ben")

    assert "somebody's photos" not in page.session_state


def test_click_on_a_page_whose_session_has_ended_does_nothing(
    clinic: Access, browser: dict[str, str], open_page: OpenPage
) -> None:
    page = log_in(open_page("accounts"), "anna")
    page.selectbox(key="accounts_chosen").select("ben").run()
    clinic.log_out(page.session_state["login_token"], now=datetime.now(UTC))

    page.button(key="disable").click().run()

    assert is_walled(page)
    assert [account.is_enabled for account in clinic.accounts(LOCAL_USER)] == [True, True]


def set_last_click(access: Access, ago: timedelta) -> None:
    with access.database.transaction() as session:
        session.execute(update(Login).values(seen_at=datetime.now(UTC) - ago))


def test_two_minutes_before_the_end_one_click_stays_logged_in(
    clinic: Access, browser: dict[str, str], open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = log_in(open_page(LOGIN_PAGE), "anna")
    assert [text.value for text in page.sidebar.caption] == ["You are logged out after 15 minutes without a click."]
    monkeypatch.setattr("dermascan_core.storage.logins.NOTED_EVERY", timedelta(hours=1))
    set_last_click(clinic, timedelta(minutes=13, seconds=30))
    page.run()
    assert [text.value for text in page.sidebar.warning] == ["You are logged out in 2 minutes."]
    assert [toast.value for toast in page.toast] == ["You are logged out in 2 minutes, unless you click."]

    monkeypatch.setattr("dermascan_core.storage.logins.NOTED_EVERY", timedelta(seconds=15))
    page.button(key="stay_logged_in").click().run()

    assert [text.value for text in page.sidebar.caption] == ["You are logged out after 15 minutes without a click."]


def test_administrator_adds_an_account_whose_owner_chooses_a_password(
    clinic: Access, browser: dict[str, str], open_page: OpenPage
) -> None:
    page = log_in(open_page("accounts"), "anna")
    page.text_input(key="new_name").set_value("carla")
    page.button(key="add_account").click().run()
    one_time = page.code[0].value
    assert page.success[0].value == "Added carla."

    browser["mark"] = OTHER_BROWSER
    other = log_in(open_page(LOGIN_PAGE), "carla", one_time)
    assert "This password was for one use. Choose your own now." in seen(other)
    for box, text in zip(other.text_input, (one_time, "an owl over water", "an owl over water"), strict=True):
        box.set_value(text)
    other.button(key="change_password").click().run()

    assert "You are logged in as **carla** (clinician)." in seen(other)


def test_one_time_password_opens_no_page_before_it_is_replaced(
    clinic: Access, browser: dict[str, str], open_page: OpenPage
) -> None:
    one_time = clinic.add(LOCAL_USER, "dora", Role.ADMIN, now=datetime.now(UTC))

    page = log_in(open_page("accounts"), "dora", one_time)

    assert len(page.dataframe) == 0
    assert "This password was for one use. Choose your own now." in seen(page)


def test_role_and_state_are_changed_with_one_click_each(
    clinic: Access, browser: dict[str, str], open_page: OpenPage
) -> None:
    page = log_in(open_page("accounts"), "anna")
    page.selectbox(key="accounts_chosen").select("ben").run()

    page.button(key="change_role").click().run()
    assert list(page.dataframe[0].value["role"]) == ["Administrator", "Administrator"]
    page.button(key="disable").click().run()
    assert list(page.dataframe[0].value["state"]) == ["may log in", "disabled"]
    page.button(key="enable").click().run()
    page.button(key="reset").click().run()

    assert re.fullmatch(r"(\w{4}-){3}\w{4}", page.code[0].value)
    assert list(page.dataframe[0].value["logs in with"]) == ["password", "one-time password, not used yet"]


def test_own_account_is_not_changed_here(clinic: Access, browser: dict[str, str], open_page: OpenPage) -> None:
    page = log_in(open_page("accounts"), "anna")

    assert "This is your own account." in seen(page)
    assert [button.key for button in page.button if button.key in ("change_role", "disable", "reset")] == []


def test_first_administrator_is_added_at_the_machine_and_then_has_to_log_in(
    monkeypatch: pytest.MonkeyPatch, browser: dict[str, str], at_the_machine: None, open_page: OpenPage
) -> None:
    hash_quickly(monkeypatch)
    page = open_page("accounts")
    assert page.info[0].value.startswith("Nobody has an account. Whoever sits at this machine sees every page")
    page.text_input(key="first_name").set_value("anna")
    page.text_input(key="first_password").set_value(PASSWORD)
    page.text_input(key="first_again").set_value(PASSWORD)

    page.button(key="add_first").click().run()

    assert is_walled(page)
    assert not is_walled(log_in(page, "anna"))


def test_first_administrator_s_two_passwords_must_agree(
    browser: dict[str, str], at_the_machine: None, open_page: OpenPage, records_folder: Path
) -> None:
    page = open_page("accounts")
    page.text_input(key="first_name").set_value("anna")
    page.text_input(key="first_password").set_value(PASSWORD)

    page.button(key="add_first").click().run()

    assert [error.value for error in page.error] == ["The two passwords differ. Type them again."]
    assert not (records_folder / "records.db").exists()


def test_visitor_without_accounts_learns_how_the_first_one_is_made(
    browser: dict[str, str], open_page: OpenPage, records_folder: Path
) -> None:
    page = open_page("accounts")

    assert page.code[0].value == "python -m dermascan_core accounts add NAME --role admin"
    assert not records_folder.exists()


def test_browser_without_cookies_is_told_so(clinic: Access, browser: dict[str, str], open_page: OpenPage) -> None:
    browser["mark"] = ""

    page = log_in(open_page("accounts"), "anna")

    assert page.error[0].value.startswith("Logging in needs cookies, and this browser sends none.")


@pytest.mark.parametrize("text", [*SQL_INJECTIONS[::5], *XSS])
def test_login_form_takes_no_attack_for_a_name(
    clinic: Access, browser: dict[str, str], open_page: OpenPage, text: str
) -> None:
    page = log_in(open_page("accounts"), text[:64], text)

    assert is_walled(page)
    assert [error.value for error in page.error] == [
        "This name and this password do not go together. Capital letters matter in passwords."
    ]


@pytest.mark.parametrize("text", XSS)
def test_name_of_a_new_account_is_shown_as_it_was_typed(
    clinic: Access, browser: dict[str, str], open_page: OpenPage, text: str
) -> None:
    page = log_in(open_page("accounts"), "anna")
    page.text_input(key="new_name").set_value(text[:64])

    page.button(key="add_account").click().run()

    assert page.error[0].value.startswith("Expected a name of 2 to 64 letters")
    assert not re.search(r"(?<!\\)[<\[$`]", page.error[0].value)


def test_public_page_stays_open_while_the_records_do_not_answer(
    clinic: Access, browser: dict[str, str], open_page: OpenPage, records_folder: Path
) -> None:
    browser["cookie"] = log_in(open_page("accounts"), "anna").session_state["login_token"]
    clinic.database.close()
    (records_folder / "records.db").write_bytes(b"damaged " * 1000)
    for leftover in records_folder.glob("records.db-*"):
        leftover.unlink()

    page = open_page("know_your_skin")

    assert not page.exception
    assert len(page.header) > 0
    assert any(caption.value.startswith("Nobody is logged in.") for caption in page.sidebar.caption)
