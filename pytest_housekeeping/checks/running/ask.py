"""Statements prepared on a schema, as an application would, and planned; nothing of them is run.

They are prepared by the protocol, as drivers do it: names, types and overloads are decided then.
What an execution would be refused for before it touches a row is decided when it is planned: that
an ON CONFLICT has its index, and that the role may.
https://www.postgresql.org/docs/16/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from psycopg import pq

from pytest_housekeeping.checks.code.resolve.statements import statement_node
from pytest_housekeeping.checks.running.answers import Answer, NullWrite, Question, Refusal
from pytest_housekeeping.checks.running.plan_output import (
    InsertTargets,
    nulls_in_merge,
    nulls_in_plan,
)
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.sql.parse import PLANNED

_NAME = b"hk_running"
_BACK = b"ROLLBACK TO SAVEPOINT hk_running"
_GONE = _BACK + b"; DEALLOCATE hk_running"
_Columns = tuple[tuple[str, int, int], ...]


def ask(connection: Connection, questions: Iterable[Question]) -> dict[Question, Answer]:
    """What the server says of each, as the role and with the search_path of the connection.

    Only inside an open transaction; nothing stays of it.
    """
    with rolled_back(connection):
        # An application has not switched it off, which a run of this tool does for its own session.
        connection.execute(
            "SET LOCAL row_security = on; SET LOCAL plan_cache_mode = force_generic_plan"
        )
        asking = _Asking(connection)
        connection.execute("SAVEPOINT hk_running")
        answers = {question: asking.ask(question) for question in dict.fromkeys(questions)}
        types = _type_names(connection, asking.described.values())
    for question, (parameters, columns) in asking.described.items():
        answers[question] = replace(
            answers[question],
            parameters=tuple(types[oid, -1] for oid in parameters),
            columns=tuple(f"{name} {types[oid, mod]}" for name, oid, mod in columns),
            types=(*parameters, *(oid for _, oid, _ in columns)),
        )
    return answers


class _Asking:
    """One schema and one role: ``described`` is what a client is told of what can be prepared."""

    def __init__(self, connection: Connection) -> None:
        self.described: dict[Question, tuple[tuple[int, ...], _Columns]] = {}
        self._pgconn = connection.pgconn
        self._targets = InsertTargets(connection)
        rows = connection.execute(_DOMAINS).fetchall()
        self._bases: dict[int, int] = dict(rows)

    def ask(self, question: Question) -> Answer:
        text, node = question.text.encode(), statement_node(question.text)
        prepared = self._pgconn.prepare(_NAME, text, question.types or None)
        if prepared.status != pq.ExecStatus.COMMAND_OK:
            self._pgconn.exec_(_BACK)
            return Answer(refused=_refusal(prepared))
        found = self._pgconn.describe_prepared(_NAME)
        parameters = tuple(found.param_type(n) for n in range(found.nparams))
        self.described[question] = (
            parameters,
            tuple(
                ((found.fname(n) or b"").decode(), found.ftype(n), found.fmod(n))
                for n in range(found.nfields)
            ),
        )
        answer = self._planned(question, node, parameters) if node in PLANNED else Answer()
        self._pgconn.exec_(_GONE)
        return answer

    def _planned(self, question: Question, node: str, parameters: tuple[int, ...]) -> Answer:
        plain = tuple(self._plain(oid) for oid in parameters)
        if plain != parameters:
            # NULL, given for a parameter that is of a domain, may be refused by the domain.
            self._pgconn.exec_(b"DEALLOCATE hk_running")
            self._pgconn.prepare(_NAME, question.text.encode(), plain)
        nothing = f"({', '.join(['NULL'] * len(parameters))})" if parameters else ""
        command = f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) EXECUTE hk_running{nothing}"
        planned = self._pgconn.exec_(command.encode())
        if planned.status != pq.ExecStatus.TUPLES_OK:
            return Answer(unplanned=_refusal(planned))
        nulls = list(_nulls(json.loads(planned.get_value(0, 0) or b"[]"), self._targets))
        if node == "MergeStmt":
            nulls += nulls_in_merge(question.text, self._targets)
        return Answer(nulls=frozenset(nulls))

    def _plain(self, oid: int) -> int:
        """The type below a domain; one domain may be made of another."""
        while oid in self._bases:
            oid = self._bases[oid]
        return oid


def _nulls(plans: Any, targets: InsertTargets) -> Iterator[NullWrite]:
    # A rule may have made several statements of one.
    for each in plans:
        if "Plan" in each:
            yield from nulls_in_plan(each["Plan"], targets)


def _refusal(result: pq.abc.PGresult) -> Refusal:
    def field(name: pq.DiagnosticField) -> str:
        return (result.error_field(name) or b"").decode(errors="replace")

    return Refusal(
        sqlstate=field(pq.DiagnosticField.SQLSTATE),
        message=field(pq.DiagnosticField.MESSAGE_PRIMARY),
        position=int(field(pq.DiagnosticField.STATEMENT_POSITION) or 0),
    )


def _type_names(
    connection: Connection, described: Iterable[tuple[tuple[int, ...], _Columns]]
) -> Mapping[tuple[int, int], str]:
    """Types as one writes them, with their schema; of a row type its columns as well."""
    wanted = {(oid, -1) for parameters, _ in described for oid in parameters}
    wanted |= {(oid, mod) for _, columns in described for _, oid, mod in columns}
    if not wanted:
        return {}
    connection.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)")
    oids, mods = zip(*sorted(wanted), strict=True)
    rows = connection.execute(_TYPES, (list(oids), list(mods))).fetchall()
    return {(oid, mod): name for oid, mod, name in rows}


_DOMAINS = """
SELECT t.oid::bigint, t.typbasetype::bigint FROM pg_catalog.pg_type AS t WHERE t.typtype = 'd'
"""
_TYPES = """
SELECT w.oid::bigint, w.mod, coalesce(pg_catalog.format_type(w.oid, w.mod), '?') || coalesce((
    SELECT '(' || pg_catalog.string_agg(a.attname || ' '
        || pg_catalog.format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) || ')'
    FROM pg_catalog.pg_type AS t
    LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = coalesce(e.typrelid, t.typrelid)
    WHERE t.oid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
), '')
FROM ROWS FROM (pg_catalog.unnest(%s::oid[]), pg_catalog.unnest(%s::int[])) AS w (oid, mod)
"""
