"""The chain of the audits across all branches: what is missing, doubled, or was sealed again."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar

from pytest_housekeeping.errors import named
from pytest_housekeeping.evidence.git.evidence_log import Told
from pytest_housekeeping.evidence.git.objects import BRANCHES, FETCH
from pytest_housekeeping.evidence.proof.fleet_files import FleetFile
from pytest_housekeeping.evidence.proof.repair import restored
from pytest_housekeeping.evidence.records import Record
from pytest_housekeeping.model import Finding, Level, Mode

_SHOWN = 3
_Kept = TypeVar("_Kept", Record, FleetFile)


def chain_findings(
    records: Sequence[Record], told: Sequence[Told], thinned: Collection[str] = ()
) -> Iterator[Finding]:
    """Whether every audit that another one builds on, or a commit tells of, is here as it was.

    Of some of staging's a line is left that has their digest: ``thinned``.
    A circle cannot be made without an audit that lacks its digest. Two audits on one predecessor,
    or several beginnings, come from runs side by side and are warnings.
    """
    known = {record.digest for record in records if record.digest}
    # A line stands for an audit of staging, and hides none of another mode.
    known_of = defaultdict(lambda: known, {str(Mode.STAGING): known | set(thinned)})
    commits = {each.digest: each for each in reversed(told)}
    lost = {each.digest: None for each in told if each.digest not in known_of[each.mode]}
    lost |= {
        each.previous: None
        for each in records
        if each.previous and each.previous not in known_of[each.mode]
    }
    by_run = {record.run: record for record in records}
    successors = {record.previous: record for record in reversed(records)}
    ends = _ends(records)
    for digest in lost:
        successor = successors.get(digest)
        named = commits.get(digest)
        if named is not None:
            yield from told_otherwise(named, by_run.get(named.run), "audit")
        elif successor is not None:
            yield from _without_predecessor(successor, ends)
    yield from _doubled(records)
    yield from _forks(records)
    yield from _turned_round(records)


def told_otherwise(
    told: Told, found: Record | FleetFile | None, kind: Literal["audit", "fleet"]
) -> Iterator[Finding]:
    """A commit tells of an audit, or of the record of a fleet, that is not here, or not with the
    digest that it had then."""
    commit, digest = told.commit[:12], told.digest[:12]
    if found is None:
        meant = f"its audit {digest}" if kind == "audit" else f"the record {digest} of a fleet"
        yield Finding(
            rule=f"{kind}-missing",
            level=Level.ERROR,
            object=f"run {told.run}",
            detail=f"commit {commit} tells of {meant}, and no branch has it",
            fix=f"`git show --stat {commit}` names its files: git checkout {commit} -- :/FILE, and"
            " commit that",
        )
    elif not found.fault:
        yield Finding(
            rule=f"{kind}-resealed",
            level=Level.ERROR,
            object=found.path,
            detail=f"was edited and sealed again: commit {commit} recorded it with the digest"
            f" {digest}, and on {where(found)} it has {found.digest[:12]}",
            fix=restored(commit, found.path, found.version.branches[0]),
        )


def _ends(records: Sequence[Record]) -> Mapping[tuple[str, str], Sequence[Record]]:
    """By mode and folder the audits that no other one builds on, in the order of their names."""
    followed = {record.previous for record in records}
    ends: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in sorted(records, key=_name):
        if record.digest not in followed:
            ends[record.mode, record.version.folder].append(record)
    return ends


def _name(record: Record) -> str:
    return record.version.name


def _without_predecessor(
    successor: Record, ends: Mapping[tuple[str, str], Sequence[Record]]
) -> Iterator[Finding]:
    """Its predecessor is nowhere: the one before it in time may be it, sealed again."""
    beside = ends.get((successor.mode, successor.version.folder), ())
    earlier = bisect_left(beside, _name(successor), key=_name)
    before = beside[earlier - 1] if earlier else None
    if before is not None and before.fault:
        return
    detail = f"builds on the audit {(successor.previous or '')[:12]}, which is nowhere"
    if before is not None:
        detail += (
            f"; before it stands {before.path}, which no audit builds on: it was edited and sealed"
            " again, or one between the two is gone"
        )
    yield Finding(
        rule="audit-missing",
        level=Level.ERROR,
        object=successor.path,
        detail=f"{detail} ({where(successor)})",
        fix=f"fetch all evidence: {FETCH}; {_where_it_may_be(successor)}; what was deleted comes"
        " back from a clone that has it",
    )


def _where_it_may_be(successor: Record) -> str:
    """The branch that a run of this mode commits its audit to."""
    if successor.mode in (Mode.STAGING, Mode.VERIFY):
        return f"it is on {BRANCHES}/{successor.mode} of the clone where the run before it ran"
    return (
        f"where the pull request of the {successor.mode} run before {successor.run} was closed,"
        f" merge its branch {BRANCHES}/{successor.mode}_…; a refused one is on {BRANCHES}/refused"
    )


def _doubled(records: Sequence[Record]) -> Iterator[Finding]:
    """Two different audits of one run."""
    for run, first, stand in twice((each.run, each) for each in records if not each.fault):
        yield Finding(
            rule="audit-twice",
            level=Level.ERROR,
            object=first.path,
            detail=f"run {run} has another audit beside that on {where(first)}: {stand}",
            fix="find out which of them its run wrote (its HTML report, the artifact of its"
            " workflow) and take the other one away",
        )


def twice(told: Iterable[tuple[str, _Kept]]) -> Iterator[tuple[str, _Kept, str]]:
    """Runs of which different records tell: the first of them, and where the others stand."""
    runs: dict[str, dict[str, _Kept]] = defaultdict(dict)
    for run, each in told:
        runs[run].setdefault(each.digest, each)
    for run, versions in runs.items():
        first, *others = versions.values()
        if others:
            yield run, first, ", ".join(f"{each.path} on {where(each)}" for each in others)


def _forks(records: Sequence[Record]) -> Iterator[Finding]:
    followers: dict[tuple[str, str], dict[str, Record]] = defaultdict(dict)
    for record in records:
        if record.digest:
            place = record.previous or f"the beginning of {record.version.folder}"
            followers[place, record.mode].setdefault(record.digest, record)
    by_digest = {record.digest: record for record in records}
    for (previous, _), group in followers.items():
        if len(group) > 1:
            first, *others = sorted(group.values(), key=lambda record: record.version.name)
            names = named([each.version.name for each in others], _SHOWN)
            before = by_digest.get(previous)
            follows = f"follows {before.version.name}" if before else "follows no other audit"
            yield Finding(
                rule="audit-forked",
                level=Level.WARNING,
                object=first.path,
                detail=f"{follows}, and so does {names}",
                fix="none, where runs overlapped or ran in clones that did not know each other, or"
                " an earlier version made the audit of one that was killed: it followed no other",
            )


def _turned_round(records: Sequence[Record]) -> Iterator[Finding]:
    by_digest = {record.digest: record for record in records if record.digest}
    for record in records:
        before = by_digest.get(record.previous or "")
        if before is not None and before.finished_at > record.finished_at:
            yield Finding(
                rule="audit-order",
                level=Level.WARNING,
                object=record.path,
                detail=f"builds on {before.version.name}, which ended later"
                f" ({before.finished_at}, and this one {record.finished_at})",
                fix="none, where the clocks of two machines differ, or it is of a run that was"
                " killed, and was put on record after a later one",
            )


def where(record: Record | FleetFile) -> str:
    """The first of the branches that have it."""
    return ", ".join(record.version.branches[:_SHOWN])
