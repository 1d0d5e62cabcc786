"""Bodies of functions that are kept as text: what they name is looked up when they are called.

What depends on a name is recorded of a view, and of a body that is no text; both stand in the way
of a DROP. Of a text nothing is recorded: https://www.postgresql.org/docs/16/ddl-depend.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.code.resolve.search_path import set_search_path, split_path
from pytest_housekeeping.checks.running.answers import Answer, Question
from pytest_housekeeping.checks.running.ask import ask
from pytest_housekeeping.checks.running.body_text import (
    Body,
    BodyStatement,
    Variable,
    read_plpgsql_body,
    read_sql_body,
)
from pytest_housekeeping.postgres.acting import as_role
from pytest_housekeeping.postgres.connection import Connection

_INPUT = "biv"


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyPlace:
    """Where a statement of a body stands; another ``source`` is another body. ``table``: of a
    trigger's function, the type of the rows that it is called for."""

    routine: str
    source: str
    table: str
    number: int
    line: int


@dataclass(frozen=True, kw_only=True)
class BodyState:
    """What the bodies are answered on a schema: by place, for each search_path that calls them."""

    answers: Mapping[BodyPlace, Mapping[str, tuple[Question, Answer]]]
    routines: int
    undecided: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Routine:
    name: str
    signature: str
    language: str
    source: str
    arguments: tuple[Variable, ...]
    path: str | None
    tables: tuple[str, ...]


def read_bodies(connection: Connection, paths: Iterable[tuple[str, ...]]) -> BodyState:
    """Ask for each statement in the body of a function, as whoever may do anything.

    A function without a search_path of its own runs in that of its caller: in each of ``paths``.
    """
    callers = tuple(dict.fromkeys(paths))
    answers: dict[BodyPlace, dict[str, tuple[Question, Answer]]] = {}
    undecided: dict[str, None] = {}
    asked: dict[tuple[str, ...], list[tuple[BodyPlace, BodyStatement]]] = {}
    routines = list(_routines(connection))
    for routine in routines:
        own = (split_path(routine.path),) if routine.path is not None else callers
        for table, body in _bodies(routine):
            if body.undecided:
                undecided[routine.signature] = None
            for number, statement in enumerate(body.statements):
                place = BodyPlace(
                    routine=routine.signature,
                    source=routine.source,
                    table=table,
                    number=number,
                    line=statement.line,
                )
                for path in own:
                    asked.setdefault(path, []).append((place, statement))
    for path, entries in asked.items():
        with as_role(connection, connection.info.user):
            set_search_path(connection, path)
            types = _type_oids(connection, [each for _, each in entries])
            questions = {
                (place, statement): Question(
                    text=statement.text,
                    types=tuple(types.get(each, 0) for each in statement.parameters),
                )
                for place, statement in entries
            }
            found = ask(connection, questions.values())
        for (place, _), question in questions.items():
            answers.setdefault(place, {})[", ".join(path)] = question, found[question]
    return BodyState(answers=answers, routines=len(routines), undecided=tuple(undecided))


def _bodies(routine: _Routine) -> Iterator[tuple[str, Body]]:
    """One; of a trigger's function one for each table that it is on, with the table's row type."""
    if routine.language == "sql":
        yield "", read_sql_body(routine.source, routine.name, routine.arguments)
        return
    for table in routine.tables or ("",):
        rows = dict.fromkeys(("new", "old"), table) if table else {}
        yield table, read_plpgsql_body(routine.source, routine.name, routine.arguments, rows)


def _routines(connection: Connection) -> Iterator[_Routine]:
    for row in connection.execute(_ROUTINES).fetchall():
        name, signature, language, source, names, modes, types, path, tables = row
        yield _Routine(
            name=name,
            signature=signature,
            language=language,
            source=source,
            arguments=tuple(_arguments(names, modes, types)),
            path=path,
            tables=tuple(tables),
        )


def _arguments(
    names: Sequence[str], modes: Sequence[str], types: Sequence[tuple[str, bool]] | Any
) -> Iterator[Variable]:
    number = 0
    for place, (type_name, is_row) in enumerate(types):
        mode = modes[place] if modes else "i"
        number += mode in _INPUT
        name = names[place] if names else ""
        yield Variable(
            name=name or f"hk_argument_{place}",
            type=type_name,
            number=number if mode in _INPUT else 0,
            is_row=is_row == "t",
        )


def _type_oids(connection: Connection, statements: Iterable[BodyStatement]) -> Mapping[str, int]:
    """The OIDs of types as they are written, in this search_path; of what is none, none."""
    wanted = sorted({each for statement in statements for each in statement.parameters if each})
    found = {each: int(each[1:]) for each in wanted if each.startswith("#")}
    for written in (each for each in wanted if each not in found):
        plain, percent, what = written.partition("%")
        if percent and what.lower() == "type":
            table, _, column = plain.rpartition(".")
            row = connection.execute(_COLUMN_TYPE, (table, column)).fetchone()
        elif percent:
            row = connection.execute(_ROW_TYPE, (plain,)).fetchone()
        else:
            row = connection.execute(_TYPE, (plain,)).fetchone()
        if row is not None and row[0]:
            found[written] = int(row[0])
    return found


# What belongs to an extension is its own, and comes with it. A type that a value decides when the
# function is called (anyelement) is none that could be said here.
_ROUTINES = r"""
SELECT p.proname::text,
    pg_catalog.format('%I.%I(%s)', n.nspname, p.proname,
        pg_catalog.pg_get_function_identity_arguments(p.oid)),
    l.lanname::text,
    CASE WHEN p.prosqlbody IS NULL THEN p.prosrc ELSE pg_catalog.pg_get_function_sqlbody(p.oid) END,
    coalesce(p.proargnames, '{}'),
    coalesce(p.proargmodes::text[], '{}'),
    coalesce((
        SELECT pg_catalog.array_agg(ARRAY[
            CASE WHEN t.typtype = 'p' THEN '' ELSE '#' || t.oid END,
            CASE WHEN t.typtype = 'c' THEN 't' ELSE 'f' END
        ] ORDER BY a.place)
        FROM pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]))
            WITH ORDINALITY AS a (type, place)
        JOIN pg_catalog.pg_type AS t ON t.oid = a.type
    ), '{}'),
    (SELECT pg_catalog.substr(c.setting, 13) FROM pg_catalog.unnest(p.proconfig) AS c (setting)
     WHERE c.setting LIKE 'search_path=%'),
    coalesce((
        SELECT pg_catalog.array_agg(DISTINCT '#' || c.reltype)
        FROM pg_catalog.pg_trigger AS g
        JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
        WHERE g.tgfoid = p.oid AND NOT g.tgisinternal AND g.tgparentid = 0
    ), '{}')
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE l.lanname IN ('sql', 'plpgsql') AND n.nspname !~ '^pg_'
    AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
            AND d.deptype = 'e')
ORDER BY 2
"""
_TYPE = "SELECT pg_catalog.to_regtype(%s)::oid::bigint"
_ROW_TYPE = """
SELECT c.reltype::bigint FROM pg_catalog.pg_class AS c WHERE c.oid = pg_catalog.to_regclass(%s)
"""
_COLUMN_TYPE = """
SELECT a.atttypid::bigint FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = pg_catalog.to_regclass(%s) AND a.attname = %s AND NOT a.attisdropped
"""
