"""What a run needs later, imported in a thread while the main one waits for the server."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from pytest_housekeeping.model import Kind, Step
from pytest_housekeeping.plan.steps import BACKUP_STEPS
from pytest_housekeeping.plugin.known_code import KnownCode

_CHECKS = {Kind.BOUNDARY: ("checks.code.verdict",), Kind.QUERY: ("checks.queries",)}
# Of a run that proves nothing on a copy these are mostly known already, and not needed.
_ON_A_COPY = {
    Kind.BOUNDARY: ("checks.boundaries.verdict",),
    Kind.OBJECT: ("checks.objects",),
    Kind.RLS: ("checks.rls",),
}
_AT_THE_END = ("evidence.audit", "evidence.report.terminal")
# How long a thread may keep another waiting for the interpreter meanwhile, in seconds: an answer of
# the server is not to wait for an import.
_TURN_S = 0.0005
_USUAL_S = sys.getswitchinterval()
_NAME = "hk-imports"


def import_ahead(known: KnownCode, steps: Iterable[Step]) -> None:
    """Begin with what these steps and the report need, unless the compiler had to be asked about
    the repository's own modules.

    Two threads that build syntax trees at once, as that does, can end each other's with a
    SystemError: https://github.com/python/cpython/issues/106905
    """
    if not known.asked:
        asked = list(steps)
        kinds = dict.fromkeys(step.kind for step in asked)
        rehearses = Kind.REHEARSAL in kinds
        tables = (_CHECKS, _ON_A_COPY) if rehearses else (_CHECKS,)
        checks = (name for table in tables for kind in kinds for name in table.get(kind, ()))
        compiles = not any(map(_waits, asked))
        work = partial(_import, [*checks, *_AT_THE_END], compiles=compiles)
        threading.Thread(target=work, name=_NAME, daemon=True).start()


def compile_ahead(known: KnownCode, step: Step, *, rehearses: bool) -> None:
    """At the first step that mostly waits for servers, where there is one, begin with the templates
    of the report: before that they would keep the run from coming there."""
    if _waits(step) and not known.asked:
        work = partial(_compile, rehearses=rehearses)
        threading.Thread(target=work, name=_NAME, daemon=True).start()


def _waits(step: Step) -> bool:
    return step.kind is Kind.BACKUP and step.name == BACKUP_STEPS[0]


def wait_for_imports() -> None:
    """Until what was begun with is there."""
    for thread in threading.enumerate():
        if thread.name == _NAME:
            thread.join()


def _import(needed: Iterable[str], *, compiles: bool) -> None:
    with _short_turns(), suppress(ImportError):
        for name in needed:
            importlib.import_module(f"pytest_housekeeping.{name}")
    if compiles:
        _compile(rehearses=False)


def _compile(*, rehearses: bool) -> None:
    with _short_turns(), suppress(ImportError):
        html = importlib.import_module("pytest_housekeeping.evidence.report.html")
        html.compile_ahead(rehearses=rehearses)


@contextmanager
def _short_turns() -> Iterator[None]:
    sys.setswitchinterval(_TURN_S)
    yield
    sys.setswitchinterval(_USUAL_S)
