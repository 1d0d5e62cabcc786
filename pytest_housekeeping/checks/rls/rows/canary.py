"""Rows made up for two identities, laid in a savepoint: proofs by doing that need no data.

A row is inserted as an untrusted role that may, acting for its identity: the weakest lock that an
INSERT can take, and triggers fire as they do in use. Only where no role gets it in does the owner
insert it, past the policies: ALTER TABLE ... NO FORCE is an ACCESS EXCLUSIVE lock, held until the
savepoint is rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from pytest_housekeeping.checks.rls.identities.identities import Identities, Identity
from pytest_housekeeping.checks.rls.identities.visible_rows import literal
from pytest_housekeeping.checks.rls.rows.constraint_values import NoRow
from pytest_housekeeping.checks.rls.rows.made_up_identities import invent
from pytest_housekeeping.checks.rls.rows.rows import Made, RowMaker
from pytest_housekeeping.checks.rls.tables import Subject
from pytest_housekeeping.checks.rules.attempts import run_block
from pytest_housekeeping.postgres.connection import Connection, rolled_back


@dataclass(frozen=True, kw_only=True, slots=True)
class Canaries:
    """Whom to act for on each table that has a row for both, and why others have none."""

    identities: Mapping[str, Identities]
    reasons: Mapping[str, str]


@contextmanager
def canaries(
    connection: Connection,
    context: Sequence[str],
    known: Sequence[Subject],
    chosen: Sequence[Subject],
) -> Iterator[Canaries]:
    """Inside, each chosen table holds a row for each of two made up identities, if possible."""
    invention = invent(connection, context, known, chosen)
    maker = RowMaker(
        connection=connection,
        shapes=invention.shapes,
        carried=invention.carried,
        joins=invention.joins,
    )
    reasons: dict[str, str] = {}
    for subject in chosen:
        if not invention.identities[subject.object].candidates:
            reasons[subject.object] = "its policies compare no column with the context"
            continue
        try:
            for who in (0, 1):
                maker.make(subject.object, who)
        except NoRow as error:
            reasons[subject.object] = str(error)
    with planted(connection, context, known, maker.rows, invention.everything) as refused:
        for (name, _), reason in refused.items():
            reasons.setdefault(name, f"the row was not taken in: {reason}")
        yield Canaries(identities=invention.identities, reasons=reasons)


@contextmanager
def planted(
    connection: Connection,
    context: Sequence[str],
    subjects: Sequence[Subject],
    rows: Sequence[Made],
    identities: Sequence[Identity],
) -> Iterator[Mapping[tuple[str, int], str]]:
    """Inside, the rows stand in their tables. Yields why a table's row could not be inserted."""
    with rolled_back(connection):
        yield _insert(connection, context, subjects, rows, identities) if rows else {}


def _insert(
    connection: Connection,
    context: Sequence[str],
    subjects: Sequence[Subject],
    rows: Sequence[Made],
    identities: Sequence[Identity],
) -> dict[tuple[str, int], str]:
    known = {subject.object: subject for subject in subjects}
    requests = []
    for row in rows:
        given = dict(identities[row.who])
        requests.append(
            {
                "settings": [[name, given.get(name, "")] for name in context],
                "roles": _roles(known.get(row.shape.object), row),
                "before": row.shape.bare,
                "after": row.shape.bare.replace(" NO FORCE ", " FORCE "),
                "statement": _statement(row),
            }
        )
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    body = _BODY.replace("%request%", sql.Literal(json.dumps(requests)).as_string(connection))
    answers: list[Any] = run_block(connection, body, keep=True)
    return {
        (row.shape.object, row.who): str(answer)
        for row, answer in zip(rows, answers, strict=True)
        if answer
    }


def _roles(subject: Subject | None, row: Made) -> list[str]:
    if subject is None:
        return []
    return [
        rights.role for rights in subject.rights if row.values and set(row.values) <= rights.insert
    ]


def _statement(row: Made) -> str:
    if not row.values:
        return f"INSERT INTO {row.shape.object} DEFAULT VALUES"
    names = ", ".join(sql.Identifier(name).as_string() for name in row.values)
    values = ", ".join(literal(value) for value in row.values.values())
    return f"INSERT INTO {row.shape.object} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})"


_BODY = """
DECLARE
    request jsonb;
    setting jsonb;
    way text;
    done boolean;
    reason text;
    placed bigint;
    answers jsonb := '[]';
    myself text := current_user;
BEGIN
    PERFORM pg_catalog.set_config('row_security', 'on', true);
    FOR request IN SELECT value FROM pg_catalog.jsonb_array_elements(%request%::jsonb) LOOP
        done := false; reason := NULL;
        FOR setting IN SELECT value FROM pg_catalog.jsonb_array_elements(request -> 'settings')
        LOOP
            PERFORM pg_catalog.set_config(setting ->> 0, setting ->> 1, true);
        END LOOP;
        FOR way IN
            SELECT value FROM pg_catalog.jsonb_array_elements_text(request -> 'roles')
            UNION ALL SELECT ''
        LOOP
            CONTINUE WHEN done;
            BEGIN
                IF way <> '' THEN
                    EXECUTE pg_catalog.format('SET LOCAL ROLE %I', way);
                ELSIF request ->> 'before' <> '' THEN
                    EXECUTE request ->> 'before';
                END IF;
                EXECUTE request ->> 'statement';
                GET DIAGNOSTICS placed = ROW_COUNT;
                IF placed <> 1 THEN
                    RAISE EXCEPTION 'a trigger let the row vanish';
                END IF;
                EXECUTE pg_catalog.format('SET LOCAL ROLE %I', myself);
                IF way = '' AND request ->> 'after' <> '' THEN
                    EXECUTE request ->> 'after';
                END IF;
                done := true;
            EXCEPTION WHEN OTHERS THEN
                reason := SQLSTATE || ' ' || SQLERRM;
            END;
        END LOOP;
        FOR setting IN SELECT value FROM pg_catalog.jsonb_array_elements(request -> 'settings')
        LOOP
            PERFORM pg_catalog.set_config(setting ->> 0, '', true);
        END LOOP;
        answers := answers || pg_catalog.jsonb_build_array(CASE WHEN NOT done THEN reason END);
    END LOOP;
    PERFORM pg_catalog.set_config('hk.answers', answers::text, true);
END
"""
