"""``python -m pytest_housekeeping audit``: the evidence of a clone proved, and told as lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_housekeeping.config import PRODUCTION
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.objects import fetch_fix
from pytest_housekeeping.evidence.proof.prove import Proof, prove_evidence
from pytest_housekeeping.evidence.records import NOT_HERE
from pytest_housekeeping.evidence.report.display import one_line, plural
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import locate
from pytest_housekeeping.promotion.commands.own_repository import own_repository
from pytest_housekeeping.promotion.prechecks.own_tables import evidence_findings
from pytest_housekeeping.promotion.production.of_fleet.databases import located
from pytest_housekeeping.promotion.production.target_address import (
    closed_on_failure,
    open_production,
    read_address,
)

_CALLED = {Level.ERROR: "FAULT", Level.WARNING: "warning", Level.NOTICE: "note"}


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditReport:
    """What the command prints, and whether everything was proved."""

    lines: tuple[str, ...]
    proved: bool


def audit(root: Path, *, target: bool = False, name: str = PRODUCTION) -> AuditReport:
    """Prove all evidence of the clone that ``root`` belongs to; with ``target`` against the
    database of that ``name``, too.

    Nothing examined is no proof. Raises MisuseError where there is no repository, and, for a
    target, what ``read_address`` and ``open_production`` raise; EvidenceError for a partial clone
    that lacks evidence.
    """
    with own_repository(root) as repository:
        proof = proof_of(repository)
        against, compared = compared_with_history(root, repository, name) if target else ((), "")
        return _report(proof, against, compared, fetch=fetch_fix(repository))


def proof_of(repository: Repository, folder: str | None = None) -> Proof:
    """The proof of all evidence, or of that of one ``folder`` of audits.

    No network is asked, also where git would fetch of itself what a partial clone lacks. Raises
    EvidenceError for such a clone.
    """
    try:
        with repository.offline():
            proof = prove_evidence(repository, folder, signatures=True)
    except EvidenceError:
        if not repository.is_partial():
            raise
        raise _partial() from None
    if any(NOT_HERE in each.detail for each in proof.faults) and repository.is_partial():
        raise _partial()
    return proof


def _partial() -> EvidenceError:
    return EvidenceError(
        "this clone is a partial one (git clone --filter), and lacks evidence",
        why="git would fetch it while it is proved, and the proof asks no network",
        fix="git fetch --refetch --no-filter",
    )


def compared_with_history(
    root: Path, repository: Repository, name: str
) -> tuple[tuple[Finding, ...], str]:
    """What the history of production and the evidence say of each other: nothing may be missing."""
    config = located(load_config(root, target=name))
    address = read_address(os.environ, config.target)
    connection = open_production(address, config.session)
    with closed_on_failure(connection, address):
        identity = locate(connection)
        findings = evidence_findings(config, repository, connection, identity)
    connection.close()
    place = f"{identity.host}:{identity.port}/{identity.database}"
    return tuple(replace(each, level=Level.ERROR) for each in findings), f", the history of {place}"


def _report(
    proof: Proof, against: tuple[Finding, ...], compared: str, *, fetch: str
) -> AuditReport:
    findings = sorted((*proof.findings, *against), key=lambda each: list(Level).index(each.level))
    faults = sum(each.level is Level.ERROR for each in findings)
    if proof.audits == 0:
        told = EvidenceError(
            "no evidence: neither HEAD nor a branch housekeeping/audit/* has an audit",
            why="of nothing nothing is proved",
            fix=fetch,
        )
        return AuditReport(lines=(*_lines(findings), *str(told).splitlines()), proved=False)
    examined = f"{plural(proof.audits, 'audit')}, {plural(proof.artifacts, 'file')} named by them,"
    if proof.fleets:
        examined += f" {plural(proof.fleets, 'record')} of fleets,"
    examined += f" {plural(proof.branches, 'branch')}{compared}"
    said = plural(faults, "fault") if faults else "all proved"
    return AuditReport(lines=(*_lines(findings), f"{examined}: {said}"), proved=faults == 0)


def _lines(findings: list[Finding]) -> Iterator[str]:
    """One line a finding, and one that says how to repair it."""
    for each in findings:
        yield one_line(f"{_CALLED[each.level]} {each.object}: {each.detail} [{each.rule}]")
        yield f"  fix: {one_line(each.fix)}"
