"""Try, as one identity, to see, change, delete, write and take over what belongs to another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.database import Connection
from pytest_housekeeping.guards.holdings import (
    Holding,
    Sample,
    at_rows,
    belonging,
    grant_of,
    literal,
    quoted,
    read_samples,
    settings_of,
)
from pytest_housekeeping.guards.identity import Identities, describe
from pytest_housekeeping.guards.probe import Answer, Attempt, attempt_all
from pytest_housekeeping.guards.subjects import Rights, Subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One identity, and another whose rows it must not reach."""

    subject: Subject
    rights: Rights
    identities: Identities
    me: Holding
    other: Holding


@dataclass(kw_only=True, slots=True)
class Deeds:
    """What came of the attempts: leaks, open questions, and what was shown."""

    leaks: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def trespass(connection: Connection, context: Sequence[str], pairs: Sequence[Pair]) -> list[Deeds]:
    """Try everything that the role has a privilege for, one subtransaction each."""
    mine = read_samples(connection, [(pair.identities, pair.me) for pair in pairs])
    others = read_samples(connection, [(pair.identities, pair.other) for pair in pairs])
    trials = [
        (number, name, attempt)
        for number, (pair, me, other) in enumerate(zip(pairs, mine, others, strict=True))
        if me.rows and other.rows
        for name, attempt in _attempts(context, pair, me, other)
    ]
    answers = attempt_all(connection, [attempt for _, _, attempt in trials])
    deeds = [Deeds() for _ in pairs]
    for number, (me, other) in enumerate(zip(mine, others, strict=True)):
        if not me.rows or not other.rows:
            deeds[number].undecided.append("the rows of one identity could not be read")
    for (number, name, attempt), answer in zip(trials, answers, strict=True):
        _judge(deeds[number], name, describe(pairs[number].other.identity), attempt, answer)
    return deeds


def _judge(deeds: Deeds, name: str, other: str, attempt: Attempt, answer: Answer) -> None:
    if name in ("see", "see foreign"):
        _judge_reading(deeds, name, other, answer)
    elif answer.refused:
        deeds.shown.append(f"{name} refused (42501)")
    elif answer.sqlstate.startswith("23"):
        deeds.leaks.append(
            f"{_LEAKS[name].format(other=other)}: the policies let it pass, and only a constraint"
            f" stopped it ({answer.message})"
        )
    elif answer.sqlstate.startswith("42"):
        deeds.undecided.append(f"{name} could not be tried: {answer}")
    elif answer.sqlstate:
        deeds.shown.append(f"{name} refused ({answer.sqlstate})")
    elif answer.rows == 0:
        deeds.shown.append(f"{name}: no row of it")
    elif attempt.measure and answer.grown == 0:
        deeds.shown.append(f"{name}: turned into its own by a trigger")
    else:
        deeds.leaks.append(_LEAKS[name].format(other=other))


def _judge_reading(deeds: Deeds, name: str, other: str, answer: Answer) -> None:
    if answer.value:
        deeds.leaks.append(f"sees rows of {other if name == 'see' else 'others'}")
    elif answer.sqlstate:
        deeds.undecided.append(f"reading failed: {answer}")
    elif name == "see":
        deeds.shown.append(f"sees its own rows and none of {other}")


_LEAKS = {
    "change": "updates rows of {other}",
    "delete": "deletes rows of {other}",
    "write": "inserts a row as {other}",
    "move": "moves its own row to {other}",
}


def _attempts(
    context: Sequence[str], pair: Pair, me: Sample, other: Sample
) -> Iterator[tuple[str, Attempt]]:
    subject, rights = pair.subject, pair.rights
    settings = settings_of(context, pair.me.identity)
    theirs = at_rows(other.rows)

    def attempt(statement: str, *, setup: str, measure: str = "", query: bool = False) -> Attempt:
        return Attempt(
            role=rights.role,
            settings=settings,
            setup=setup,
            statement=statement,
            measure=measure,
            query=query,
        )

    grant, opened = grant_of(subject, rights), _open(subject, rights)
    readable = rights.select or rights.select_some
    if readable:
        yield (
            "see",
            attempt(
                f"SELECT pg_catalog.count(*) FROM {subject.object} WHERE {theirs}",
                setup=grant,
                query=True,
            ),
        )
    if readable and pair.identities.own:
        foreign = belonging(pair.identities, pair.me.identity, "IS DISTINCT FROM")
        yield (
            "see foreign",
            attempt(
                "SELECT pg_catalog.count(*) FROM"
                f" (SELECT FROM {subject.object} WHERE {foreign} LIMIT 1) AS s",
                setup=grant,
                query=True,
            ),
        )
    measure = ""
    if pair.identities.own:
        measure = (
            f"SELECT pg_catalog.count(*) FROM {subject.object}"
            f" WHERE {belonging(pair.identities, pair.other.identity, '=')}"
        )
    change = _harmless_column(pair)
    if change:
        statement = f"UPDATE {subject.object} SET {change} = {change} WHERE {theirs}"
        yield "change", attempt(statement, setup=opened)
    if rights.delete:
        yield "delete", attempt(f"DELETE FROM {subject.object} WHERE {theirs}", setup=opened)
    write = _insert(pair, other)
    if write:
        yield "write", attempt(write, setup=subject.bare, measure=measure)
    move = _move(pair, me, other)
    if move:
        yield "move", attempt(move, setup=opened, measure=measure)


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
