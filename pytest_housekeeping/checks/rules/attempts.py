"""Statements tried as a role, many in one round trip, each undone whatever it did."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.postgres.connection import Connection, tried

INSUFFICIENT_PRIVILEGE = "42501"

_BATCH = 250
_UNDONE = "HK000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One statement to try.

    ``setup`` runs before it as the migrator; ``role`` (none: the migrator) and ``settings`` are
    set for ``statement`` alone. A query returns one value; of a change, the rows are counted.
    ``measure`` is a query of the migrator that returns a number, asked before and after.
    ``plan``: the statement is an EXPLAIN in JSON, whose plan is the value.
    """

    statement: str
    role: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    setup: str = ""
    measure: str = ""
    query: bool = True
    plan: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What PostgreSQL said. ``sqlstate`` is empty when the statement ran."""

    sqlstate: str = ""
    message: str = ""
    rows: int = 0
    value: Any = None
    grown: int = 0

    @property
    def refused(self) -> bool:
        return self.sqlstate == INSUFFICIENT_PRIVILEGE

    def __str__(self) -> str:
        if self.sqlstate:
            return f"{self.sqlstate} {self.message}"
        return f"{self.rows} rows"


def attempt_all(connection: Connection, attempts: Sequence[Attempt]) -> list[Answer]:
    """Try every statement in a subtransaction of its own that is always rolled back.

    Raises RuleBroken when a statement could not even be tried: the role could not be taken on or
    the set-up failed. Such a refusal must never be mistaken for one by the statement.
    """
    answers: list[Answer] = []
    for batch in _batches(attempts):
        try:
            answers += _run(connection, batch)
        except psycopg.Error as error:
            raise RuleBroken(
                f"statements could not be tried: {error.sqlstate} {_words(error)}",
                why="what was not tried has not been proved",
                fix="the migrator needs the language plpgsql and membership in the roles",
            ) from None
    return answers


def _batches(attempts: Sequence[Attempt]) -> Iterator[Sequence[Attempt]]:
    for start in range(0, len(attempts), _BATCH):
        yield attempts[start : start + _BATCH]


def _words(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).strip()


def _run(connection: Connection, attempts: Sequence[Attempt]) -> Iterator[Answer]:
    request = sql.Literal(json.dumps([_request(attempt) for attempt in attempts]))
    body = _BODY.replace("%request%", request.as_string(connection))
    raw: list[dict[str, Any]] = run_block(connection, body)
    for attempt, item in zip(attempts, raw, strict=True):
        if item["stage"] not in ("run", "done"):
            raise RuleBroken(
                f"a statement could not be tried ({item['stage']}"
                f"{' as ' + attempt.role if attempt.role else ''}):"
                f" {item['sqlstate']} {item['message']}",
                why="what was not tried has not been proved",
                fix=_FIXES.get(item["stage"], ""),
            )
        yield Answer(
            sqlstate=item["sqlstate"] or "",
            message=item["message"] or "",
            rows=item["rows"] or 0,
            value=item["value"],
            grown=item["grown"] or 0,
        )


def run_block(connection: Connection, body: str, *, keep: bool = False) -> list[Any]:
    """Run a PL/pgSQL block that leaves its answers, as JSON, in a setting; what it did is undone
    unless it is to be kept."""
    tag = _free_tag(body)
    told = "SELECT pg_catalog.current_setting('hk.answers')"
    text = f"DO ${tag}${body}${tag}$;\n{told}".encode()
    cursor = connection.execute(text) if keep else tried(connection, text)
    cursor.nextset()
    row = cursor.fetchone()
    answers: list[Any] = json.loads(row[0]) if row else []
    return answers


_FIXES = {
    "role": "GRANT the role to the migrator, so that it may SET ROLE to it",
    "setup": "the migrator must own the protected tables, or be a member of their owner",
}


def _request(attempt: Attempt) -> dict[str, Any]:
    return {
        "role": attempt.role,
        "settings": [list(setting) for setting in attempt.settings],
        "setup": attempt.setup,
        "statement": attempt.statement,
        "measure": attempt.measure,
        "query": attempt.query,
        "plan": attempt.plan,
    }


def _free_tag(body: str) -> str:
    number = 0
    while re.search(rf"\$hk{number}\$", body):
        number += 1
    return f"hk{number}"


# An exception is what undoes the subtransaction of a PL/pgSQL block; variables outlive it.
# https://www.postgresql.org/docs/16/plpgsql-control-structures.html#PLPGSQL-ERROR-TRAPPING
_BODY = f"""
DECLARE
    request jsonb;
    setting jsonb;
    stage text;
    answer jsonb;
    found bigint;
    earlier bigint;
    later bigint;
    result jsonb;
    planned json;
    answers text[] := '{{}}';
    myself text := current_user;
BEGIN
    PERFORM pg_catalog.set_config('row_security', 'on', true);
    FOR request IN SELECT value FROM pg_catalog.jsonb_array_elements(%request%::jsonb) LOOP
        answer := NULL; found := 0; earlier := NULL; later := NULL; result := NULL;
        stage := 'setup';
        BEGIN
            IF request ->> 'setup' <> '' THEN
                EXECUTE request ->> 'setup';
            END IF;
            IF request ->> 'measure' <> '' THEN
                EXECUTE request ->> 'measure' INTO earlier;
            END IF;
            stage := 'settings';
            FOR setting IN
                SELECT value FROM pg_catalog.jsonb_array_elements(request -> 'settings')
            LOOP
                PERFORM pg_catalog.set_config(setting ->> 0, setting ->> 1, true);
            END LOOP;
            stage := 'role';
            IF request ->> 'role' <> '' THEN
                EXECUTE pg_catalog.format('SET LOCAL ROLE %I', request ->> 'role');
            END IF;
            stage := 'run';
            IF (request ->> 'plan')::boolean THEN
                EXECUTE request ->> 'statement' INTO planned;
                result := planned::jsonb -> 0 -> 'Plan';
            ELSIF (request ->> 'query')::boolean THEN
                EXECUTE pg_catalog.format(
                    'SELECT pg_catalog.to_jsonb(q) -> ''value'' FROM (%s) AS q (value)',
                    request ->> 'statement'
                ) INTO result;
            ELSE
                EXECUTE request ->> 'statement';
                GET DIAGNOSTICS found = ROW_COUNT;
            END IF;
            IF request ->> 'measure' <> '' THEN
                stage := 'measure';
                EXECUTE pg_catalog.format('SET LOCAL ROLE %I', myself);
                EXECUTE request ->> 'measure' INTO later;
            END IF;
            stage := 'done';
            RAISE EXCEPTION USING ERRCODE = '{_UNDONE}';
        EXCEPTION WHEN OTHERS THEN
            answer := pg_catalog.jsonb_build_object(
                'stage', stage,
                'sqlstate', CASE WHEN stage <> 'done' THEN SQLSTATE END,
                'message', CASE WHEN stage <> 'done' THEN SQLERRM END,
                'rows', found,
                'value', result,
                'grown', later - earlier
            );
        END;
        answers := answers || answer::text;
    END LOOP;
    PERFORM pg_catalog.set_config(
        'hk.answers', '[' || pg_catalog.array_to_string(answers, ',') || ']', true
    );
END
"""
