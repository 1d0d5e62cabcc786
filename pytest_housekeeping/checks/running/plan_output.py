"""NOT NULL columns that an INSERT leaves out, as the plan of it says.

For each column of the table the planner has an expression: what the statement gives, the default,
or NULL. https://www.postgresql.org/docs/16/sql-explain.html (VERBOSE)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.running.answers import NullWrite
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.parse import parsed

_NULL = re.compile(r"\(*NULL::")
_LEAVES_OUT = ("Append", "Merge Append")


@dataclass(frozen=True, kw_only=True, slots=True)
class InsertTarget:
    """The columns of a table in their order, dropped ones included. ``required``: NOT NULL, by
    itself or by its domain, and not computed. ``undefaulted``: nothing fills it in."""

    name: str
    columns: tuple[str, ...]
    required: frozenset[str]
    undefaulted: frozenset[str]
    by_trigger: bool


class InsertTargets:
    """The tables of a schema as an INSERT meets them, each read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, InsertTarget | None] = {}

    def of(self, name: str) -> InsertTarget | None:
        """The table that a name for SQL means, by the search_path where it has no schema."""
        if name not in self._known:
            row = self._connection.execute(_TARGET, (name,)).fetchone()
            self._known[name] = None
            if row is not None:
                self._known[name] = InsertTarget(
                    name=row[0],
                    columns=tuple(row[1]),
                    required=frozenset(row[2]),
                    undefaulted=frozenset(row[3]),
                    by_trigger=row[4],
                )
        return self._known[name]


def nulls_in_plan(plan: Any, targets: InsertTargets) -> Iterator[NullWrite]:
    """Of a plan as JSON: what each INSERT in it leaves without a value."""
    if plan.get("Node Type") == "ModifyTable" and plan.get("Operation") == "Insert":
        target = targets.of(quoted(plan.get("Schema", ""), plan.get("Relation Name", "")))
        if target is not None:
            given = zip(target.columns, _output(plan), strict=False)
            missing = {column for column, value in given if _NULL.match(value)}
            yield from _writes(target, missing & target.required)
    for child in plan.get("Plans", ()):
        yield from nulls_in_plan(child, targets)


def nulls_in_merge(text: str, targets: InsertTargets) -> Iterator[NullWrite]:
    """The same of a MERGE, whose plan does not show what it inserts."""
    for statement in parsed(text):
        if statement.name != "MergeStmt":
            continue
        relation = statement.body["relation"]
        parts = [part for part in (relation.get("schemaname"), relation["relname"]) if part]
        target = targets.of(quoted(*parts))
        for clause in statement.body.get("mergeWhenClauses", ()) if target else ():
            when: Mapping[str, Any] = clause["MergeWhenClause"]
            if target is not None and when.get("commandType") == "CMD_INSERT":
                yield from _writes(target, target.undefaulted - _given(when, target))


def _given(when: Mapping[str, Any], target: InsertTarget) -> set[str]:
    names = [each["ResTarget"]["name"] for each in when.get("targetList", ())]
    values = when.get("values", ())
    standing = [column for column in target.columns if column]
    return set(names or standing[: len(values)])


def _writes(target: InsertTarget, columns: set[str] | frozenset[str]) -> Iterator[NullWrite]:
    for column in sorted(columns):
        yield NullWrite(table=target.name, column=column, by_trigger=target.by_trigger)


def _output(plan: Any) -> Sequence[str]:
    """What is handed to the table: of its source, or of the first below that tells."""
    for child in plan.get("Plans", ()):
        if child.get("Parent Relationship") != "InitPlan":
            if child.get("Node Type") in _LEAVES_OUT and "Output" not in child:
                return _output(child)
            output: Sequence[str] = child.get("Output", ())
            return output
    return ()


# A domain may forbid NULL, or have a default, for the columns of its type.
_TARGET = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname),
    pg_catalog.array_agg(CASE WHEN a.attisdropped THEN '' ELSE a.attname::text END
        ORDER BY a.attnum),
    coalesce(pg_catalog.array_agg(a.attname::text) FILTER (WHERE r.required), '{}'),
    coalesce(pg_catalog.array_agg(a.attname::text) FILTER (WHERE r.required AND NOT a.atthasdef
        AND a.attidentity = '' AND t.typdefault IS NULL), '{}'),
    EXISTS (SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = c.oid
        AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype::int & 7 = 7)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
CROSS JOIN LATERAL (
    SELECT NOT a.attisdropped AND a.attgenerated = ''
        AND (a.attnotnull OR coalesce(t.typnotnull, false)) AS required
) AS r
WHERE c.oid = pg_catalog.to_regclass(%s)
GROUP BY c.oid, n.nspname, c.relname
"""
