"""The hooks of an active run: collect and order the plan, record outcomes, report, finish."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping import config as configuration
from pytest_housekeeping import fixtures, items
from pytest_housekeeping.contracts import TestNames
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.evidence import Evidence
from pytest_housekeeping.keys import PROMOTION
from pytest_housekeeping.model import Kind, Mode, Outcome, Phase, Step, StepResult
from pytest_housekeeping.promotion import Promotion
from pytest_housekeeping.selection import Selection
from pytest_housekeeping.surroundings import prepare


def default_paths(root: Path) -> list[str]:
    """The configured folders; the defaults where the settings cannot be read, as yet."""
    try:
        settings = configuration.load(root)
    except HousekeepingError:
        settings = configuration.Config(root=root)
    return [str(root / settings.sql), str(root / settings.checks)]


def activate(config: pytest.Config) -> None:
    """Compute the plan, start what runs beside collection, and register the active hooks.

    Raises pytest.UsageError (exit code 4) for whatever makes a plan impossible.
    """
    _refuse_unusable(config)
    mode = Mode(config.option.hk_mode)
    names = TestNames(
        files=tuple(config.getini("python_files")),
        functions=tuple(config.getini("python_functions")),
        classes=tuple(config.getini("python_classes")),
    )
    further = [
        rule for rules in config.hook.pytest_housekeeping_rules() for rule in rules
    ]
    try:
        surroundings = prepare(
            config.rootpath,
            mode,
            tests=names,
            rules=further,
            staging_url=config.option.hk_staging_url,
            keep=bool(config.option.hk_keep),
            commit=not config.option.hk_no_commit,
            look_only=config.option.collectonly,
        )
    except HousekeepingError as error:
        raise pytest.UsageError(str(error)) from None
    promotion = Promotion(around=surroundings)
    config.stash[PROMOTION] = promotion
    config.add_cleanup(surroundings.close)
    config.pluginmanager.register(fixtures, "housekeeping-fixtures")
    config.pluginmanager.register(ActiveRun(config, promotion), "housekeeping-run")
    for name in (*Phase, *Kind):
        config.addinivalue_line("markers", f"{name}: a step of the promotion's plan")
    if not config.option.collectonly:
        config.option.htmlpath = str(surroundings.html_path)
        config.option.self_contained_html = True


def _refuse_unusable(config: pytest.Config) -> None:
    if getattr(config.option, "numprocesses", None) or getattr(config.option, "tx", None):
        raise pytest.UsageError(
            "-n spreads the items over processes\n"
            "  why: a promotion is one transaction, and a transaction belongs to one process\n"
            "  fix: run it without -n"
        )
    if not config.pluginmanager.hasplugin("html"):
        raise pytest.UsageError(
            "pytest-html is switched off or not installed\n"
            "  why: the report is part of the evidence of a run\n"
            "  fix: remove -p no:html, or install pytest-html"
        )


class ActiveRun:
    """Registered only while a mode is set; other suites never meet these hooks."""

    def __init__(self, config: pytest.Config, promotion: Promotion) -> None:
        self.config = config
        self.promotion = promotion
        self.plan = promotion.around.plan
        self.by_id = {step.id: step for step in self.plan.steps}
        self.by_path: dict[str, list[Step]] = {}
        for step in self.plan.steps:
            if step.path and step.kind is not Kind.TEST:
                self.by_path.setdefault(step.path, []).append(step)
        self.selection = Selection(self.plan)
        self.phases: dict[str, list[pytest.TestReport]] = {}
        self.evidence = Evidence(promotion)
        if not config.option.collectonly:
            self.evidence.open()

    # -- collect and order -----------------------------------------------------------------

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        try:
            path = file_path.relative_to(self.config.rootpath).as_posix()
        except ValueError:
            return None
        steps = self.by_path.get(path)
        if not steps:
            return None
        node: pytest.Collector = items.StepFile.from_parent(
            parent, path=file_path, steps=tuple(steps)
        )
        return node

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Iterator[None]:
        """Outermost: sees the items before anything is deselected, and has the last word."""
        self.selection.collected(items)
        result = yield
        items[:] = self.selection.arrange(session, items)
        return result

    def pytest_report_collectionfinish(self) -> list[str]:
        return self.selection.said()

    # -- run -------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        step = self.selection.step_of(item)
        if step is not None and step.kind is Kind.TEST:
            blocker = self.promotion.blocker(step)
            if blocker is not None:
                pytest.skip(f"blocked by {blocker}")
            self.promotion.enter_test()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        try:
            return (yield)
        finally:
            step = self.selection.step_of(item)
            if step is not None and step.kind is Kind.TEST:
                self.promotion.leave_test()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Iterator[None]:
        report: pytest.TestReport = yield
        step = self.selection.step_of(item)
        if step is not None:
            reports = self.phases.setdefault(item.nodeid, [])
            reports.append(report)
            if report.when == "teardown":
                result = self._conclude(item, step, self.phases.pop(item.nodeid))
                report.hk_result = result
        return report  # type: ignore[return-value]

    def _conclude(
        self, item: pytest.Item, step: Step, reports: Iterable[pytest.TestReport]
    ) -> StepResult:
        """Passed means: set up, called and torn down, each passed, none of it expected to fail."""
        result = concluded(step, getattr(item, "result", None), tuple(reports))
        if result.outcome is not Outcome.PASSED or self.selection.completes(step, item):
            self.promotion.record(result)
            self.evidence.note(result)
        return result

    # -- finish ----------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Between the terminal, which reports behind this, and pytest-html, which writes in it."""
        if self.config.option.collectonly:
            return (yield)
        self.evidence.settle(int(session.exitstatus), partial=self.selection.partial)
        try:
            return (yield)
        finally:
            kept = self.evidence.write(partial=self.selection.partial)
            if not kept and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.config.option.collectonly:
            terminalreporter.section("promotion", sep="=")
            for line in self.evidence.summary():
                terminalreporter.write_line(line)


def concluded(
    step: Step, worked: StepResult | None, reports: tuple[pytest.TestReport, ...]
) -> StepResult:
    """Join what the step saw with what pytest says of its three phases."""
    duration = sum(report.duration for report in reports)
    calls = {report.when for report in reports}
    passed = {"setup", "call", "teardown"} <= calls and all(
        report.passed and not hasattr(report, "wasxfail") for report in reports
    )
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    if not passed and not any(report.failed for report in reports):
        outcome = Outcome.SKIPPED
    message = worked.message if worked else ""
    if not passed:
        message = next((_reason(report) for report in reports if not report.passed), message)
    elif step.kind is Kind.TEST:
        message = message or "passed"
    return StepResult(
        step=step,
        outcome=outcome,
        duration_s=duration,
        examined=worked.examined if worked else int(passed),
        message=message,
        statements=worked.statements if worked else 0,
        rows=worked.rows if worked else 0,
        locks=worked.locks if worked else (),
        findings=worked.findings if worked else (),
    )


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext
