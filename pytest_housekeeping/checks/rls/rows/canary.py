"""Rows made up for two identities and inserted in a savepoint: proofs by doing then need no data.

Why they may stand for real data: a leak that they show is real, for the statement has run as the
role. That none is seen holds for rows like these: accepted by all constraints and triggers of the
table, and carrying each of two identities in the columns that the policies compare. They are never
committed, and their locks end with the savepoint:
https://www.postgresql.org/docs/16/sql-rollback-to.html,
https://www.postgresql.org/docs/16/explicit-locking.html

A row is inserted by an untrusted role that may, acting for its identity: the weakest lock that an
INSERT can take, and triggers fire as they do in use. Only where no role gets it in does the
migrator insert it, past the policies: ALTER TABLE ... NO FORCE is an ACCESS EXCLUSIVE lock, held
until the savepoint is rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.identities.identities import TableIdentities
from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.rows.constraint_values import NoRow
from pytest_housekeeping.checks.rls.rows.made_up_identities import make_up_identities
from pytest_housekeeping.checks.rls.rows.row_maker import MadeUpRow, RowMaker
from pytest_housekeeping.checks.rls.tables import ProtectedTable
from pytest_housekeeping.checks.rules.attempts import run_block
from pytest_housekeeping.declarations.identity import Identity, settings_of
from pytest_housekeeping.postgres.acting import GRANTED_TO_ITSELF
from pytest_housekeeping.postgres.connection import rolled_back
from pytest_housekeeping.sql.identifiers import in_quotes


@dataclass(frozen=True, kw_only=True, slots=True)
class Canaries:
    """Whom to act for on each table, and why a table has no row for both identities; the ``rows``
    that were inserted, and the ``settings`` of each of the two."""

    identities: Mapping[str, TableIdentities]
    reasons: Mapping[str, str]
    rows: tuple[MadeUpRow, ...] = ()
    settings: tuple[Identity, Identity] = ((), ())


@contextmanager
def canaries(ground: ProofGround, chosen: Sequence[ProtectedTable]) -> Iterator[Canaries]:
    """Inside, each chosen table holds a row for each of two made-up identities, where possible."""
    made_up = make_up_identities(ground, chosen)
    maker = RowMaker(
        connection=ground.connection,
        shapes=made_up.shapes,
        carried=made_up.carried,
        joins=made_up.joins,
    )
    reasons: dict[str, str] = {}
    for table in chosen:
        if not made_up.by_table[table.object].candidates:
            reasons[table.object] = "its policies compare no column with the context"
            continue
        try:
            for who in (0, 1):
                maker.make(table.object, who)
        except NoRow as error:
            reasons[table.object] = str(error)
    with rolled_back(ground.connection):
        refused = _insert(ground, maker.rows, made_up.settings)
        for (name, _), reason in refused.items():
            reasons.setdefault(name, f"the row was not taken in: {reason}")
        yield Canaries(
            identities=made_up.by_table,
            reasons=reasons,
            rows=maker.rows,
            settings=made_up.settings,
        )


def _insert(
    ground: ProofGround, rows: Sequence[MadeUpRow], identities: Sequence[Identity]
) -> dict[tuple[str, int], str]:
    """Insert the rows. Returns why one could not be inserted, by its table and identity."""
    if not rows:
        return {}
    connection = ground.connection
    tables = {table.object: table for table in ground.known}
    requests = [
        {
            "settings": settings_of(ground.context, identities[row.who]),
            "roles": _inserting_roles(tables.get(row.shape.object), row),
            "before": row.shape.no_force,
            "after": row.shape.no_force.replace(" NO FORCE ", " FORCE "),
            "statement": insert_statement(row),
        }
        for row in rows
    ]
    # A deferred constraint would otherwise be checked at a COMMIT that never comes.
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    body = _BLOCK.replace("%requests%", sql.Literal(json.dumps(requests)).as_string(connection))
    reasons: list[Any] = run_block(connection, body, keep=True)
    return {
        (row.shape.object, row.who): str(reason)
        for row, reason in zip(rows, reasons, strict=True)
        if reason
    }


def _inserting_roles(table: ProtectedTable | None, row: MadeUpRow) -> list[str]:
    """The untrusted roles that hold INSERT on all columns of the row."""
    if table is None or not row.values:
        return []
    return [
        privileges.role for privileges in table.privileges if set(row.values) <= privileges.insert
    ]


def insert_statement(row: MadeUpRow) -> str:
    """The INSERT of a made-up row."""
    if not row.values:
        return f"INSERT INTO {row.shape.object} DEFAULT VALUES"
    names = ", ".join(in_quotes(name) for name in row.values)
    values = ", ".join(literal(value) for value in row.values.values())
    return f"INSERT INTO {row.shape.object} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})"


# Rows that share a subtransaction until one of them is refused: the end of each costs as much as
# the transaction has made relations. More of them do while all are taken in.
_TOGETHER = 50
_MOST_TOGETHER = 800
_SETTINGS = """FOR setting IN
                SELECT value FROM pg_catalog.jsonb_array_elements(request -> 'settings')
            LOOP
                PERFORM pg_catalog.set_config(setting ->> 0, {value}, true);
            END LOOP;"""
_GRANTED = GRANTED_TO_ITSELF.replace("%role%", "inserting_role")
_INSERT = f"""IF inserting_role <> '' THEN
                        {_GRANTED}
                        EXECUTE pg_catalog.format('SET LOCAL ROLE %I', inserting_role);
                    ELSIF request ->> 'before' <> '' THEN
                        EXECUTE request ->> 'before';
                    END IF;
                    EXECUTE request ->> 'statement';
                    GET DIAGNOSTICS placed = ROW_COUNT;
                    IF placed <> 1 THEN
                        RAISE EXCEPTION 'a trigger let the row vanish';
                    END IF;
                    EXECUTE pg_catalog.format('SET LOCAL ROLE %I', myself);
                    IF inserting_role = '' AND request ->> 'after' <> '' THEN
                        EXECUTE request ->> 'after';
                    END IF;"""
_BLOCK = f"""
DECLARE
    requests jsonb := %requests%;
    place integer := 0;
    number integer;
    past integer;
    together integer := {_TOGETHER};
    request jsonb;
    setting jsonb;
    inserting_role text;
    done boolean;
    reason text;
    placed bigint;
    answers text[] := '{{}}';
    myself text := current_user;
BEGIN
    PERFORM pg_catalog.set_config('row_security', 'on', true);
    WHILE place < pg_catalog.jsonb_array_length(requests) LOOP
        past := least(place + together, pg_catalog.jsonb_array_length(requests));
        done := false;
        BEGIN
            FOR number IN place..past - 1 LOOP
                request := requests -> number;
                inserting_role := coalesce(request -> 'roles' ->> 0, '');
            {_SETTINGS.format(value="setting ->> 1")}
                    {_INSERT}
            {_SETTINGS.format(value="''")}
            END LOOP;
            done := true;
        EXCEPTION WHEN OTHERS THEN
            NULL;  -- fewer then, and at last each on its own, to know which one it is
        END;
        IF done THEN
            answers := answers || pg_catalog.array_fill(NULL::text, ARRAY[past - place]);
            place := past;
            together := least(2 * together, {_MOST_TOGETHER});
        ELSIF together > {_TOGETHER} THEN
            together := {_TOGETHER};
            CONTINUE;
        END IF;
        WHILE place < past LOOP
            request := requests -> place;
            done := false; reason := NULL;
            {_SETTINGS.format(value="setting ->> 1")}
            FOR inserting_role IN
                SELECT value FROM pg_catalog.jsonb_array_elements_text(request -> 'roles')
                UNION ALL SELECT ''
            LOOP
                CONTINUE WHEN done;
                BEGIN
                    {_INSERT}
                    done := true;
                EXCEPTION WHEN OTHERS THEN
                    reason := SQLSTATE || ' ' || SQLERRM;
                END;
            END LOOP;
            {_SETTINGS.format(value="''")}
            answers := answers || CASE WHEN done THEN NULL ELSE reason END;
            place := place + 1;
        END LOOP;
    END LOOP;
    PERFORM pg_catalog.set_config('hk.answers', pg_catalog.to_json(answers)::text, true);
END
"""
