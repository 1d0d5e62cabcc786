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
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.identities.identities import TableIdentities, describe
from pytest_housekeeping.checks.rls.identities.visible_rows import (
    OwnedRows,
    VisibleRows,
    grant_select,
    read_owned_rows,
    read_visible_rows,
    rows_condition,
)
from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.proofs.isolation_attempts import (
    harmless_assignment,
    insert_row,
    lift_read_policies,
)
from pytest_housekeeping.checks.rls.proofs.isolation_pairs import IdentityPair
from pytest_housekeeping.checks.rls.proofs.own_change_values import values_there, values_wanted
from pytest_housekeeping.checks.rls.tables import Column, ProtectedTable, RolePrivileges
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_unique
from pytest_housekeeping.declarations.identity import Claim, Identity, settings_of
from pytest_housekeeping.sql.identifiers import quoted


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
    mine: OwnedRows | None = None
    """The own row, where it is not updated but written anew."""

    @property
    def statement(self) -> str:
        if self.mine is None:
            return f"UPDATE {self.table.object} SET {self.column.quoted} = {literal(self.value)}"
        values = {**self.mine.values, self.column.name: self.value}
        columns = [
            each
            for each in self.table.columns
            if each.writable
            and each.name in self.privileges.insert
            and (each.name == self.column.name or not each.has_default)
        ]
        return insert_row(self.table, columns, [values.get(each.name) for each in columns])

    @property
    def setup(self) -> str:
        """As before its row was made; what refers to it may keep it there."""
        if self.mine is None:
            return ""
        rows = rows_condition(self.mine.rows)
        return (
            f"{self.table.no_force} DO $hk_own$ BEGIN DELETE FROM {self.table.object} WHERE {rows};"
            " EXCEPTION WHEN OTHERS THEN NULL; END $hk_own$;"
        )


def judge_own_changes(
    ground: ProofGround,
    collector: FindingCollector,
    identities: Mapping[str, TableIdentities],
    pairs: Sequence[IdentityPair],
) -> None:
    """Collect what each identity reaches of the other's once it has changed a row of its own. Where
    it reaches rows of others in any case, that is told of the table itself, and nothing here."""
    open_already = collector.leaking
    changes = [
        each
        for each in _changes(ground, identities, pairs)
        if each.table.object not in open_already and each.pair.table.object not in open_already
    ]
    connection, context = ground.connection, ground.context
    alone = attempt_unique(connection, [_attempt(context, each) for each in changes])
    asked = [
        (change, does, attempt)
        for change, result in zip(changes, alone, strict=True)
        if result.rows and not result.sqlstate
        for does, attempt in _reaching(context, change)
    ]
    before = [replace(attempt, statement="SELECT 1") for _, _, attempt in asked]
    answers = attempt_unique(connection, before)
    after = attempt_unique(connection, [attempt for _, _, attempt in asked])
    for (change, does, _), first, then in zip(asked, answers, after, strict=True):
        if _reached(then) and not _reached(first):
            _tell(collector, change, does)


def _reached(result: AttemptResult) -> bool:
    """Policies are checked before constraints: what one of these has stopped has passed them."""
    return bool(result.value) or result.sqlstate.startswith("23")


def _changes(
    ground: ProofGround, identities: Mapping[str, TableIdentities], pairs: Sequence[IdentityPair]
) -> Iterator[_Change]:
    connection, functions = ground.connection, ground.functions
    found = list(_columns_looked_into(functions, ground.known, pairs))
    if not found:
        return
    rows = read_owned_rows(connection, [(pair.identities, pair.other) for pair, *_ in found])
    there = values_there(connection, [(table, column) for _, table, _, column in found])
    for (pair, table, privileges, column), others in zip(found, rows, strict=True):
        values = dict.fromkeys(there[table.object, column.name])
        change = _Change(
            pair=pair,
            others=others,
            table=table,
            privileges=privileges,
            column=column,
            value=None,
            identity=_of_both(pair, identities.get(table.object)),
        )
        mine = _own_row(ground, change, replace(pair.identities, identity_columns=()))
        for value in (*values, *values_wanted(pair, functions, table, column, others)):
            if column.updatable and column.name in privileges.update:
                yield replace(change, value=value)
            if mine and mine.rows and mine.values[column.name] != value:
                yield replace(change, value=value, mine=mine)


def _own_row(ground: ProofGround, change: _Change, there: TableIdentities) -> OwnedRows | None:
    """A row that the identity sees in the table looked into, where the role may write such a one
    itself."""
    if not change.column.writable or change.column.name not in change.privileges.insert:
        return None
    asked = VisibleRows(table=change.table, privileges=change.privileges, identity=change.identity)
    (seen,) = read_visible_rows(ground.connection, ground.context, [asked])
    return read_owned_rows(ground.connection, [(there, replace(seen, rows=seen.rows[:1]))])[0]


def _columns_looked_into(
    functions: Functions, known: Sequence[ProtectedTable], pairs: Sequence[IdentityPair]
) -> Iterator[tuple[IdentityPair, ProtectedTable, RolePrivileges, Column]]:
    """Each column that policies look into and the role may write."""
    tables = {(table.schema, table.name): table for table in known}
    tried: set[object] = set()
    for pair in pairs:
        if (key := _what_policies_say(pair)) in tried:
            continue
        tried.add(key)
        for relation, name in read_policies(pair.table, functions).looked_into:
            table = tables.get(relation)
            column = table.column(name) if table else None
            if table is None or column is None:
                continue
            for each in table.privileges:
                if each.role == pair.privileges.role and name in each.update | each.insert:
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


def _reaching(context: Sequence[Claim], change: _Change) -> Iterator[tuple[str, Attempt]]:
    """The change, and behind it all that could reach the other's rows."""
    table, privileges = change.pair.table, change.pair.privileges
    if not change.others.rows:
        return
    where = f"{rows_condition(change.others.rows)} AND {table.hidden or 'true'}"
    count = "SELECT pg_catalog.to_jsonb(pg_catalog.count(*)) FROM"
    attempt = _attempt(context, change)
    if privileges.may_read and not table.is_public:
        setup = change.setup + grant_select(table, privileges)
        yield "sees", replace(attempt, setup=setup, later=f"{count} {table.object} WHERE {where}")
    theirs = rows_condition(change.others.rows)
    setup = change.setup + lift_read_policies(table, privileges)
    writes = {}
    if assignment := harmless_assignment(change.pair):
        writes["updates"] = f"UPDATE {table.object} SET {assignment} = {assignment}"
    if privileges.delete:
        writes["deletes"] = f"DELETE FROM {table.object}"
    for does, write in writes.items():
        later = f"WITH w AS ({write} WHERE {theirs} RETURNING 1) {count} w"
        yield does, replace(attempt, setup=setup, later=later)


def _attempt(context: Sequence[Claim], change: _Change) -> Attempt:
    return Attempt(
        role=change.privileges.role,
        settings=settings_of(context, change.identity),
        statement=change.statement,
        setup=change.setup,
        query=False,
    )


def _tell(collector: FindingCollector, change: _Change, does: str) -> None:
    role, name = change.privileges.role, change.table.object
    held = change.privileges.insert if change.mine else change.privileges.update
    right, done = ("INSERT", "written") if change.mine else ("UPDATE", "set")
    fix = f"REVOKE {right} ON {name} FROM {quoted(role)};"
    if left := held - {change.column.name}:
        columns = ", ".join(quoted(each) for each in sorted(left))
        fix += f"\nGRANT {right} ({columns}) ON {name} TO {quoted(role)};"
    me, other = describe(change.pair.me.identity), describe(change.pair.other.identity)
    text = (
        f"{role} acting for {me} {does} rows of {other} once it has {done}"
        f" {change.column.quoted} of its row of {name} to be {literal(change.value)}"
    )
    collector.add_way(change.pair.table, role, text, fix)
