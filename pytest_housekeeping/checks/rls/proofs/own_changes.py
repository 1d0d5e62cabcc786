"""What a role can change of its own rows, in tables that policies look into, and reaches thereby.

A profile is one's own, and so is what stands in it: where a policy of another table asks it for the
tenant, or whether one is an administrator, whoever may update that column chooses what to see. So
each such column that the role may update is set, acting for one identity, to what other rows have
there and to what policies ask for; then the rows of the other identity are tried once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_housekeeping.checks.rls.expressions.called import Functions
from pytest_housekeeping.checks.rls.expressions.policies import read_policies
from pytest_housekeeping.checks.rls.findings import FindingCollector
from pytest_housekeeping.checks.rls.identities.identities import TableIdentities, describe
from pytest_housekeeping.checks.rls.identities.visible_rows import (
    OwnedRows,
    grant_select,
    read_owned_rows,
    rows_condition,
)
from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.proofs.isolation_attempts import (
    harmless_assignment,
    lift_read_policies,
)
from pytest_housekeeping.checks.rls.proofs.isolation_pairs import IdentityPair
from pytest_housekeeping.checks.rls.tables import Column, ProtectedTable, RolePrivileges
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_all
from pytest_housekeeping.checks.rules.together import attempt_together
from pytest_housekeeping.declarations.identity import Claim, Identity, settings_of
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import quoted

_DISTINCT = 6
_NUMBERS = ("0", "1", "32767")
_ENDS = ("infinity", "-infinity")
# What a policy may ask of a column without naming a value that the column must have.
_TYPICAL: Mapping[str, Sequence[str]] = {
    "boolean": ("true", "false"),
    **dict.fromkeys(("smallint", "integer", "bigint", "numeric", "real"), _NUMBERS),
    **dict.fromkeys(("date", "timestamp with time zone", "timestamp without time zone"), _ENDS),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    """A column of a table that a policy of the pair's table looks into, set to a value."""

    pair: IdentityPair
    others: OwnedRows
    table: ProtectedTable
    privileges: RolePrivileges
    column: Column
    value: str | None
    identity: Identity

    @property
    def statement(self) -> str:
        return f"UPDATE {self.table.object} SET {self.column.quoted} = {literal(self.value)}"


def judge_own_changes(
    connection: Connection,
    context: Sequence[Claim],
    functions: Functions,
    known: Sequence[ProtectedTable],
    collector: FindingCollector,
    identities: Mapping[str, TableIdentities],
    pairs: Sequence[IdentityPair],
) -> None:
    """Collect what each identity reaches of the other's once it has changed a row of its own. Where
    it reaches rows of others in any case, that is told of the table itself, and nothing here."""
    open_already = collector.leaking
    changes = [
        each
        for each in _changes(connection, functions, known, identities, pairs)
        if each.table.object not in open_already and each.pair.table.object not in open_already
    ]
    alone = attempt_all(connection, [_attempt(context, each, each.statement) for each in changes])
    asked = [
        (change, does, attempt)
        for change, result in zip(changes, alone, strict=True)
        if result.rows and not result.sqlstate
        for does, attempt in _reaching(context, change)
    ]
    before = [replace(attempt, statement="SELECT 1") for _, _, attempt in asked]
    unique = list(dict.fromkeys(before))
    answers = dict(zip(unique, attempt_all(connection, unique), strict=True))
    after = attempt_all(connection, [attempt for _, _, attempt in asked])
    for (change, does, _), first, result in zip(asked, before, after, strict=True):
        if _reached(result) and not _reached(answers[first]):
            _tell(collector, change, does)


def _reached(result: AttemptResult) -> bool:
    """Policies are checked before constraints: what one of these has stopped has passed them."""
    return bool(result.value) or result.sqlstate.startswith("23")


def _changes(
    connection: Connection,
    functions: Functions,
    known: Sequence[ProtectedTable],
    identities: Mapping[str, TableIdentities],
    pairs: Sequence[IdentityPair],
) -> Iterator[_Change]:
    found = list(_columns_looked_into(functions, known, pairs))
    if not found:
        return
    rows = read_owned_rows(connection, [(pair.identities, pair.other) for pair, *_ in found])
    there = _values_there(connection, [(table, column) for _, table, _, column in found])
    for (pair, table, privileges, column), others in zip(found, rows, strict=True):
        values = dict.fromkeys(there[table.object, column.name])
        for value in (*values, *_wanted(pair, functions, table, column, others)):
            yield _Change(
                pair=pair,
                others=others,
                table=table,
                privileges=privileges,
                column=column,
                value=value,
                identity=_of_both(pair, identities.get(table.object)),
            )


def _columns_looked_into(
    functions: Functions, known: Sequence[ProtectedTable], pairs: Sequence[IdentityPair]
) -> Iterator[tuple[IdentityPair, ProtectedTable, RolePrivileges, Column]]:
    """Each column that policies look into and the role may update."""
    tables = {(table.schema, table.name): table for table in known}
    tried: set[object] = set()
    for pair in pairs:
        if (key := _what_policies_say(pair)) in tried:
            continue
        tried.add(key)
        for relation, name in read_policies(pair.table, functions).looked_into:
            table = tables.get(relation)
            column = table.column(name) if table else None
            if table is None or column is None or not column.updatable:
                continue
            for each in table.privileges:
                if each.role == pair.privileges.role and name in each.update:
                    yield pair, table, each, column


def _of_both(pair: IdentityPair, there: TableIdentities | None) -> Identity:
    """The pair's own identity, and by what else one has a row in the table looked into."""
    mine = dict(pair.me.identity)
    others = next(iter(there.candidates), ()) if there else ()
    return (*mine.items(), *((claim, value) for claim, value in others if claim not in mine))


def _what_policies_say(pair: IdentityPair) -> tuple[object, ...]:
    """The same for tables whose policies differ in no more than the table's name, which are then
    tried once."""
    own = re.compile(rf"\b{re.escape(pair.table.name)}\b")
    return (
        pair.privileges.role,
        pair.me.identity,
        pair.privileges.commands,
        tuple(
            (each.command, each.permissive, own.sub("?", each.using), own.sub("?", each.check))
            for each in pair.table.policies
            if pair.privileges.role in each.roles
        ),
    )


def _values_there(
    connection: Connection, asked: Sequence[tuple[ProtectedTable, Column]]
) -> Mapping[tuple[str, str], Sequence[str]]:
    """Some distinct values of each column, read past the policies."""
    unique = list(dict.fromkeys(asked))
    results = attempt_together(
        connection,
        [
            Attempt(
                setup=table.no_force,
                statement="SELECT pg_catalog.jsonb_agg(s.value) FROM (SELECT DISTINCT"
                f" {column.quoted}::text AS value FROM {table.object}"
                f" WHERE {column.quoted} IS NOT NULL LIMIT {_DISTINCT}) AS s",
            )
            for table, column in unique
        ],
    )
    return {
        (table.object, column.name): result.value or ()
        for (table, column), result in zip(unique, results, strict=True)
    }


def _wanted(
    pair: IdentityPair,
    functions: Functions,
    table: ProtectedTable,
    column: Column,
    others: OwnedRows,
) -> Iterator[str | None]:
    """What the policies compare the column with: values that they hold, or the other's row has."""
    reading = read_policies(pair.table, functions)
    place = ((table.schema, table.name), column.name)
    itself = (pair.table.schema, pair.table.name)
    for constant in reading.column_constants:
        if ((constant.schema, constant.table), constant.column) == place:
            yield constant.value
    for link in reading.links:
        ends = {link.one, link.other}
        if place in ends:
            names = [name for relation, name in ends - {place} if relation == itself]
            yield from (value for name in names if (value := others.values.get(name)) is not None)
    yield from _TYPICAL.get(column.type, ())
    if not column.required:
        yield None


def _reaching(context: Sequence[Claim], change: _Change) -> Iterator[tuple[str, Attempt]]:
    """The change, and behind it all that could reach the other's rows."""
    table, privileges = change.pair.table, change.pair.privileges
    if not change.others.rows:
        return
    where = f"{rows_condition(change.others.rows)} AND {table.hidden or 'true'}"
    count = "SELECT pg_catalog.to_jsonb(pg_catalog.count(*)) FROM"
    attempt = _attempt(context, change, change.statement)
    if privileges.may_read and not table.is_public:
        setup = grant_select(table, privileges)
        yield "sees", replace(attempt, setup=setup, later=f"{count} {table.object} WHERE {where}")
    theirs, setup = rows_condition(change.others.rows), lift_read_policies(table, privileges)
    writes = {}
    if assignment := harmless_assignment(change.pair):
        writes["updates"] = f"UPDATE {table.object} SET {assignment} = {assignment}"
    if privileges.delete:
        writes["deletes"] = f"DELETE FROM {table.object}"
    for does, write in writes.items():
        later = f"WITH w AS ({write} WHERE {theirs} RETURNING 1) {count} w"
        yield does, replace(attempt, setup=setup, later=later)


def _attempt(context: Sequence[Claim], change: _Change, statement: str) -> Attempt:
    return Attempt(
        role=change.privileges.role,
        settings=settings_of(context, change.identity),
        statement=statement,
        query=False,
    )


def _tell(collector: FindingCollector, change: _Change, does: str) -> None:
    role, name = change.privileges.role, change.table.object
    left = change.privileges.update - {change.column.name}
    fix = f"REVOKE UPDATE ON {name} FROM {quoted(role)};"
    if left:
        columns = ", ".join(quoted(each) for each in sorted(left))
        fix += f"\nGRANT UPDATE ({columns}) ON {name} TO {quoted(role)};"
    me, other = describe(change.pair.me.identity), describe(change.pair.other.identity)
    text = (
        f"{role} acting for {me} {does} rows of {other} once it has set"
        f" {change.column.quoted} of its row of {name} to {literal(change.value)}"
    )
    collector.add_way(change.pair.table, role, text, fix)
