"""One verification query of ``checks/queries/``: it must see every row, and must return none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.sql.identifiers import in_quotes
from pytest_housekeeping.sql.parse import Statement, SyntaxRefused, parse
from pytest_housekeeping.sql.password_literals import (
    UNSHOWN,
    holds_password,
    unshown,
    without_passwords,
)
from pytest_housekeeping.sql.text import place

SHOWN_ROWS = 20
SHOWN_CHARACTERS = 200
WHY = "a query that could not run has proved nothing"
_DECLARE = "DECLARE hk_query NO SCROLL CURSOR FOR "


@dataclass(frozen=True, kw_only=True, slots=True)
class _QueryRows:
    """The first rows as text, and how many there are in all."""

    rows: tuple[str, ...]
    count: int


def verify_query(connection: Connection, name: str, text: str) -> Verdict:
    """Run one query in a savepoint that is READ ONLY and always rolled back.

    Each row is a finding; the first 20 are shown. Examined are the relations that the query reads
    by name, views followed to their tables; none is no pass. A table whose rows row-level security
    may hide from the current user is a finding too, since finding nothing in it proves nothing:
    https://www.postgresql.org/docs/16/ddl-rowsecurity.html

    Raises RuleBroken when the text is not one SELECT, WITH or VALUES, or when it fails or writes.
    Only inside an open transaction.
    """
    statement = _single_select(name, text)
    named = sorted(_relations(statement.body, frozenset()))
    try:
        with rolled_back(connection):
            # Read only holds for the subtransaction, and rolling back to the savepoint ends it.
            connection.execute("SET LOCAL transaction_read_only = on")
            found = _run_query(connection, text)
            read = connection.execute(_READ, {"named": [in_quotes(*entry) for entry in named]})
            relations = [(str(relation), bool(hidden)) for relation, hidden in read]
    except psycopg.Error as error:
        raise _broken(name, text, error) from error
    findings = [*_rows(name, text, found), *_hidden_rows(name, relations)]
    if not relations:
        findings.append(_examines_nothing(name))
    return Verdict(
        examined=len(relations),
        findings=tuple(findings),
        unit="relations",
        evidence=tuple(relation for relation, _ in relations),
    )


def describe(text: str) -> str:
    """The comment at the top of a query: what it says must hold."""
    lines = []
    for line in text.removeprefix("\ufeff").splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(line for line in lines if line and not line.startswith("hk:"))


def _single_select(name: str, text: str) -> Statement:
    fix = "write one SELECT, WITH or VALUES that returns a row for each breach"
    try:
        statements = parse(text)
    except SyntaxRefused as error:
        line, column = place(text, error.offset)
        said = UNSHOWN if holds_password(text) else error.message
        found = f"{name}:{line}:{column}: {said}"
        raise RuleBroken(found, why=WHY, fix="correct the query") from None
    if len(statements) != 1:
        raise RuleBroken(f"{name} holds {len(statements)} statements, not one", why=WHY, fix=fix)
    statement = statements[0]
    if statement.name != "SelectStmt" or "intoClause" in statement.body:
        found = f"{name} is not a query that only reads"
        raise RuleBroken(found, why="a check that writes would change what it proves", fix=fix)
    return statement


def _run_query(connection: Connection, text: str) -> _QueryRows:
    """The first rows, and how many there are; the others never leave the server."""
    connection.execute((_DECLARE + text).encode())
    cursor = connection.execute(f"FETCH {SHOWN_ROWS} FROM hk_query".encode())
    rows = tuple(_shown(cursor))
    more = connection.execute("MOVE ALL FROM hk_query").rowcount
    connection.execute("CLOSE hk_query")
    return _QueryRows(rows=rows, count=len(rows) + more)


def _shown(cursor: psycopg.Cursor[tuple[Any, ...]]) -> Iterator[str]:
    """Rows as text, with values as PostgreSQL writes them: not all have a counterpart in Python."""
    result, columns = cursor.pgresult, cursor.description or ()
    if result is None:
        return
    for row in range(result.ntuples):
        values = (result.get_value(row, n) for n in range(result.nfields))
        texts = ("NULL" if v is None else v.decode(errors="replace") for v in values)
        pairs = (f"{column.name}={text}" for column, text in zip(columns, texts, strict=True))
        shown = ", ".join(pairs) or "a row without columns"
        yield shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "…"


def _rows(name: str, text: str, found: _QueryRows) -> Iterator[Finding]:
    fix = describe(text) or "see the query"
    for number, row in enumerate(found.rows, start=1):
        detail = f"row {number} of {found.count}: {row}"
        yield Finding(rule="query-rows", level=Level.ERROR, object=name, detail=detail, fix=fix)
    if found.count > len(found.rows):
        detail = f"{found.count} rows in all, the first {len(found.rows)} are shown"
        yield Finding(rule="query-rows", level=Level.NOTICE, object=name, detail=detail)


def _hidden_rows(name: str, relations: list[tuple[str, bool]]) -> Iterator[Finding]:
    for relation, hidden in relations:
        if hidden:
            yield Finding(
                rule="query-blind",
                level=Level.ERROR,
                object=relation,
                detail=f"row-level security hides rows of it from {name}:"
                " finding nothing proves nothing",
                fix="write the check as checks/test_*.py and query as a role with its context:"
                " with hk_role(...) as conn",
            )


def _examines_nothing(name: str) -> Finding:
    return Finding(
        rule="query-examines-nothing",
        level=Level.ERROR,
        object=name,
        detail="the query names no table or view, so that it can never find anything",
        fix="name the relations in the query itself; what a function reads is not seen",
    )


def _broken(name: str, text: str, error: psycopg.Error) -> RuleBroken:
    where, position = name, error.diag.statement_position
    if position is not None and int(position) > len(_DECLARE):
        line, column = place(text, int(position) - len(_DECLARE) - 1)
        where = f"{name}:{line}:{column}"
    told = [error.diag.message_primary or str(error), *filter(None, [error.diag.message_detail])]
    found = ": ".join([where, without_passwords(": ".join(told), text, *told) or unshown(text)])
    if error.sqlstate:
        found += f" (SQLSTATE {error.sqlstate})"
    if error.sqlstate == "25006":
        why = "a check that writes would change what it proves"
        return RuleBroken(found, why=why, fix="let the query only read")
    return RuleBroken(found, why=WHY, fix=error.diag.message_hint or "correct the query")


def _relations(node: Any, common: frozenset[str]) -> set[tuple[str, ...]]:
    """The relations that a parse tree names; names of its own WITH queries are none."""
    if isinstance(node, list):
        return set().union(*(_relations(entry, common) for entry in node))
    if not isinstance(node, dict):
        return set()
    found: set[tuple[str, ...]] = set()
    if "withClause" in node:
        clause = node["withClause"]
        queries = [entry["CommonTableExpr"] for entry in clause.get("ctes", [])]
        if clause.get("recursive"):
            common |= {query["ctename"] for query in queries}
        for query in queries:
            found |= _relations(query, common)
            common |= {query["ctename"]}
    if "relname" in node:
        own = "schemaname" not in node and node["relname"] in common
        parts = (node.get("schemaname"), node["relname"])
        return found if own else found | {tuple(part for part in parts if part)}
    rest = (value for key, value in node.items() if key != "withClause")
    return found.union(*(_relations(value, common) for value in rest))


# Who reads: the current user, and behind a view its owner, unless it is a security_invoker view.
# Row security binds a reader unless he bypasses it, or owns a table that does not force it.
_READ = """
WITH RECURSIVE reached (relation, reader) AS (
    SELECT pg_catalog.to_regclass(named)::oid, r.oid
    FROM pg_catalog.unnest(%(named)s::text[]) AS named
    JOIN pg_catalog.pg_roles AS r ON r.rolname = current_user
    WHERE pg_catalog.to_regclass(named) IS NOT NULL
    UNION
    SELECT d.refobjid, CASE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_options_to_table(v.reloptions)
            WHERE option_name = 'security_invoker' AND option_value::boolean
        ) THEN current_user::pg_catalog.regrole::oid ELSE v.relowner END
    FROM reached
    JOIN pg_catalog.pg_class AS v ON v.oid = reached.relation AND v.relkind = 'v'
    JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = v.oid
    JOIN pg_catalog.pg_depend AS d ON d.objid = w.oid AND d.refobjid <> v.oid
        AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
)
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), pg_catalog.bool_or(
    c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
    AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE')))
FROM reached
JOIN pg_catalog.pg_class AS c ON c.oid = reached.relation
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles AS r ON r.oid = reached.reader
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
"""
