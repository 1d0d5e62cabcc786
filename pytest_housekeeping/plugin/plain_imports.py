"""The tool's own modules are imported the way Python does it, not rewritten by pytest.

pytest rewrites the asserts of every module that a plugin's distribution has, and reads what it kept
of them slower than Python reads its own bytecode. There is no assert in any of them: ruff's S101.
https://docs.pytest.org/en/stable/how-to/writing_plugins.html#assertion-rewriting
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

import pytest

_OWN = "pytest_housekeeping."


class PlainImports(MetaPathFinder):
    """Finds the modules of this package before pytest's hook does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, path, target) if fullname.startswith(_OWN) else None


def import_plainly(config: pytest.Config) -> None:
    """From now on, until pytest takes its configuration down."""
    finder = PlainImports()
    sys.meta_path.insert(0, finder)
    config.add_cleanup(lambda: sys.meta_path.remove(finder))
