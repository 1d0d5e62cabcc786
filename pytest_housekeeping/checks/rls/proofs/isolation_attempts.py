"""What a role can try, acting for one identity, against the rows of another: as statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_housekeeping.checks.rls.identities.visible_rows import (
    OwnedRows,
    grant_select,
    identity_condition,
    rows_condition,
)
from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.proofs.isolation_pairs import IdentityPair
from pytest_housekeeping.checks.rls.tables import Column, ProtectedTable, RolePrivileges
from pytest_housekeeping.checks.rules.attempts import Attempt
from pytest_housekeeping.declarations.identity import Claim, Settings, settings_of, strangers_of
from pytest_housekeeping.sql.identifiers import in_quotes

# What a setting holds in sessions that have lost their identity, or carry none that could be one.
LOST_CONTEXT, MALFORMED = "context ", "malformed"
READS = ("see", "see foreign")
SOMEBODY = "of somebody else"
_LOST = {"''": "", MALFORMED: "hk' malformed\\\""}


def attempts_of(
    context: Sequence[Claim], pair: IdentityPair, mine: OwnedRows, others: OwnedRows
) -> Iterator[tuple[str, Attempt]]:
    """Everything that the role holds a privilege for, each with its name."""
    table, privileges = pair.table, pair.privileges
    for name, statement in _reads(pair, others):
        setup = grant_select(table, privileges)
        yield name, _attempt(context, pair, statement, setup=setup, query=True)
    yield from _reads_without_identity(context, pair, mine, others)
    assignment = harmless_assignment(pair)
    without_read_policies = lift_read_policies(table, privileges)
    theirs = rows_condition(others.rows)
    if assignment:
        statement = f"UPDATE {table.object} SET {assignment} = {assignment} WHERE {theirs}"
        yield "change", _attempt(context, pair, statement, setup=without_read_policies)
    if privileges.delete:
        statement = f"DELETE FROM {table.object} WHERE {theirs}"
        yield "delete", _attempt(context, pair, statement, setup=without_read_policies)
    write = _insert_as_other(pair, others)
    if write:
        yield "write", _attempt(context, pair, write)
    for statement in _take_over(pair, mine, others, assignment):
        yield "take over", _attempt(context, pair, statement)
    move = _move_to_other(pair, mine, others)
    if move:
        yield "move", _attempt(context, pair, move, setup=without_read_policies)


def measured(pair: IdentityPair, attempt: Attempt) -> Attempt:
    """The same, which counts the rows of the other past the policies, before and after: a BEFORE
    trigger may put in the own identity, and then the other has no more of them."""
    if not pair.identities.identity_columns:
        return attempt
    return replace(
        attempt,
        setup=f"{pair.table.no_force}{attempt.setup}",
        measure=f"SELECT pg_catalog.count(*) FROM {pair.table.object}"
        f" WHERE {identity_condition(pair.identities, pair.other.identity, '=')}",
    )


def _attempt(
    context: Sequence[Claim],
    pair: IdentityPair,
    statement: str,
    *,
    setup: str = "",
    query: bool = False,
) -> Attempt:
    return Attempt(
        role=pair.privileges.role,
        settings=settings_of(context, pair.me.identity),
        setup=setup,
        statement=statement,
        query=query,
    )


def _reads(pair: IdentityPair, others: OwnedRows) -> Iterator[tuple[str, str]]:
    """Read the rows of the other, and any row that does not carry the own identity."""
    if not pair.privileges.may_read or pair.table.is_public:
        return
    name, hidden = pair.table.object, pair.table.hidden or "true"
    theirs = rows_condition(others.rows)
    yield "see", f"SELECT pg_catalog.count(*) FROM {name} WHERE {theirs} AND {hidden}"
    if pair.identities.identity_columns:
        foreign = identity_condition(pair.identities, pair.me.identity, "IS DISTINCT FROM")
        one = f"SELECT FROM {name} WHERE {foreign} AND {hidden} LIMIT 1"
        yield "see foreign", f"SELECT pg_catalog.count(*) FROM ({one}) AS s"


def _reads_without_identity(
    context: Sequence[Claim], pair: IdentityPair, mine: OwnedRows, others: OwnedRows
) -> Iterator[tuple[str, Attempt]]:
    """Read rows that are known to be there, in a session that acts for nobody."""
    if not pair.privileges.may_read or pair.table.is_public:
        return
    rows = f"{rows_condition((*mine.rows, *others.rows))} AND {pair.table.hidden or 'true'}"
    settings = dict.fromkeys(claim.setting for claim in context)
    lost = [(name, tuple(dict.fromkeys(settings, value).items())) for name, value in _LOST.items()]
    third = () if pair.identities.identity_columns else _third(context, pair)
    for name, values in (*lost, *strangers_of(context), *third):
        yield (
            f"{LOST_CONTEXT}{name}",
            Attempt(
                role=pair.privileges.role,
                settings=values,
                setup=grant_select(pair.table, pair.privileges),
                statement=f"SELECT pg_catalog.count(*) FROM {pair.table.object} WHERE {rows}",
            ),
        )


def _third(context: Sequence[Claim], pair: IdentityPair) -> Iterator[tuple[str, Settings]]:
    """Somebody who has none of these rows: of two, one who sees all but its own sees the other's
    alone, and that is no more than one would see of its own."""
    constants = dict(pair.identities.constants)
    theirs = dict(pair.other.identity)
    identity = tuple(
        (claim, value if claim in constants else _unlike(value, theirs[claim]))
        for claim, value in pair.me.identity
    )
    yield SOMEBODY, settings_of(context, identity)


def _unlike(value: str, other: str) -> str:
    """A value of the same kind, with another end than both."""
    ends = (f"{value[:-1]}{end}" for end in "789")
    return next(each for each in ends if each not in (value, other))


def lift_read_policies(table: ProtectedTable, privileges: RolePrivileges) -> str:
    """A set-up that leaves the policies for the command itself as the only ones.

    An UPDATE or DELETE whose WHERE names columns needs its rows to pass the policies for SELECT as
    well; one without WHERE does not, and meets only its own policies.
    https://www.postgresql.org/docs/16/sql-createpolicy.html
    """
    grant = grant_select(table, privileges)
    if _changes_only_what_it_reads(table, privileges):
        return grant
    return (
        f"{grant} CREATE POLICY hk_open ON {table.object} FOR SELECT"
        f" TO {in_quotes(privileges.role)} USING (true);"
    )


def _changes_only_what_it_reads(table: ProtectedTable, privileges: RolePrivileges) -> bool:
    """Whether each permissive policy that lets it change, delete or hand on a row lets it read the
    same row: then those for SELECT stop nothing that the others let pass."""
    return all(
        policy.command == "*" and policy.check in ("", policy.using)
        for policy in table.policies
        if policy.permissive and policy.command in ("*", "w", "d")
        if privileges.role in policy.roles
    )


def harmless_assignment(pair: IdentityPair) -> str:
    """A column that may be set to itself: one that no policy looks at, or else any."""
    columns = [
        column
        for column in pair.table.columns
        if column.updatable and column.name in pair.privileges.update
    ]
    columns.sort(key=lambda column: column.name in pair.identities.policy_columns)
    return columns[0].quoted if columns else ""


def _insertable(pair: IdentityPair) -> list[Column]:
    return [
        column
        for column in pair.table.columns
        if column.writable and column.name in pair.privileges.insert
    ]


def _insert_as_other(pair: IdentityPair, others: OwnedRows) -> str:
    """The other's row once more; columns that fill themselves are left to the table."""
    named = pair.identities.policy_columns
    if not named or not set(named) <= pair.privileges.insert:
        return ""
    columns = [
        column for column in _insertable(pair) if not column.has_default or column.name in named
    ]
    return insert_row(pair.table, columns, [others.values[column.name] for column in columns])


def keys_to_take_over(pair: IdentityPair) -> tuple[tuple[str, ...], ...]:
    """The unique keys without an identity column, where the role may put a row in another's
    place."""
    identity = {column for column, _ in pair.identities.identity_columns}
    if not identity or not pair.privileges.select or not harmless_assignment(pair):
        return ()
    insertable = {column.name for column in _insertable(pair)}
    return tuple(key for key in pair.table.keys if set(key) <= insertable - identity)


def _take_over(
    pair: IdentityPair, mine: OwnedRows, others: OwnedRows, assignment: str
) -> Iterator[str]:
    """The own row once more with the key of the other's, ON CONFLICT DO UPDATE."""
    columns = _insertable(pair)
    for key in keys_to_take_over(pair):
        values = [
            (others if column.name in key else mine).values[column.name] for column in columns
        ]
        target = ", ".join(in_quotes(name) for name in key)
        yield (
            f"{insert_row(pair.table, columns, values)}"
            f" ON CONFLICT ({target}) DO UPDATE SET {assignment} = excluded.{assignment}"
        )


def insert_row(
    table: ProtectedTable, columns: Sequence[Column], values: Sequence[str | None]
) -> str:
    names = ", ".join(column.quoted for column in columns)
    literals = ", ".join(literal(value) for value in values)
    return f"INSERT INTO {table.object} ({names}) OVERRIDING SYSTEM VALUE VALUES ({literals})"


def _move_to_other(pair: IdentityPair, mine: OwnedRows, others: OwnedRows) -> str:
    """One row of its own, with the columns that policies look at set to the other's values."""
    names = [column for column, _ in pair.identities.identity_columns]
    names = names or list(pair.identities.policy_columns)
    columns = [
        column
        for column in pair.table.columns
        if column.name in names
        and column.updatable
        and column.name in pair.privileges.update
        and mine.values[column.name] != others.values[column.name]
    ]
    if not columns:
        return ""
    changes = ", ".join(
        f"{column.quoted} = {literal(others.values[column.name])}" for column in columns
    )
    return f"UPDATE {pair.table.object} SET {changes} WHERE {rows_condition(mine.rows[:1])}"
