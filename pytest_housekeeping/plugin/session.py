"""The hooks of an active run: collect and order the plan, record outcomes."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from posixpath import join, normpath
from typing import Any

import pytest

from pytest_housekeeping.model import Kind, Outcome, Phase, Step, StepResult
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.plugin import fast_runner, items
from pytest_housekeeping.plugin.import_ahead import TemplatesAhead, import_ahead
from pytest_housekeeping.plugin.options import lists_only
from pytest_housekeeping.plugin.outcomes import is_no_pass, why_not_collected
from pytest_housekeeping.plugin.phases import Phases
from pytest_housekeeping.plugin.redaction import guard_terminal, redact_report
from pytest_housekeeping.plugin.selection import Selection
from pytest_housekeeping.plugin.sql_folders import plain_folders
from pytest_housekeeping.plugin.stash import CODE_WATCH
from pytest_housekeeping.promotion.engine import Promotion
from pytest_housekeeping.promotion.recording.recorder import Recorder
from pytest_housekeeping.promotion.repository.attestation import refusal_of

# How many files the server may be ahead of their items.
_AHEAD = 8


class ActiveRun(Phases):
    """Registered only while a mode is set; other suites never meet these hooks.

    One that goes on behind the collection of another, in a fork of its process, is given that as
    ``collected``, and collects nothing.
    """

    def __init__(
        self,
        config: pytest.Config,
        promotion: Promotion,
        collected: ActiveRun | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.promotion = promotion
        self.plan = promotion.run.context.plan
        self.by_path: dict[str, list[Step]] = {}
        for step in self.plan.steps:
            if step.path and step.kind is not Kind.TEST:
                self.by_path.setdefault(step.path, []).append(step)
        read = (path for path in self.plan.sources.held if path.endswith(".sql"))
        passed_by = (*self.plan.left_out, *(path for path in read if path not in self.by_path))
        self._passed_by = frozenset(self._at(path) for path in passed_by)
        self.selection: Selection = collected.selection if collected else Selection(self.plan)
        self.places: dict[pytest.Item, int] = collected.places if collected else {}
        self._known_before: dict[pytest.Item, list[tuple[items.StepItem, StepResult]]] = {}
        self._unwatched: bool | None = None
        self._templates = TemplatesAhead(rehearses=self.plan.rehearses)
        self.recorder = Recorder(promotion)
        self.lists_only = lists_only(config)
        if not self.lists_only:
            self.recorder.open()
        if collected is not None:
            self.pytest_sessionstart()
            self._refuse_unattested()

    def _at(self, path: str) -> str:
        whole = join(str(self.config.rootpath), path)
        return normpath(whole) if "./" in path else whole

    def is_of(self, plan: Plan) -> bool:
        """Whether what was collected is what another database's plan needs."""
        ours = (self.plan.digest, self.plan.steps, self.plan.left_out)
        return ours == (plan.digest, plan.steps, plan.left_out)

    def pass_over_known(self, session: pytest.Session) -> None:
        """What was shown before, and has passed there, is no item of its own any more: it is taken
        down in its turn, before the next that is one. Nothing runs, and nobody watches."""
        if not fast_runner.is_unwatched(self.config, self):
            return
        own: list[pytest.Item] = []
        known: list[tuple[items.StepItem, StepResult]] = []
        for item in session.items:
            result = self._known(item)
            if isinstance(item, items.StepItem) and result is not None:
                known.append((item, result))
            else:
                self._known_before[item], known = known, []
                own.append(item)
        session.items[:] = [*own, *(item for item, _ in known)]
        self.places = {item: place for place, item in enumerate(session.items)}

    def _known(self, item: pytest.Item) -> StepResult | None:
        if not isinstance(item, items.StepItem) or fast_runner.is_marked(item):
            return None
        result = self.promotion.run.known(item.step)
        return result if result is not None and result.outcome is Outcome.PASSED else None

    def _take_known(self, known: Sequence[tuple[items.StepItem, StepResult]]) -> None:
        """Pytest tells of what is blocked."""
        taken = []
        for item, result in known:
            if self.promotion.blocker(item.step) is not None:
                item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            elif self.selection.completes(item.step, item):
                self.promotion.record(result)
                taken.append(result)
        self.recorder.record_steps(*taken)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        guard_terminal(self.config, self.recorder.secrets)

    # -- collect and order -----------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, Any, pytest.CollectReport]:
        report: pytest.CollectReport = yield
        redact_report(report, self.recorder.secrets)
        if report.failed:
            self.recorder.uncollected.append(why_not_collected(report))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """A test that belongs to what is pending is not asked of a production that lacks it, and of
        a SQL file without a step, as one that is applied already, nobody has to be asked."""
        path = str(collection_path)
        return True if path in self._passed_by or path in self._plain else None

    @cached_property
    def _plain(self) -> frozenset[str]:
        return frozenset(self._at(folder) for folder in self._plain_folders)

    @cached_property
    def _plain_folders(self) -> frozenset[str]:
        return plain_folders(self.config, self, self.plan.sources.held)

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

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Sees the items before anything is deselected."""
        # A baseline that leaves files behind asks nothing of what they make.
        asked = any(step.kind is Kind.TEST for step in self.plan.steps)
        if self.promotion.run.context.rules.plans or not asked:
            items[:] = self.selection.without_tests(session, items)
        self.selection.collected(session, items, self._plain_folders)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> Iterator[None]:
        """Has the last word on which items run, behind --lf and --ff, which wrap the hook above.

        What is there now stays until the end, so the garbage collector need not look at it.
        """
        session.items[:] = self.selection.arrange(session, session.items)
        yield
        self.places = {item: place for place, item in enumerate(session.items)}
        if not self.lists_only:
            self._refuse_unattested()
            gc.freeze()
            import_ahead(self.config.stash[CODE_WATCH], self.plan.steps)

    def pytest_report_collectionfinish(self) -> list[str]:
        return [*self.selection.said(), *self.promotion.run.target.announcement()]

    # -- run -------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        step = self.selection.step_of(item)
        if step.kind is Kind.TEST:
            blocker = self.promotion.blocker(step)
            if blocker is not None:
                pytest.skip(f"blocked by {blocker}")
            if self._runs_inside(step):
                self.promotion.enter_test(step)
        return (yield)

    def _runs_inside(self, step: Step) -> bool:
        """Whether it is a test in the promotion's transaction, and not one of an application's."""
        return step.kind is Kind.TEST and step.segment <= self.selection.last

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        try:
            return (yield)
        finally:
            step = self.selection.step_of(item)
            if self._runs_inside(step):
                self.promotion.leave_test()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Any:
        """Steps that nobody watches are run directly; everything else by pytest."""
        self._take_known(self._known_before.pop(item, ()))
        self.recorder.begin_step(self.selection.step_of(item))
        if not isinstance(item, items.StepItem):
            return None
        self._templates.before(item.step, self.config.stash[CODE_WATCH])
        if item.step.kind is Kind.PROMOTE:
            self.attest_code()
        if item.step.phase in (Phase.APPLY, Phase.SEED):
            self.promotion.batch.upcoming = self._upcoming(item, nextitem)
        if self._unwatched is None:
            self._unwatched = fast_runner.is_unwatched(self.config, self)
        if not self._unwatched or fast_runner.is_marked(item):
            return None
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = fast_runner.run(item)
        self.conclude(item, item.step, reports, [each for each in reports if is_no_pass(each)])
        for report in reports:
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def attest_code(self) -> None:
        """Take down what has run as Python by now; what is in no commit is not promoted."""
        context = self.promotion.run.context
        missing = context.attestation.add(self.config.stash[CODE_WATCH].files())
        refusal = refusal_of(context.attestation, missing, context.rules)
        self.promotion.refusal = self.promotion.refusal or refusal

    def _refuse_unattested(self) -> None:
        self.attest_code()
        if self.promotion.refusal is not None:
            self.recorder.messages.append(str(self.promotion.refusal))
            raise pytest.UsageError(str(self.promotion.refusal))

    def _upcoming(self, item: pytest.Item, nextitem: pytest.Item | None) -> list[Step | None]:
        """The steps of the items behind this one, as far as they may be begun with."""
        place = self.places.get(item, 0) + 1
        following = item.session.items[place : place + _AHEAD]
        if not following or following[0] is not nextitem:
            following = [nextitem] if nextitem is not None else []
        return [getattr(each, "step", None) for each in following]
