"""Two identities made up from the policies: their settings, and the columns that carry them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pytest_housekeeping.checks.rls.expressions.policies import read_policies
from pytest_housekeeping.checks.rls.expressions.policy_reading import (
    ContextComparison,
    ContextConstant,
    PolicyReading,
)
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.identities.derived_values import (
    Derived,
    columns_in_parts,
    find_derived,
)
from pytest_housekeeping.checks.rls.identities.identities import (
    TableIdentities,
    identity_columns,
    match_constants,
    match_settings,
)
from pytest_housekeeping.checks.rls.rows.constraint_values import NoRow, columns_in, solve
from pytest_housekeeping.checks.rls.rows.rows_beside import asked_for, joins_of, reading_too
from pytest_housekeeping.checks.rls.rows.table_shape import (
    ParentReference,
    TableShape,
    read_shapes,
)
from pytest_housekeeping.checks.rls.rows.type_values import narrowness
from pytest_housekeeping.checks.rls.tables import ProtectedTable
from pytest_housekeeping.declarations.identity import Claim, Identity
from pytest_housekeeping.postgres.connection import Connection

_TURNS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeUpIdentities:
    """What rows for the two identities must carry.

    ``by_table`` says whom to act for on each table, ``settings`` holds all settings of each of the
    two; ``carried`` the values of the columns, by table and column, ``joins`` the rows of other
    tables that must exist beside a row of a table.
    """

    shapes: Mapping[str, TableShape]
    by_table: Mapping[str, TableIdentities]
    settings: tuple[Identity, Identity]
    carried: tuple[Mapping[str, Mapping[str, str]], Mapping[str, Mapping[str, str]]]
    joins: Mapping[str, Sequence[ParentReference]]


def make_up_identities(ground: ProofGround, chosen: Sequence[ProtectedTable]) -> MadeUpIdentities:
    """Two values for every setting of the context that a policy compares with a column.

    The policies of all protected tables are read; ``chosen`` are those to act on.
    """
    connection, known = ground.connection, ground.known
    readings = {table.object: read_policies(table, ground.functions) for table in known}
    compared = list(
        dict.fromkeys(item for reading in readings.values() for item in reading.comparisons)
    )
    shapes = _Shapes(_read_shapes(connection, compared, readings, chosen))
    values = _values(connection, compared, shapes)
    plain = [item for item in compared if not item.atom]
    settings = match_settings(ground, plain, values)
    given = _values_of_settings(plain, settings, values, shapes)
    parts = [item for item in compared if item.atom]
    derived = find_derived(ground, parts, values, given)
    for each in derived:
        given.setdefault(each.claim, each.pair)
    constants = match_constants(ground, readings)
    public = {table.object for table in known if table.public}
    wanted = asked_for(readings.values(), shapes.objects, public)
    carried = partial(_carried, plain, settings, given, shapes, derived, wanted)
    objects = {(table.schema, table.name): table.object for table in known}
    return MadeUpIdentities(
        shapes=shapes.by_object,
        by_table={
            table.object: _table_identities(
                table,
                list(reading_too(table.object, objects, readings)),
                settings,
                given,
                constants,
                derived,
            )
            for table in chosen
        },
        settings=(_all_settings(given, 0), _all_settings(given, 1)),
        carried=(carried(0), carried(1)),
        joins={
            table.object: joins_of(table, readings[table.object], shapes.objects)
            for table in known
            if table.object in shapes.by_object
        },
    )


class _Shapes:
    """Shapes by the table's name for SQL, and these names by schema and table."""

    def __init__(self, by_object: Mapping[str, TableShape]) -> None:
        self.by_object = by_object
        self.objects = {(shape.schema, shape.name): name for name, shape in by_object.items()}

    def of(self, item: ContextComparison) -> TableShape | None:
        return self.by_object.get(self.objects.get((item.schema, item.table), ""))

    def demands(self, item: ContextComparison) -> int:
        """How much is asked of a value of the column: the more, the fewer values would do."""
        shape = self.of(item)
        column = shape.column(item.column) if shape else None
        if shape is None or column is None:
            return -1
        checks = len(column.checks) + sum(item.column in text for text in shape.checks)
        return 100 * checks + narrowness(column)


def _read_shapes(
    connection: Connection,
    compared: Sequence[ContextComparison],
    readings: Mapping[str, PolicyReading],
    chosen: Sequence[ProtectedTable],
) -> Mapping[str, TableShape]:
    """The shapes of all tables whose columns a policy compares, and of the chosen ones."""
    tables = [(item.schema, item.table) for item in compared]
    tables += [
        table
        for reading in readings.values()
        for link in reading.links
        for table, _ in (link.one, link.other)
    ]
    tables += [(table.schema, table.name) for table in chosen]
    return read_shapes(connection, list(dict.fromkeys(tables)))


def _values(
    connection: Connection, compared: Sequence[ContextComparison], shapes: _Shapes
) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """Two values for every compared expression, made for the most demanding of its columns."""
    found: dict[tuple[str, str, str], tuple[str, ...]] = {
        (item.schema, item.table, item.column): () for item in compared
    }
    by_expression: dict[str, list[ContextComparison]] = {}
    for item in compared:
        by_expression.setdefault(item.expression, []).append(item)
    for items in by_expression.values():
        items.sort(key=lambda item: -shapes.demands(item))
        pair: tuple[str, ...] = ()
        for item in items:
            pair = pair or _two_values(connection, shapes.of(item), item.column)
        for item in items:
            found[item.schema, item.table, item.column] = pair
    return found


def _two_values(connection: Connection, shape: TableShape | None, column: str) -> tuple[str, ...]:
    """Two different values that the constraints of the column allow; none where there are none."""
    if shape is None or shape.column(column) is None:
        return ()
    shape = _constrained_on(shape, column)
    found: dict[str, None] = {}
    for turn in range(_TURNS):
        try:
            value = solve(connection, shape, {}, {column}, turn, {column})[column]
        except NoRow:
            return ()
        if value:
            found[value] = None
        if len(found) == 2:
            return tuple(found)
    return ()


def _constrained_on(shape: TableShape, column: str) -> TableShape:
    """The table with only those constraints that name this column."""
    return replace(
        shape,
        checks=tuple(text for text in shape.checks if column in columns_in(text, shape)),
        columns=tuple(
            each if each.name == column else replace(each, checks=()) for each in shape.columns
        ),
    )


def _values_of_settings(
    compared: Sequence[ContextComparison],
    settings: Mapping[str, Claim],
    values: Mapping[tuple[str, str, str], tuple[str, ...]],
    shapes: _Shapes,
) -> dict[Claim, tuple[str, ...]]:
    """A pair of values for each setting, from the most demanding column compared with it."""
    found: dict[Claim, tuple[str, ...]] = {}
    # A value for the most demanding column is likely to fit the others too.
    for item in sorted(compared, key=lambda item: -shapes.demands(item)):
        pair = values[item.schema, item.table, item.column]
        if item.expression in settings and len(pair) == 2:
            found.setdefault(settings[item.expression], pair)
    return found


def _all_settings(given: Mapping[Claim, tuple[str, ...]], who: int) -> Identity:
    return tuple((claim, pair[who]) for claim, pair in sorted(given.items(), key=str))


def _table_identities(
    table: ProtectedTable,
    read: Sequence[PolicyReading],
    settings: Mapping[str, Claim],
    given: Mapping[Claim, tuple[str, ...]],
    constants: Mapping[ContextConstant, Claim],
    derived: Sequence[Derived],
) -> TableIdentities:
    """``read`` is what the table's own policies look at, and what those of the tables do that they
    read."""
    reading = read[0]
    used = {
        settings[item.expression]
        for each in read
        for item in each.comparisons
        if item.expression in settings and not item.atom
    }
    direct = identity_columns(table, reading, settings)
    used |= {each.claim for each in derived for one in read if each.item in one.comparisons}
    used_and_given = [claim for claim in sorted(used, key=str) if claim in given]
    common = {
        constants[item]: item.value
        for each in reversed(read)
        for item in reversed(each.constants)
        if item in constants and constants[item] not in used
    }
    plain = [
        tuple((claim, given[claim][who]) for claim in used_and_given)
        for who in (0, 1)
        if used_and_given
    ]
    return TableIdentities(
        identity_columns=direct,
        policy_columns=reading.columns,
        unread_expressions=reading.unread,
        candidates=(
            *plain,
            *((*identity, *sorted(common.items(), key=str)) for identity in plain if common),
        ),
        constants=tuple(common.items()),
        derived=columns_in_parts(reading, dict(direct).values(), derived),
    )


def _carried(
    compared: Sequence[ContextComparison],
    settings: Mapping[str, Claim],
    given: Mapping[Claim, tuple[str, ...]],
    shapes: _Shapes,
    derived: Sequence[Derived],
    wanted: Mapping[str, Mapping[str, str]],
    who: int,
) -> dict[str, dict[str, str]]:
    """The value of one identity for every column that is compared with a setting, by table; beside
    it what is ``wanted`` of such a row."""
    found = {table: dict(values) for table, values in wanted.items()}
    for each in derived:
        table = shapes.objects.get((each.item.schema, each.item.table))
        if table is not None:
            found.setdefault(table, {})[each.item.column] = each.carried[who]
    for item in compared:
        table = shapes.objects.get((item.schema, item.table))
        claim = settings.get(item.expression)
        pair = given.get(claim) if claim is not None else None
        if table is not None and pair is not None:
            found.setdefault(table, {})[item.column] = pair[who]
    return found
