"""What a batch did on a clone that has production's rows, told to a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.report.display import byte_size, duration, plural

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.clone import (
        CloneRecord,
        FileRunRecord,
        GrowthRecord,
        StatementRunRecord,
    )
    from pytest_housekeeping.postgres.clone_facts import (
        CloneFacts,
        FileRun,
        Growth,
        StatementRun,
    )

# Of a file, a statement is told by itself that took this part of it, and so long.
_SHARE, _LONG_S = 0.1, 0.01
# What a table grows by without anything to be said of it: the files of a new one.
_LITTLE = 1024 * 1024


def clone_summary(clone: CloneFacts | CloneRecord) -> str:
    """All of it in a line."""
    files = clone.files
    seconds = sum(each.duration_s for each in files) + clone.deferred_s
    said = [f"{plural(len(files), 'file')} in {duration(seconds)} on a clone {age_told(clone)}"]
    said.append(f"{plural(sum(each.rows for each in files), 'row')} written")
    wal = [*(each.wal for each in files), clone.deferred_wal]
    known = [each for each in wal if each is not None]
    said += [f"{byte_size(sum(known))} of WAL"] * bool(known)
    more = sum(each.table_after + each.indexes_after for each in clone.growth)
    more -= sum(each.table_before + each.indexes_before for each in clone.growth)
    if clone.growth:
        said.append(f"{byte_size(abs(more))} {'more' if more >= 0 else 'less'} on disk")
    said += [f"left out: {', '.join(clone.left_out)}"] * bool(clone.left_out)
    said += [f"stopped at {clone.stopped_at}"] * bool(clone.stopped_at)
    return "; ".join(said)


def age_told(clone: CloneFacts | CloneRecord) -> str:
    """``as of 2027-01-02 03:04:05``, as far as it is known."""
    if clone.as_of:
        told = f"whose rows are as of {clone.as_of} UTC"
    elif clone.since:
        told = f"taken after the promotion of {clone.since} UTC"
    else:
        told = "of an unknown age"
    if clone.behind is not None:
        told += f", {plural(clone.behind, 'transaction')} behind production"
    return told


def clone_lines(clone: CloneFacts | CloneRecord) -> Iterator[str]:
    """A line for each file and each statement that took its time, then for what has grown."""
    quick = [each for each in clone.files if each.duration_s < _LONG_S and not each.rows]
    for file in (each for each in clone.files if each not in quick):
        yield f"{file.path}: {took(file)}"
        yield from (f"{file.path}:{each.line} {each.command}: {took(each)}" for each in slow(file))
    if quick:
        yield f"{plural(len(quick), 'file')} without a row, in less than {duration(_LONG_S)} each"
    if clone.deferred_s >= _LONG_S:
        yield f"what would run at COMMIT: {duration(clone.deferred_s)}"
    yield from (growth_told(each) for each in clone.growth if _tells(each))
    yield from (f"left out, for no transaction can hold it: {each}" for each in clone.left_out)


def took(run: FileRun | FileRunRecord | StatementRun | StatementRunRecord) -> str:
    """``2.4 s, 3,000 rows written, 12 MB of WAL``."""
    told = [duration(run.duration_s)]
    told += [f"{plural(run.rows, 'row')} written"] * bool(run.rows)
    told += [f"{byte_size(run.wal or 0)} of WAL"] * bool(run.wal)
    return ", ".join(told)


def slow(file: FileRun | FileRunRecord) -> list[StatementRun | StatementRunRecord]:
    """The statements of a file that are told by themselves; none where there is but one."""
    least = max(_LONG_S, _SHARE * file.duration_s)
    found = [each for each in file.statements if each.duration_s >= least]
    return found if len(file.statements) > 1 else []


def growth_told(each: Growth | GrowthRecord) -> str:
    """``desk.ticket: 20 MB → 35 MB, indexes 3 MB → 6 MB, rewritten``."""
    told = [f"{byte_size(each.table_before)} → {byte_size(each.table_after)}"]
    if each.indexes_before != each.indexes_after:
        told.append(f"indexes {byte_size(each.indexes_before)} → {byte_size(each.indexes_after)}")
    told += (
        ["rewritten, beside the old files until COMMIT"] * each.rewritten
        + ["new"] * each.made
        + ["dropped"] * each.dropped
    )
    return f"{each.relation}: {', '.join(told)}"


def _tells(each: Growth | GrowthRecord) -> bool:
    most = max(
        each.table_before, each.table_after, each.indexes_before, each.indexes_after, _LITTLE
    )
    return most > _LITTLE or (each.rewritten and each.table_after > 0)
