"""What the phases of an item came to, heard closest to it: what others make of that is no pass."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pytest_housekeeping.model import Outcome, Step
from pytest_housekeeping.plugin.items import StepItem
from pytest_housekeeping.plugin.outcomes import is_no_pass, outcome_of
from pytest_housekeeping.plugin.redaction import redact_call, redact_report
from pytest_housekeeping.plugin.selection import Selection
from pytest_housekeeping.plugin.step_properties import attach_result
from pytest_housekeeping.promotion.engine import Promotion
from pytest_housekeeping.promotion.recording.recorder import Recorder

_UNCHECKED = (pytest.PytestReturnNotNoneWarning, pytest.PytestUnhandledThreadExceptionWarning)
# unittest's own words.
_RETURNED = "It is deprecated to return a value that is not None"


@dataclass(kw_only=True)
class _Heard:
    """Of one item: its reports, those that were no pass when they were made, what it raised."""

    item: pytest.Item
    reports: list[pytest.TestReport] = field(default_factory=list)
    no_pass: list[pytest.TestReport] = field(default_factory=list)
    raised: str = ""


class Phases:
    """The hooks of an active run by which the end of an item is put on record.

    A wrapper further out may swallow what a test has raised, or make of the report of a failure
    that of a pass; of a pass it may make a failure. None of these has passed.
    """

    selection: Selection
    promotion: Promotion
    recorder: Recorder

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}

    def _of(self, item: pytest.Item) -> _Heard:
        return self._heard.setdefault(item.nodeid, _Heard(item=item))

    @contextmanager
    def _hearing(self, item: pytest.Item) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            heard = self._of(item)
            heard.raised = heard.raised or pytest.ExceptionInfo.from_exception(error).exconly()
            raise

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
        with self._hearing(pyfuncitem):
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A test that returns what it should assert, or fails in a thread, has checked nothing:
        pytest warns of it, and warnings may be switched off."""
        with self._hearing(item), warnings.catch_warnings():
            for category in _UNCHECKED:
                warnings.simplefilter("error", category)
            warnings.filterwarnings("error", _RETURNED, DeprecationWarning)
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        redact_report(report, self.recorder.secrets)
        redact_call(call, self.recorder.secrets)
        heard = self._of(item)
        heard.reports.append(report)
        if is_no_pass(report):
            heard.no_pass.append(copy(report))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Behind all that makes something of a report, and before anybody writes it."""
        redact_report(report, self.recorder.secrets)
        heard = self._heard.get(report.nodeid)
        if heard is None:
            return
        if hasattr(report, "wasxfail"):
            # pytest says only now that the failure of this phase was expected.
            heard.no_pass = [each for each in heard.no_pass if each.when != report.when]
        if is_no_pass(report):
            heard.no_pass.append(report)
        step = self.selection.step_of(heard.item)
        if report.when == "teardown":
            del self._heard[report.nodeid]
            self.conclude(heard.item, step, heard.reports, heard.no_pass, raised=heard.raised)

    def conclude(
        self,
        item: pytest.Item,
        step: Step,
        reports: Sequence[pytest.TestReport],
        no_pass: Sequence[pytest.TestReport],
        *,
        raised: str = "",
    ) -> None:
        """Take down how the item ended, and give pytest-html what it shows of it."""
        own = item.result if isinstance(item, StepItem) else None
        result = outcome_of(step, own, reports, no_pass)
        if raised and result.outcome is Outcome.PASSED:
            said = self.recorder.secrets.redact(f"it raised {raised}, whatever its report says")
            result = replace(result, outcome=Outcome.FAILED, message=said)
        if result.outcome is not Outcome.PASSED or self.selection.completes(step, item):
            self.promotion.record(result)
            self.recorder.record_steps(result)
        for report in reports:
            attach_result(report, result)
