"""Which items run: what was selected, what that needs to mean anything, in the plan's order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import pytest

from pytest_housekeeping.model import Kind, Phase, Step
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.plugin import items as nodes
from pytest_housekeeping.plugin.other_plugins import plugins_of
from pytest_housekeeping.plugin.sql_folders import NARROWING
from pytest_housekeeping.plugin.stash import DEFAULT_PATHS


class Selection:
    """From what pytest collected and left over to what the plan runs."""

    def __init__(self, plan: Plan) -> None:
        self.steps = {step.id: step for step in plan.steps}
        self.order = {step.id: place for place, step in enumerate(plan.steps)}
        self.last = plan.segments[-1].number
        promotes = [self.order[step.id] for step in plan.steps if step.kind is Kind.PROMOTE]
        self.unplanned = (promotes or [len(self.order)])[-1] - 1
        self.known: dict[str, list[pytest.Item]] = {}
        self.expected: dict[str, set[str]] = {}
        self.passed: dict[str, set[str]] = {}
        self.brought: set[str] = set()
        """The steps that nobody asked for; their items are there before anybody marks items."""
        self.partial = False
        """Whether only a part of the plan was asked for."""
        self.pulled_in = 0
        self.left_out = 0

    def step_of(self, item: pytest.Item) -> Step:
        """The step that an item stands for; of a parametrised test, that of its function.

        What a plugin or a conftest collects, a doctest say, is a test as well.
        """
        if isinstance(item, nodes.StepItem):
            return item.step
        base = item.nodeid.partition("[")[0]
        return self.steps.get(base) or Step(
            id=item.nodeid,
            phase=Phase.VERIFY,
            kind=Kind.TEST,
            path=item.nodeid.partition("::")[0],
            name=item.name,
            segment=self.last,
        )

    def without_tests(
        self, session: pytest.Session, items: Sequence[pytest.Item]
    ) -> list[pytest.Item]:
        """What a plan runs of these: what rows decide, a promotion asks of production itself.

        They were collected all the same, for their modules are code that is attested.
        """
        tests = [item for item in items if self.step_of(item).kind is Kind.TEST]
        session.config.hook.pytest_deselected(items=tests)
        return [item for item in items if item not in tests]

    def collected(
        self, session: pytest.Session, items: list[pytest.Item], passed_by: Collection[str] = ()
    ) -> None:
        """Before anything is deselected: remember every item, for all of a test must pass.

        The steps of files in the folders that were ``passed_by`` join them. Where all files were
        collected, the steps that belong to none do, so that ``-k`` and ``-m`` find those as well.
        What else will be pulled in comes last, so that who marks or vetoes items hears of it.
        Every item bears the marks of its phase and kind.
        """
        self._remember(items)
        steps = self.steps.values()
        inside = (each for each in steps if each.path.rpartition("/")[0] in passed_by)
        self._join(session, items, [each for each in inside if each.path.endswith(".sql")])
        if items and not self._missing(self.known):
            free = (each for each in steps if not each.path)
            self._join(session, items, [each for each in free if self._may_be_asked_for(each)])
        self._bring(session, items)

    def _bring(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """The steps that nobody collected and the run needs, heard by the conftests above them."""
        missing = self._required(self.known, self._is_partial(self.known, session.config))
        steps = [step for each in missing if self._may_be_asked_for(step := self.steps[each])]
        self.brought = {step.id for step in steps}
        before = plugins_of(session.config)
        folders = {each.path.rpartition("/")[0] for each in steps if each.path}
        for folder in sorted(folders):
            nodes.load_conftests(session, folder)
        self._join(session, items, steps)
        if len(plugins_of(session.config)) > len(before):
            # Whoever was loaded this late is not asked by the call that is under way.
            hook = session.config.pluginmanager.subset_hook_caller(
                "pytest_collection_modifyitems", before
            )
            hook(session=session, config=session.config, items=items)

    def _may_be_asked_for(self, step: Step) -> bool:
        """Promote, and what needs it done, cannot be selected: they run where all does."""
        return step.kind not in (Kind.PROMOTE, Kind.AFTER) and step.segment <= self.last

    def _join(
        self, session: pytest.Session, items: list[pytest.Item], steps: Iterable[Step]
    ) -> None:
        joined = [nodes.build(session, step) for step in steps]
        self._remember(joined)
        items += joined
        for each in joined:
            each.ihook.pytest_itemcollected(item=each)
        report_collected(session, joined)

    def completes(self, step: Step, item: pytest.Item) -> bool:
        """Whether this pass was the last that the step was waiting for."""
        done = self.passed.setdefault(step.id, set())
        done.add(item.nodeid)
        return self.expected.get(step.id, {item.nodeid}) <= done

    def arrange(self, session: pytest.Session, items: list[pytest.Item]) -> list[pytest.Item]:
        """The items to run, in the plan's order whatever order they came in."""
        chosen: dict[str, list[pytest.Item]] = {}
        for item in items:
            step = self.step_of(item)
            if step.id not in self.brought:
                chosen.setdefault(step.id, []).append(item)
        self.partial = self._is_partial(chosen, session.config)
        self._pull_in(chosen, session)
        self.left_out = len(set(self.steps) - set(chosen))
        return [item for identity in sorted(chosen, key=self._place) for item in chosen[identity]]

    def said(self) -> list[str]:
        if not self.partial:
            return []
        said = f"housekeeping: {self.left_out} steps of the plan left out, {self.pulled_in} pulled"
        said += " in because the selected ones mean nothing without them; nothing will be promoted"
        return [said]

    def _remember(self, items: Iterable[pytest.Item]) -> None:
        marks: dict[str, pytest.Mark] = {}
        for item in items:
            step = self.step_of(item)
            self.known.setdefault(step.id, []).append(item)
            self.expected.setdefault(step.id, set()).add(item.nodeid)
            for name in (step.phase.value, step.kind.value):
                if name not in marks:
                    marks[name] = getattr(pytest.mark, name).mark
                item.own_markers.append(marks[name])

    def _missing(self, chosen: Iterable[str]) -> set[str]:
        """The steps that a path can name and that are not there."""
        return {step.id for step in self.steps.values() if step.path} - set(chosen)

    def _is_partial(self, chosen: Iterable[str], config: pytest.Config) -> bool:
        """Whether somebody asked for less than the plan.

        What is missing although nobody did was hidden by a conftest, a plugin or the test file
        itself. The run is whole then, and ``promote`` says what has not passed.
        """
        if any(config.getoption(name, None) for name in NARROWING):
            missing = self._missing(chosen) | (set(self.known) - set(chosen))
            return bool(missing) or not list(chosen)
        if config.stash.get(DEFAULT_PATHS, False):
            return False
        places = [config.invocation_params.dir / argument for argument in config.args]
        return any(
            not any((config.rootpath / self.steps[each].path).is_relative_to(p) for p in places)
            for each in self._missing(chosen)
        )

    def _pull_in(self, chosen: dict[str, list[pytest.Item]], session: pytest.Session) -> None:
        """What the plan requires and nobody may hide."""
        built: list[pytest.Item] = []
        for identity in self._required(chosen, self.partial):
            if identity not in self.known:
                built.append(nodes.build(session, self.steps[identity]))
                self._remember(built[-1:])
            chosen[identity] = self.known[identity]
            self.pulled_in += 1
        report_collected(session, built)

    def _required(self, chosen: Collection[str], partial: bool) -> list[str]:
        """What the plan requires beside the chosen; but of tests only those that Python knows."""
        wanted = self._closure(chosen) if partial else set(self.steps) | set(self.known)
        tests = {each.id for each in self.steps.values() if each.kind is Kind.TEST}
        return sorted(wanted - set(chosen) - tests, key=self._place)

    def _place(self, identity: str) -> tuple[int, str]:
        """Unknown items, tests made at run time, come just before the last promote."""
        return self.order.get(identity, self.unplanned), identity

    def _closure(self, chosen: Iterable[str]) -> set[str]:
        wanted: set[str] = set()
        for identity in chosen:
            step = self.steps.get(identity)
            kind = step.kind if step else Kind.TEST
            segment = step.segment if step else self.last
            if kind is not Kind.LINT:
                wanted |= {other.id for other in self._before(segment, identity)}
        return wanted

    def _before(self, segment: int, identity: str) -> Iterable[Step]:
        place = self._place(identity)[0]
        for other in self.steps.values():
            if self.order[other.id] >= place or other.kind is Kind.LINT:
                continue
            applies = other.phase in (Phase.PRECHECK, Phase.BACKUP, Phase.APPLY, Phase.SEED)
            applies = applies or (other.kind is Kind.REHEARSAL and bool(other.path))
            looks = other.phase is Phase.AFTER and other.segment <= segment
            if applies or looks or other.segment < segment:
                yield other


def report_collected(session: pytest.Session, items: Sequence[pytest.Item]) -> None:
    """Items that no file brought count as collected all the same."""
    if items:
        report = pytest.CollectReport("", "passed", None, list(items))
        session.config.hook.pytest_collectreport(report=report)
