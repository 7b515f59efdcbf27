"""The real command ``serve`` in a process of its own, with ``FakePredictor`` in place of the shipped model.

    python tests/api/serve_fake.py --port 0 --data DIR

``FAKE_PAUSE_S`` lets every answer take so long.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from dermascan_core.cli import main  # noqa: E402
from dermascan_core.services import models  # noqa: E402
from tests.fakes import FakePredictor, fake_manifest  # noqa: E402


class SlowPredictor(FakePredictor):
    """Answers after a pause."""

    def predict(self, *arguments, **options):
        time.sleep(float(os.environ.get("FAKE_PAUSE_S", "0")))
        return super().predict(*arguments, **options)


if __name__ == "__main__":
    models.load_model_manifest = lambda name, weights_dir=None: fake_manifest()
    models.list_models = lambda weights_dir=None: [fake_manifest()]
    models.load_predictor = lambda *names, **options: SlowPredictor()
    sys.argv[1:1] = ["serve"]
    main()
