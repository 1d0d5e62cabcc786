"""What a run needs later, imported in a thread while the main one waits for the server."""

from __future__ import annotations

import importlib
import sys
import threading
from contextlib import suppress

from pytest_housekeeping.plugin.known_code import KnownCode

_NEEDED_LATER = (
    "checks.code.verdict",
    "checks.objects",
    "checks.queries",
    "checks.rls",
    "checks.tripwires",
    "evidence.audit",
    "evidence.report.terminal",
)
# How long a thread may keep another waiting for the interpreter meanwhile, in seconds: an answer of
# the server is not to wait for an import.
_TURN_S = 0.0005


def import_ahead(known: KnownCode) -> None:
    """Begin with it, unless the compiler had to be asked about the repository's own modules.

    Two threads that build syntax trees at once, as that does, can end each other's with a
    SystemError: https://github.com/python/cpython/issues/106905
    """
    if not known.asked:
        threading.Thread(target=_import, name="hk-imports", daemon=True).start()


def _import() -> None:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    with suppress(ImportError):
        for name in _NEEDED_LATER:
            importlib.import_module(f"pytest_housekeeping.{name}")
        from pytest_housekeeping.evidence.report.html import compile_ahead

        compile_ahead()
    sys.setswitchinterval(usual)
