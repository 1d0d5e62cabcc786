"""Every change of a real database, and whether it is shown that these are all of them.

What an auditor asks first is the population: what a promotion or a rollback has changed, what one
has tried and was refused, and what was changed outside of any. It is complete where the evidence is
proved (no audit missing, edited or unreadable, no chain broken) and each run has found the schema
as the one before it has left it, or the difference is an entry of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.evidence.bound import SecondPerson
from pytest_housekeeping.evidence.git.objects import GitCommands
from pytest_housekeeping.evidence.index.continuity import Between, Gap, gaps
from pytest_housekeeping.evidence.index.moments import Period
from pytest_housekeeping.evidence.index.people import Written, told_apart, written
from pytest_housekeeping.evidence.proof.prove import Proof
from pytest_housekeeping.evidence.proof.reviews import RULE as EMERGENCY_OPEN
from pytest_housekeeping.evidence.proof.reviews import reviews
from pytest_housekeeping.evidence.records import Record
from pytest_housekeeping.evidence.run_entry import EntryFile, RunEntry
from pytest_housekeeping.model import Mode, Outcome, RunOutcome

UNKNOWN = "not known"
_CHANGING = (Mode.PROD, Mode.ROLLBACK)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One entry: a run that changed a real database or was to, or what was changed outside of one.

    ``kind`` is change, attempt, ``changed_outside`` or ``not_known``. What is not known says so.
    """

    kind: str
    run: str
    mode: str
    target: str
    began: str
    ended: str
    outcome: str
    result: str
    request: str
    author: str
    approver: str
    runner: str
    people: str
    reason: str
    risk: str
    tests: str
    files: tuple[str, ...]
    objects: tuple[str, ...]
    way_back: tuple[str, ...]
    review: str
    commit: str
    audit: str
    schema_before: str
    schema_after: str
    evidence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """The entries of a period, in the order of time; ``faults`` are why it is not shown to be
    complete, none where it is."""

    changes: tuple[Change, ...]
    faults: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return not self.faults


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvedEvidence:
    """Where a population is made from: ``root`` is the project's folder, from the repository's."""

    git: GitCommands
    proof: Proof
    root: str


def population(evidence: ProvedEvidence, period: Period) -> Population:
    """What the evidence tells of a period. Nothing examined is no proof: a population without any
    audit of a promotion is not complete."""
    records = _once(evidence.proof.records)
    entries = [each.entry for each in records if each.entry is not None]
    between = [each for each in gaps(entries) if period.has(each.after.finished_at, _begin(each))]
    changes = [*_runs(evidence, records, period), *(_outside(each) for each in between)]
    changes.sort(key=lambda each: (each.began, each.ended, each.run))
    return Population(changes=tuple(changes), faults=tuple(_faults(evidence, records, between)))


def _once(records: Sequence[Record]) -> list[Record]:
    """Each run once, whichever branches and folders its audit stands in."""
    return list({each.run: each for each in reversed(records)}.values())[::-1]


def _faults(
    evidence: ProvedEvidence, records: Sequence[Record], between: Sequence[Gap]
) -> Iterator[str]:
    for fault in evidence.proof.faults:
        # An emergency that nobody has looked through is a field of its own entry.
        if fault.rule != EMERGENCY_OPEN:
            yield f"{fault.object}: {fault.detail} [{fault.rule}]"
    runs = {each.run for each in records}
    if not any(each.mode in _CHANGING for each in records):
        yield "there is no audit of a promotion: of nothing nothing is shown"
    for record in records:
        if record.entry is not None and record.entry.reverts not in {"", *runs}:
            yield f"run {record.entry.reverts}: rollback {record.run} undoes it, and it is not here"
    for gap in between:
        if gap.kind is Between.NOT_KNOWN:
            yield (
                f"{gap.target.named}: whether it was changed outside between run {gap.after.run}"
                f" ({gap.after.finished_at}) and run {gap.before.run} ({gap.before.started_at}) is"
                f" not known: {gap.said}"
            )


def _runs(evidence: ProvedEvidence, records: Sequence[Record], period: Period) -> Iterator[Change]:
    looked_through = {each.record.run: each.closed_by for each in reviews(evidence.git, records)}
    faults = _by_object(evidence.proof)
    last: dict[tuple[str, str], RunEntry] = {}
    for record in sorted(records, key=_finished):
        entry = record.entry
        if entry is None or record.mode not in _CHANGING:
            continue
        place = entry.target.identity if entry.target else ("", "")
        if period.has(entry.started_at, entry.finished_at):
            wrote = written(evidence.git, entry, evidence.root, last.get(place))
            yield _run(record, entry, wrote, looked_through, faults)
        if entry.changed:
            last[place] = entry


def _finished(record: Record) -> tuple[str, str]:
    return record.entry.finished_at if record.entry else "", record.run


def _run(
    record: Record,
    entry: RunEntry,
    wrote: Written,
    looked_through: Mapping[str, str],
    faults: Mapping[str, str],
) -> Change:
    schema = entry.schema
    return Change(
        kind="change" if entry.changed or entry.outcome == "unknown" else "attempt",
        run=entry.run,
        mode=entry.mode,
        target=entry.target.named if entry.target else f"{UNKNOWN}: no connection was made",
        began=entry.started_at,
        ended=entry.finished_at,
        outcome=entry.outcome,
        result="; ".join(filter(None, [entry.message, *entry.failed])) or _word(entry),
        request=wrote.request or f"{UNKNOWN}: {wrote.unknown or 'no merge names one'}",
        author=", ".join(map(str, wrote.authors)) or f"{UNKNOWN}: {wrote.unknown}",
        approver=_approver(entry),
        runner=entry.actor or UNKNOWN,
        people=told_apart(wrote.authors, entry.approvers, entry.actor),
        reason=_reason(entry, wrote),
        risk="; ".join(entry.risk) or _RISKLESS[bool(entry.objects or entry.schema.before)],
        tests=_tests(entry),
        files=tuple(f"{each.path} {_became(each, entry)}" for each in entry.files),
        objects=tuple(each.told for each in entry.objects),
        way_back=entry.way_back or ((UNKNOWN,) if entry.changed else ()),
        review=_review(entry, looked_through),
        commit=entry.commit or UNKNOWN,
        audit=record.path,
        schema_before=schema.before or UNKNOWN,
        schema_after=schema.after or (UNKNOWN if entry.changed else schema.before or UNKNOWN),
        evidence=faults.get(record.path) or faults.get(f"run {record.run}") or "proved",
    )


def _reason(entry: RunEntry, wrote: Written) -> str:
    if entry.emergency:
        return f"emergency: {entry.emergency}"
    return "; ".join(wrote.subjects) or UNKNOWN


def _became(file: EntryFile, entry: RunEntry) -> str:
    """What became of a file: a step that passed is applied where its COMMIT was answered."""
    if file.outcome != Outcome.PASSED:
        return "failed" if file.outcome == Outcome.FAILED else "not applied"
    if file.is_in:
        return "applied"
    return UNKNOWN if entry.outcome == RunOutcome.UNKNOWN else "rolled back"


def _word(entry: RunEntry) -> str:
    undone = entry.mode == Mode.ROLLBACK and entry.outcome.startswith("promoted")
    return entry.outcome.replace("_", " ").replace(
        "promoted", "rolled back" if undone else "promoted"
    )


_RISKLESS = {True: "nothing that others would notice was seen", False: f"{UNKNOWN}: not rehearsed"}


def _by_object(proof: Proof) -> dict[str, str]:
    """What the proof has found of each file and run, the first of it."""
    found: dict[str, str] = {}
    for fault in proof.faults:
        if fault.rule != EMERGENCY_OPEN:
            found.setdefault(fault.object, f"{fault.detail} [{fault.rule}]")
    return found


def _approver(entry: RunEntry) -> str:
    names = ", ".join(entry.approvers)
    said = {
        SecondPerson.APPROVED: names,
        SecondPerson.LACKING: f"not enough: {names or 'nobody'}",
        SecondPerson.WAIVED: f"not waited for: {names or 'nobody'} by then",
        SecondPerson.NOBODY: "nobody was asked: approvals = 0",
        SecondPerson.NOT_NEEDED: "not needed: nothing was pending",
    }
    return said.get(SecondPerson(entry.second_person), names) or UNKNOWN


def _tests(entry: RunEntry) -> str:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in entry.tests)
    proved = f"; proved in staging by {', '.join(entry.proved_by)}" if entry.proved_by else ""
    return (counts or UNKNOWN) + proved


def _review(entry: RunEntry, looked_through: Mapping[str, str]) -> str:
    if not entry.opens_review:
        return "not asked for: no emergency"
    by = looked_through.get(entry.run, "")
    return f"looked through by {by}" if by else "OPEN: nobody has looked through it"


def _outside(gap: Gap) -> Change:
    said = f"between run {gap.after.run} and run {gap.before.run}"
    changed = gap.kind is Between.CHANGED_OUTSIDE
    verb = "changed outside" if changed else "whether it was changed is not known"
    schema = gap.after.schema
    return Change(
        kind=gap.kind,
        run="",
        mode="",
        target=gap.target.named,
        began=gap.after.finished_at,
        ended=_begin(gap),
        outcome=gap.kind,
        result=f"{verb}, {said}: {gap.said}",
        request=UNKNOWN,
        author=UNKNOWN,
        approver=UNKNOWN,
        runner=UNKNOWN,
        people=UNKNOWN,
        reason=UNKNOWN,
        risk=UNKNOWN,
        tests="none: no run has made it",
        files=(),
        objects=gap.objects or ((f"{UNKNOWN}: compare the dumps of both runs",) if changed else ()),
        way_back=(UNKNOWN,),
        review=f"seen first by the {gap.before.mode} run {gap.before.run}",
        commit="",
        audit="",
        schema_before=schema.after or schema.before or UNKNOWN,
        schema_after=gap.before.schema.before or UNKNOWN,
        evidence=said,
    )


def _begin(gap: Gap) -> str:
    """What was found at a run's beginning was changed before it; runs may overlap."""
    return max(gap.before.started_at, gap.after.finished_at)
