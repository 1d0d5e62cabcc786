"""Collectors and items: every step of the plan is one, whatever pytest happened to collect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.errors import HousekeepingError, named
from pytest_housekeeping.evidence.kinds import kinds_of
from pytest_housekeeping.model import Finding, Level, Outcome, Step, StepResult
from pytest_housekeeping.plugin.stash import PROMOTION

_DISK_FULL = "53100"


class GateFailed(Exception):
    """A step came to a result, and the result is not a pass."""

    def __init__(self, result: StepResult) -> None:
        super().__init__(result.message)
        self.result = result

    def __str__(self) -> str:
        errors = [each for each in self.result.findings if each.level is Level.ERROR]
        lines = [self.result.message]
        if errors:
            first = errors[0].detail.partition("\n")[0]
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            lines = [f"{errors[0].object}: {first}{more}; {self.result.message}"]
        return "\n".join([*lines, *_told(self.result.findings)])


def _told(findings: Sequence[Finding]) -> Iterator[str]:
    """What is alike, and what follows from it, is told by name: all of it is in the audit."""
    for kind in kinds_of(findings):
        yield from map(str, kind.in_full)
        if left := kind.left:
            yield f"  and {len(left):,} more of this kind: {named(left)}"
        if kind.below:
            yield f"  with it: {named([f'{each.rule} {each.object}' for each in kind.below])}"


def told_of_no_room(error: BaseException) -> str:
    """What is said of a disk that is full, this machine's or a server's; "" of anything else."""
    if isinstance(error, OSError):
        return f"{error}\n  fix: make room on the disk, or the place writable"
    if getattr(error, "sqlstate", None) == _DISK_FULL:
        return (
            f"{str(error).splitlines()[0]} (SQLSTATE {_DISK_FULL})\n"
            "  why: the server has no room; nothing is known of the schema by that\n"
            "  fix: make room where the server of this step keeps its data, and run again; one that"
            " this run has started lies in /dev/shm, or else where TMPDIR says"
        )
    return ""


class StepItem(pytest.Item):
    """One step. It runs through the promotion of the session and keeps the result."""

    def __init__(self, *, step: Step, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step
        self.result: StepResult | None = None
        for marker in (step.phase, step.kind):
            self.keywords[str(marker)] = True

    def runtest(self) -> None:
        promotion = self.config.stash[PROMOTION]
        blocker = promotion.blocker(self.step)
        if blocker is not None:
            pytest.skip(f"blocked by {blocker}")
        self.result = promotion.run_step(self.step)
        if self.result.outcome is Outcome.FAILED:
            raise GateFailed(self.result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The three parts; a traceback only of what is unforeseen, which a full disk is not."""
        if isinstance(excinfo.value, HousekeepingError | GateFailed):
            return str(excinfo.value)
        if no_room := told_of_no_room(excinfo.value):
            return no_room
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        # pytest turns the dots of a name that ends the node id into "::"; the blank keeps it off.
        # A mark that skips it makes pytest ask for a line.
        return self.path, 0, f"{self.nodeid} "

    @cached_property
    def location(self) -> tuple[str, int | None, str]:
        """What pytest would work out of ``reportinfo`` for each item, path by path."""
        return self.step.path or ".", None, f"{self.nodeid} "


class StepFile(pytest.File):
    """A file of ``sql/`` or ``checks/``: the steps of the plan that stand in it."""

    def __init__(self, *, steps: tuple[Step, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.steps = steps

    def collect(self) -> Iterable[StepItem]:
        for step in self.steps:
            yield StepItem.from_parent(self, name=step.id.partition("::")[2], step=step)


class PassedFolder(pytest.Directory):
    """A folder that pytest did not look through: its conftests are loaded, and nothing else is."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        return iter(())


class PhaseNode(pytest.Collector):
    """The parent of the steps that belong to no file: prechecks, tripwires, promote."""

    def collect(self) -> Iterator[StepItem]:
        return iter(())


def load_conftests(session: pytest.Session, folder: str) -> None:
    """Those of a folder and above it, as if pytest had looked through it."""
    node = PassedFolder.from_parent(session, path=session.config.rootpath / folder)
    report = session.config.hook.pytest_make_collect_report(collector=node)
    if report.failed:
        session.config.hook.pytest_collectreport(report=report)


def build(session: pytest.Session, step: Step) -> StepItem:
    """The item of a step that pytest was not asked to collect."""
    if step.path:
        path = session.config.rootpath / step.path
        parent: pytest.Collector = StepFile.from_parent(
            session, path=path, name=step.path, steps=(step,), nodeid=step.path
        )
        return StepItem.from_parent(parent, name=step.id.partition("::")[2], step=step)
    group, separator, name = step.id.partition("::")
    if separator:
        node = PhaseNode.from_parent(session, name=group, nodeid=group)
        return StepItem.from_parent(node, name=name, step=step)
    return StepItem.from_parent(session, name=step.id, nodeid=step.id, step=step)
