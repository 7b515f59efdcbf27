"""Which models ship, and how to get one ready to answer."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import EngineError, WeightsError
from ..model.checkpoint import check_weights_file
from ..model.exported_engines import FASTEST_FIRST, agrees, open_engine
from ..model.litert_engine import n_cores as n_cores
from ..model.manifest import Manifest, load_manifest
from ..model.predictor import Engine, EnginePredictor, Predictor
from ..native_threads import hold_blas_to_one_thread
from ..trust.gate import Gate, gate_file, read_gate

WEIGHTS_DIR = Path(os.environ.get("DERMASCAN_WEIGHTS", Path(__file__).resolve().parents[2] / "weights"))
DEFAULT_MODEL = "dermascan"
AUTO = "auto"


def list_models(weights_dir: Path | None = None) -> list[Manifest]:
    """Return the manifests of the weights folder, by name.

    Raises:
        WeightsError: If a manifest cannot be read.
    """
    return [load_manifest(path) for path in sorted((weights_dir or WEIGHTS_DIR).glob("*.json"))]


def weights_file(manifest: Manifest, weights_dir: Path | None = None) -> Path:
    """Return where the weights of a manifest lie."""
    return (weights_dir or WEIGHTS_DIR) / f"{manifest.name}.keras"


def load_model_manifest(name: str = DEFAULT_MODEL, weights_dir: Path | None = None) -> Manifest:
    """Return the manifest of one model.

    Raises:
        WeightsError: If there is no such model; names those that ship.
    """
    folder = weights_dir or WEIGHTS_DIR
    path = folder / f"{name}.json"
    # A name is a file's stem, never a path: it also arrives from the command line.
    if Path(name).name != name or not path.is_file():
        shipped = ", ".join(sorted(p.stem for p in folder.glob("*.json"))) or "none"
        raise WeightsError(
            f"Expected one of the models in '{folder.name}/': {shipped}. Received '{name}'. "
            "Restore the folder from the release, or train and release a model."
        )
    return load_manifest(path)


def load_predictor(
    name: str = DEFAULT_MODEL,
    engine: str = AUTO,
    *,
    weights_dir: Path | None = None,
    with_gate: bool = True,
    n_threads: int | None = None,
) -> Predictor:
    """Load a model and warm it up; takes up to seconds, so callers keep what they get.

    Args:
        name: Of the model.
        engine: ``auto`` (the fastest exported engine that gives Keras' answers, else Keras), ``keras``, or the name of an
            exported one, whatever its agreement.
        weights_dir: Folder of the weights; None for the one that ships.
        with_gate: Whether it also judges if it knows such photos; without, to fit that gate anew.
        n_threads: How many views LiteRT answers at once; by default enough for one photo.

    Raises:
        WeightsError: If the weights or their gate are missing, altered, or disagree with the manifest.
        EngineError: If an engine was asked for by name, and cannot be had.
        RemoteServerError: If ``DERMASCAN_API_URL`` names a server that is to answer, and it does not.
    """
    address = os.environ.get("DERMASCAN_API_URL")
    if address and engine == AUTO and with_gate and weights_dir is None:
        from .remote import RemotePredictor

        return RemotePredictor.connect(address, load_model_manifest(name))
    manifest = load_model_manifest(name, weights_dir)
    weights = weights_file(manifest, weights_dir)
    check_weights_file(manifest, weights)
    gate = gate_of(manifest, weights) if with_gate else None
    if engine == AUTO:
        opened, note = _fastest_engine(manifest, weights, n_threads)
    else:
        opened, note = _open(manifest, weights, engine, n_threads), ""
    return EnginePredictor(manifest, opened, gate=gate, engine_note=note)


def gate_of(manifest: Manifest, weights: Path) -> Gate | None:
    """Return the gate that lies beside a model's weights; None where there is none.

    Raises:
        WeightsError: If it belongs to other weights, or cannot be read.
    """
    return read_gate(gate_file(weights), sha256=manifest.sha256)


def engine_order(manifest: Manifest) -> list[str]:
    """Return the exported engines that may answer unasked, the fastest first."""
    return [name for name in FASTEST_FIRST if name in manifest.engines and agrees(manifest.engines[name])]


def _fastest_engine(manifest: Manifest, weights: Path, n_threads: int | None) -> tuple[Engine, str]:
    """Return the first engine that opens, and a sentence where a faster one should have been there."""
    problems: list[str] = []
    for name in engine_order(manifest):
        try:
            return _open(manifest, weights, name, n_threads), " ".join(problems)
        except EngineError as error:
            problems.append(str(error))
    note = f"{' '.join(problems)} Until then Keras answers: the same answers, slower." if problems else ""
    return _open(manifest, weights, "keras"), note


def _open(manifest: Manifest, weights: Path, engine: str, n_threads: int | None = None) -> Engine:
    if engine != "keras":
        hold_blas_to_one_thread()
        return open_engine(manifest, weights, engine, n_threads=n_threads)
    from ..model.keras_engine import KerasEngine

    return KerasEngine.load(manifest, weights)
