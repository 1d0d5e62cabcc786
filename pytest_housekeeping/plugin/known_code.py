"""Bytecode that is known to be made of a source: asked of the compiler once, and kept by content.

A module whose bytecode came out of ``__pycache__`` is believed only when its source makes the same
bytecode, and to compile all modules of a repository takes longer than to run them. So what the
compiler has said is kept in the user's cache, under a digest of both texts: other bytes of the
source, or another instruction in the bytecode, is another question.
"""

from __future__ import annotations

import ast
import marshal
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from _pytest.assertion.rewrite import rewrite_asserts

from pytest_housekeeping.checks.json_cache import default_folder, read_entries, write_entries
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.sql.text import digest

# The last form of marshal in which equal code has equal bytes, wherever it was loaded from.
_WITHOUT_REFERENCES = 2
_HOOK = "enable_assertion_pass_hook"
# Fewer modules are compiled as fast as they are looked up, and would put the answers about larger
# repositories out of a cache that holds so many files.
_WORTH_KEEPING = 20


class KnownCode:
    """What the compiler of this interpreter, or pytest, makes of sources; kept below ``folder``.

    Without a folder everything is compiled.
    """

    def __init__(self, config: Any, *, top: str, folder: Path | None) -> None:
        self._config = config
        self._of = f"{sys.version} {sys.flags.optimize} pytest {pytest.__version__}"
        self._file = folder / f"{digest(f'{self._of} {top}'.encode())}.json" if folder else None
        self._known = read_entries(self._file) if self._file else {}
        self._used: dict[str, int] = {}
        self.asked = False
        """Whether the compiler had to be asked."""

    def is_made_of(self, data: bytes, code: CodeType) -> bool:
        """Whether the code of a module is what Python, or pytest, makes of these bytes."""
        if self._file is None:
            self.asked = True
            return _compiles_to(data, code, self._config)
        hooked = bool(self._config.getini(_HOOK))
        bytecode = marshal.dumps(code, _WITHOUT_REFERENCES)
        asked = f"{self._of} {hooked} {len(data)} ".encode()
        key = digest(asked + data + bytecode)
        if key not in self._known:
            self.asked = True
            if not _compiles_to(data, code, self._config):
                return False
        self._used[key] = 1
        return True

    def save(self) -> None:
        """Keep what was new, where it is worth it."""
        worth = len(self._used) >= _WORTH_KEEPING
        if self._file and worth and self._used.keys() - self._known.keys():
            write_entries(self._file, self._known, self._used)
            self._known = self._known | self._used


def kept_in(mode: Mode) -> Path | None:
    """Where answers are kept; where a real database is at stake, the compiler is asked again."""
    return default_folder("python") if rules_of(mode).throwaway else None


def _compiles_to(data: bytes, code: CodeType, config: Any) -> bool:
    name = code.co_filename
    try:
        if compile(data, name, "exec", dont_inherit=True) == code:
            return True
        tree = ast.parse(data, filename=name)
        rewrite_asserts(tree, data, name, config)
        return bool(compile(tree, name, "exec", dont_inherit=True) == code)
    except (SyntaxError, ValueError):
        return False
