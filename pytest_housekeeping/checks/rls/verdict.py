"""The guards: judge one rule, one contract, one exemption, or what the contracts name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from pytest_housekeeping.checks.boundaries.verdict import BOUNDARY, judge_boundary, verify_contract
from pytest_housekeeping.checks.rls.proofs.isolation import prove_isolation
from pytest_housekeeping.checks.rls.proofs.no_context import prove_context
from pytest_housekeeping.checks.rules.batch import evaluate_together
from pytest_housekeeping.checks.rules.evaluation import (
    Evaluation,
    evaluate,
    findings_of,
    scope_of_rls,
    seen_as,
    unknown_proof,
)
from pytest_housekeeping.checks.rules.scope import verify_scope
from pytest_housekeeping.declarations.exemptions import RuleExemption
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.declarations.toml import closest
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

__all__ = [
    "BOUNDARY",
    "judge",
    "judge_boundary",
    "look_at_rules",
    "verify_contract",
    "verify_exemption",
    "verify_rule",
    "verify_scope",
]

EXEMPTION = "exemption"

# A table without row-level security has been declared open: there is no isolation to prove.
_DECLARED_OPEN = "rls-not-enabled"


def verify_rule(
    connection: Connection,
    contract: RlsContract,
    rule: Rule,
    *,
    today: date,
    reachable_only: bool = False,
    gentle: bool = False,
    seen: Mapping[str, Evaluation] | None = None,
) -> Verdict:
    """Judge one rule over the protected schemas, without what is exempt from it.

    ``seen`` is what ``look_at_rules`` has returned for the schema as it still is.

    ``reachable_only`` looks at tables on which an untrusted role holds a privilege, takes what
    is undecided there as a warning, and a schema without a table as one that was looked at: for
    a database that is not finished yet.
    Raises RuleBroken when the rule could not run.
    """
    exempt = {
        exemption.object
        for exemption in contract.exemptions
        if exemption.rule == rule.id and exemption.holds_on(today)
    }
    verdict = judge(
        connection,
        contract,
        rule,
        reachable_only=reachable_only,
        gentle=gentle,
        seen=seen,
        without=_declared_open(contract, today) | exempt if rule.proof else frozenset(),
    )
    left = [finding for finding in verdict.findings if finding.object not in exempt]
    return replace(verdict, findings=seen_as(left, contract.roles[0]))


def judge(
    connection: Connection,
    contract: RlsContract,
    rule: Rule,
    *,
    reachable_only: bool = False,
    gentle: bool = False,
    only: str = "",
    without: frozenset[str] = frozenset(),
    seen: Mapping[str, Evaluation] | None = None,
) -> Verdict:
    """Judge one rule with no regard to exemptions; a proof tries ``only`` one table, or all
    but some."""
    scope = scope_of_rls(contract, reachable_only=reachable_only, gentle=gentle)
    if rule.proof in _PROOFS:
        return _PROOFS[rule.proof](connection, contract, scope, rule, only=only, without=without)
    if rule.proof:
        raise unknown_proof(rule, _PROOFS)
    evaluation = (seen or {}).get(rule.id) or evaluate(connection, scope, rule)
    return Verdict(examined=evaluation.examined, findings=findings_of(rule, evaluation.rows))


def look_at_rules(
    connection: Connection,
    contract: RlsContract,
    rules: Iterable[Rule],
    *,
    reachable_only: bool = False,
) -> Mapping[str, Evaluation]:
    """All rules that only read the catalog, in one look at it. It holds until the schema changes.

    Nothing where one of them cannot run: judged alone, each says what is wrong with it.
    """
    scope = scope_of_rls(contract, reachable_only=reachable_only)
    return evaluate_together(connection, scope, [rule for rule in rules if rule.family != BOUNDARY])


def verify_exemption(
    connection: Connection,
    contract: RlsContract,
    exemption: RuleExemption,
    rules: Iterable[Rule],
    *,
    today: date,
) -> Verdict:
    """An exemption must not have ended, and must still keep a finding away."""
    rule = next(rule for rule in rules if rule.id == exemption.rule)
    if rule.family == BOUNDARY:
        return _failed(
            exemption,
            f"{exemption.rule} is a rule about boundaries, which have no exemptions",
            "take the exemption out; change the contract, or carve a zone out of the target",
        )
    if not exemption.holds_on(today):
        return _failed(
            exemption,
            f"its exemption from {exemption.rule} ended on {exemption.until} ({exemption.reason})",
            "repair the object, or give the exemption a new end and say why",
        )
    verdict = judge(connection, contract, rule, only=exemption.object if rule.proof else "")
    if any(finding.object == exemption.object for finding in verdict.findings):
        return Verdict(examined=1, unit="exemptions", evidence=(exemption.reason,))
    others = [finding.object for finding in verdict.findings]
    return _failed(
        exemption,
        f"its exemption from {exemption.rule} matches no finding any more"
        f"{closest(exemption.object, others) if others else ''}",
        "take the exemption out, so that the rule guards the object again",
    )


_PROOFS = {"context": prove_context, "isolation": prove_isolation}


def _declared_open(contract: RlsContract, today: date) -> frozenset[str]:
    return frozenset(
        exemption.object
        for exemption in contract.exemptions
        if exemption.rule == _DECLARED_OPEN and exemption.holds_on(today)
    )


def _failed(exemption: RuleExemption, detail: str, fix: str) -> Verdict:
    return Verdict(
        examined=1,
        unit="exemptions",
        findings=(
            Finding(
                rule=EXEMPTION,
                level=Level.ERROR,
                object=exemption.object,
                detail=detail,
                fix=fix,
            ),
        ),
    )
