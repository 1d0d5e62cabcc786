"""Which items run: what was selected, what that needs to mean anything, in the plan's order."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_housekeeping import items as nodes
from pytest_housekeeping.model import Kind, Phase, Step
from pytest_housekeeping.plan import Plan


class Selection:
    """From what pytest collected and left over to what the plan runs."""

    def __init__(self, plan: Plan) -> None:
        self.steps = {step.id: step for step in plan.steps}
        self.order = {step.id: place for place, step in enumerate(plan.steps)}
        self.last = plan.segments[-1].number
        self.expected: dict[str, set[str]] = {}
        self.passed: dict[str, set[str]] = {}
        self.pulled_in = 0
        self.left_out = 0
        self.partial = False
        """Whether only a part of the plan was asked for."""

    def step_of(self, item: pytest.Item) -> Step | None:
        """The step that an item stands for; of a parametrised test, that of its function."""
        if isinstance(item, nodes.StepItem):
            return item.step
        if not isinstance(item, pytest.Function):
            return None
        base = item.nodeid.partition("[")[0]
        return self.steps.get(base) or Step(
            id=item.nodeid,
            phase=Phase.VERIFY,
            kind=Kind.TEST,
            path=item.nodeid.partition("::")[0],
            name=item.name,
            segment=self.last,
        )

    def collected(self, items: Iterable[pytest.Item]) -> None:
        """Remember every item of a test before anything is deselected: all of them must pass."""
        for item in items:
            step = self.step_of(item)
            if step is not None:
                self.expected.setdefault(step.id, set()).add(item.nodeid)

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
            chosen.setdefault(step.id if step else item.nodeid, []).append(item)
        self.partial = not self._is_whole(chosen, session.config)
        wanted = self._closure(chosen) if self.partial else set(self.steps)
        for identity in sorted(wanted - set(chosen), key=self._place):
            step = self.steps[identity]
            if step.kind is Kind.TEST:
                continue
            chosen[identity] = [nodes.build(session, step)]
            self.pulled_in += 1
        self.left_out = len(set(self.steps) - set(chosen))
        return [item for identity in sorted(chosen, key=self._place) for item in chosen[identity]]

    def said(self) -> list[str]:
        if not self.partial:
            return []
        said = (
            f"housekeeping: {self.left_out} steps of the plan left out, {self.pulled_in} pulled in"
        )
        said += " because the selected ones mean nothing without them; nothing will be promoted"
        return [said]

    def _is_whole(self, chosen: Iterable[str], config: pytest.Config) -> bool:
        """Nothing that can be named is missing: what belongs to no file comes along.

        What is missing although nobody asked for less was hidden by a conftest, a plugin or the
        test file itself. The run is whole then, and ``promote`` says what has not passed.
        """
        missing = {step.id for step in self.steps.values() if step.path} - set(chosen)
        return not missing or not (_narrowed(config) or self._not_asked(missing, config))

    def _not_asked(self, missing: Iterable[str], config: pytest.Config) -> bool:
        """Whether a missing step lies outside of the paths on the command line."""
        places = [config.invocation_params.dir / argument for argument in config.args]
        return any(
            not any((config.rootpath / self.steps[each].path).is_relative_to(p) for p in places)
            for each in missing
        )

    def _place(self, identity: str) -> tuple[int, str]:
        """Unknown items, tests made at run time, come just before the last promote."""
        return self.order.get(identity, len(self.order) - 2), identity

    def _closure(self, chosen: Iterable[str]) -> set[str]:
        wanted: set[str] = set()
        for identity in chosen:
            step = self.steps.get(identity)
            kind = step.kind if step else Kind.TEST
            segment = step.segment if step else self.last
            if step is not None:
                wanted.add(identity)
            if kind is not Kind.LINT:
                wanted |= {other.id for other in self._before(kind, segment, identity)}
        return wanted

    def _before(self, kind: Kind, segment: int, identity: str) -> Iterable[Step]:
        place = self._place(identity)[0]
        for other in self.steps.values():
            if self.order[other.id] >= place or other.kind is Kind.LINT:
                continue
            if (
                other.phase in (Phase.PRECHECK, Phase.BACKUP, Phase.APPLY, Phase.SEED)
                or kind is Kind.PROMOTE
                or other.segment < segment
            ):
                yield other


_NARROWING = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise")


def _narrowed(config: pytest.Config) -> bool:
    """Whether an option asks for less than the paths name."""
    return any(config.getoption(name, None) for name in _NARROWING)
