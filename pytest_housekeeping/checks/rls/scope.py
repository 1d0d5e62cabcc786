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

    A schema without any table is a notice, and what the roles reach in the schemas that the
    contract does not name.
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
    findings += _undeclared(connection, contract)
    return Verdict(
        examined=len(contract.schemas) + len(contract.roles) + len(contract.public),
        findings=tuple(findings),
        unit="schemas and roles",
    )


def _undeclared(connection: Connection, contract: RlsContract) -> Iterator[Finding]:
    """Relations of other schemas that the roles may read or write; nobody has said which rows."""
    (found,) = run_readonly(connection, scoped_query(connection, rls_scope(contract), _OUTSIDE))
    for each in found:
        names, count = each["names"], each["count"]
        more = f" and {count - len(names)} more" if count > len(names) else ""
        yield Finding(
            rule=RLS_SCOPE,
            level=Level.NOTICE,
            object=each["schema"],
            detail=f"{each['roles']} may use {', '.join(names)}{more} here, and rls.toml does not"
            " name the schema: whether they hold rows of somebody is judged by their shape alone",
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


_OUTSIDE = """
SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(s) ORDER BY s.schema), '[]')
FROM (
    SELECT
        n.object AS schema,
        pg_catalog.count(DISTINCT o.oid) AS count,
        (pg_catalog.array_agg(DISTINCT o.object ORDER BY o.object))[1:5] AS names,
        pg_catalog.string_agg(DISTINCT a.role_object, ', ' ORDER BY a.role_object) AS roles
    FROM hk_outside_access AS a
    INNER JOIN hk_outside AS o ON a.oid = o.oid
    INNER JOIN hk_any_schema AS n ON o.schema_oid = n.oid
    GROUP BY n.object
) AS s
"""
