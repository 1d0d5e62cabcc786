"""Two identities made up from the policies: their settings, and the columns that carry them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_housekeeping.checks.rls.expressions.policies import Comparison, Reading, read_policies
from pytest_housekeeping.checks.rls.identities.identities import (
    Identities,
    Identity,
    attribute,
    own_columns,
)
from pytest_housekeeping.checks.rls.rows.candidate_values import narrowness
from pytest_housekeeping.checks.rls.rows.constraint_values import NoRow, columns_in, solve
from pytest_housekeeping.checks.rls.rows.table_shape import Reference, Shape, read_shapes
from pytest_housekeeping.checks.rls.tables import Subject
from pytest_housekeeping.postgres.connection import Connection

_Place = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Invention:
    """What rows for two identities must carry.

    ``identities`` says whom to act for on each table, ``everything`` holds all settings of each
    of the two; ``carried`` the values of the columns, ``joins`` what must exist beside a row.
    """

    shapes: Mapping[str, Shape]
    identities: Mapping[str, Identities]
    everything: tuple[Identity, Identity]
    carried: tuple[Mapping[_Place, str], Mapping[_Place, str]]
    joins: Mapping[str, Sequence[Reference]]


def invent(
    connection: Connection,
    context: Sequence[str],
    known: Sequence[Subject],
    chosen: Sequence[Subject],
) -> Invention:
    """Make up values for every setting of the context that a policy compares with a column."""
    readings = {subject.object: read_policies(subject) for subject in known}
    compared = list(
        dict.fromkeys(item for reading in readings.values() for item in reading.comparisons)
    )
    places = [(item.schema, item.table) for item in compared]
    places += [
        relation
        for reading in readings.values()
        for link in reading.links
        for relation, _ in (link.one, link.other)
    ]
    places += [(subject.schema, subject.name) for subject in chosen]
    shapes = read_shapes(connection, list(dict.fromkeys(places)))
    objects = {(shape.schema, shape.name): name for name, shape in shapes.items()}
    values = _values(connection, compared, shapes, objects)
    settings = attribute(connection, context, known, compared, values)
    given = _given(compared, settings, values, shapes, objects)
    return Invention(
        shapes=shapes,
        identities={
            subject.object: _identities(subject, readings[subject.object], settings, given)
            for subject in chosen
        },
        everything=(_everything(given, 0), _everything(given, 1)),
        carried=(
            _carried(compared, settings, given, objects, 0),
            _carried(compared, settings, given, objects, 1),
        ),
        joins={
            subject.object: _joins(subject, readings[subject.object], objects)
            for subject in known
            if subject.object in shapes
        },
    )


def _values(
    connection: Connection,
    compared: Sequence[Comparison],
    shapes: Mapping[str, Shape],
    objects: Mapping[_Place, str],
) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """Two values for every compared expression, fit for the most demanding of its columns."""
    found: dict[tuple[str, str, str], tuple[str, ...]] = {
        (item.schema, item.table, item.column): () for item in compared
    }
    for source in dict.fromkeys(item.source for item in compared):
        items = [item for item in compared if item.source == source]
        items.sort(key=lambda item: -_demands(item, shapes, objects))
        pair: tuple[str, ...] = ()
        for item in items:
            pair = pair or _two(connection, item, shapes, objects)
        for item in items:
            found[item.schema, item.table, item.column] = pair
    return found


def _demands(item: Comparison, shapes: Mapping[str, Shape], objects: Mapping[_Place, str]) -> int:
    shape = shapes.get(objects.get((item.schema, item.table), ""))
    field = shape.field(item.column) if shape else None
    if shape is None or field is None:
        return -1
    checks = len(field.checks) + sum(item.column in text for text in shape.checks)
    return 100 * checks + narrowness(field)


def _two(
    connection: Connection,
    item: Comparison,
    shapes: Mapping[str, Shape],
    objects: Mapping[_Place, str],
) -> tuple[str, ...]:
    shape = shapes.get(objects.get((item.schema, item.table), ""))
    if shape is None or shape.field(item.column) is None:
        return ()
    shape = _only(shape, item.column)
    found: dict[str, None] = {}
    for turn in range(4):
        try:
            value = solve(connection, shape, {}, {item.column}, turn, {item.column})[item.column]
        except NoRow:
            return ()
        if value:
            found[value] = None
        if len(found) == 2:
            return tuple(found)
    return ()


def _only(shape: Shape, column: str) -> Shape:
    """The table with the constraints that name one column, and no others."""
    return replace(
        shape,
        checks=tuple(text for text in shape.checks if column in columns_in(text, shape)),
        fields=tuple(
            each if each.name == column else replace(each, checks=()) for each in shape.fields
        ),
    )


def _given(
    compared: Sequence[Comparison],
    settings: Mapping[str, str],
    values: Mapping[tuple[str, str, str], tuple[str, ...]],
    shapes: Mapping[str, Shape],
    objects: Mapping[_Place, str],
) -> dict[str, tuple[str, ...]]:
    """One pair of values for each setting."""
    found: dict[str, tuple[str, ...]] = {}
    ranked = sorted(compared, key=lambda item: -_demands(item, shapes, objects))
    for item in ranked:
        pair = values[item.schema, item.table, item.column]
        if item.source in settings and len(pair) == 2:
            found.setdefault(settings[item.source], pair)
    return found


def _everything(given: Mapping[str, tuple[str, ...]], who: int) -> Identity:
    return tuple((setting, pair[who]) for setting, pair in sorted(given.items()))


def _identities(
    subject: Subject,
    reading: Reading,
    settings: Mapping[str, str],
    given: Mapping[str, tuple[str, ...]],
) -> Identities:
    used = sorted(
        {settings[item.source] for item in reading.comparisons if item.source in settings}
    )
    used = [setting for setting in used if setting in given]
    return Identities(
        own=own_columns(subject, reading, settings),
        bearing=reading.columns,
        unread=reading.unread,
        candidates=tuple(
            tuple((setting, given[setting][who]) for setting in used) for who in (0, 1) if used
        ),
    )


def _carried(
    compared: Sequence[Comparison],
    settings: Mapping[str, str],
    given: Mapping[str, tuple[str, ...]],
    objects: Mapping[_Place, str],
    who: int,
) -> dict[_Place, str]:
    return {
        (objects[item.schema, item.table], item.column): given[settings[item.source]][who]
        for item in compared
        if settings.get(item.source) in given and (item.schema, item.table) in objects
    }


def _joins(
    subject: Subject, reading: Reading, objects: Mapping[_Place, str]
) -> tuple[Reference, ...]:
    """The columns of other tables that must have the value of a column of this one."""
    itself = (subject.schema, subject.name)
    classes: list[set[tuple[_Place, str]]] = []
    for link in reading.links:
        merged = {link.one, link.other}
        for each in [each for each in classes if each & merged]:
            classes.remove(each)
            merged |= each
        classes.append(merged)
    found: dict[str, dict[str, str]] = {}
    for each in classes:
        own = sorted(column for relation, column in each if relation == itself)
        for relation, column in sorted(each):
            if own and relation != itself and relation in objects:
                found.setdefault(objects[relation], {})[column] = own[0]
    return tuple(
        Reference(columns=tuple(pairs.values()), parent=parent, named=tuple(pairs))
        for parent, pairs in sorted(found.items())
    )
