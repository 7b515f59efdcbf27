"""Checks an installation from the ground up, and says what to do about each thing that is wrong."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from ..domain import Metadata
from ..errors import DermaScanError
from ..imaging.preprocess import preprocess
from ..model.checkpoint import check_weights_file
from ..model.exported_engines import check_engine_files
from ..model.head_file import heads_file, load_heads
from ..model.manifest import Manifest
from ..model.predictor import Predictor
from ..storage.places import Places, read_places
from ..trust.cases import cases_file
from . import models, performance, similar_cases
from .check import Check
from .records_check import check_records
from .withholding import check_switch

ROOT = Path(__file__).resolve().parents[2]
DATA_DIR = ROOT / "data"
PYTHONS = ((3, 11), (3, 12))
MIN_FREE_BYTES = 500 * 1024 * 1024
_RESTORE = "Restore the folder weights/ from the release (git checkout -- weights), then run doctor again."
_TENSORFLOWS = ("tensorflow-cpu", "tensorflow")


def check_installation(
    *,
    model: str = models.DEFAULT_MODEL,
    engine: str = models.AUTO,
    weights_dir: Path | None = None,
    data_dir: Path = DATA_DIR,
    requirements: Path = ROOT / "requirements.txt",
    places: Places | None = None,
    load: Callable[[str, str], Predictor] = models.load_predictor,
) -> Iterator[Check]:
    """Yield the checks one by one, the quick ones first; the last one asks the engine about a generated photo.

    Args:
        model, engine: What the last check loads.
        weights_dir: Folder of the weights; None for the one that ships.
        data_dir: Where the app keeps its data.
        requirements: The pinned packages.
        places: Where records lie; from the environment where None.
        load: Turns (model, engine) into a predictor.
    """
    yield check_python(sys.version_info[:2])
    yield check_packages(requirements)
    yield from check_weights(weights_dir or models.WEIGHTS_DIR)
    yield check_disk(data_dir)
    yield from check_switch(places or read_places())
    yield from check_records(places or read_places())
    yield from _check_outcomes(places or read_places())
    yield check_engine(model, engine, load)


def _check_outcomes(places: Places) -> list[Check]:
    from .checks import check_outcomes  # brings the database along, which whoever keeps nothing never waits for

    return check_outcomes(datetime.now(UTC), places)


def check_python(running: tuple[int, int]) -> Check:
    """Check that this Python is one that the pinned packages support."""
    supported = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    return Check(
        "Python",
        running in PYTHONS,
        f"{running[0]}.{running[1]} on {platform.system()} {platform.machine()}",
        f"Install Python {supported} and make the environment again with: make run",
    )


def check_packages(requirements: Path) -> Check:
    """Check that what is installed is what was pinned."""
    try:
        wanted = dict(_pins(requirements.read_text(encoding="utf-8").splitlines()))
    except OSError as error:
        return Check("packages", False, f"{requirements.name} cannot be read", f"Restore the file ({error.strerror}).")
    wrong = []
    for name, pinned in wanted.items():
        found = _installed(_TENSORFLOWS if name in _TENSORFLOWS else (name,))
        if found != pinned:
            wrong.append(f"{name} {found or 'missing'} (expected {pinned})")
    return Check(
        "packages",
        not wrong,
        "; ".join(wrong) or f"{len(wanted)} as pinned",
        f"Install them again: {Path(sys.executable).name} -m pip install -r requirements.txt",
    )


def _pins(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, equals, rest = line.partition("#")[0].partition("==")
        if equals:
            yield name.strip(), rest.partition(";")[0].strip()


def _installed(names: Iterable[str]) -> str | None:
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def check_weights(weights_dir: Path) -> list[Check]:
    """Check every weights file, and the measures beside it, against its manifest, by SHA-256."""
    try:
        manifests = models.list_models(weights_dir)
    except DermaScanError as error:
        return [Check("weights", False, str(error), _RESTORE)]
    if not manifests:
        return [Check("weights", False, f"no manifest in '{weights_dir}'", _RESTORE)]
    checks = []
    for manifest in manifests:
        name = f"weights {manifest.name}"
        path = models.weights_file(manifest, weights_dir)
        try:
            check_weights_file(manifest, path)
        except DermaScanError as error:
            checks.append(Check(name, False, str(error), _RESTORE))
        else:
            found = f"version {manifest.version}, {path.stat().st_size / 1e6:.1f} MB, sha256 {manifest.sha256[:12]}"
            checks.append(Check(name, True, found))
        checks += check_engine_exports(manifest, path)
        checks += check_evaluations(manifest.name, weights_dir)
        checks += check_cases(manifest, weights_dir)
    return checks


def check_engine_exports(manifest: Manifest, weights: Path) -> list[Check]:
    """Check that the files of every exported engine are those that were compared with Keras."""
    checks = []
    for name, record in manifest.engines.items():
        label = f"engine {manifest.name}, {name}"
        try:
            check_engine_files(weights, record)
            load_heads(heads_file(weights), sha256=manifest.sha256)
        except DermaScanError as error:
            checks.append(Check(label, False, str(error), _RESTORE))
        else:
            agreement = record["agreement"]
            found = (
                f"as compared with Keras on {agreement['n_photos']} photos: probabilities differ by at most "
                f"{agreement['max_probability_difference']:.2g}, {agreement['n_next_steps_differing']} next steps"
            )
            checks.append(Check(label, True, found))
    return checks


def check_evaluations(name: str, weights_dir: Path) -> list[Check]:
    """Check that the measures beside a model's weights can be read and are of these very weights."""
    checks = []
    for which in performance.available_evaluations(name, weights_dir=weights_dir):
        label = f"evaluation {name}, {which}"
        try:
            metrics = performance.load_evaluation(name, which, weights_dir=weights_dir)
        except DermaScanError as error:
            checks.append(Check(label, False, str(error), _RESTORE))
        else:
            checks.append(Check(label, True, f"of these weights, {metrics['data']['n_predicted']} photos"))
    return checks


def check_cases(manifest: Manifest, weights_dir: Path) -> list[Check]:
    """Check that the index of similar labelled photos, where one ships, can be read and is of these very weights."""
    if not cases_file(weights_dir, manifest.name).is_file():
        return []
    label = f"similar photos {manifest.name}"
    try:
        index = similar_cases.load_case_index(manifest, weights_dir=weights_dir)
        similar_cases.load_retrieval(manifest.name, weights_dir=weights_dir)
    except DermaScanError as error:
        return [Check(label, False, str(error), _RESTORE)]
    return [Check(label, True, f"of these weights, {len(index):,} labelled photos")]


def check_disk(data_dir: Path) -> Check:
    """Check that the app's data can be written, and that there is room."""
    # The folder is made at the app's first start: until then its parent must allow that.
    folder = next(path for path in (data_dir, *data_dir.parents) if path.is_dir())
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"0" * 4096)
    except OSError as error:
        return Check(
            "disk",
            False,
            f"'{folder}' cannot be written ({error.strerror})",
            "Give this user write access, or move the program to a folder that can be written.",
        )
    free_bytes = shutil.disk_usage(folder).free
    return Check(
        "disk",
        free_bytes >= MIN_FREE_BYTES,
        f"'{folder}' can be written, {free_bytes / 1e9:.1f} GB free",
        f"Free some space: at least {MIN_FREE_BYTES / 1e9:.1f} GB.",
    )


def check_engine(model: str, engine: str, load: Callable[[str, str], Predictor]) -> Check:
    """Load the model and have it answer a generated photo."""
    from ..imaging.examples import EXAMPLES, make_example

    name, started = f"engine {engine}", time.perf_counter()
    try:
        predictor = load(model, engine)
    except DermaScanError as error:
        return Check(name, False, str(error), "Mend what is said above first, then run doctor again.")
    except ImportError as error:
        return Check(name, False, f"cannot be imported: {error}", "Install again: pip install -r requirements.txt")
    loaded_s = time.perf_counter() - started
    square = preprocess(make_example(EXAMPLES[0].key), predictor.manifest.preprocess)
    started = time.perf_counter()
    prediction = predictor.predict(square[np.newaxis], [Metadata()])[0].prediction
    total = float(prediction.ham_probabilities.sum())
    note = getattr(predictor, "engine_note", "")
    return Check(
        f"engine {predictor.engine}",
        bool(np.isfinite(total)) and abs(total - 1) < 1e-3,
        f"{model} loaded in {loaded_s:.1f} s, answered a generated photo in {time.perf_counter() - started:.2f} s, "
        f"probabilities add up to {total:.4f}{'. ' + note if note else ''}",
        "The network's answer is no probability: restore weights/ and the pinned packages.",
    )
