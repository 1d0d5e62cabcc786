"""Run a step's item without the machinery that only a test function needs.

A step has no fixtures, captures nothing and warns of nothing, so its call and its two reports are
all there is to it. As soon as anybody watches or steers items, pytest's own protocol runs it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Literal

import pytest

from pytest_housekeeping.plugin.items import StepItem
from pytest_housekeeping.plugin.other_plugins import package_of

_WATCHED = (
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_runtest_makereport",
)
# Those beside pytest itself have nothing to do with an item that is no test function: pytest-html
# looks for its extras, Hypothesis for its examples, and pytest-randomly seeds what it draws from.
_PART_OF_IT = ("_pytest", "pytest_html", "_hypothesis_pytestplugin", "pytest_randomly")
_REPEATING = "pytest_rerunfailures"
_MARKS = ("skip", "skipif", "xfail", "flaky")
_STEERING = ("usepdb", "setuponly", "setupshow", "setupplan", "runxfail")


def is_unwatched(config: pytest.Config, ours: object) -> bool:
    """Whether only pytest itself and this plugin see the phases of an item."""
    if any(getattr(config.option, name, False) for name in _STEERING):
        return False
    others = () if _repeats(config) else (_REPEATING,)
    return nobody_else_has(_WATCHED, config, ours, others=others)


def nobody_else_has(
    hooks: Iterable[str], config: pytest.Config, ours: object, *, others: tuple[str, ...] = ()
) -> bool:
    """Whether nobody but pytest and its plugins that leave steps alone implements these hooks."""
    parts = (*_PART_OF_IT, *others)
    return all(
        implementation.plugin is ours or package_of(implementation.plugin) in parts
        for name in hooks
        for implementation in getattr(config.hook, name).get_hookimpls()
    )


def is_marked(item: StepItem) -> bool:
    """Whether somebody, a conftest say, wants the item skipped or expects it to fail."""
    return any(mark.name in _MARKS for mark in item.iter_markers())


def run(item: StepItem) -> tuple[pytest.TestReport, pytest.TestReport]:
    """Call the item and make its reports of call and teardown.

    KeyboardInterrupt and pytest.exit() go through.
    """
    started, clock = time.time(), time.perf_counter()
    outcome: Literal["passed", "failed", "skipped"] = "passed"
    longrepr: Any = None
    try:
        item.runtest()
    except (KeyboardInterrupt, pytest.exit.Exception):
        raise
    except pytest.skip.Exception as skipped:
        outcome, longrepr = "skipped", (str(item.path), 0, f"Skipped: {skipped}")
    except BaseException:
        outcome = "failed"
        longrepr = item.repr_failure(pytest.ExceptionInfo.from_current())
    duration = time.perf_counter() - clock
    call = _report(item, "call", outcome, longrepr, started, duration)
    return call, _report(item, "teardown", "passed", None, started + duration, 0.0)


def _report(
    item: StepItem,
    when: Literal["call", "teardown"],
    outcome: Literal["passed", "failed", "skipped"],
    longrepr: Any,
    start: float,
    duration: float,
) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome=outcome,
        longrepr=longrepr,
        when=when,
        duration=duration,
        start=start,
        stop=start + duration,
    )


def _repeats(config: pytest.Config) -> bool:
    """Whether pytest-rerunfailures is asked to; without that it only takes down what it sees."""
    try:
        by_settings = config.getini("reruns")
    except (KeyError, ValueError):
        by_settings = None
    options = (getattr(config.option, name, None) for name in ("reruns", "force_reruns"))
    return bool(by_settings) or any(each is not None for each in options)
