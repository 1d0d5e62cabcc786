"""The classical slips, made out of the user's own schema: one small change each, with its name.

A slip is what a tired person writes: a policy dropped or always true, row-level security off, one
grant too many. Each is SQL made from what the catalog holds, with every name quoted by PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from pytest_housekeeping.declarations.boundaries import FORBIDDEN, Boundaries, Contract
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.sql.identifiers import split_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One slip: ``sql`` plants it, ``caught_by`` names the rules that are meant for it.

    ``table``: the one whose isolation it weakens; empty for a slip against a boundary.
    """

    slip: str
    object: str
    sql: str
    caught_by: tuple[str, ...]
    table: str = ""

    def __str__(self) -> str:
        return f"{self.object}: {self.slip}"


def rls_mutants(connection: Connection, contract: RlsContract) -> list[Mutant]:
    """Slips in policies, tables and views of the protected schemas. Only in a transaction."""
    parameters = {"schemas": list(contract.schemas), "roles": list(contract.roles)}
    with rolled_back(connection):
        # With an empty search_path expressions are printed with every schema named.
        connection.execute("SET LOCAL search_path = ''")
        policies = connection.execute(_POLICIES, parameters).fetchall()
        tables = connection.execute(_TABLES, parameters).fetchall()
        views = connection.execute(_VIEWS, parameters).fetchall()
    found = [mutant for row in policies for mutant in _policy_mutants(*row)]
    found += [mutant for row in tables for mutant in _table_mutants(*row)]
    return [*found, *(_view_mutant(view) for (view,) in views)]


def boundary_mutants(connection: Connection, boundaries: Boundaries) -> list[Mutant]:
    """Slips against each forbidden contract: the grant, the membership, the definer function."""
    found: list[Mutant] = []
    for contract in boundaries.contracts:
        if contract.type == FORBIDDEN:
            found += _contract_mutants(connection, boundaries, contract)
    return found


def _table_mutants(table: str, forced: bool, role: str | None) -> Iterator[Mutant]:
    """``role``: one of the contract's that may read the table."""

    def slip(name: str, statement: str, caught_by: str) -> Mutant:
        return Mutant(slip=name, object=table, sql=statement, caught_by=(caught_by,), table=table)

    alter = f"ALTER TABLE {table}"
    yield slip("row-level security off", f"{alter} DISABLE ROW LEVEL SECURITY", "rls-not-enabled")
    if forced:
        yield slip("not forced", f"{alter} NO FORCE ROW LEVEL SECURITY", "rls-not-forced")
    if role:
        # Policies say nothing about TRUNCATE: it takes the rows of everybody.
        # https://www.postgresql.org/docs/16/ddl-rowsecurity.html
        grant = f"GRANT TRUNCATE ON {table} TO {role}"
        yield slip(f"TRUNCATE granted to {role}", grant, "privilege-on-whole-table")


def _view_mutant(view: str) -> Mutant:
    # Without security_invoker a view reads its tables with the rights of its owner:
    # https://www.postgresql.org/docs/16/sql-createview.html
    return Mutant(
        slip="security_invoker cleared",
        object=view,
        sql=f"ALTER VIEW {view} RESET (security_invoker)",
        caught_by=("view-without-security-invoker",),
        table=view,
    )


def _policy_mutants(
    policy: str,
    table: str,
    command: str,
    permissive: bool,
    roles: str,
    using: str | None,
    check: str | None,
) -> Iterator[Mutant]:
    where = f"{policy} ON {table}"

    def slip(name: str, statement: str, caught_by: tuple[str, ...]) -> Mutant:
        return Mutant(slip=name, object=where, sql=statement, caught_by=caught_by, table=table)

    drop = f"DROP POLICY {where}"
    yield slip("dropped", drop, ("rls-no-policy", "policy-missing"))
    if command != "INSERT" and using != "true":
        yield slip("USING (true)", f"ALTER POLICY {where} USING (true)", ("policy-always-true",))
    if command in ("ALL", "INSERT", "UPDATE") and check != "true":
        yield slip(
            "WITH CHECK (true)",
            f"ALTER POLICY {where} WITH CHECK (true)",
            ("policy-always-true", "policy-check-looser"),
        )
    kind = "RESTRICTIVE" if permissive else "PERMISSIVE"
    clauses = f" USING ({using})" if using is not None else ""
    clauses += f" WITH CHECK ({check})" if check is not None else ""
    yield slip(
        f"{kind.lower()} instead",
        f"{drop}; CREATE POLICY {policy} ON {table} AS {kind} FOR {command} TO {roles}{clauses}",
        ("rls-no-policy", "policy-differs"),
    )


def _contract_mutants(
    connection: Connection, boundaries: Boundaries, contract: Contract
) -> Iterator[Mutant]:
    source, target = boundaries.source(contract), boundaries.target(contract)
    name = contract.name
    tables = [sql.Identifier(*split_name(each)).as_string(connection) for each in target.tables]
    rows = connection.execute(_RELATIONS, {"schemas": list(target.schemas), "tables": tables})
    role = sql.Identifier(source.roles[0]).as_string(connection)
    home = sql.Identifier(source.schemas[0]).as_string(connection)
    first = ""
    for relation, schema in rows.fetchall():
        first = first or relation
        grant = f"GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON {relation} TO {role}"
        yield Mutant(
            slip=f"SELECT on {relation} granted to {role}",
            object=name,
            sql=grant,
            caught_by=("boundary-table-privilege",),
        )
    if first:
        body = f"SELECT pg_catalog.count(*) FROM {first}"
        yield Mutant(
            slip=f"a SECURITY DEFINER function of {home} that reads {first}",
            object=name,
            sql=f"CREATE FUNCTION {home}.hk_mutant() RETURNS bigint LANGUAGE sql STABLE"
            f" SECURITY DEFINER SET search_path = '' AS $hk${body}$hk$;"
            f" GRANT EXECUTE ON FUNCTION {home}.hk_mutant() TO {role}",
            caught_by=("boundary-function-body",),
        )
    for each in target.roles:
        other = sql.Identifier(each).as_string(connection)
        yield Mutant(
            slip=f"{other} granted to {role}",
            object=name,
            sql=f"GRANT {other} TO {role}",
            caught_by=("boundary-membership",),
        )


_POLICIES = """
SELECT pg_catalog.quote_ident(p.polname), pg_catalog.format('%%I.%%I', n.nspname, c.relname),
       CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                     WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
       p.polpermissive,
       (SELECT pg_catalog.string_agg(CASE WHEN r.oid = 0 THEN 'PUBLIC'
               ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r.oid)) END, ', ')
        FROM pg_catalog.unnest(p.polroles) AS r (oid)),
       pg_catalog.pg_get_expr(p.polqual, p.polrelid),
       pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_catalog.pg_policy AS p
JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND c.relrowsecurity
ORDER BY 2, 1
"""
_TABLES = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), c.relforcerowsecurity,
       (SELECT pg_catalog.quote_ident(r.rolname) FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = ANY (%(roles)s)
        AND pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT')
        ORDER BY r.rolname LIMIT 1)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p') AND c.relrowsecurity
ORDER BY 1
"""
# reloptions keeps a boolean as it was written.
_VIEWS = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind = 'v'
AND c.reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1']
ORDER BY 1
"""
_RELATIONS = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), pg_catalog.quote_ident(n.nspname)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
AND (n.nspname = ANY (%(schemas)s)
     OR pg_catalog.format('%%I.%%I', n.nspname, c.relname) = ANY (%(tables)s))
ORDER BY 1
"""
