"""The rows of an index: every run, and what was changed outside of any, the newest first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_housekeeping.evidence.index.moments import Period
from pytest_housekeeping.evidence.index.population import Change, ProvedEvidence, population
from pytest_housekeeping.evidence.proof.prove import Proof
from pytest_housekeeping.evidence.proof.signatures import RULE as UNSIGNED
from pytest_housekeeping.evidence.records import Record
from pytest_housekeeping.evidence.run_entry import RunEntry
from pytest_housekeeping.model import Level, Mode

_STAMP = re.compile(r"_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z_")
_TOLD = ("target", "request", "reason", "risk", "tests", "way_back", "people", "review", "result")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A run, or what was changed between two; ``facts`` are what else is told of it, by name.

    ``sound``: nothing in the evidence contradicts it. ``path`` is the audit's from the root of the
    repository, ``branches`` are where it stands; files beside it are by their names.
    """

    kind: str
    run: str
    mode: str
    outcome: str
    target: str
    began: str
    ended: str
    runner: str
    author: str
    approver: str
    files: tuple[str, ...]
    objects: tuple[str, ...]
    facts: Mapping[str, str | tuple[str, ...]]
    commit: str
    ci_url: str
    path: str
    report: str
    schema: str
    branches: tuple[str, ...]
    chain: str
    signature: str
    sound: bool


def rows(evidence: ProvedEvidence) -> list[Row]:
    """All of them. An audit that cannot be read has a row as well, with what its name tells."""
    proof = evidence.proof
    found = population(evidence, Period())
    by_run = {each.run: each for each in found.changes if each.run}
    said = _said(proof)
    names = {each.digest: each.run for each in proof.records}
    all_rows = [
        _row(record, by_run.get(record.run), said, names, proof)
        for record in {each.path: each for each in proof.records}.values()
    ]
    all_rows += [_between(each) for each in found.changes if not each.run]
    return sorted(all_rows, key=lambda row: (row.began, row.ended, row.run), reverse=True)


def _row(
    record: Record,
    change: Change | None,
    said: Mapping[str, str],
    names: Mapping[str, str],
    proof: Proof,
) -> Row:
    entry, fault = record.entry, said.get(record.path) or said.get(f"run {record.run}", "")
    follows = names.get(record.previous or "", "")
    chain = f"follows run {follows}" if follows else "follows no other audit"
    return Row(
        kind="run",
        run=record.run,
        mode=record.mode,
        outcome=entry.outcome if entry else "cannot be read",
        target=_target(entry),
        began=entry.started_at if entry else _stamp(record.version.name),
        ended=entry.finished_at if entry else "",
        runner=entry.actor if entry else "",
        author=change.author if change else "",
        approver=change.approver if change else "",
        files=tuple(_files(entry)) if entry else (),
        objects=change.objects if change else tuple(_objects(entry)),
        facts=_facts(entry, change),
        commit=entry.commit if entry else "",
        ci_url=entry.ci_url if entry else "",
        path=record.path,
        report=entry.report.rpartition("/")[2] if entry else "",
        schema=entry.after.path.rpartition("/")[2] if entry and entry.after else "",
        branches=record.version.branches,
        chain=f"{chain}; {fault}" if fault else f"{chain}; whole",
        signature=_signature(record, said, proof),
        sound=not fault,
    )


def _said(proof: Proof) -> dict[str, str]:
    """What the proof has found of each file and run that is a fault."""
    found: dict[str, str] = {}
    for each in proof.findings:
        if each.level is Level.ERROR:
            found.setdefault(each.object, f"{each.detail} [{each.rule}]")
        elif each.rule == UNSIGNED:
            found.setdefault(f"{UNSIGNED} {each.object}", each.detail)
    return found


def _signature(record: Record, said: Mapping[str, str], proof: Proof) -> str:
    if record.mode != Mode.STAGING:
        return "not asked for: only staging's audits have to be signed"
    if record.path in proof.signed:
        return f"signed by {proof.signed[record.path]}"
    unsigned = said.get(f"{UNSIGNED} {record.path}")
    return f"not signed: {unsigned}" if unsigned else "nobody has to sign it, or it is not known"


def _target(entry: RunEntry | None) -> str:
    """The name of the settings: a throwaway server has another address each time."""
    if entry is None or entry.target is None:
        return ""
    return str(Mode.STAGING) if entry.mode == Mode.STAGING else entry.target.name


def _files(entry: RunEntry) -> Iterator[str]:
    yield from (each.path for each in entry.files)


def _objects(entry: RunEntry | None) -> Iterator[str]:
    for each in entry.objects if entry else ():
        yield each.told


def _facts(entry: RunEntry | None, change: Change | None) -> dict[str, str | tuple[str, ...]]:
    if change is not None:
        return {name: getattr(change, name) for name in _TOLD if getattr(change, name)}
    if entry is None:
        return {}
    told: dict[str, str | tuple[str, ...]] = {
        "target": entry.target.named if entry.target else "",
        "result": "; ".join(filter(None, [entry.message, *entry.failed])),
        "tests": ", ".join(f"{count} {outcome}" for outcome, count in entry.tests),
    }
    return {name: value for name, value in told.items() if value}


def _between(change: Change) -> Row:
    return Row(
        kind=change.kind,
        run="",
        mode="",
        outcome=change.outcome,
        target=change.target.partition(": ")[0],
        began=change.began,
        ended=change.ended,
        runner=change.runner,
        author=change.author,
        approver=change.approver,
        files=(),
        objects=change.objects,
        facts={"target": change.target, "result": change.result, "review": change.review},
        commit="",
        ci_url="",
        path="",
        report="",
        schema="",
        branches=(),
        chain=change.evidence,
        signature="",
        sound=False,
    )


def _stamp(name: str) -> str:
    found = _STAMP.search(name)
    if found is None:
        return ""
    year, month, day, hour, minute, second = found.groups()
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}Z"
