"""What a step's report carries for others: its result, and properties for pytest's JUnit file.

https://docs.pytest.org/en/stable/how-to/output.html#record-property
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_housekeeping.model import Level, StepResult
from pytest_housekeeping.plugin.other_plugins import plugins_of

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

# The attribute by which a report carries the result of its step to pytest-html's hooks.
RESULT = "hk_result"


def attach_result(report: pytest.TestReport, result: StepResult) -> None:
    """Let the row of a report show the result of its step, and JUnit what it examined and found."""
    setattr(report, RESULT, result)
    if report.when == "teardown":
        report.user_properties = [*report.user_properties, *_properties(result)]


def tell_suite(config: pytest.Config, properties: Iterable[tuple[str, str]]) -> None:
    """The properties of the whole run, where a JUnit file is written."""
    told = [(f"housekeeping.{name}", value) for name, value in properties]
    for plugin in plugins_of(config):
        add: Any = getattr(plugin, "add_global_property", None)
        if add is not None:
            for name, value in told:
                add(name, value)


def _properties(result: StepResult) -> Iterator[tuple[str, object]]:
    step = result.step
    levels = Counter(finding.level for finding in result.findings)
    told = {
        "phase": step.phase,
        "kind": step.kind,
        "segment": step.segment,
        "outcome": result.outcome,
        "examined": result.examined,
        "proved_on": step.proved_on,
        "sha256": step.sha256,
        **{f"{level}s": levels[level] for level in Level if levels[level]},
    }
    return ((f"housekeeping.{name}", str(value)) for name, value in told.items() if value != "")


def of_run(audit: Audit) -> Iterator[tuple[str, str]]:
    """What a run on one database says of itself there."""
    run = audit.run
    yield from {"run": run.id, "mode": run.mode.value, "outcome": run.outcome.value}.items()
    yield from {"plan": audit.plan.digest, "commit": audit.source.commit or ""}.items()
