"""Whether an expression that is printed differently after a restore still means the same.

PostgreSQL is asked: production's own text is executed in the restored database, in a transaction
that is rolled back, and has to be printed as what the restore made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import psycopg

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.compare.difference import Change, Difference
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.fingerprint import SchemaObject, read_fingerprint

_EXPRESSIONS = ("definition", "using", "with check", "default")
_SCHEMA = "hk_proof_said"


def same_when_restated(
    connection: Connection,
    differences: Iterable[Difference],
    parents: Mapping[str, str],
    excluded: tuple[str, ...],
) -> frozenset[str]:
    """The names of those differences that are no more than another spelling of an expression.

    ``before`` of each is production's text, ``after`` the restored one; ``parents`` leads from a
    name to the object that it goes with.
    """
    candidates = [each for each in differences if _only_expressions_differ(each)]
    if not candidates:
        return frozenset()
    said: dict[str, str] = {}
    connection.execute("BEGIN")
    try:
        connection.execute(f"CREATE SCHEMA {_SCHEMA}".encode())
        for number, each in enumerate(candidates):
            name, statements = _statements(each, parents.get(each.name, ""), number)
            if statements and _executed(connection, statements):
                said[each.name] = name
        read = read_fingerprint(connection, exclude_schemas=excluded, around=Around.NOTHING)
    finally:
        connection.execute("ROLLBACK")
    texts = {entry.name: entry for entry in read.entries}
    return frozenset(
        each.name
        for each in candidates
        if each.name in said and _equal(each, texts.get(said[each.name]))
    )


def _equal(difference: Difference, said: SchemaObject | None) -> bool:
    if said is None:
        return False
    wanted, found = _fields(difference.after), _fields(said.text)
    return all(wanted.get(key) == found.get(key) for key in _EXPRESSIONS)


def _only_expressions_differ(difference: Difference) -> bool:
    if difference.change is not Change.CHANGED:
        return False
    before, after = _fields(difference.before), _fields(difference.after)
    return before.keys() == after.keys() and all(
        key in _EXPRESSIONS for key in before if before[key] != after[key]
    )


def _executed(connection: Connection, statements: str) -> bool:
    connection.execute("SAVEPOINT said")
    try:
        connection.execute(statements.encode())
    except psycopg.Error:
        connection.execute("ROLLBACK TO SAVEPOINT said")
        return False
    connection.execute("RELEASE SAVEPOINT said")
    return True


def _statements(difference: Difference, parent: str, number: int) -> tuple[str, str]:
    """The object under which production's text can be read afterwards, and the statements that make
    it; no statements where none can."""
    fields, name = _fields(difference.before), difference.name
    definition = fields.get("definition", "").rstrip("; \n")
    kind, table, own = _own_name(name, parent)
    if kind in ("view", "materialized view"):
        said = f"{_SCHEMA}.v{number}"
        return f"view {said}", f"CREATE VIEW {said} AS {definition}"
    if kind == "constraint":
        altered = "DOMAIN" if parent.startswith("domain ") else "TABLE"
        return name, (
            f"ALTER {altered} {table} DROP CONSTRAINT {own};"
            f" ALTER {altered} {table} ADD CONSTRAINT {own} {definition}"
        )
    if kind == "policy":
        clauses = [
            f"{word} ({fields[word.lower()]})"
            for word in ("USING", "WITH CHECK")
            if word.lower() in fields
        ]
        return name, f"ALTER POLICY {own} ON {table} {' '.join(clauses)}"
    if kind == "column" and "default" in fields:
        return name, f"ALTER TABLE {table} ALTER {own} SET DEFAULT {fields['default']}"
    if kind in ("index", "rule", "trigger"):
        where = f" ON {table}" if kind != "index" else ""
        return name, f"DROP {kind} {own}{where}; {definition}"
    if kind in ("function", "procedure"):
        return name, definition
    return name, ""


def _own_name(name: str, parent: str) -> tuple[str, str, str]:
    """Kind, table (or domain) and own name of ``policy p on shop.orders``, ``column a.b.c``."""
    match = re.match(
        r"materialized view|view|constraint|policy|column|index|rule|trigger|function|procedure",
        name,
    )
    if match is None:
        return "", "", ""
    kind, own = match[0], name[match.end() + 1 :]
    table = re.sub(r"^(foreign table|materialized view|table|view|domain) ", "", parent)
    if kind == "column":
        return kind, table, own.removeprefix(f"{table}.")
    return kind, table, own.removesuffix(f" on {table}")


def _fields(text: str) -> dict[str, str]:
    """The lines of a text by what stands before the colon; an expression goes on over lines."""
    fields: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        start = re.match(r"([a-z][a-z ()]*): ", line)
        if start:
            key = start[1]
            fields[key] = line[start.end() :]
        elif key in _EXPRESSIONS and not line.startswith("grant "):
            fields[key] += f"\n{line}"
        else:
            key = ""
            fields[line] = ""
    return fields
