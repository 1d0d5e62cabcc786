"""Which earlier runs the findings of a run are held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.evidence.earlier_runs import ThisRun, earlier_runs, why_none
from pytest_housekeeping.model import TargetIdentity

if TYPE_CHECKING:
    from pytest_housekeeping.promotion.context import RunContext


def runs_to_compare_with(
    context: RunContext, target: TargetIdentity | None
) -> tuple[Iterator[Mapping[str, Any]], str]:
    """Their audits, the newest first, and why there are none, where there are none."""
    repository = context.repository
    if repository is None:
        return iter(()), "there is no repository, which would have the runs before this one"
    this = ThisRun(
        mode=context.mode,
        folder=repository.relative(context.config.root / context.config.audit),
        commit=context.source.commit,
        target=target,
    )
    return earlier_runs(repository, this), why_none(repository, this)
