"""Where a session's token lives: in a cookie of the browser, and in the tab that logged in. Never in an address.

A script of Streamlit's cannot answer with a cookie, so a line of JavaScript sets it: the cookie is not HttpOnly. It is for
this site alone (SameSite=Strict), Secure and ``__Host-`` on https pages, gone with the browser, and worth nothing without the
browser's own mark. See docs/decisions/0046-accounts-and-roles.md.
"""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network

import streamlit as st

from .case import browser_mark

COOKIE = "dermascan_login"
_SECURE_COOKIE = f"__Host-{COOKIE}"  # browsers take it over https alone, and from no other host
_TOKEN_KEY = "login_token"  # noqa: S105  a key of the session
_UNSENT_KEY = "login_cookie_to_set"

# In a block of its own: a page that logs in and out runs this twice, and a constant is declared once.
_SET_COOKIE = """<script>{
const isSecure = location.protocol === "https:";
document.cookie = (isSecure ? "__Host-" : "") + %(name)s + "=" + %(token)s
  + "; Path=/; SameSite=Strict" + (isSecure ? "; Secure" : "")%(age)s;
}</script>"""


def browser_here() -> str:
    """Return the mark of the browser that shows this page; "" where it sends no cookies."""
    return browser_mark(str(st.context.cookies.get("_streamlit_xsrf", "")))


def token_here() -> str:
    """Return the token of this tab, else of this browser; "" without one."""
    held: str | None = st.session_state.get(_TOKEN_KEY)
    # After a logout the tab still knows the cookie that came with its connection.
    return cookie_here() if held is None else held


def cookie_here() -> str:
    """Return the token that this browser sent when the page was opened; "" without one."""
    cookies = st.context.cookies
    return str(cookies.get(_SECURE_COOKIE) or cookies.get(COOKIE, ""))


def keep_token(token: str) -> None:
    """Keep a token for this tab, and for the browser at the next run of the page."""
    st.session_state[_TOKEN_KEY] = token
    st.session_state[_UNSENT_KEY] = token


def forget_token() -> None:
    """Forget the token, here and at the next run of the page in the browser."""
    keep_token("")


def send_cookie() -> None:
    """Let the browser set or remove the cookie, once after each change."""
    token = st.session_state.pop(_UNSENT_KEY, None)
    if token is None:
        return
    values = {"name": json.dumps(COOKIE), "token": json.dumps(token), "age": "" if token else ' + "; Max-Age=0"'}
    st.html(_SET_COOKIE % values, unsafe_allow_javascript=True)


def network_address() -> str:
    """Return where the connection comes from, for counting failed logins; an IPv6 network counts as one.

    A proxy's word (the last entry of X-Forwarded-For) is believed only where the connection comes from a private network:
    somebody who connects from outside could write anything there.
    """
    return client_address(st.context.headers.get_all("X-Forwarded-For"), st.context.ip_address)


def client_address(forwarded: list[str], remote_ip: str | None) -> str:
    """Return the address of a client.

    Args:
        forwarded: The X-Forwarded-For headers.
        remote_ip: What the connection comes from; None for this machine.

    >>> client_address(["6.6.6.6, 203.0.113.9"], "172.18.0.2"), client_address(["6.6.6.6"], "203.0.113.9")
    ('203.0.113.9', '203.0.113.9')
    >>> client_address([], "2001:db8:1:2:3::4")
    '2001:db8:1:2::/64'
    """
    last = ",".join(forwarded).rpartition(",")[2].strip()
    if last and (remote_ip is None or _is_private(remote_ip)):
        return _network_of(last)
    return "this machine" if remote_ip is None else _network_of(remote_ip)


def _is_private(address: str) -> bool:
    try:
        return ip_address(address).is_private
    except ValueError:
        return False


def _network_of(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return "no address"
    return str(ip_network(f"{parsed}/64", strict=False)) if parsed.version == 6 else str(parsed)
