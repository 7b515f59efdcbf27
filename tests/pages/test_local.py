"""Folders of this machine are read for the person who sits at it, and for nobody else."""

import pytest

from pages._ui.local import is_local


@pytest.mark.parametrize(
    ("headers", "remote_ip", "local"),
    [
        ({"Host": "localhost:8501"}, None, True),
        ({"Host": "[::1]:8501"}, "::1", True),
        ({"Host": "clinic.example"}, None, False),
        ({"Host": "localhost:8501"}, "192.168.1.7", False),
        ({"Host": "localhost:8501", "X-Forwarded-For": "203.0.113.9"}, None, False),
        ({}, None, False),
    ],
)
def test_only_an_undoubted_local_visit_counts(headers, remote_ip, local):
    assert is_local(headers, remote_ip) is local
