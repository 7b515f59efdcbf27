"""Work that needs gradients, done by Keras in a process of its own: TensorFlow stays out of the process that serves pages.

python -m dermascan_core.services.keras_worker < request.npz > map.npz
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import EngineError
from ..model.keras_engine import KerasEngine
from ..model.manifest import Manifest
from . import models

TIMEOUT_S = 180.0
ROOT = Path(__file__).resolve().parents[2]


def guided_gradients(
    manifest: Manifest,
    square: npt.NDArray[np.uint8],
    answers: npt.NDArray[np.floating],
    class_index: int,
    *,
    weights_dir: Path | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[npt.NDArray[np.floating]] | None:
    """Return each member's guided gradient of a class, made by another process; takes several seconds.

    Args:
        manifest: Of the model.
        square: Array (side, side, 3), uint8.
        answers: Encoded metadata (width,).
        class_index: Position of the class among the network's classes.
        weights_dir: Folder of the weights; None for the one that ships.
        timeout_s: After which the other process is stopped.

    Returns:
        See ``KerasEngine.guided_gradients``.

    Raises:
        EngineError: If the other process fails or takes too long; its own words are in the message.
    """
    request = io.BytesIO()
    folder = str(weights_dir or models.WEIGHTS_DIR)
    np.savez(request, name=manifest.name, folder=folder, square=square, answers=answers, class_index=class_index)
    command = [sys.executable, "-m", "dermascan_core.services.keras_worker"]
    try:
        done = subprocess.run(
            command, input=request.getvalue(), capture_output=True, timeout=timeout_s, cwd=ROOT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"Expected Keras to explain the photo within {timeout_s:.0f} s. It did not. Try again when the machine is less busy."
        ) from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise EngineError(
            f"Keras could not explain the photo in its own process ({said[-1] if said else done.returncode}). "
            "Check the installation: python -m dermascan_core doctor --engine keras"
        )
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as data:
        return [np.asarray(data[name]) for name in data.files] or None


def main() -> None:
    """Answer one request from standard input on standard output."""
    from ..native_output import without_chatter

    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as request:
        given = {name: np.asarray(request[name]) for name in request.files}
    folder = Path(str(given["folder"]))
    manifest = models.load_model_manifest(str(given["name"]), folder)
    with without_chatter():
        engine = KerasEngine.load(manifest, models.weights_file(manifest, folder))
    found = engine.guided_gradients(given["square"].astype(np.float32), given["answers"], int(given["class_index"]))
    answer = io.BytesIO()
    np.savez(answer, *(found or []))
    sys.stdout.buffer.write(answer.getvalue())


if __name__ == "__main__":
    main()
