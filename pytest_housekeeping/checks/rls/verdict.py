"""The verdict on one rule of row-level security, and on one exemption from a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from pytest_housekeeping.checks.rls.proofs.acting import prove_acts_bound
from pytest_housekeeping.checks.rls.proofs.bodies import (
    prove_context_not_taken,
    prove_no_text_run,
    prove_rows_not_told,
)
from pytest_housekeeping.checks.rls.proofs.copies import prove_no_copies
from pytest_housekeeping.checks.rls.proofs.isolation import prove_isolation
from pytest_housekeeping.checks.rls.proofs.looked_up import prove_not_looked_up
from pytest_housekeeping.checks.rls.proofs.no_context import prove_no_context
from pytest_housekeeping.checks.rls.proofs.other_settings import prove_settings
from pytest_housekeeping.checks.rls.proofs.request import ProofRequest
from pytest_housekeeping.checks.rls.tables import ProtectedTable, read_tables
from pytest_housekeeping.checks.rules.batch import evaluate_batch
from pytest_housekeeping.checks.rules.evaluation import (
    Evaluation,
    evaluate,
    findings_of,
    unknown_proof,
    with_role_in_leak,
)
from pytest_housekeeping.checks.rules.scope import rls_scope
from pytest_housekeeping.declarations.exemptions import RuleExemption
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule
from pytest_housekeeping.declarations.toml import closest
from pytest_housekeeping.model import EXEMPTIONS, Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

EXEMPTION = "exemption"

# A table that is exempt from this rule is open by declaration: there is no isolation to prove.
_NOT_ENABLED = "rls-not-enabled"
_PROOFS_OF_TABLES = {
    "context": prove_no_context,
    "isolation": prove_isolation,
    "settings": prove_settings,
    "looked-up": prove_not_looked_up,
}
# These look at the whole schema, whichever tables are asked for.
_PROOFS_OF_SCHEMA = {
    "acts": prove_acts_bound,
    "copies": prove_no_copies,
    "text-run": prove_no_text_run,
    "rows-told": prove_rows_not_told,
    "context-taken": prove_context_not_taken,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedBefore:
    """What was asked of a schema that still stands as it did, and need not be asked again:
    ``evaluations`` as ``evaluate_rules`` returns them, ``known`` gives what ``known_tables`` does,
    and ``proved`` are the verdicts of rules that look at the whole schema, and of what is exempt
    from a rule; a new one is added."""

    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    known: Callable[[], Sequence[ProtectedTable]] | None = None
    proved: dict[str, Verdict] = field(default_factory=dict)


def verify_rule(
    connection: Connection,
    contract: RlsContract,
    rule: Rule,
    *,
    today: date,
    unfinished: bool = False,
    avoid_locks: bool = False,
    before: AskedBefore | None = None,
) -> Verdict:
    """Judge one rule over the protected schemas, without what is exempt from it today.

    For ``unfinished`` and ``avoid_locks`` see ``RuleScope``; what was not asked ``before`` is asked
    here. Raises RuleBroken when the rule could not run.
    """
    exempt = _exempt_from(contract, rule.id, today)
    verdict = judge_rule(
        connection,
        contract,
        rule,
        unfinished=unfinished,
        avoid_locks=avoid_locks,
        before=before,
        without=_exempt_from(contract, _NOT_ENABLED, today) | exempt if rule.proof else frozenset(),
    )
    if exempt and not verdict.examined:
        # None is left unseen: each has a step of its own, which fails once its exemption is idle.
        verdict = replace(verdict, examined=len(exempt), unit=f"{verdict.unit}, all of them exempt")
    left = [finding for finding in verdict.findings if finding.object not in exempt]
    return replace(verdict, findings=with_role_in_leak(left, contract.roles[0]))


def judge_rule(
    connection: Connection,
    contract: RlsContract,
    rule: Rule,
    *,
    unfinished: bool = False,
    avoid_locks: bool = False,
    only: frozenset[str] = frozenset(),
    without: frozenset[str] = frozenset(),
    before: AskedBefore | None = None,
) -> Verdict:
    """Judge one rule and apply no exemption.

    ``only`` and ``without`` choose the tables that a proof of tables is made for; any other rule
    looks at the whole schema. Raises RuleBroken when the rule could not run.
    """
    before = before or AskedBefore()
    scope = rls_scope(contract, unfinished=unfinished, avoid_locks=avoid_locks)
    request = ProofRequest(
        contract=contract, scope=scope, rule=rule, only=only, without=without, known=before.known
    )
    if rule.proof in _PROOFS_OF_TABLES:
        return _PROOFS_OF_TABLES[rule.proof](connection, request)
    if rule.proof in _PROOFS_OF_SCHEMA:
        if rule.id not in before.proved:
            before.proved[rule.id] = _PROOFS_OF_SCHEMA[rule.proof](connection, request)
        return before.proved[rule.id]
    if rule.proof:
        raise unknown_proof(rule, _PROOFS_OF_TABLES | _PROOFS_OF_SCHEMA)
    evaluation = before.evaluations.get(rule.id) or evaluate(connection, scope, rule)
    return Verdict(examined=evaluation.examined, findings=findings_of(rule, evaluation.rows))


def known_tables(
    connection: Connection, contract: RlsContract, *, unfinished: bool
) -> tuple[ProtectedTable, ...]:
    """The protected tables as proofs need them; valid until the schema changes."""
    return read_tables(connection, rls_scope(contract, unfinished=unfinished))


def evaluate_rules(
    connection: Connection,
    contract: RlsContract,
    rules: Iterable[Rule],
    *,
    unfinished: bool = False,
) -> Mapping[str, Evaluation]:
    """Evaluate in one query all rules that only read the catalog; valid until the schema changes.

    Empty where one of them cannot run: judged one by one, the broken one says what is wrong.
    """
    scope = rls_scope(contract, unfinished=unfinished)
    return evaluate_batch(connection, scope, [rule for rule in rules if rule.family != BOUNDARY])


def verify_exemption(
    connection: Connection,
    contract: RlsContract,
    exemption: RuleExemption,
    rule: Rule,
    *,
    today: date,
    avoid_locks: bool = False,
    before: AskedBefore | None = None,
) -> Verdict:
    """An exemption from ``rule`` fails once it has ended, and once there is no finding that it
    would exempt. For ``avoid_locks`` and ``before`` see ``verify_rule``."""
    if not exemption.holds_on(today):
        return _failed(
            exemption,
            f"its exemption from {exemption.rule} ended on {exemption.until} ({exemption.reason})",
            "repair the object, or give the exemption a new end and say why",
        )
    findings = _of_exempt(connection, contract, rule, today, avoid_locks=avoid_locks, before=before)
    if any(finding.object == exemption.object for finding in findings):
        let = exemption.let_stand(exemption.rule, exemption.object)
        return Verdict(examined=1, unit=EXEMPTIONS, evidence=(let.reason,), exempted=(let,))
    others = [finding.object for finding in findings]
    return _failed(
        exemption,
        f"its exemption from {exemption.rule} matches no finding any more"
        f"{closest(exemption.object, others) if others else ''}",
        "take the exemption out, so that the rule guards the object again",
    )


def _of_exempt(
    connection: Connection,
    contract: RlsContract,
    rule: Rule,
    today: date,
    *,
    avoid_locks: bool,
    before: AskedBefore | None,
) -> tuple[Finding, ...]:
    """What the rule finds of all that is exempt from it, proved together: a proof looks at the
    whole schema first, of however few tables it is made."""
    before = before or AskedBefore()
    # What a proof finds in a policy, it finds of a table.
    only = frozenset(each.rpartition(" ON ")[2] for each in _exempt_from(contract, rule.id, today))
    known = f"exempt {rule.id}"
    if known not in before.proved:
        before.proved[known] = judge_rule(
            connection, contract, rule, only=only, avoid_locks=avoid_locks, before=before
        )
    return before.proved[known].findings


def _exempt_from(contract: RlsContract, rule: str, today: date) -> frozenset[str]:
    """The objects that are exempt from a rule today."""
    return frozenset(
        exemption.object
        for exemption in contract.exemptions
        if exemption.rule == rule and exemption.holds_on(today)
    )


def _failed(exemption: RuleExemption, detail: str, fix: str) -> Verdict:
    return Verdict(
        examined=1,
        unit=EXEMPTIONS,
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
