"""What a baseline records: files that production has, and that are never run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.layouts.numbered import same_version


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What is to be recorded and not run: the migrations up to a ``version``, or the files
    ``recorded`` in the history of the tool that has applied them. ``lacks`` tells whether the
    target lacks what a view or policy file makes."""

    version: str
    recorded: frozenset[str] | None = None
    lacks: Callable[[SqlFile], bool] = lambda _: False


def baseline_files(
    pending: Sequence[SqlFile], baseline: Baseline, *, goes_on: bool
) -> list[SqlFile]:
    """The pending files that the baseline records: the migrations up to its version, or those that
    the tool's own history has; and the view and policy files, unless production lacks what they
    make, or a history of ours ``goes_on``, whose view and policy files stay pending.

    Raises MisuseError where there is nothing to record.
    """
    last = max(
        (
            place
            for place, file in enumerate(pending)
            if file.kind is Kind.MIGRATION and same_version(file.version, baseline.version)
        ),
        default=-1,
    )

    def is_there(place: int, file: SqlFile) -> bool:
        if baseline.recorded is not None and (file.kind is Kind.MIGRATION or file.of_tool):
            return file.path in baseline.recorded
        return (
            place <= last if file.kind is Kind.MIGRATION else not (goes_on or baseline.lacks(file))
        )

    there = [file for place, file in enumerate(pending) if is_there(place, file)]
    _refuse_empty(there, baseline, goes_on=goes_on)
    return there


def _refuse_empty(there: Sequence[SqlFile], baseline: Baseline, *, goes_on: bool) -> None:
    if goes_on and not there:
        raise MisuseError(
            f"--hk-baseline={baseline.version}, and all files up to it are on record already",
            why="it records what is there and was never promoted: the beginning of a history, or"
            " what was made by hand since",
            fix="promote without it",
        )
    if not any(file.kind is Kind.MIGRATION for file in there):
        raise MisuseError(
            f"--hk-baseline={baseline.version}: there is no such migration to record",
            why="a baseline says which files made what is there",
            fix="give the number of the last migration that production has",
        )
