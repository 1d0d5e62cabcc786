"""The verdict on one contract between two parts of the database, and on one boundary rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_housekeeping.checks.boundaries.function_bodies import prove_bodies
from pytest_housekeeping.checks.boundaries.reach import prove_allowed, prove_out_of_reach
from pytest_housekeeping.checks.rules.batch import evaluate_batch
from pytest_housekeeping.checks.rules.declared_names import missing_names, roles_out_of_reach
from pytest_housekeeping.checks.rules.evaluation import (
    Evaluation,
    evaluate,
    findings_of,
    unknown_proof,
    with_role_in_leak,
)
from pytest_housekeeping.checks.rules.scope import RuleScope, boundary_scope
from pytest_housekeeping.declarations.boundaries import Boundaries, Contract
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule
from pytest_housekeeping.model import Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

BOUNDARY_SCOPE = "boundary-scope"

_PROOFS = {"reach": prove_out_of_reach, "use": prove_allowed, "bodies": prove_bodies}


def verify_contract(
    connection: Connection,
    boundaries: Boundaries,
    contract: Contract,
    rules: Iterable[Rule],
    *,
    behaviour: bool = True,
) -> Verdict:
    """Judge one contract by every boundary rule for its type.

    ``behaviour=False`` is for a schema that is still being built: what is declared and not there
    yet is a notice, and rules that are proved by acting as a role are left out. Raises RuleBroken
    when a rule could not run.
    """
    source, target = boundaries.source(contract), boundaries.target(contract)
    scope = boundary_scope(boundaries, contract)
    missing = missing_names(
        connection, target.schemas, (*source.roles, *target.roles), target.tables
    )
    level = Level.ERROR if behaviour else Level.NOTICE
    findings = [each.finding(BOUNDARY_SCOPE, "boundaries.toml", level) for each in missing]
    if missing and behaviour:
        return Verdict(examined=0, findings=tuple(findings))
    evidence: list[str] = []
    examined = 0 if behaviour else len(target.schemas) + len(target.tables)
    asked = [
        rule
        for rule in rules
        if rule.family == BOUNDARY
        and rule.contract == contract.type
        and (behaviour or not rule.proof)
    ]
    evaluations = evaluate_batch(connection, scope, asked)
    for rule in asked:
        verdict = judge_boundary(
            connection, scope, source.roles, rule, evaluation=evaluations.get(rule.id)
        )
        examined = max(examined, verdict.examined)
        findings += with_role_in_leak(verdict.findings, source.roles[0])
        evidence += verdict.evidence
    return Verdict(examined=examined, findings=tuple(findings), evidence=tuple(evidence))


def judge_boundary(
    connection: Connection,
    scope: RuleScope,
    roles: Sequence[str],
    rule: Rule,
    *,
    evaluation: Evaluation | None = None,
) -> Verdict:
    """Judge one boundary rule; ``roles`` are those of the contract's source.

    ``evaluation`` is what its query has returned already; without it the query runs here.

    Raises RuleBroken when the rule could not run.
    """
    if rule.proof in _PROOFS:
        out_of_reach = roles_out_of_reach(connection, rule.id, roles)
        if out_of_reach:
            return Verdict(examined=0, findings=tuple(out_of_reach))
        return _PROOFS[rule.proof](connection, scope, roles, rule)
    if rule.proof:
        raise unknown_proof(rule, _PROOFS)
    evaluation = evaluation or evaluate(connection, scope, rule)
    return Verdict(examined=evaluation.examined, findings=findings_of(rule, evaluation.rows))
