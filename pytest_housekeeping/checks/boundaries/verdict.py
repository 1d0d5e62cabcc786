"""Boundaries: judge one contract between two parts of the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_housekeeping.checks.boundaries.function_bodies import prove_bodies
from pytest_housekeeping.checks.boundaries.reach import prove_reach, prove_use
from pytest_housekeeping.checks.rules.evaluation import (
    Scope,
    evaluate,
    findings_of,
    scope_of_contract,
    seen_as,
    unknown_proof,
)
from pytest_housekeeping.checks.rules.scope import cannot_act, missing_names
from pytest_housekeeping.declarations.boundaries import Boundaries, Contract
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

BOUNDARY = "boundary"
BOUNDARY_SCOPE = "boundary-scope"

_PROOFS = {"reach": prove_reach, "use": prove_use, "bodies": prove_bodies}


def verify_contract(
    connection: Connection,
    boundaries: Boundaries,
    contract: Contract,
    rules: Iterable[Rule],
    *,
    behaviour: bool = True,
    canaries: bool = True,
) -> Verdict:
    """Judge one contract by every boundary rule for its type.

    ``behaviour=False`` leaves out what is proved by acting as the source, and takes what is not
    there yet as a notice: for a schema that is not finished. ``canaries=False`` leaves out only
    what is proved by writing.
    Raises RuleBroken when a rule could not run.
    """
    source, target = boundaries.source(contract), boundaries.target(contract)
    scope = scope_of_contract(boundaries, contract)
    missing = tuple(
        Finding(
            rule=BOUNDARY_SCOPE,
            level=Level.ERROR if behaviour else Level.NOTICE,
            object=name,
            detail=f"the {kind} is declared in boundaries.toml and not there{hint}",
            fix=fix,
        )
        for kind, name, hint, fix in missing_names(
            connection, target.schemas, (*source.roles, *target.roles), target.tables
        )
    )
    if missing and behaviour:
        return Verdict(examined=0, findings=missing)
    findings = [*missing]
    evidence: list[str] = []
    examined = 0 if behaviour else len(target.schemas) + len(target.tables)
    for rule in rules:
        if rule.family != BOUNDARY or rule.contract != contract.type:
            continue
        if (rule.proof and not behaviour) or (rule.writes and not canaries):
            continue
        verdict = judge_boundary(connection, scope, source.roles, rule)
        examined = max(examined, verdict.examined)
        findings += seen_as(verdict.findings, source.roles[0])
        evidence += verdict.evidence
    return Verdict(examined=examined, findings=tuple(findings), evidence=tuple(evidence))


def judge_boundary(
    connection: Connection, scope: Scope, roles: Sequence[str], rule: Rule
) -> Verdict:
    """Judge one boundary rule."""
    if rule.proof in _PROOFS:
        cannot = cannot_act(connection, rule.id, roles)
        if cannot:
            return Verdict(examined=0, findings=tuple(cannot))
        return _PROOFS[rule.proof](connection, scope, roles, rule)
    if rule.proof:
        raise unknown_proof(rule, _PROOFS)
    evaluation = evaluate(connection, scope, rule)
    return Verdict(examined=evaluation.examined, findings=findings_of(rule, evaluation.rows))
