"""The rows that a role sees while it acts for an identity, and the rows that belong to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from pytest_housekeeping.checks.rls.identities.identities import TableIdentities
from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.checks.rules.attempts import Attempt
from pytest_housekeeping.checks.rules.together import attempt_together
from pytest_housekeeping.declarations.identity import Claim, Identity, settings_of
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import in_quotes

# A row by its tableoid and ctid, which stay as they are while nobody changes the row:
# https://www.postgresql.org/docs/16/ddl-system-columns.html
Row: TypeAlias = tuple[int, str]

_SEEN = 20
_OWNED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class VisibleRows:
    """The rows of a table that a role sees while it acts for an identity, or why it sees none."""

    table: ProtectedTable
    privileges: RolePrivileges
    identity: Identity
    rows: tuple[Row, ...] = ()
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnedRows:
    """Rows that belong to an identity, and the values of the first one as texts, by column;
    ``all_rows`` is how many the table holds, as far as they were counted."""

    rows: tuple[Row, ...]
    values: Mapping[str, str | None]
    all_rows: int


def read_visible_rows(
    connection: Connection, context: Sequence[Claim], asked: Sequence[VisibleRows]
) -> list[VisibleRows]:
    """The same with the rows that each role sees, at most a handful."""
    results = attempt_together(
        connection,
        [
            Attempt(
                role=each.privileges.role,
                settings=settings_of(context, each.identity),
                setup=grant_select(each.table, each.privileges),
                statement="SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array("
                "s.tableoid::bigint, s.ctid::text)) FROM"
                f" (SELECT tableoid, ctid FROM {each.table.object} LIMIT {_SEEN}) AS s",
            )
            for each in asked
        ],
    )
    return [
        replace(
            each,
            rows=tuple((table_oid, ctid) for table_oid, ctid in result.value or ()),
            error=str(result) if result.sqlstate else "",
        )
        for each, result in zip(asked, results, strict=True)
    ]


def read_owned_rows(
    connection: Connection, asked: Sequence[tuple[TableIdentities, VisibleRows]]
) -> list[OwnedRows]:
    """Rows that belong to each identity, read past the policies.

    These are the rows whose identity columns have its values; in a table without such columns, the
    rows that the identity sees.
    """
    attempts = [
        Attempt(setup=visible.table.no_force, statement=_owned_rows_query(identities, visible))
        for identities, visible in asked
    ]
    answered = attempt_together(connection, attempts)
    results = [answer.value or [None, 0] for answer in answered]
    return [
        OwnedRows(
            rows=tuple((table_oid, ctid) for table_oid, ctid, _ in found or ()),
            values=dict(
                zip(
                    (column.name for column in visible.table.columns),
                    found[0][2] if found else (),
                    strict=False,
                )
            ),
            all_rows=all_rows,
        )
        for (_, visible), (found, all_rows) in zip(asked, results, strict=True)
    ]


def _owned_rows_query(identities: TableIdentities, visible: VisibleRows) -> str:
    texts = ", ".join(f"t.{column.quoted}::text" for column in visible.table.columns)
    where = "false"
    if identities.identity_columns:
        where = identity_condition(identities, visible.identity, "=")
    elif visible.rows:
        where = rows_condition(visible.rows)
    name, most = visible.table.object, _OWNED if identities.identity_columns else _SEEN
    return (
        "SELECT pg_catalog.jsonb_build_array(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array("
        "s.tableoid::bigint, s.ctid::text, s.hk_values)),"
        f" (SELECT pg_catalog.count(*) FROM (SELECT FROM {name} LIMIT {_SEEN}) AS a))"
        f" FROM (SELECT t.tableoid, t.ctid, ARRAY[{texts}]::text[] AS hk_values"
        f" FROM {name} AS t WHERE {where} LIMIT {most}) AS s"
    )


def grant_select(table: ProtectedTable, privileges: RolePrivileges) -> str:
    """The GRANT that a role needs to read whole rows; which rows it sees, only policies decide."""
    if privileges.select:
        return ""
    return f"GRANT SELECT ON {table.object} TO {in_quotes(privileges.role)};"


def identity_condition(identities: TableIdentities, identity: Identity, operator: str) -> str:
    """Each identity column, compared with the value that the identity has for it."""
    values = dict(identity)
    return " AND ".join(
        f"{in_quotes(column)}::text {operator} {literal(values[claim])}"
        for column, claim in identities.identity_columns
    )


def rows_condition(rows: Sequence[Row]) -> str:
    """A row is one of these."""
    places: dict[int, list[str]] = {}
    for table_oid, ctid in sorted(rows):
        places.setdefault(table_oid, []).append(ctid)
    return (
        "("
        + " OR ".join(
            f"(tableoid = {table_oid} AND ctid = ANY ({literal(_array(ctids))}::pg_catalog.tid[]))"
            for table_oid, ctids in sorted(places.items())
        )
        + ")"
    )


def _array(ctids: Sequence[str]) -> str:
    return "{" + ",".join(f'"{ctid}"' for ctid in ctids) + "}"
