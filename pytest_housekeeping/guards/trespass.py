"""Try, as one identity, to see, change, delete, write and take over what belongs to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from pytest_housekeeping.database import Connection
from pytest_housekeeping.guards.identity import Identities, Identity, describe
from pytest_housekeeping.guards.probe import Answer, Attempt, attempt_all
from pytest_housekeeping.guards.subjects import Rights, Subject

Row = tuple[int, str]

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
                settings=_settings(context, item.identity),
                setup=_grant(item.subject, item.rights),
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


def trespass(connection: Connection, context: Sequence[str], pairs: Sequence[Pair]) -> list[Deeds]:
    """Try everything that the role has a privilege for, one subtransaction each."""
    mine = _read_samples(connection, [(pair, pair.me) for pair in pairs])
    others = _read_samples(connection, [(pair, pair.other) for pair in pairs])
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
    settings = _settings(context, pair.me.identity)
    theirs = _at(other.rows)

    def attempt(statement: str, *, setup: str, measure: str = "", query: bool = False) -> Attempt:
        return Attempt(
            role=rights.role,
            settings=settings,
            setup=setup,
            statement=statement,
            measure=measure,
            query=query,
        )

    grant, opened = _grant(subject, rights), _open(subject, rights)
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
        foreign = _belongs(pair, pair.me.identity, "IS DISTINCT FROM")
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
            f" WHERE {_belongs(pair, pair.other.identity, '=')}"
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


def _settings(context: Sequence[str], identity: Identity) -> tuple[tuple[str, str], ...]:
    """The identity, and nothing else of the context."""
    given = dict(identity)
    return tuple((name, given.get(name, "")) for name in context)


def _grant(subject: Subject, rights: Rights) -> str:
    """What policies show does not depend on the privilege: lend it where a column is granted."""
    if rights.select:
        return ""
    return f"GRANT SELECT ON {subject.object} TO {_quoted(rights.role)};"


def _open(subject: Subject, rights: Rights) -> str:
    """A row that is named in WHERE must pass the policies for SELECT too. With these out of the
    way, what is left are the policies for the command itself: the ones that a statement without
    WHERE meets. https://www.postgresql.org/docs/16/sql-createpolicy.html"""
    return (
        f"{subject.bare}{_grant(subject, rights)} CREATE POLICY hk_open ON {subject.object}"
        f" FOR SELECT TO {_quoted(rights.role)} USING (true);"
    )


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def _literal(value: str | None) -> str:
    return sql.Literal(value).as_string()


def _at(rows: Sequence[Row]) -> str:
    tables: dict[int, list[str]] = {}
    for table, place in rows:
        tables.setdefault(table, []).append(place)
    return (
        "("
        + " OR ".join(
            f"(tableoid = {table} AND ctid = ANY ({_literal(_array(places))}::pg_catalog.tid[]))"
            for table, places in sorted(tables.items())
        )
        + ")"
    )


def _array(places: Sequence[str]) -> str:
    return "{" + ",".join(f'"{place}"' for place in places) + "}"


def _belongs(pair: Pair, identity: Identity, operator: str) -> str:
    values = dict(identity)
    return " AND ".join(
        f"{_quoted(column)}::text {operator} {_literal(values[setting])}"
        for column, setting in pair.identities.own
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
    values = ", ".join(_literal(other.values[column.name]) for column in columns)
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
        f"{column.quoted} = {_literal(other.values[column.name])}" for column in columns
    )
    return f"UPDATE {pair.subject.object} SET {changes} WHERE {_at(me.rows[:1])}"


def _read_samples(connection: Connection, asked: Sequence[tuple[Pair, Holding]]) -> list[Sample]:
    """Rows that belong to an identity, as the owner sees them: by the identity columns, or else
    the ones that the identity sees."""
    statements = []
    for pair, holding in asked:
        texts = ", ".join(f"t.{column.quoted}::text" for column in pair.subject.columns)
        where = "false"
        if pair.identities.own:
            where = _belongs(pair, holding.identity, "=")
        elif holding.rows:
            where = _at(holding.rows)
        statements.append(
            "SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array("
            f"s.tableoid::bigint, s.ctid::text, s.hk_values)) FROM (SELECT t.tableoid, t.ctid,"
            f" ARRAY[{texts}]::text[] AS hk_values FROM {pair.subject.object} AS t"
            f" WHERE {where} LIMIT {_OTHERS if pair.identities.own else _SEEN}) AS s"
        )
    answers = attempt_all(
        connection,
        [
            Attempt(setup=pair.subject.bare, statement=statement)
            for (pair, _), statement in zip(asked, statements, strict=True)
        ],
    )
    return [
        Sample(
            rows=tuple((item[0], item[1]) for item in answer.value or ()),
            values=dict(
                zip(
                    (column.name for column in pair.subject.columns),
                    answer.value[0][2] if answer.value else (),
                    strict=False,
                )
            ),
        )
        for (pair, _), answer in zip(asked, answers, strict=True)
    ]
