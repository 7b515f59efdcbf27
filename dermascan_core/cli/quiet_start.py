"""Keeps TensorFlow's start-up lines off standard error, where a command says its own sentences.

Keras is imported in many places, each only when it is needed; so its first import is met here, wherever it happens.
TensorFlow says some of these lines before it has read its own setting, which therefore does not hide them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from ..native_output import without_chatter

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_NO_WARNINGS = "2"  # 0 shows everything, 1 hides information, 2 warnings too, 3 errors too


def hide_start_up_lines() -> None:
    """From now on, let the first import of Keras say errors alone.

    Whoever has set ``TF_CPP_MIN_LOG_LEVEL`` below 2 asks for the lines, and gets them all.
    """
    if os.environ.setdefault(LOG_LEVEL, _NO_WARNINGS) >= _NO_WARNINGS and "keras" not in sys.modules:
        sys.meta_path.insert(0, _FirstImport())


class _FirstImport(MetaPathFinder):
    """Finds nothing itself: lets the usual finders find Keras, and surrounds its execution."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_quietly(module: ModuleType) -> None:
                with without_chatter():
                    execute(module)

            setattr(spec.loader, "exec_module", execute_quietly)  # noqa: B010  # mypy refuses the plain form
        return spec
