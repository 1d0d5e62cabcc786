"""The names in ``rls.toml``: every schema and role must be there, and hold something to protect."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.checks.rls.tables import read_tables
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.checks.rules.declared_names import missing_names, roles_out_of_reach
from pytest_housekeeping.checks.rules.scope import rls_scope, run_readonly, scoped_query
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.toml import closest
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

RLS_SCOPE = "rls-scope"


def verify_scope(connection: Connection, contract: RlsContract) -> Verdict:
    """Every schema and role that the contract names is there, and one can act as the roles; so are
    the tables with public rows, and each is read by one of them.

    A schema without any table is a notice.
    """
    missing = missing_names(connection, contract.schemas, contract.roles)
    findings = [each.finding(RLS_SCOPE, "rls.toml") for each in missing]
    absent = {each.name for each in missing if each.kind == "role"}
    findings += roles_out_of_reach(
        connection, RLS_SCOPE, [role for role in contract.roles if role not in absent]
    )
    if not missing:
        findings += _public(connection, contract)
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
        examined=len(contract.schemas) + len(contract.roles) + len(contract.public),
        findings=tuple(findings),
        unit="schemas and roles",
    )


def _public(connection: Connection, contract: RlsContract) -> Iterator[Finding]:
    """What is wrong with the rows that are declared public."""
    if not contract.public:
        return
    tables = {table.object: table for table in read_tables(connection, rls_scope(contract))}
    tried = attempt_all(
        connection,
        [
            Attempt(statement=f"SELECT count(*) FROM {each.table} WHERE ({each.rows}) AND false")
            for each in contract.public
            if each.table in tables
        ],
    )
    answers = iter(tried)
    for each in contract.public:
        table = tables.get(each.table)
        detail = fix = ""
        if table is None:
            detail = "[[public]] of rls.toml names it, and it is no table of a protected schema"
            detail += closest(each.table, tables)
            fix = "correct its name, or take the entry out"
        elif (answer := next(answers)).sqlstate:
            detail = f"[[public]] of rls.toml says which of its rows are public: {answer}"
            fix = "correct the condition, rows"
        elif not any(privileges.may_read for privileges in table.privileges):
            detail = "its rows are declared public, and no role of rls.toml may read any"
            fix = "take the entry out of [[public]]"
        if detail:
            yield Finding(
                rule=RLS_SCOPE, level=Level.ERROR, object=each.table, detail=detail, fix=fix
            )
