"""Which columns of the catalog the checks read, and which of them a statement changes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_housekeeping import checks, postgres, promotion
from pytest_housekeeping.checks.rules.scope import RuleScope, scoped_query
from pytest_housekeeping.postgres.connection import Connection
from support.fresh_copy import ROOT
from support.guarded import RULES

Column = tuple[str, str]

_RELATION = re.compile(r"RTEPERMISSIONINFO :relid (\d+) [^{}]*?:selectedCols \(b([ \d]*)\)")
# A bit of the set stands for the column's number plus this, so that system columns have one.
_FIRST_BIT = 7


def read_by_queries(connection: Connection) -> set[Column]:
    """What the queries of the rules, and those of this project's own checks, read.

    Each is made a view: PostgreSQL itself resolves the names, and notes with the view which columns
    of each relation whoever asks it has to be able to read. Views of the catalog are followed.
    """
    queries = [
        scoped_query(
            connection,
            RuleScope(),
            "SELECT * FROM hk_finding",
            extra=f"hk_finding AS (\n{rule.query}\n)",
        ).decode()
        for rule in RULES.values()
    ]
    queries += [path.read_text() for path in sorted((ROOT / "checks" / "queries").glob("*.sql"))]
    for number, query in enumerate(queries):
        text = re.sub(r";\s*\Z", "", query)
        connection.execute(
            f"CREATE VIEW hk_asks_{number} AS SELECT 1 FROM ({text}\n) AS q".encode()
        )
    views = [f"hk_asks_{number}" for number in range(len(queries))]
    return set(_columns_of(connection, views))


def _columns_of(connection: Connection, views: Iterable[str]) -> Iterator[Column]:
    seen: set[str] = set()
    left = list(views)
    while left:
        view = left.pop()
        if view in seen:
            continue
        seen.add(view)
        (tree,) = connection.execute(
            "SELECT ev_action::text FROM pg_rewrite WHERE ev_class = %s::regclass", (view,)
        ).fetchone() or ("",)
        for oid, bits in _RELATION.findall(tree):
            name, kind, schema = _relation(connection, int(oid))
            if kind == "v":
                left.append(name)
            elif schema == "pg_catalog":
                numbers = [int(bit) - _FIRST_BIT for bit in bits.split()]
                yield from ((name, column) for column in _columns(connection, name, numbers))


def read_by_code(connection: Connection) -> set[Column]:
    """What the texts in the modules of checks, promotion and transaction name: too much at most.

    Their queries are put together as they run, so what counts is each column of a catalog that a
    module names, in a module that names one of its own.
    """
    known: dict[str, set[str]] = {}
    for catalog, column in connection.execute(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute JOIN pg_class AS c"
        " ON c.oid = attrelid AND relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'"
        " WHERE attnum > 0 AND attrelid < 16384"
    ):
        known.setdefault(catalog, set()).add(column)
    found: set[Column] = set()
    for package in (checks, postgres, promotion):
        for path in Path(package.__path__[0]).rglob("*.py"):
            words = set(re.findall(r"\w+", "\n".join(_texts(path))))
            catalogs = (words | {"pg_authid"} if "pg_roles" in words else words) & known.keys()
            found |= {(each, column) for each in catalogs for column in known[each] & words}
    return found


def _texts(path: Path) -> Iterator[str]:
    """The strings of a module that are no docstrings, those of f-strings too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "pg_" in node.value:
            yield node.value


def _relation(connection: Connection, oid: int) -> tuple[str, str, str]:
    row = connection.execute(
        "SELECT oid::regclass::text, relkind::text, relnamespace::regnamespace::text"
        " FROM pg_class WHERE oid = %s",
        (oid,),
    ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


def _columns(connection: Connection, name: str, numbers: Iterable[int]) -> Iterator[str]:
    """Their names; number 0 is the whole row."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND (attnum = ANY (%s) OR 0 = ANY (%s))",
        (name, list(numbers), list(numbers)),
    )
    yield from (row[0] for row in rows)


class Rows:
    """The rows of some catalogs as they were, to compare with those that a statement writes."""

    def __init__(self, connection: Connection, catalogs: Iterable[str]) -> None:
        self._connection = connection
        self._keys = dict(_keys(connection, sorted(catalogs)))
        self._before = dict(self._rows(""))

    def changed(self) -> set[Column]:
        """Columns of rows that were there before, and have another value in this transaction."""
        written = self._rows("WHERE t.xmin = pg_current_xact_id()::xid")
        return {
            (catalog, column)
            for (catalog, key), row in written
            for column, value in row.items()
            if value != self._before.get((catalog, key), row)[column]
        }

    def _rows(self, where: str) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
        query = " UNION ALL ".join(
            f"SELECT '{catalog}', concat_ws(' ', {key}), to_jsonb(t)::text"
            f" FROM pg_catalog.{catalog} AS t {where}"
            for catalog, key in self._keys.items()
        )
        for catalog, key, row in self._connection.execute(query.encode()):
            yield (catalog, key), json.loads(row)


def _keys(connection: Connection, catalogs: list[str]) -> Iterator[tuple[str, str]]:
    rows = connection.execute(
        "SELECT i.indrelid::regclass::text, string_agg('t.' || attname, ', ' ORDER BY a.attnum)"
        " FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid"
        " AND a.attnum = ANY (i.indkey) WHERE i.indisprimary AND i.indrelid < 16384"
        " AND i.indrelid::regclass::text = ANY (%s) GROUP BY i.indrelid",
        (catalogs,),
    )
    yield from ((row[0], row[1]) for row in rows)


def explained(reasons: Mapping[str, str]) -> dict[Column, str]:
    """``{"pg_class": {"oid": …}}`` written as ``pg_class.oid relname``, taken apart."""
    return {
        (name.partition(".")[0], column): reason
        for names, reason in reasons.items()
        for name in names.split()
        for column in [name.partition(".")[2]]
    }
