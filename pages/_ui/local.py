"""Whether the person at the page sits at the machine that runs the program: only then may a page read its folders."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

import streamlit as st

_LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}
_PROXY_HEADERS = {"x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via", "cf-connecting-ip"}


def is_local_visit() -> bool:
    """Return whether this page is open in a browser on this very machine, and asked for by its local name."""
    return is_local(dict(st.context.headers), st.context.ip_address)


def is_local(headers: Mapping[str, str], remote_ip: str | None) -> bool:
    """Return whether a connection is certainly local; in doubt it is not.

    Both must hold: the connection comes from this machine (Streamlit gives no address then), and the browser asked for a
    local name, so that neither a proxy in front nor a foreign page that points its own name here counts as local.

    Args:
        headers: Of the connection.
        remote_ip: Its address; None for this machine.

    >>> is_local({"Host": "localhost:8501"}, None), is_local({"Host": "clinic.example"}, None)
    (True, False)
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    if _PROXY_HEADERS & set(lowered):
        return False
    return _host_name(lowered.get("host", "")) in _LOCAL_NAMES and (remote_ip is None or _is_loopback(remote_ip))


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
