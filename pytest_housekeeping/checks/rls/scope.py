"""The names in ``rls.toml``: every schema and role must be there, and hold something to protect."""

from __future__ import annotations

from pytest_housekeeping.checks.rules.declared_names import missing_names, roles_out_of_reach
from pytest_housekeeping.checks.rules.scope import rls_scope, run_readonly, scoped_query
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

RLS_SCOPE = "rls-scope"


def verify_scope(connection: Connection, contract: RlsContract) -> Verdict:
    """Every schema and role that the contract names is there, and one can act as the roles.

    A schema without any table is a notice.
    """
    missing = missing_names(connection, contract.schemas, contract.roles)
    findings = [each.finding(RLS_SCOPE, "rls.toml") for each in missing]
    absent = {each.name for each in missing if each.kind == "role"}
    findings += roles_out_of_reach(
        connection, RLS_SCOPE, [role for role in contract.roles if role not in absent]
    )
    (empty,) = run_readonly(
        connection,
        scoped_query(
            connection,
            rls_scope(contract),
            "SELECT coalesce(pg_catalog.jsonb_agg(s.name ORDER BY s.name), '[]')"
            " FROM hk_schema AS s"
            " WHERE NOT EXISTS (SELECT FROM hk_any_table AS t WHERE t.schema_oid = s.oid)",
        ),
    )
    findings += [
        Finding(
            rule=RLS_SCOPE,
            level=Level.NOTICE,
            object=schema,
            detail="no table stands in this schema: nothing is protected there",
        )
        for schema in empty
    ]
    return Verdict(
        examined=len(contract.schemas) + len(contract.roles),
        findings=tuple(findings),
        unit="schemas and roles",
    )
