"""Which rows an identity sees, and which rows belong to it as the owner sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from psycopg import sql

from pytest_housekeeping.checks.rls.identities.identities import Identities, Identity
from pytest_housekeeping.checks.rls.tables import Rights, Subject
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.postgres.connection import Connection

Row: TypeAlias = tuple[int, str]

_SEEN = 20
_OTHERS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """The rows (table, ctid) that a role sees of a table while it acts for an identity."""

    subject: Subject
    rights: Rights
    identity: Identity
    rows: tuple[Row, ...] = ()
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Rows of an identity, read past the policies, and the first one's values as text."""

    rows: tuple[Row, ...]
    values: Mapping[str, str | None]


def read_holdings(
    connection: Connection, context: Sequence[str], asked: Sequence[Holding]
) -> list[Holding]:
    """Fill in the rows that each sees, at most a handful."""
    answers = attempt_all(
        connection,
        [
            Attempt(
                role=item.rights.role,
                settings=settings_of(context, item.identity),
                setup=grant_of(item.subject, item.rights),
                statement="SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array("
                "s.tableoid::bigint, s.ctid::text)) FROM"
                f" (SELECT tableoid, ctid FROM {item.subject.object} LIMIT {_SEEN}) AS s",
            )
            for item in asked
        ],
    )
    return [
        Holding(
            subject=item.subject,
            rights=item.rights,
            identity=item.identity,
            rows=tuple((table, place) for table, place in answer.value or ()),
            error=str(answer) if answer.sqlstate else "",
        )
        for item, answer in zip(asked, answers, strict=True)
    ]


def read_samples(
    connection: Connection, asked: Sequence[tuple[Identities, Holding]]
) -> list[Sample]:
    """Rows that belong to an identity, as the owner sees them: by the identity columns, or else
    the ones that the identity sees."""
    statements = []
    for identities, holding in asked:
        texts = ", ".join(f"t.{column.quoted}::text" for column in holding.subject.columns)
        where = "false"
        if identities.own:
            where = belonging(identities, holding.identity, "=")
        elif holding.rows:
            where = at_rows(holding.rows)
        statements.append(
            "SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array("
            f"s.tableoid::bigint, s.ctid::text, s.hk_values)) FROM (SELECT t.tableoid, t.ctid,"
            f" ARRAY[{texts}]::text[] AS hk_values FROM {holding.subject.object} AS t"
            f" WHERE {where} LIMIT {_OTHERS if identities.own else _SEEN}) AS s"
        )
    answers = attempt_all(
        connection,
        [
            Attempt(setup=holding.subject.bare, statement=statement)
            for (_, holding), statement in zip(asked, statements, strict=True)
        ],
    )
    return [
        Sample(
            rows=tuple((item[0], item[1]) for item in answer.value or ()),
            values=dict(
                zip(
                    (column.name for column in holding.subject.columns),
                    answer.value[0][2] if answer.value else (),
                    strict=False,
                )
            ),
        )
        for (_, holding), answer in zip(asked, answers, strict=True)
    ]


def settings_of(context: Sequence[str], identity: Identity) -> tuple[tuple[str, str], ...]:
    """The identity, and nothing else of the context."""
    given = dict(identity)
    return tuple((name, given.get(name, "")) for name in context)


def grant_of(subject: Subject, rights: Rights) -> str:
    """What policies show does not depend on the privilege: lend it where a column is granted."""
    if rights.select:
        return ""
    return f"GRANT SELECT ON {subject.object} TO {quoted(rights.role)};"


def belonging(identities: Identities, identity: Identity, operator: str) -> str:
    values = dict(identity)
    return " AND ".join(
        f"{quoted(column)}::text {operator} {literal(values[setting])}"
        for column, setting in identities.own
    )


def at_rows(rows: Sequence[Row]) -> str:
    tables: dict[int, list[str]] = {}
    for table, place in rows:
        tables.setdefault(table, []).append(place)
    return (
        "("
        + " OR ".join(
            f"(tableoid = {table} AND ctid = ANY ({literal(_array(places))}::pg_catalog.tid[]))"
            for table, places in sorted(tables.items())
        )
        + ")"
    )


def _array(places: Sequence[str]) -> str:
    return "{" + ",".join(f'"{place}"' for place in places) + "}"


def quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def literal(value: str | None) -> str:
    return sql.Literal(value).as_string()
