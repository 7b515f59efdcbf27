"""requirements*.txt: exact pins, nothing that the code does not use, nothing used that is not declared."""

import re
import sys
from pathlib import Path

import pytest

from tests.contract.tree import ROOT, imports_of, python_files, relative

APP = ROOT / "requirements.txt"
TRAIN = ROOT / "requirements-train.txt"
ENGINES = ROOT / "requirements-engines.txt"
CLUSTER = ROOT / "requirements-cluster.txt"
POSTGRES = ROOT / "requirements-postgres.txt"
PARALLEL = ROOT / "requirements-parallel.txt"
DEV = ROOT / "requirements-dev.txt"
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)(?:\[[a-z,]+\])?==(?P<version>[0-9][0-9a-z.]*)(?P<marker> ; .+)?$")

# Import name -> distribution, where they differ.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "argon2": "argon2-cffi",
    "google": "protobuf",
    "yaml": "pyyaml",
}
OURS = {"dermascan_core", "pages", "tests", "streamlit_app", "benchmarks"}
USED_WITHOUT_AN_IMPORT = {
    "tensorflow",  # the backend that Keras loads
    "tensorflow-cpu",
    "authlib",  # what Streamlit's st.login needs
    "pandas",  # what Streamlit's tables are made of; pinned, because a new release of it changes what a page shows
}


def pinned(path: Path) -> set[str]:
    """Return the distributions a requirements file names itself (without those it includes)."""
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return {PIN.match(line)["name"] for line in lines if line and not line.startswith("-r ")}


def third_party(path: Path) -> set[str]:
    """Return the distributions that a file imports, at any depth."""
    tops = {found.module.partition(".")[0] for found in imports_of(path)}
    return {DISTRIBUTIONS.get(top, top).replace("_", "-") for top in tops - set(sys.stdlib_module_names) - OURS}


@pytest.mark.parametrize("path", [APP, TRAIN, ENGINES, CLUSTER, POSTGRES, PARALLEL, DEV], ids=relative)
def test_each_requirement_is_pinned_exactly_once(path: Path) -> None:
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    requirements = [line for line in lines if line and not line.startswith("-r ")]

    assert [line for line in requirements if not PIN.match(line)] == []
    names = [PIN.match(line)["name"] for line in requirements]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", python_files("dermascan_core", "pages", "streamlit_app.py"), ids=relative)
def test_app_imports_only_what_requirements_txt_declares(path: Path) -> None:
    allowed = pinned(APP)
    if "training" in path.parts:
        allowed = allowed | pinned(TRAIN)
    if path.name in ("onnx_engine.py", "openvino_engine.py"):
        allowed = allowed | pinned(ENGINES)
    if path.name == "cluster.py":
        allowed = allowed | pinned(CLUSTER)
    if path.name == "team.py":
        allowed = allowed | pinned(PARALLEL)

    assert third_party(path) - allowed == set()


@pytest.mark.parametrize("path", python_files("tests", "benchmarks"), ids=relative)
def test_tests_import_only_what_requirements_dev_declares(path: Path) -> None:
    assert third_party(path) - (pinned(APP) | pinned(TRAIN) | pinned(CLUSTER) | pinned(POSTGRES) | pinned(DEV)) == set()


@pytest.mark.parametrize("name", sorted(pinned(APP) - USED_WITHOUT_AN_IMPORT))
def test_app_uses_what_requirements_txt_declares(name: str) -> None:
    users = [relative(p) for p in python_files("dermascan_core", "pages", "streamlit_app.py") if name in third_party(p)]

    assert users != []


def test_tensorflow_comes_without_gpu_libraries_on_linux_x86_64_only() -> None:
    lines = [line for line in APP.read_text(encoding="utf-8").splitlines() if line.startswith("tensorflow")]

    assert lines == [
        'tensorflow-cpu==2.21.0 ; platform_system == "Linux" and platform_machine == "x86_64"',
        'tensorflow==2.21.0 ; platform_system != "Linux" or platform_machine != "x86_64"',
    ]
