"""Statements tried as a role, many in one round trip; whatever they did is rolled back.

Each statement runs in a PL/pgSQL block that always ends in an exception, because that is what
rolls back the block's subtransaction, while the variables that hold the answer keep their values:
https://www.postgresql.org/docs/16/plpgsql-control-structures.html#PLPGSQL-ERROR-TRAPPING

Statements go on in one block until one of them fails or changes a row. The end of a subtransaction
costs as much as the transaction has made relations: one for each statement grows with the square.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import psycopg
from psycopg import sql

from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.postgres.acting import GRANTED_TO_ITSELF
from pytest_housekeeping.postgres.connection import Connection, tried

INSUFFICIENT_PRIVILEGE = "42501"

# Statements in one round trip; all their requests and answers are held in memory at once.
_BATCH = 250
_DONE = "HK000"
# lock_not_available, deadlock_detected: what it would have been answered is not known.
INTERRUPTED = ("55P03", "40P01")
_FIXES = {
    "role": "GRANT the role to the migrator, so that it may SET ROLE to it",
    "setup": "the migrator must own the protected tables, or be a member of their owner",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One statement to try.

    ``setup`` runs before it as the migrator. ``role`` (empty: the migrator) and ``settings`` hold
    for ``statement`` alone. A ``query`` returns one value; of another statement the rows are
    counted. ``measure`` is a query for a number, asked as the migrator before and after.
    ``plan``: the statement is an EXPLAIN in JSON, and its plan is the value. ``later`` is asked as
    the role behind the statement, and answers with the value. A set-up without a role opens what
    it reads to the migrator, and nothing else.
    """

    statement: str
    role: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    setup: str = ""
    measure: str = ""
    query: bool = True
    plan: bool = False
    later: str = ""

    @property
    def reads(self) -> bool:
        return (self.query or self.plan) and not self.measure

    def joins(self, before: Attempt) -> bool:
        """Whether it may go on where the one before it has been, if that one has changed nothing.

        Both set the same settings, and no set-up of the one changes what the other, as a role, may
        see; where they may write, their set-up is one and the same.
        """
        if self.later or before.later:
            return False
        if {name for name, _ in self.settings} != {name for name, _ in before.settings}:
            return False
        if (self.setup, self.role) == (before.setup, before.role):
            return not (self.measure or before.measure) and self.reads == before.reads
        past_policies = not (self.setup or before.setup) or not (self.role or before.role)
        return self.reads and before.reads and past_policies


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptResult:
    """What PostgreSQL answered. ``sqlstate`` is empty when the statement ran; ``row_delta`` is by
    how much ``measure`` has grown."""

    sqlstate: str = ""
    message: str = ""
    rows: int = 0
    value: Any = None
    row_delta: int = 0

    @property
    def refused(self) -> bool:
        """The role lacked a privilege, or a policy did not let the row pass."""
        return self.sqlstate == INSUFFICIENT_PRIVILEGE

    def __str__(self) -> str:
        if self.sqlstate:
            return f"{self.sqlstate} {self.message}"
        return f"{self.rows} rows"


def attempt_all(connection: Connection, attempts: Sequence[Attempt]) -> list[AttemptResult]:
    """Try every statement in a subtransaction that is always rolled back. Those that read, or
    change nothing, share theirs with the next (see ``Attempt.joins``).

    Raises RuleBroken when a statement was not reached, because its role could not be taken on or
    its set-up failed, or was interrupted, at somebody's lock say: that must not be mistaken for a
    refusal of the statement itself.
    """
    results: list[AttemptResult] = []
    for start in range(0, len(attempts), _BATCH):
        try:
            results += _run(connection, attempts[start : start + _BATCH])
        except psycopg.Error as error:
            words = error.diag.message_primary or str(error).strip()
            raise RuleBroken(
                f"statements could not be tried: {error.sqlstate} {words}",
                why="what was not tried has not been proved",
                fix="the migrator needs the language plpgsql and membership in the roles",
            ) from None
    return results


def attempt_unique(connection: Connection, attempts: Sequence[Attempt]) -> list[AttemptResult]:
    """`attempt_all`, of which equal ones are tried once: many tables and roles ask the same."""
    unique = list(dict.fromkeys(attempts))
    answers = dict(zip(unique, attempt_all(connection, unique), strict=True))
    return [answers[attempt] for attempt in attempts]


def run_block(connection: Connection, body: str, *, keep: bool = False) -> list[Any]:
    """Run a PL/pgSQL block that leaves its answers, a JSON array, in the setting ``hk.answers``.

    What the block did is rolled back, unless ``keep`` is set.
    """
    tag = _unused_tag(body)
    answers_query = "SELECT pg_catalog.current_setting('hk.answers')"
    text = f"DO ${tag}${body}${tag}$;\n{answers_query}".encode()
    cursor = connection.execute(text) if keep else tried(connection, text)
    cursor.nextset()
    row = cursor.fetchone()
    answers: list[Any] = json.loads(row[0]) if row else []
    return answers


def _run(connection: Connection, attempts: Sequence[Attempt]) -> Iterator[AttemptResult]:
    names = [each.name for each in fields(Attempt)]
    requests = [
        {name: getattr(attempt, name) for name in names}
        | {"joins": number > 0 and attempt.joins(attempts[number - 1])}
        for number, attempt in enumerate(attempts)
    ]
    literal = sql.Literal(json.dumps(requests)).as_string(connection)
    body = _BLOCK.replace("%requests%", literal)
    answers: list[dict[str, Any]] = run_block(connection, body)
    for attempt, answer in zip(attempts, answers, strict=True):
        if answer["sqlstate"] in INTERRUPTED:
            raise interrupted(attempt.role, f"{answer['sqlstate']} {answer['message']}")
        if answer["stage"] not in ("run", "done"):
            raise _not_reached(attempt, answer)
        yield AttemptResult(
            sqlstate=answer["sqlstate"] or "",
            message=answer["message"] or "",
            rows=answer["rows"] or 0,
            value=answer["value"],
            row_delta=answer["row_delta"] or 0,
        )


def interrupted(role: str, words: str) -> RuleBroken:
    """The error for a statement that has met somebody's lock."""
    return RuleBroken(
        f"a statement{f' as {role}' if role else ''} has met a lock: {words}",
        why="what it would have been answered is not known, and must not pass for a refusal",
        fix="run again when nobody else works on these tables",
    )


def _not_reached(attempt: Attempt, answer: dict[str, Any]) -> RuleBroken:
    stage = answer["stage"]
    return RuleBroken(
        f"a statement could not be tried ({stage}{' as ' + attempt.role if attempt.role else ''}):"
        f" {answer['sqlstate']} {answer['message']}",
        why="what was not tried has not been proved",
        fix=_FIXES.get(stage, ""),
    )


def _unused_tag(body: str) -> str:
    """A dollar-quoting tag that the body does not contain."""
    number = 0
    while re.search(rf"\$hk{number}\$", body):
        number += 1
    return f"hk{number}"


_GRANTED = GRANTED_TO_ITSELF.replace("%role%", "(request ->> 'role')")
# With row_security off, PostgreSQL raises an error where a policy would leave rows out:
# https://www.postgresql.org/docs/16/runtime-config-client.html
_BLOCK = f"""
DECLARE
    requests jsonb := %requests%;
    place integer := 0;
    request jsonb;
    setting jsonb;
    stage text;
    found bigint;
    earlier bigint;
    later bigint;
    result jsonb;
    planned json;
    answers text[] := '{{}}';
    prepared text;
    myself text := current_user;
BEGIN
    PERFORM pg_catalog.set_config('row_security', 'on', true);
    WHILE place < pg_catalog.jsonb_array_length(requests) LOOP
        prepared := '';
        BEGIN
            LOOP
                request := requests -> place;
                found := 0; earlier := NULL; later := NULL; result := NULL;
                stage := 'setup';
                IF current_user <> myself THEN
                    EXECUTE pg_catalog.format('SET LOCAL ROLE %I', myself);
                END IF;
                IF request ->> 'setup' NOT IN ('', prepared) THEN
                    EXECUTE request ->> 'setup';
                    prepared := request ->> 'setup';
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
                    {_GRANTED}
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
                IF request ->> 'later' <> '' THEN
                    EXECUTE request ->> 'later' INTO result;
                END IF;
                IF request ->> 'measure' <> '' THEN
                    stage := 'measure';
                    EXECUTE pg_catalog.format('SET LOCAL ROLE %I', myself);
                    EXECUTE request ->> 'measure' INTO later;
                END IF;
                answers := answers || pg_catalog.jsonb_build_object(
                    'stage', 'done', 'sqlstate', NULL, 'message', NULL,
                    'rows', found, 'value', result, 'row_delta', later - earlier
                )::text;
                stage := 'done';
                place := place + 1;
                EXIT WHEN found > 0;
                EXIT WHEN NOT coalesce((requests -> place ->> 'joins')::boolean, false);
            END LOOP;
            RAISE EXCEPTION USING ERRCODE = '{_DONE}';
        EXCEPTION WHEN OTHERS THEN
            IF stage <> 'done' THEN
                answers := answers || pg_catalog.jsonb_build_object(
                    'stage', stage, 'sqlstate', SQLSTATE, 'message', SQLERRM,
                    'rows', found, 'value', NULL, 'row_delta', NULL
                )::text;
                place := place + 1;
            END IF;
        END;
    END LOOP;
    PERFORM pg_catalog.set_config(
        'hk.answers', '[' || pg_catalog.array_to_string(answers, ',') || ']', true
    );
END
"""
