"""Dockerfile, compose.yaml and Caddyfile without Docker: what they name exists, and their commands start and answer."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from fnmatch import fnmatch
from pathlib import Path

import pytest
import typer
import yaml
from streamlit import config as streamlit_config

from dermascan_core.api.keys import hash_key
from dermascan_core.api.limits import Limits
from dermascan_core.cli import app
from dermascan_core.storage.places import read_places

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = ("app", "api")


def instructions():
    """Return (word, rest) of each instruction of the Dockerfile, its lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def last(word):
    return [rest for found, rest in instructions() if found == word][-1]


def command_of(service):
    return SERVICES[service].get("command") or json.loads(last("CMD"))


def health_url(service):
    test = SERVICES[service].get("healthcheck", {}).get("test") or [last("HEALTHCHECK")]
    return re.search(r"http://127\.0\.0\.1:\d+[\w/]+", " ".join(test))[0]


def ignored_by_docker(name):
    """Whether .dockerignore leaves a top-level name out; the last line that fits decides."""
    is_out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.lstrip("!")
        if line and not line.startswith("#") and (pattern == "**" or fnmatch(name, pattern)):
            is_out = not line.startswith("!")
    return is_out


def test_everything_that_is_copied_exists_and_reaches_the_builder():
    sources = [source for word, rest in instructions() if word == "COPY" for source in shlex.split(rest)[:-1]]

    assert sorted(sources) == [
        ".streamlit",
        "dermascan_core",
        "pages",
        "requirements-postgres.txt",
        "requirements.txt",
        "streamlit_app.py",
        "weights",
    ]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if ignored_by_docker(source)] == []
    assert [name for name in (".env", ".git", ".venv", "data", "runs", "tests") if not ignored_by_docker(name)] == []


def test_every_image_is_pinned_to_a_release():
    images = [last("FROM"), *(s["image"] for s in SERVICES.values() if "build" not in s)]

    assert [image for image in images if not re.search(r":\d+\.\d+(\.\d+)?-[a-z-]+$", image)] == []
    assert last("FROM").startswith("python:3.11.")


def test_nothing_of_ours_runs_as_root_or_may_write_but_where_it_must():
    words = [word for word, _ in instructions()]

    assert last("USER") == "dermascan"
    assert words.index("USER") < words.index("CMD")
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert any(place.startswith("/tmp:") for place in service["tmpfs"])
        assert "ports" not in service
    assert SERVICES["app"]["volumes"] == ["records:/app/data/records"]
    assert SERVICES["proxy"]["ports"] == ["80:80", "443:443"]


def test_no_secret_stands_in_a_file():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"KEY|PASSWORD|SECRET|TOKEN", name):
                assert value.startswith(("${", "/run/secrets/"))
    copied = {word: rest for word, rest in instructions() if word in ("ENV", "ARG")}
    assert re.search(r"KEY|PASSWORD|SECRET|TOKEN", " ".join(copied.values())) is None
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {".env", ".streamlit/secrets.toml"} <= set(ignored)


def test_every_part_of_ours_says_whether_it_is_well():
    assert health_url("app") == "http://127.0.0.1:8501/_stcore/health"
    assert health_url("api") == "http://127.0.0.1:8000/healthz"
    for name in OURS:
        port = health_url(name).rpartition(":")[2].partition("/")[0]
        assert port in command_of(name)
        assert port in last("EXPOSE").split()


def test_commands_and_their_options_exist():
    streamlit, serve = command_of("app"), command_of("api")

    assert streamlit[:5] == ["python", "-m", "streamlit", "run", "streamlit_app.py"]
    options = [word.removeprefix("--") for word in streamlit[5:] if word.startswith("--")]
    assert [name for name in options if name not in streamlit_config._config_options_template] == []
    assert serve[:4] == ["python", "-m", "dermascan_core", "serve"]
    command = typer.main.get_command(app).commands["serve"]
    assert command.make_context("serve", serve[4:]).params["data"] == Path("/app/data/api")


def test_settings_that_a_container_gets_are_ones_that_are_read():
    wanted = {name for s in (SERVICES["app"], SERVICES["api"]) for name in s["environment"]} - {"HOME"}

    for name in wanted:
        if name.startswith("STREAMLIT_"):
            section, _, option = name.removeprefix("STREAMLIT_").lower().partition("_")
            camel = re.sub(r"_(.)", lambda match: match[1].upper(), option)
            assert f"{section}.{camel}" in streamlit_config._config_options_template
        else:
            assert f"`{name}`" in (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")


def test_proxy_leads_to_what_there_is_and_marks_cookies_as_secure():
    text = (ROOT / "Caddyfile").read_text(encoding="utf-8")

    assert sorted(re.findall(r"reverse_proxy (\w+):(\d+)", text)) == [("api", "8000"), ("app", "8501")]
    assert 'header_down Set-Cookie "(.+)" "$1; Secure"' in text
    assert "Strict-Transport-Security" in text
    assert text.count("{") == text.count("}")
    assert "/metrics" not in re.search(r"@api path (.+)", text)[1]
    assert "./Caddyfile:/etc/caddy/Caddyfile:ro" in SERVICES["proxy"]["volumes"]


def test_proxy_gives_up_an_idle_connection_before_the_server_does():
    (kept_s,) = re.findall(r"keepalive (\d+)s", (ROOT / "Caddyfile").read_text(encoding="utf-8"))

    assert 0 < int(kept_s) < Limits().keep_alive_s


def test_database_server_is_used_only_where_its_address_is_set():
    assert SERVICES["database"]["profiles"] == ["storage"]
    assert all("database" not in SERVICES[name].get("depends_on", []) for name in OURS)
    assert SERVICES["app"]["environment"]["DERMASCAN_DATABASE_URL"] == "${DERMASCAN_DATABASE_URL:-}"
    assert "--profile storage" in (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_records_of_a_container_lie_in_a_volume_of_their_own():
    places = read_places(SERVICES["app"]["environment"] | {"DERMASCAN_DATABASE_URL": "", "DERMASCAN_KEY": ""})

    assert "records" in COMPOSE["volumes"]
    assert places.database_file == Path("/app/data/records/records.db")
    assert "data/records" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.parametrize("name", OURS)
def test_command_of_the_container_starts_and_answers_its_health_check(name, tmp_path):
    old, new = health_url(name).split("/")[2].partition(":")[2], free_port()
    moved = {old: new, "0.0.0.0": "127.0.0.1", "/app/data/api": str(tmp_path)}
    command = [sys.executable, *(moved.get(word, word) for word in command_of(name)[1:])]
    environment = os.environ | {"DERMASCAN_API_KEYS": f"app:{hash_key('k')}", "HOME": str(tmp_path)}
    environment.pop("DERMASCAN_API_URL", None)
    with (tmp_path / "log.txt").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            status = wait_for(health_url(name).replace(f":{old}/", f":{new}/"), server)
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait(20)

    assert status == 200, (tmp_path / "log.txt").read_text(errors="replace")


def wait_for(url, server):
    """Return the status once the server answers; None where it never does."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    return None
