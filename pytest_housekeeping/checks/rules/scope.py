"""What the contracts name must be there, and the roles must be ones that can be acted as."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.checks.rules.evaluation import run_readonly, scope_of_rls, select
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.toml import closest
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

RLS_SCOPE = "rls-scope"


def verify_scope(connection: Connection, contract: RlsContract) -> Verdict:
    """Every schema and role that the contract names is there, and the roles can be acted as."""
    missing = missing_names(connection, contract.schemas, contract.roles)
    findings = [
        error_finding(
            RLS_SCOPE, name, f"the {kind} is declared in rls.toml and not there{hint}", fix
        )
        for kind, name, hint, fix in missing
    ]
    absent = {name for kind, name, _, _ in missing if kind == "role"}
    findings += cannot_act(connection, RLS_SCOPE, [r for r in contract.roles if r not in absent])
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


def missing_names(
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


def cannot_act(connection: Connection, rule: str, roles: Sequence[str]) -> list[Finding]:
    """Roles that the migrator may not take on: whatever they answer would prove nothing."""
    findings = []
    for role in roles:
        try:
            attempt_all(connection, [Attempt(role=role, statement="SELECT 1")])
        except RuleBroken as error:
            findings.append(
                error_finding(
                    rule,
                    role,
                    f"the migrator cannot act as this role: {error.found}",
                    "GRANT the role to the migrator",
                )
            )
    return findings


def error_finding(rule: str, object: str, detail: str, fix: str) -> Finding:
    return Finding(rule=rule, level=Level.ERROR, object=object, detail=detail, fix=fix)
