"""The verdict on one contract between two parts of the database, and on one boundary rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

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
from pytest_housekeeping.declarations.exemptions import BoundaryExemption
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

BOUNDARY_SCOPE = "boundary-scope"
EXEMPTION = "boundary-exemption"

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


def without_exempt(
    verdict: Verdict,
    contract: Contract,
    exemptions: Iterable[BoundaryExemption],
    *,
    today: date,
    behaviour: bool = True,
) -> Verdict:
    """The verdict on a contract without the findings that are exempt from it on this day.

    An exemption that has ended is a finding, and so is one that matches none, which only the
    finished schema tells (``behaviour``). Where nothing was examined, none is matched.
    """
    if not verdict.examined:
        return verdict
    own = {
        (each.rule, each.object, each.detail): each
        for each in exemptions
        if each.contract == contract.name
    }
    seen = {(each.rule, each.object, each.detail) for each in verdict.findings}
    holding = {key for key, each in own.items() if each.holds_on(today)}
    left = [e for e in verdict.findings if (e.rule, e.object, e.detail) not in holding]
    left += [_ended(each) for key, each in own.items() if key not in holding]
    if behaviour:
        left += [_idle(own[key], verdict) for key in own if key in holding - seen]
    let = tuple(own[key].let_stand(key[0], key[1]) for key in own if key in holding & seen)
    return replace(verdict, findings=tuple(left), exempted=let)


def _ended(exemption: BoundaryExemption) -> Finding:
    return _of_exemption(
        exemption,
        f"ended on {exemption.until}: {exemption.reason}",
        "repair what it was for, or give it a new end in boundaries.toml",
    )


def _idle(exemption: BoundaryExemption, verdict: Verdict) -> Finding:
    """It matches nothing: what is told of the object now is another finding."""
    now = [
        each.detail
        for each in verdict.findings
        if (each.rule, each.object) == (exemption.rule, exemption.object)
    ]
    said = f"; what is found there now: {' | '.join(now)}" if now else ""
    return _of_exemption(
        exemption,
        f"matches no finding: {exemption.detail!r}{said}",
        "take it out of boundaries.toml"
        + (", or, if that may stand too, say it as its detail" if now else ""),
    )


def _of_exemption(exemption: BoundaryExemption, said: str, fix: str) -> Finding:
    return Finding(
        rule=EXEMPTION,
        level=Level.ERROR,
        object=exemption.object,
        detail=f"its exemption from {exemption.rule} {said}",
        fix=fix,
    )


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
