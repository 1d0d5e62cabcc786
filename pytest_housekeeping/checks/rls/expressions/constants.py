"""The values that parts of policies have for a role in one context, read from the server.

A part is read as the role itself, with its settings: PostgreSQL evaluates the expressions of a
policy with the rights of the user who runs the query
(https://www.postgresql.org/docs/16/ddl-rowsecurity.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from pytest_housekeeping.checks.rls.expressions.context_only import ContextOnly
from pytest_housekeeping.checks.rls.expressions.readable import UnreadableExpression
from pytest_housekeeping.checks.rls.expressions.rewrite import ContextPart, PartValue, parts_of
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_all
from pytest_housekeeping.postgres.connection import Connection

Settings: TypeAlias = tuple[tuple[str, str], ...]
# By role and settings.
PartValues: TypeAlias = Mapping[tuple[str, Settings], Mapping[ContextPart, PartValue]]

# Classes of errors that come from how we ask or from the state of the server, not from the policy.
# https://www.postgresql.org/docs/16/errcodes-appendix.html
_NOT_THE_POLICY = ("08", "0A", "25", "2F", "34", "3", "40", "42", "5", "72", "F0", "HV", "XX")
_NAMELESS = frozenset({"record", "record[]", "unknown", "void"})


def read_part_values(
    connection: Connection,
    context_only: ContextOnly,
    asked: Iterable[tuple[str, Settings, str, str]],
) -> PartValues:
    """The value of every part of the expressions, for each (role, settings, setup, expression).

    A part that raises an error is NULL, with the error; one whose value cannot be told is left out.
    """
    wanted: dict[tuple[str, Settings, ContextPart], str] = {}
    for role, settings, setup, text in asked:
        try:
            for part in parts_of(text, context_only):
                wanted.setdefault((role, settings, part), setup)
        except UnreadableExpression:
            continue
    keys = list(wanted)
    results = attempt_all(
        connection,
        [
            Attempt(role=role, settings=settings, setup=wanted[key], statement=statement)
            for key in keys
            for role, settings, part in (key,)
            for statement in (_value_query(part), _type_query(part))
        ],
    )
    found: dict[tuple[str, Settings], dict[ContextPart, PartValue]] = {}
    for number, (role, settings, part) in enumerate(keys):
        value = _part_value(part, results[2 * number], results[2 * number + 1], context_only)
        if value is not None:
            found.setdefault((role, settings), {})[part] = value
    return found


def _value_query(part: ContextPart) -> str:
    shown = "'text', q.v::text"
    if part.many:
        shown = (
            "'elements', CASE WHEN q.v IS NOT NULL THEN (SELECT coalesce("
            "pg_catalog.jsonb_agg(e.v::text), '[]') FROM pg_catalog.unnest(q.v) AS e (v)) END"
        )
    return (
        f"SELECT pg_catalog.jsonb_build_object('type', pg_catalog.pg_typeof(q.v)::text, {shown})"
        f" FROM (SELECT ({part.text})) AS q (v)"
    )


def _type_query(part: ContextPart) -> str:
    """Asks for the type alone: of a CASE that is never true nothing is evaluated."""
    return (
        "SELECT pg_catalog.pg_typeof("
        f"CASE WHEN pg_catalog.random() < 0 THEN ({part.text}) END)::text"
    )


def _part_value(
    part: ContextPart, value: AttemptResult, type: AttemptResult, context_only: ContextOnly
) -> PartValue | None:
    if value.sqlstate:
        if not _comes_from_policy(value, context_only) or type.sqlstate or type.value in _NAMELESS:
            return None
        return PartValue(type=_element_type(part, type.value), raised=str(value))
    if value.value["type"] in _NAMELESS:
        return None
    if part.many:
        elements = value.value["elements"]
        return PartValue(
            type=_element_type(part, value.value["type"]),
            elements=None if elements is None else tuple(elements),
        )
    return PartValue(type=value.value["type"], text=value.value["text"])


def _element_type(part: ContextPart, type: str) -> str:
    return type.removesuffix("[]") if part.many else type


def _comes_from_policy(result: AttemptResult, context_only: ContextOnly) -> bool:
    """Whether every session with this context would meet the error."""
    if result.refused:
        return True
    if result.sqlstate == "42704":  # current_setting() of a setting that is absent
        return any(
            name in result.message.lower() for name in (*context_only.settings, "hk_absent.")
        )
    return not result.sqlstate.startswith(_NOT_THE_POLICY)
