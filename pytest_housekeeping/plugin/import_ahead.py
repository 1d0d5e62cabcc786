"""What a run needs later, imported in a thread while the main one waits for the server."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from pytest_housekeeping.model import Kind, Phase, Step
from pytest_housekeeping.plan.check_steps import SCOPE
from pytest_housekeeping.plugin.ran_code import CodeWatch

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


def import_ahead(watch: CodeWatch, steps: Iterable[Step]) -> None:
    """Begin with what these steps and the report need, unless the compiler had to be asked about
    the repository's own modules.

    Two threads that build syntax trees at once, as that does, can end each other's with a
    SystemError: https://github.com/python/cpython/issues/106905
    """
    if not watch.asked:
        kinds = dict.fromkeys(step.kind for step in steps)
        rehearses = Kind.REHEARSAL in kinds
        tables = (_CHECKS, _ON_A_COPY) if rehearses else (_CHECKS,)
        checks = (name for table in tables for kind in kinds for name in table.get(kind, ()))
        work = partial(_import, [*checks, *_AT_THE_END], compiles=not rehearses)
        threading.Thread(target=work, name=_NAME, daemon=True).start()


class TemplatesAhead:
    """Begins with the templates of the report where a run that rehearses waits for the server of
    the copy longest: before that they would keep it from coming there."""

    def __init__(self, *, rehearses: bool) -> None:
        self._left = rehearses

    def before(self, step: Step, watch: CodeWatch) -> None:
        """Called before each step."""
        on_the_copy = step.phase is Phase.REHEARSE and step.name != SCOPE
        if self._left and on_the_copy and (step.kind is not Kind.REHEARSAL or not step.path):
            self._left = False
            if not watch.asked:
                work = partial(_compile, rehearses=True)
                threading.Thread(target=work, name=_NAME, daemon=True).start()


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
