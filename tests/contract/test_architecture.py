"""The direction of imports that docs/architecture.md draws, held over the whole tree."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.tree import ROOT, imports_of, module_name, python_files, relative

BASE = {
    "errors",
    "domain",
    "metadata",
    "taxonomy",
    "tables",
    "native_memory",
    "native_output",
    "native_threads",
    "settings",
}

# Room -> the rooms it may import from, itself left out.
MAY_IMPORT: dict[str, set[str]] = {
    "base": set(),
    "imaging": {"base"},
    "trust": {"base"},
    "triage": {"base"},
    "model": {"base", "imaging", "trust"},
    "reports": {"base", "imaging", "triage"},
    "storage": {"base"},
    "interop": {"base", "imaging", "triage"},
    "evaluation": {"base", "imaging", "model", "trust", "triage"},
    "datasets": {"base", "imaging", "evaluation"},
    "training": {"base", "imaging", "model", "trust", "evaluation", "datasets"},
    "services": {
        "base",
        "imaging",
        "model",
        "trust",
        "triage",
        "reports",
        "evaluation",
        "datasets",
        "storage",
        "interop",
    },
    "api": {"base", "imaging", "model", "triage", "reports", "services"},
    "cli": {
        *("base", "imaging", "model", "trust", "triage", "reports", "evaluation", "datasets", "training", "services"),
        "api",
    },
    "ui": {"base", "imaging", "triage", "reports", "services"},
    "pages": {"base", "imaging", "triage", "reports", "services", "ui"},
}
# What services hand out; the room behind these types stays closed to the pages.
TYPES_FOR_PAGES = {"dermascan_core.model.manifest", "dermascan_core.model.predictor"}
HEAVY = ("keras", "tensorflow", "torch", "jax", "tensorboard")
ONLY_ON_REQUEST = ("dask", "distributed", "jax")  # installed by whoever has a cluster, or trains in several processes
FILES = python_files("dermascan_core", "pages", "streamlit_app.py")


def room_of(module: str) -> str | None:
    """Return the room of a dotted module name of ours; None for other people's modules."""
    top, _, rest = module.partition(".")
    if top in ("pages", "streamlit_app"):
        return "ui" if rest.startswith("_ui") else "pages"
    if top != "dermascan_core":
        return None
    first = rest.partition(".")[0]
    if not first or first in BASE:
        return "base"
    return "cli" if first == "__main__" else first


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_file_imports_only_from_the_rooms_below_it(path: Path) -> None:
    room = room_of(module_name(path))

    wrong = [
        f"{relative(path)}:{found.line} imports {found.module}"
        for found in imports_of(path)
        if (target := room_of(found.module)) is not None
        and target != room
        and target not in MAY_IMPORT[room]
        and not (room in ("pages", "ui") and found.module in TYPES_FOR_PAGES)
    ]

    assert wrong == []


@pytest.mark.parametrize("path", python_files("dermascan_core"), ids=relative)
def test_core_never_imports_streamlit(path: Path) -> None:
    assert [f.line for f in imports_of(path) if f.module.partition(".")[0] == "streamlit"] == []


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_keras_stays_inside_model_and_training(path: Path) -> None:
    room = room_of(module_name(path))

    wrong = [
        f"{relative(path)}:{found.line} imports {found.module}"
        for found in imports_of(path)
        if found.module.partition(".")[0] in HEAVY
        and room != "training"
        and not (room == "model" and not found.is_at_import_time)
    ]

    assert wrong == []


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_what_only_a_cluster_needs_is_imported_only_when_one_is_named(path: Path) -> None:
    wrong = [
        f"{relative(path)}:{found.line} imports {found.module}"
        for found in imports_of(path)
        if found.module.partition(".")[0] in ONLY_ON_REQUEST and found.is_at_import_time
    ]

    assert wrong == []


def test_a_page_imports_no_other_page() -> None:
    wrong = [
        f"{relative(path)}:{found.line} imports {found.module}"
        for path in python_files("pages")
        for found in imports_of(path)
        if found.module.startswith("pages.") and not found.module.startswith("pages._ui")
    ]

    assert wrong == []


def test_core_imports_without_keras_tensorflow_or_streamlit() -> None:
    assert _heavy_modules_after("import dermascan_core") == ""


def test_everything_but_training_imports_without_keras_tensorflow_or_streamlit() -> None:
    modules = sorted(
        name
        for path in python_files("dermascan_core")
        if room_of(name := module_name(path)) != "training" and not name.endswith("__main__")
        if "migrations" not in path.parts  # Alembic runs these; nobody imports them
    )

    assert _heavy_modules_after("\n".join(f"import {name}" for name in modules)) == ""


def _heavy_modules_after(statements: str) -> str:
    code = (
        f"{statements}\nimport sys\n"
        "print(' '.join(m for m in ('keras', 'tensorflow', 'torch', 'jax', 'streamlit') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_room_has_its_rule() -> None:
    rooms = {room_of(module_name(path)) for path in FILES}

    assert rooms <= set(MAY_IMPORT)


@pytest.mark.parametrize("path", python_files("dermascan_core", "pages", "tests", "benchmarks"), ids=relative)
def test_file_is_short_enough_to_be_one_idea(path: Path) -> None:
    limit = 500 if relative(path).startswith("tests/") else 420

    assert path.read_text(encoding="utf-8").count("\n") <= limit


# Files whose work is to fetch something that a person asked for, or to ask a server that an administrator named.
MAY_OPEN_A_CONNECTION = {
    "dermascan_core/datasets/isic_api.py",
    "dermascan_core/services/remote.py",
    "dermascan_core/services/cluster.py",  # to the scheduler that `screen --engine-cluster` names, and to no other
}
# Files that open a port: for others to ask at, and for the processes of one training to meet at.
MAY_LISTEN = {"dermascan_core/api/serving.py", "dermascan_core/training/launch.py"}
SERVER = {"fastapi", "starlette", "uvicorn", "prometheus_client", "structlog", "python_multipart"}
NETWORK = {
    *("urllib", "http", "socket", "ssl", "requests", "ftplib", "smtplib", "aiohttp", "httpx"),
    *("dask", "distributed", "ray"),
}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_only_named_files_may_open_a_connection(path: Path) -> None:
    found = [f.line for f in imports_of(path) if f.module.partition(".")[0] in NETWORK and f.module != "urllib.parse"]

    assert found == [] or relative(path) in MAY_OPEN_A_CONNECTION | MAY_LISTEN


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_what_serves_http_stays_in_the_api(path: Path) -> None:
    found = [f.line for f in imports_of(path) if f.module.partition(".")[0] in SERVER]

    assert found == [] or room_of(module_name(path)) == "api"


# In HAM10000 and its kin these columns follow from the diagnosis.
COLUMNS_THAT_GIVE_THE_DIAGNOSIS_AWAY = ("dx_type", "has_224", "biopsed")
MAY_COPY_THEM = {
    "datasets",  # the room that imports and describes data sets; nothing in it feeds a network
    "dermascan_core/tables.py",  # for tables of results by how the diagnosis was confirmed; see the test below
}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_columns_that_give_the_diagnosis_away_are_never_reach_a_network(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert [c for c in COLUMNS_THAT_GIVE_THE_DIAGNOSIS_AWAY if c in text] == [] or {
        relative(path),
        room_of(module_name(path)),
    } & MAY_COPY_THEM


@pytest.mark.parametrize("path", python_files("dermascan_core"), ids=relative)
def test_how_a_diagnosis_was_confirmed_is_read_by_evaluation_alone(path: Path) -> None:
    if room_of(module_name(path)) in ("training", "model", "imaging", "trust", "triage"):
        assert "confirmed_by" not in path.read_text(encoding="utf-8")
