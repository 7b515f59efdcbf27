"""What every test may ask for: the folder of real photographs, and an environment that does not choose for us."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A developer's shell may name another backend or want TensorFlow's chatter; the tests are about the shipped path.
os.environ.pop("KERAS_BACKEND", None)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# A busy machine is no failure: a property that takes long is only slow.
settings.register_profile("whatever_the_load", deadline=None)
settings.load_profile("whatever_the_load")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder that holds ``ham10000/``, ``uploads/`` and other real photographs; skips where it is absent."""
    folder = os.environ.get("DERMASCAN_DATA", "")
    if not folder:
        pytest.skip("REAL PHOTOS NOT TESTED: DERMASCAN_DATA is not set. Point it to a folder that holds ham10000/.")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"Expected DERMASCAN_DATA to name a folder. Received '{folder}'. Correct it, or unset it to skip.")
    return path
