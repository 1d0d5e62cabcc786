"""What a run needs later, imported in a thread while the main one waits for the server."""

from __future__ import annotations

import importlib
import sys
import threading
from contextlib import suppress
from pathlib import Path

from _pytest.assertion.rewrite import PYC_TAIL, _read_pyc, get_cache_dir

import pytest_housekeeping
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
    """Begin with it, unless something of it has still to be compiled.

    Two threads that build syntax trees at once, as pytest does when it rewrites a module, can end
    each other's with a SystemError: https://github.com/python/cpython/issues/106905
    """
    if not known.asked and all(map(_is_rewritten, _NEEDED_LATER)):
        threading.Thread(target=_import, name="hk-imports", daemon=True).start()


def _is_rewritten(name: str) -> bool:
    """Whether pytest has the module as it runs it, from an earlier run."""
    place = Path(pytest_housekeeping.__file__).parent.joinpath(*name.split("."))
    source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    compiled = get_cache_dir(source) / f"{source.stem}{PYC_TAIL}"
    return _read_pyc(source, compiled) is not None


def _import() -> None:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    with suppress(ImportError):
        for name in _NEEDED_LATER:
            importlib.import_module(f"pytest_housekeeping.{name}")
        from pytest_housekeeping.evidence.report.html import compile_ahead

        compile_ahead()
    sys.setswitchinterval(usual)
