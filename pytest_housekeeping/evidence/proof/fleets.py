"""The records of fleets: none is missing or was sealed again, and all audits that one names are
those of its databases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pytest_housekeeping.evidence.git.evidence_log import Told
from pytest_housekeeping.evidence.git.objects import BRANCHES, FETCH
from pytest_housekeeping.evidence.proof.chain import told_otherwise, twice, where
from pytest_housekeeping.evidence.proof.fleet_files import FleetFile
from pytest_housekeeping.evidence.records import Record
from pytest_housekeeping.model import Finding, Level


def fleet_findings(
    files: Sequence[FleetFile], records: Sequence[Record], told: Sequence[Told]
) -> Iterator[Finding]:
    """Of all records, and of the ``records`` that are audits of their databases. ``told`` is what
    commits say of records.

    Two records on one predecessor are no finding: shares run side by side.
    """
    known = {each.digest for each in files}
    by_id = {each.record.id: each for each in files if each.record}
    for each in {one.digest: one for one in reversed(told)}.values():
        if each.digest not in known:
            yield from told_otherwise(each, by_id.get(each.run), "fleet")
    said = {each.digest for each in told}
    for file in files:
        if file.previous and file.previous not in known | said:
            yield _without_predecessor(file)
    yield from _twice(files)
    yield from _audits(files, records)


def _without_predecessor(file: FleetFile) -> Finding:
    return Finding(
        rule="fleet-missing",
        level=Level.ERROR,
        object=file.path,
        detail=f"builds on the record {(file.previous or '')[:12]}, which is nowhere: it was edited"
        f" and sealed again, or is gone ({where(file)})",
        fix=f"fetch all evidence: {FETCH}; where the pull request of the run before it was closed,"
        f" merge its branch {BRANCHES}/FLEET/fleet_…; what was deleted comes back from a clone that"
        " has it",
    )


def _twice(files: Sequence[FleetFile]) -> Iterator[Finding]:
    """Two different records of one run."""
    told = ((each.record.id, each) for each in files if each.record and not each.fault)
    for run, first, stand in twice(told):
        yield Finding(
            rule="fleet-twice",
            level=Level.ERROR,
            object=first.path,
            detail=f"{run} has another record beside that on {where(first)}: {stand}",
            fix="find out which of them its run wrote (its page, the artifact of its workflow)"
            " and take the other one away",
        )


def _audits(files: Sequence[FleetFile], records: Sequence[Record]) -> Iterator[Finding]:
    standing: dict[str, set[str]] = defaultdict(set)
    for record in records:
        standing[record.path].add(record.digest)
    elsewhere = {record.digest: record.path for record in records if record.digest}
    for file in files:
        for path, digest in file.audits:
            here = standing.get(path, set())
            if digest in here:
                continue
            moved = elsewhere.get(digest, "")
            said = f"has the digest {', '.join(sorted(each[:12] for each in here))}"
            said = said if here else "is on no branch"
            said += f"; the one that is meant stands in {moved}" * bool(moved)
            yield Finding(
                rule="fleet-audit",
                level=Level.ERROR,
                object=path,
                detail=f"the record {file.path} names it with the digest {digest[:12]}, and it"
                f" {said}",
                fix=f"fetch all evidence: {FETCH}; or bring it back as the commit of the record has"
                f" it, which `git log --all -- {file.path}` names",
            )
