"""The values that parts of policies have for a role in one context, read from the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from pytest_housekeeping.checks.rls.expressions.context_only import Purity
from pytest_housekeeping.checks.rls.expressions.rewrite import Part, Unreadable, Value, parts_of
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_all
from pytest_housekeeping.postgres.connection import Connection

Settings: TypeAlias = tuple[tuple[str, str], ...]

# Errors that tell of our way of asking or of the server's state, and not of the policy.
_NOT_THE_POLICY = ("08", "0A", "25", "2F", "34", "3", "40", "42", "5", "72", "F0", "HV", "XX")
_NAMELESS = frozenset({"record", "record[]", "unknown", "void"})


def read_parts(
    connection: Connection,
    purity: Purity,
    asked: Iterable[tuple[str, Settings, str, str]],
) -> Mapping[tuple[str, Settings, Part], Value]:
    """The value of every part of the expressions, for each role, settings and set-up.

    A part that raises an error is taken as NULL: a row for which it is evaluated does not pass,
    and for any other row it makes no difference.
    """
    wanted: dict[tuple[str, Settings, Part], str] = {}
    for role, settings, setup, text in asked:
        try:
            for part in parts_of(text, purity):
                wanted.setdefault((role, settings, part), setup)
        except Unreadable:
            continue
    keys = list(wanted)
    answers = attempt_all(
        connection,
        [
            Attempt(role=role, settings=settings, setup=wanted[key], statement=statement)
            for key in keys
            for role, settings, part in (key,)
            for statement in (_value(part), _type(part))
        ],
    )
    found: dict[tuple[str, Settings, Part], Value] = {}
    for number, key in enumerate(keys):
        value = _read(key[2], answers[2 * number], answers[2 * number + 1], purity)
        if value is not None:
            found[key] = value
    return found


def _value(part: Part) -> str:
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


def _type(part: Part) -> str:
    """The type, without evaluating anything."""
    return (
        "SELECT pg_catalog.pg_typeof("
        f"CASE WHEN pg_catalog.random() < 0 THEN ({part.text}) END)::text"
    )


def _read(part: Part, value: AttemptResult, type: AttemptResult, purity: Purity) -> Value | None:
    if value.sqlstate:
        if not _is_refusal(value, purity) or type.sqlstate or type.value in _NAMELESS:
            return None
        return Value(type=_element(part, type.value), raised=str(value))
    if value.value["type"] in _NAMELESS:
        return None
    if part.many:
        elements = value.value["elements"]
        return Value(
            type=_element(part, value.value["type"]),
            elements=None if elements is None else tuple(elements),
        )
    return Value(type=value.value["type"], text=value.value["text"])


def _element(part: Part, type: str) -> str:
    return type.removesuffix("[]") if part.many else type


def _is_refusal(answer: AttemptResult, purity: Purity) -> bool:
    """An error that a session with this context would meet too."""
    if answer.refused:
        return True
    if answer.sqlstate == "42704":  # current_setting() of a setting that is absent
        return any(name in answer.message.lower() for name in (*purity.settings, "hk_absent."))
    return not answer.sqlstate.startswith(_NOT_THE_POLICY)
