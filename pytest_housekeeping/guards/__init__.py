"""The guards: judge one rule, one contract, one exemption, or what the contracts name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from pytest_housekeeping.boundary import Boundaries, Contract
from pytest_housekeeping.database import Connection
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.guards.context import prove_context
from pytest_housekeeping.guards.evaluation import (
    Scope,
    evaluate,
    findings_of,
    run_readonly,
    scope_of_contract,
    scope_of_rls,
    select,
)
from pytest_housekeeping.guards.isolation import prove_isolation
from pytest_housekeeping.guards.probe import Attempt, attempt_all
from pytest_housekeeping.guards.reach import prove_reach, prove_use
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.registry import Rule
from pytest_housekeeping.rls import Exemption, RlsContract
from pytest_housekeeping.strict_toml import closest

BOUNDARY = "boundary"
RLS_SCOPE = "rls-scope"
BOUNDARY_SCOPE = "boundary-scope"
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
) -> Verdict:
    """Judge one rule over the protected schemas, without what is exempt from it.

    ``reachable_only`` looks at tables on which an untrusted role holds a privilege, and takes
    what is undecided there as a warning: for a schema that is not finished yet.
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
        without=_declared_open(contract, today) | exempt if rule.proof else frozenset(),
    )
    return replace(
        verdict,
        findings=tuple(finding for finding in verdict.findings if finding.object not in exempt),
    )


def judge(
    connection: Connection,
    contract: RlsContract,
    rule: Rule,
    *,
    reachable_only: bool = False,
    only: str = "",
    without: frozenset[str] = frozenset(),
) -> Verdict:
    """Judge one rule with no regard to exemptions; a proof tries ``only`` one table, or all
    but some."""
    scope = scope_of_rls(contract, reachable_only=reachable_only)
    if rule.proof in _RLS_PROOFS:
        return _RLS_PROOFS[rule.proof](
            connection, contract, scope, rule, only=only, without=without
        )
    if rule.proof:
        raise _unknown_proof(rule)
    evaluation = evaluate(connection, scope, rule)
    return Verdict(examined=evaluation.examined, findings=findings_of(rule, evaluation.rows))


def verify_exemption(
    connection: Connection,
    contract: RlsContract,
    exemption: Exemption,
    rules: Iterable[Rule],
    *,
    today: date,
) -> Verdict:
    """An exemption must not have ended, and must still keep a finding away."""
    rule = next(rule for rule in rules if rule.id == exemption.rule)
    if rule.family == BOUNDARY:
        return _failed(
            EXEMPTION,
            exemption.object,
            f"{exemption.rule} is a rule about boundaries, which have no exemptions",
            "take the exemption out; change the contract, or carve a zone out of the target",
        )
    if not exemption.holds_on(today):
        return _failed(
            EXEMPTION,
            exemption.object,
            f"its exemption from {exemption.rule} ended on {exemption.until} ({exemption.reason})",
            "repair the object, or give the exemption a new end and say why",
        )
    verdict = judge(connection, contract, rule, only=exemption.object if rule.proof else "")
    if any(finding.object == exemption.object for finding in verdict.findings):
        return Verdict(examined=1, unit="exemptions", evidence=(exemption.reason,))
    others = [finding.object for finding in verdict.findings]
    return _failed(
        EXEMPTION,
        exemption.object,
        f"its exemption from {exemption.rule} matches no finding any more"
        f"{closest(exemption.object, others) if others else ''}",
        "take the exemption out, so that the rule guards the object again",
    )


def verify_scope(connection: Connection, contract: RlsContract) -> Verdict:
    """Every schema and role that the contract names is there, and the roles can be acted as."""
    missing = _missing(connection, contract.schemas, contract.roles)
    findings = [
        _error(RLS_SCOPE, name, f"the {kind} is declared in rls.toml and not there{hint}", fix)
        for kind, name, hint, fix in missing
    ]
    absent = {name for kind, name, _, _ in missing if kind == "role"}
    findings += _cannot_act(connection, RLS_SCOPE, [r for r in contract.roles if r not in absent])
    row = run_readonly(
        connection,
        select(
            connection,
            scope_of_rls(contract),
            "SELECT coalesce(pg_catalog.jsonb_agg(s.name ORDER BY s.name), '[]')"
            " FROM hk_schema AS s"
            " WHERE NOT EXISTS (SELECT FROM hk_any_table AS t WHERE t.schema_oid = s.oid)",
        ),
    )
    findings += [
        Finding(
            rule=RLS_SCOPE,
            level=Level.NOTICE,
            object=name,
            detail="no table stands in this schema: nothing is protected there",
        )
        for name in row[0]
    ]
    return Verdict(
        examined=len(contract.schemas) + len(contract.roles),
        findings=tuple(findings),
        unit="schemas and roles",
    )


def verify_contract(
    connection: Connection,
    boundaries: Boundaries,
    contract: Contract,
    rules: Iterable[Rule],
    *,
    behaviour: bool = True,
) -> Verdict:
    """Judge one contract by every boundary rule for its type.

    ``behaviour=False`` leaves out what is proved by acting as the source.
    Raises RuleBroken when a rule could not run.
    """
    source, target = boundaries.source(contract), boundaries.target(contract)
    scope = scope_of_contract(boundaries, contract)
    missing = _missing(connection, target.schemas, (*source.roles, *target.roles), target.tables)
    if missing:
        return Verdict(
            examined=0,
            findings=tuple(
                _error(
                    BOUNDARY_SCOPE,
                    name,
                    f"the {kind} is declared in boundaries.toml and not there{hint}",
                    fix,
                )
                for kind, name, hint, fix in missing
            ),
        )
    findings: list[Finding] = []
    evidence: list[str] = []
    examined = 0
    for rule in rules:
        if rule.family != BOUNDARY or rule.contract != contract.type:
            continue
        if rule.proof and not behaviour:
            continue
        verdict = judge_boundary(connection, scope, source.roles, rule)
        examined = max(examined, verdict.examined)
        findings += verdict.findings
        evidence += verdict.evidence
    return Verdict(examined=examined, findings=tuple(findings), evidence=tuple(evidence))


def judge_boundary(
    connection: Connection, scope: Scope, roles: Sequence[str], rule: Rule
) -> Verdict:
    """Judge one boundary rule."""
    if rule.proof in _BOUNDARY_PROOFS:
        cannot = _cannot_act(connection, rule.id, roles)
        if cannot:
            return Verdict(examined=0, findings=tuple(cannot))
        return _BOUNDARY_PROOFS[rule.proof](connection, scope, roles, rule)
    if rule.proof:
        raise _unknown_proof(rule)
    evaluation = evaluate(connection, scope, rule)
    return Verdict(examined=evaluation.examined, findings=findings_of(rule, evaluation.rows))


_RLS_PROOFS = {"context": prove_context, "isolation": prove_isolation}
_BOUNDARY_PROOFS = {"reach": prove_reach, "use": prove_use}


def _declared_open(contract: RlsContract, today: date) -> frozenset[str]:
    return frozenset(
        exemption.object
        for exemption in contract.exemptions
        if exemption.rule == _DECLARED_OPEN and exemption.holds_on(today)
    )


def _missing(
    connection: Connection,
    schemas: Sequence[str],
    roles: Sequence[str],
    tables: Sequence[str] = (),
) -> list[tuple[str, str, str, str]]:
    """Kind, name, hint and repair of what is declared and not there."""
    row = run_readonly(
        connection,
        b"SELECT (SELECT pg_catalog.array_agg(nspname::text) FROM pg_catalog.pg_namespace),"
        b" (SELECT pg_catalog.array_agg(rolname::text) FROM pg_catalog.pg_roles)",
    )
    there = {"schema": set(row[0]), "role": set(row[1])}
    found = [
        (
            kind,
            name,
            closest(name, _theirs(names)),
            f"create the {kind}, or correct its name",
        )
        for kind, names, wanted in (
            ("schema", there["schema"], schemas),
            ("role", there["role"], roles),
        )
        for name in wanted
        if name not in names
    ]
    for table in tables:
        with_name = connection.execute(
            "SELECT pg_catalog.to_regclass(%s) IS NOT NULL", (table,)
        ).fetchone()
        if with_name is None or not with_name[0]:
            found.append(("table", table, "", "create the table, or correct its name"))
    return found


def _theirs(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.startswith("pg_")}


def _cannot_act(connection: Connection, rule: str, roles: Sequence[str]) -> list[Finding]:
    """Roles that the migrator may not take on: whatever they answer would prove nothing."""
    findings = []
    for role in roles:
        try:
            attempt_all(connection, [Attempt(role=role, statement="SELECT 1")])
        except RuleBroken as error:
            findings.append(
                _error(
                    rule,
                    role,
                    f"the migrator cannot act as this role: {error.found}",
                    "GRANT the role to the migrator",
                )
            )
    return findings


def _error(rule: str, object: str, detail: str, fix: str) -> Finding:
    return Finding(rule=rule, level=Level.ERROR, object=object, detail=detail, fix=fix)


def _failed(rule: str, object: str, detail: str, fix: str) -> Verdict:
    return Verdict(examined=1, findings=(_error(rule, object, detail, fix),))


def _unknown_proof(rule: Rule) -> RuleBroken:
    return RuleBroken(
        f"rule {rule.id!r} asks for the proof {rule.proof!r}, which is not known",
        why="a rule whose proof is not made would pass unproved",
        fix=f"one of {', '.join(sorted((*_RLS_PROOFS, *_BOUNDARY_PROOFS)))}",
    )
