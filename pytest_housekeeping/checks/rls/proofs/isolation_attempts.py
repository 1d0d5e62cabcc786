"""What one identity can try against another's rows, as statements of the role itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.rls.identities.identities import Identities
from pytest_housekeeping.checks.rls.identities.visible_rows import (
    Holding,
    Sample,
    at_rows,
    belonging,
    grant_of,
    literal,
    quoted,
    settings_of,
)
from pytest_housekeeping.checks.rls.tables import Rights, Subject
from pytest_housekeeping.checks.rules.attempts import Attempt

# Sessions that have lost their identity, or carry none that could be one.
LOST = {"context ''": "", "context malformed": "hk' malformed\\\""}


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One identity, and another whose rows it must not reach."""

    subject: Subject
    rights: Rights
    identities: Identities
    me: Holding
    other: Holding


def attempts(
    context: Sequence[str], pair: Pair, me: Sample, other: Sample
) -> Iterator[tuple[str, Attempt]]:
    """Everything that the role has a privilege for, by name."""
    for name, statement in _readings(pair, other):
        yield name, _attempt(context, pair, statement, setup=_grant(pair), query=True)
    yield from _lost(context, pair, me, other)
    change = _harmless_column(pair)
    opened = _open(pair.subject, pair.rights)
    theirs = at_rows(other.rows)
    if change:
        statement = f"UPDATE {pair.subject.object} SET {change} = {change} WHERE {theirs}"
        yield "change", _attempt(context, pair, statement, setup=opened)
    if pair.rights.delete:
        statement = f"DELETE FROM {pair.subject.object} WHERE {theirs}"
        yield "delete", _attempt(context, pair, statement, setup=opened)
    measure = ""
    if pair.identities.own:
        measure = (
            f"SELECT pg_catalog.count(*) FROM {pair.subject.object}"
            f" WHERE {belonging(pair.identities, pair.other.identity, '=')}"
        )
    write = _insert(pair, other)
    if write:
        yield "write", _attempt(context, pair, write, setup=pair.subject.bare, measure=measure)
    for statement in _conflicts(pair, me, other, change):
        yield "take over", _attempt(context, pair, statement)
    move = _move(pair, me, other)
    if move:
        yield "move", _attempt(context, pair, move, setup=opened, measure=measure)


def _attempt(
    context: Sequence[str],
    pair: Pair,
    statement: str,
    *,
    setup: str = "",
    measure: str = "",
    query: bool = False,
) -> Attempt:
    return Attempt(
        role=pair.rights.role,
        settings=settings_of(context, pair.me.identity),
        setup=setup,
        statement=statement,
        measure=measure,
        query=query,
    )


def _grant(pair: Pair) -> str:
    return grant_of(pair.subject, pair.rights)


def _may_read(pair: Pair) -> bool:
    return pair.rights.select or pair.rights.select_some


def _readings(pair: Pair, other: Sample) -> Iterator[tuple[str, str]]:
    if not _may_read(pair):
        return
    name = pair.subject.object
    yield "see", f"SELECT pg_catalog.count(*) FROM {name} WHERE {at_rows(other.rows)}"
    if pair.identities.own:
        foreign = belonging(pair.identities, pair.me.identity, "IS DISTINCT FROM")
        yield (
            "see foreign",
            f"SELECT pg_catalog.count(*) FROM (SELECT FROM {name} WHERE {foreign} LIMIT 1) AS s",
        )


def _lost(
    context: Sequence[str], pair: Pair, me: Sample, other: Sample
) -> Iterator[tuple[str, Attempt]]:
    """Rows that are known to be there, read by a session that acts for nobody."""
    if not _may_read(pair):
        return
    rows = at_rows((*me.rows, *other.rows))
    for name, value in LOST.items():
        yield (
            name,
            Attempt(
                role=pair.rights.role,
                settings=tuple((setting, value) for setting in context),
                setup=_grant(pair),
                statement=f"SELECT pg_catalog.count(*) FROM {pair.subject.object} WHERE {rows}",
            ),
        )


def _open(subject: Subject, rights: Rights) -> str:
    """A row that is named in WHERE must pass the policies for SELECT too. With these out of the
    way, what is left are the policies for the command itself: the ones that a statement without
    WHERE meets. https://www.postgresql.org/docs/16/sql-createpolicy.html"""
    return (
        f"{subject.bare}{grant_of(subject, rights)} CREATE POLICY hk_open ON {subject.object}"
        f" FOR SELECT TO {quoted(rights.role)} USING (true);"
    )


def _harmless_column(pair: Pair) -> str:
    """A column that the role may update and that no policy looks at, or else any."""
    columns = [
        column
        for column in pair.subject.columns
        if column.updatable and column.name in pair.rights.update
    ]
    columns.sort(key=lambda column: column.name in pair.identities.bearing)
    return columns[0].quoted if columns else ""


def _insert(pair: Pair, other: Sample) -> str:
    """The other's row once more, with what the table fills in by itself left to it."""
    bearing = pair.identities.bearing
    if not bearing or not set(bearing) <= pair.rights.insert:
        return ""
    columns = [
        column
        for column in pair.subject.columns
        if column.writable
        and column.name in pair.rights.insert
        and (not column.filled or column.name in bearing)
    ]
    names = ", ".join(column.quoted for column in columns)
    values = ", ".join(literal(other.values[column.name]) for column in columns)
    return f"INSERT INTO {pair.subject.object} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})"


def _conflicts(pair: Pair, me: Sample, other: Sample, change: str) -> Iterator[str]:
    """Its own row once more, with the key of the other's row: keys without an identity column."""
    identity = {column for column, _ in pair.identities.own}
    columns = [
        column
        for column in pair.subject.columns
        if column.writable and column.name in pair.rights.insert
    ]
    if not change or not identity or not pair.rights.select:
        return
    for key in pair.subject.keys:
        if set(key) & identity or not set(key) <= {column.name for column in columns}:
            continue
        names = ", ".join(column.quoted for column in columns)
        values = ", ".join(
            literal((other if column.name in key else me).values[column.name]) for column in columns
        )
        target = ", ".join(quoted(name) for name in key)
        yield (
            f"INSERT INTO {pair.subject.object} ({names}) OVERRIDING SYSTEM VALUE"
            f" VALUES ({values}) ON CONFLICT ({target}) DO UPDATE SET {change} = excluded.{change}"
        )


def _move(pair: Pair, me: Sample, other: Sample) -> str:
    """One row of its own, with the columns that policies look at set to the other's."""
    names = [column for column, _ in pair.identities.own] or list(pair.identities.bearing)
    columns = [
        column
        for column in pair.subject.columns
        if column.name in names
        and column.updatable
        and column.name in pair.rights.update
        and me.values[column.name] != other.values[column.name]
    ]
    if not columns:
        return ""
    changes = ", ".join(
        f"{column.quoted} = {literal(other.values[column.name])}" for column in columns
    )
    return f"UPDATE {pair.subject.object} SET {changes} WHERE {at_rows(me.rows[:1])}"
