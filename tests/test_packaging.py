"""The house's outer wall: commands, start-up settings, colours, licences."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import dermascan_core
from dermascan_core.imaging.decode import MAX_SIZE_BYTES
from dermascan_core.services.models import DEFAULT_MODEL

ROOT = Path(__file__).resolve().parents[1]
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


def make(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make away from the checkout's own .venv, with no trace of the make that runs the tests."""
    clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON")}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=cwd,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A bare checkout in a folder with spaces, without .venv."""
    folder = tmp_path / "my derma scan"
    folder.mkdir()
    for path in (ROOT / "Makefile", *ROOT.glob("requirements*.txt")):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def fake_python(folder: Path, name: str, script: str) -> None:
    """Put an executable of that name into the folder."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_make_without_a_target_says_what_can_be_made(checkout: Path) -> None:
    done = make(cwd=checkout)

    assert "make run\tOpen the app" in done.stdout
    assert not (checkout / ".venv").exists()


def pages_of_figures(checkout: Path, *arguments: str) -> set[str]:
    """Return which pages `make figures` would write."""
    done = make("--dry-run", "figures", *arguments, cwd=checkout)
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"--(?:page|card) (\S+)", done.stdout)) | set(re.findall(r"--out (docs/\S+)", done.stdout))


def test_figures_of_another_model_leave_the_pages_of_the_default_alone(checkout: Path) -> None:
    names = ("refusals", "adversarial", "ugly-duckling", "compression", "comparison", "model-card")
    every = {f"docs/{name}.md" for name in names} | {"docs/model-card-nasnet-mobile.md"}

    assert pages_of_figures(checkout) == pages_of_figures(checkout, f"MODEL={DEFAULT_MODEL}") == every
    assert pages_of_figures(checkout, "MODEL=nasnet_mobile") == {
        "docs/model-card-nasnet-mobile.md",
        "docs/comparison.md",  # of all models
    }
    other = make("--dry-run", "figures", "MODEL=mine", cwd=checkout).stdout
    assert "--card docs/model-card-mine.md" in other
    assert "--out weights/mine.evaluation/refusals" in other
    assert "publish nasnet_mobile" not in other


def test_make_run_with_an_unsupported_python_gives_one_sentence(checkout: Path) -> None:
    tools = checkout / "tools"
    tools.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python"):
        fake_python(tools, name, 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')

    done = make("run", cwd=checkout, PATH=f"{tools}:{os.environ['PATH']}")

    assert done.returncode != 0
    assert done.stdout == (
        "DermaScan needs Python 3.11 or 3.12. Found: Python 3.9.2.\n"
        "Install one of them (Debian: apt-get install python3 python3-venv), "
        "or name it: make run PYTHON=/path/to/python3.12\n"
    )
    assert "Traceback" not in done.stderr


def test_make_run_without_the_venv_module_says_which_package_is_missing(checkout: Path) -> None:
    tools = checkout / "tools"
    tools.mkdir()
    fake_python(tools, "python3.11", 'case "$1" in -c) exit 0;; --version) echo Python 3.11.9;; *) exit 1;; esac')

    done = make("run", cwd=checkout, PATH=f"{tools}:{os.environ['PATH']}")

    assert done.returncode != 0
    assert done.stdout.splitlines()[-1] == (
        "This Python cannot make a virtual environment. Debian and Ubuntu: apt-get install python3-venv"
    )


def test_make_train_without_data_says_what_to_set(checkout: Path) -> None:
    stamps = checkout / ".venv"
    stamps.mkdir()
    for name in ("pyvenv.cfg", "run.stamp", "train.stamp"):
        (stamps / name).touch()
    (stamps / "bin").mkdir()
    fake_python(stamps / "bin", "python", "exit 0")

    done = make("train", cwd=checkout, DERMASCAN_DATA="")

    assert done.returncode != 0
    assert done.stdout.splitlines()[0] == (
        "Expected the environment variable DERMASCAN_DATA to name a folder that holds ham10000/metadata.csv."
    )


def test_second_set_up_does_nothing(checkout: Path) -> None:
    stamps = checkout / ".venv"
    (stamps / "bin").mkdir(parents=True)
    fake_python(stamps / "bin", "python", "exit 0")
    for name in ("pyvenv.cfg", "run.stamp", "train.stamp", "test.stamp"):
        (stamps / name).touch()

    done = make(".venv/test.stamp", cwd=checkout)

    assert done.stdout == "make: '.venv/test.stamp' is up to date.\n"


def test_a_venv_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    stamps = checkout / ".venv"
    (stamps / "bin").mkdir(parents=True)
    (stamps / "bin" / "python").symlink_to("/nowhere/python3.11")
    for name in ("pyvenv.cfg", "run.stamp"):
        (stamps / name).touch()

    done = make("--dry-run", ".venv/run.stamp", cwd=checkout)

    assert "-m venv --clear .venv" in done.stdout


def test_continuous_integration_calls_make_test() -> None:
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().endswith("\nmake test")


@pytest.mark.parametrize(
    ("has_folder", "given", "expected"),
    [(True, "", "{beside}"), (True, "/elsewhere", "/elsewhere"), (False, "", "")],
)
def test_continuous_integration_takes_real_photos_from_beside_the_checkout(
    tmp_path: Path, has_folder: bool, given: str, expected: str
) -> None:
    checkout = tmp_path / "a checkout"
    (checkout / ".ci").mkdir(parents=True)
    (checkout / ".ci" / "run").write_bytes((ROOT / ".ci" / "run").read_bytes())
    (checkout / "Makefile").write_text('test:\n\t@echo "photos: $$DERMASCAN_DATA"\n')
    beside = tmp_path / "shared" / "data"
    if has_folder:
        beside.mkdir(parents=True)

    done = subprocess.run(
        ["bash", str(checkout / ".ci" / "run")],
        env={"PATH": os.environ["PATH"], "DERMASCAN_DATA": given},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == f"photos: {expected.format(beside=beside)}"


def test_first_start_asks_for_no_email_and_sends_nothing() -> None:
    assert CONFIG["server"]["showEmailPrompt"] is False
    assert CONFIG["browser"]["gatherUsageStats"] is False


def test_upload_limit_is_that_of_the_decoder() -> None:
    assert CONFIG["server"]["maxUploadSize"] * 2**20 == MAX_SIZE_BYTES


def test_a_session_outlives_ten_minutes_in_the_background() -> None:
    assert CONFIG["server"]["disconnectedSessionTTL"] > 600


def test_no_traceback_reaches_a_person() -> None:
    assert CONFIG["client"]["showErrorDetails"] == "none"


def test_streamlit_knows_every_setting() -> None:
    from streamlit import config

    known = config.get_config_options()

    assert [name for name in _flat(CONFIG) if name not in known] == []


def _flat(table: dict[str, object], prefix: str = "") -> list[str]:
    names: list[str] = []
    for key, value in table.items():
        names += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return names


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["backgroundColor", "secondaryBackgroundColor"])
def test_text_and_outlines_stand_out(theme: str, ground: str) -> None:
    colours = CONFIG["theme"][theme]

    # WCAG 2.2: 4.5 to 1 for text, 3 to 1 for what outlines a control.
    assert contrast(colours["textColor"], colours[ground]) >= 4.5
    assert contrast(colours["linkColor"], colours[ground]) >= 4.5
    assert contrast(colours["primaryColor"], colours[ground]) >= 3
    assert contrast(colours["borderColor"], colours[ground]) >= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_white_words_on_a_primary_button_stand_out(theme: str) -> None:
    assert contrast("#ffffff", CONFIG["theme"][theme]["primaryColor"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two sRGB colours, 1 to 21; black on white is 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_code_and_weights_have_their_own_terms() -> None:
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n")
    assert "CC BY-NC 4.0" in (ROOT / "weights" / "README.md").read_text(encoding="utf-8")


def test_version_is_three_numbers() -> None:
    assert [part.isdigit() for part in dermascan_core.__version__.split(".")] == [True, True, True]
