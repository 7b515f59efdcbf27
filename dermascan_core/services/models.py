"""Which models ship, and how to get one ready to answer."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import EngineError, WeightsError
from ..model.manifest import Manifest, load_manifest
from ..model.predictor import EnginePredictor, Predictor
from ..trust.gate import gate_file, read_gate

WEIGHTS_DIR = Path(os.environ.get("DERMASCAN_WEIGHTS", Path(__file__).resolve().parents[2] / "weights"))
DEFAULT_MODEL = "dermascan"
ENGINES = ("keras",)


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
    name: str = DEFAULT_MODEL, engine: str = "keras", *, weights_dir: Path | None = None, with_gate: bool = True
) -> Predictor:
    """Load a model and warm it up; takes seconds, so callers keep what they get.

    Args:
        name: Of the model.
        engine: One of ``ENGINES``.
        weights_dir: Folder of the weights; None for the one that ships.
        with_gate: Whether it also judges if it knows such photos; without, to fit that gate anew.

    Raises:
        WeightsError: If the weights or their gate are missing, altered, or disagree with the manifest.
        EngineError: If the engine is not known.
        RemoteServerError: If ``DERMASCAN_API_URL`` names a server that is to answer, and it does not.
    """
    if (address := os.environ.get("DERMASCAN_API_URL")) and with_gate and weights_dir is None:
        from .remote import RemotePredictor

        return RemotePredictor.connect(address, load_model_manifest(name))
    if engine not in ENGINES:
        raise EngineError(f"Expected one of the engines {', '.join(ENGINES)}. Received '{engine}'.")
    manifest = load_model_manifest(name, weights_dir)
    weights = weights_file(manifest, weights_dir)
    gate = read_gate(gate_file(weights), sha256=manifest.sha256) if with_gate else None
    from ..model.keras_engine import KerasEngine

    return EnginePredictor(manifest, KerasEngine.load(manifest, weights), gate=gate)
