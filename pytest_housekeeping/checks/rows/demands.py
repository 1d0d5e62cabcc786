"""Everything that rows can refuse of what a batch has changed, each as a question or why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from pytest_housekeeping.checks.rows.catalog import (
    Constraint,
    Index,
    Relation,
    RowCatalog,
)
from pytest_housekeeping.checks.rows.columns import column_questions
from pytest_housekeeping.checks.rows.constraints import (
    bound_question,
    check_question,
    constraint_name,
    detached_question,
    exclusion_question,
    foreign_key_question,
    index_question,
)
from pytest_housekeeping.checks.rows.conversions import altered_columns
from pytest_housekeeping.checks.rows.details import read_details
from pytest_housekeeping.checks.rows.ground import CannotAsk, Ground
from pytest_housekeeping.checks.rows.question import Question, Unasked
from pytest_housekeeping.checks.rows.read_catalog import plainly_printed
from pytest_housekeeping.checks.rows.writes import written_rows
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import quoted


@dataclass(frozen=True, kw_only=True)
class BatchTexts:
    """What the batch says of itself: its files by path, and the tables, by OID, that a statement
    of it was seen writing to on the copy."""

    files: Mapping[str, str]
    locked: frozenset[int]


def questions_of(
    connection: Connection, before: RowCatalog, after: RowCatalog, batch: BatchTexts
) -> tuple[Question | Unasked, ...]:
    """What to ask of production's rows before the batch, in its own names.

    ``connection`` leads to the copy as it is after it.
    """
    ground = _ground(connection, before, after, batch)
    found: list[Question | Unasked] = []
    for relation in after.relations.values():
        if not relation.has_rows:
            continue
        if relation.oid in before.relations:
            found += column_questions(ground, relation)
            found += _bounds(ground, relation)
    for constraint in _new_constraints(before, after):
        found += _of_constraint(ground, constraint)
    for index in _new_indexes(before, after):
        found += _of_index(ground, index)
    for part, key in _left(before, after):
        name = f"partition {part}: DETACH, with {constraint_name(ground, key)}"
        found.append(_asked(name, partial(detached_question, ground, part, key)))
    found += _filled(ground)
    return tuple(found)


def _ground(
    connection: Connection, before: RowCatalog, after: RowCatalog, batch: BatchTexts
) -> Ground:
    constraints = {each.oid for each in after.constraints.values()} - _unchanged(before, after)
    constraints |= {key.oid for _, key in _left(before, after)}
    indexes = {each.oid for each in _new_indexes(before, after)}
    indexes |= {after.constraints[oid].index for oid in constraints}
    with plainly_printed(connection):
        details = read_details(
            connection,
            constraints=constraints,
            indexes=indexes,
            columns=_added(before, after),
        )
    return Ground(
        before=before,
        after=after,
        details=details,
        altered=altered_columns(batch.files.values()),
        writes=written_rows(batch.files, before, after, batch.locked),
    )


def _unchanged(before: RowCatalog, after: RowCatalog) -> set[int]:
    """Constraints that are as they were; those of domains are asked of new columns too."""
    return {
        oid
        for oid, now in after.constraints.items()
        if not now.domain
        and (was := before.constraints.get(oid)) is not None
        and was.holds == now.holds
    }


def _added(before: RowCatalog, after: RowCatalog) -> Iterator[tuple[int, int]]:
    """The columns that came to tables of before."""
    for oid, now in after.relations.items():
        was = before.relations.get(oid)
        if was is not None:
            yield from ((oid, number) for number in now.columns.keys() - was.columns.keys())


def _new_constraints(before: RowCatalog, after: RowCatalog) -> Iterator[Constraint]:
    """Those of tables with rows that are proved of them now, and were not before."""
    for oid, now in after.constraints.items():
        was, relation = before.constraints.get(oid), after.relations.get(now.relation)
        if relation is None or not relation.has_rows or relation.oid not in before.relations:
            continue
        if now.holds and (was is None or not was.holds) and not _of_a_partition(after, now):
            yield now


def _of_a_partition(after: RowCatalog, key: Constraint) -> bool:
    """A foreign key to a partitioned table has a row for each partition as well."""
    parent = after.constraints.get(key.parent)
    return key.kind == "f" and parent is not None and parent.relation == key.relation


def _new_indexes(before: RowCatalog, after: RowCatalog) -> Iterator[Index]:
    """Those that refuse rows, or compute something of them, and were not there or not valid."""
    exclusions = {each.index for each in after.constraints.values() if each.kind == "x"}
    for oid, now in after.indexes.items():
        was = before.indexes.get(oid)
        if now.relation not in before.relations or oid in exclusions:
            continue
        if now.valid and (now.unique or now.computes) and (was is None or not was.valid):
            yield now


def _left(before: RowCatalog, after: RowCatalog) -> Iterator[tuple[Relation, Constraint]]:
    """The partitions that stand by themselves now, each with the foreign keys to what they were a
    part of: nothing may refer to their rows."""
    for oid, now in after.relations.items():
        was = before.relations.get(oid)
        if was is None or not was.partition or set(was.parents) <= set(now.parents):
            continue
        above = {line for parent in was.parents for line in _lines(before, parent)}
        for key in after.constraints.values():
            relation = after.relations.get(key.relation)
            if (
                key.kind == "f"
                and key.referenced in above
                and key.oid in before.constraints
                and relation is not None
                and relation.has_rows
                and not _of_a_partition(after, key)
            ):
                yield now, key


def _lines(catalog: RowCatalog, table: int) -> Iterator[int]:
    """A table and all above it."""
    yield table
    for parent in catalog.relations[table].parents if table in catalog.relations else ():
        yield from _lines(catalog, parent)


def _bounds(ground: Ground, relation: Relation) -> Iterator[Question | Unasked]:
    if relation.bound and relation.bound != ground.before.relations[relation.oid].bound:
        name = f"partition {relation}: its bounds"
        yield _asked(name, partial(bound_question, ground, relation))


def _of_constraint(ground: Ground, constraint: Constraint) -> Iterator[Question | Unasked]:
    ask = _CONSTRAINTS.get(constraint.kind)
    if ask is not None:
        yield _asked(constraint_name(ground, constraint), partial(ask, ground, constraint))


def _of_index(ground: Ground, index: Index) -> Iterator[Question | Unasked]:
    relation = ground.after.relations[index.relation]
    kind = "unique index" if index.unique else "index"
    name = f"{kind} {quoted(relation.schema, index.name)} on {relation}"
    try:
        question = index_question(ground, index)
    except CannotAsk as why:
        yield Unasked(object=name, why=str(why))
    else:
        if question is not None:
            yield question


def _asked(name: str, ask: Callable[[], Question]) -> Question | Unasked:
    try:
        return ask()
    except CannotAsk as why:
        return Unasked(object=name, why=str(why))


def _filled(ground: Ground) -> Iterator[Unasked]:
    """New tables with rows that the batch computes: what it asks of them no row of now decides."""
    for oid, relation in ground.after.relations.items():
        if oid in ground.before.relations or not relation.has_rows:
            continue
        why = "the batch makes it of a query" if relation.kind == "m" else ground.writes.of(oid)
        if not why or oid in ground.writes.constant or not _demands(ground, oid):
            continue
        kind = "materialized view" if relation.kind == "m" else "table"
        yield Unasked(
            object=f"{kind} {relation}: {', '.join(_demands(ground, oid))}",
            why=f"the batch makes and fills it: {why}",
        )


def _demands(ground: Ground, table: int) -> list[str]:
    """What a new table asks of its rows, in words."""
    after = ground.after
    kinds = {each.kind for each in after.constraints.values() if each.relation == table}
    named = [name for kind, name in _KINDS.items() if kind in kinds]
    if any(each.unique for each in after.indexes.values() if each.relation == table):
        named.append("unique keys")
    if any(column.not_null for column in after.relations[table].columns.values()):
        named.append("NOT NULL")
    return named


_KINDS = {"c": "CHECK", "f": "foreign keys", "x": "exclusions"}
_CONSTRAINTS: Mapping[str, Callable[[Ground, Constraint], Question]] = {
    "c": check_question,
    "f": foreign_key_question,
    "x": exclusion_question,
}
