"""``python -m dermascan_core``."""

from .cli import main

main()
