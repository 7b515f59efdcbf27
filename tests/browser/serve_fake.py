"""Serves the app with ``FakePredictor`` in place of the shipped model: the seam for tests without weights.

    python tests/browser/serve_fake.py --server.port 8600

Everything after the script's name goes to ``streamlit run``. ``FAKE_SHARES``, a JSON list of eight numbers, gives every photo
these shares instead.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from streamlit.web import cli  # noqa: E402

from dermascan_core.services import models  # noqa: E402
from tests.fakes import FakePredictor, fake_manifest  # noqa: E402


def main() -> None:
    manifest = fake_manifest(name=models.DEFAULT_MODEL)
    models.list_models = lambda weights_dir=None: [manifest]
    fixed = json.loads(os.environ.get("FAKE_SHARES", "null"))
    models.load_predictor = lambda *names, **options: FakePredictor(manifest=manifest, fixed=fixed)
    cli.main(["run", str(ROOT / "streamlit_app.py"), *sys.argv[1:]])


if __name__ == "__main__":
    main()
