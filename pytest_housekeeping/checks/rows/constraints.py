"""Questions about constraints, unique indexes and the bounds of partitions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from psycopg import sql

from pytest_housekeeping.checks.rows.catalog import Constraint, Index, Relation
from pytest_housekeeping.checks.rows.ground import CannotAsk, Ground
from pytest_housekeeping.checks.rows.question import (
    NULL,
    Forms,
    Question,
    Source,
    Unasked,
    which_collide,
    which_compute,
    which_repeat,
    which_violate,
)
from pytest_housekeeping.checks.rows.values import source_of, value_of
from pytest_housekeeping.sql.identifiers import quoted

Asked = Iterator[Question | Unasked]

_HASH = re.compile(r"satisfies_hash_partition\('(\d+)'::oid")
_TRUE = sql.SQL("true")


def check_question(ground: Ground, check: Constraint) -> Question:
    """The rows that a CHECK does not hold of. Raises CannotAsk."""
    relation = ground.after.relations[check.relation]
    ground.refuse_changed(ground.details.uses.get(check.oid, ()))
    columns = [number for number in check.columns if number in relation.columns]
    source = source_of(ground, relation.oid, columns)
    text = sql.SQL(ground.details.expressions[check.oid])
    return _question(
        ground,
        relation,
        constraint_name(ground, check),
        "does not satisfy it",
        source,
        which_violate(source, sql.SQL("({}) IS FALSE").format(text)),
    )


def bound_question(ground: Ground, relation: Relation) -> Question:
    """The rows that are outside of the bounds of their partition. Raises CannotAsk."""
    for column in relation.columns.values():
        ground.refuse_changed_type(column.type)
    bound = _HASH.sub(lambda found: _of_parent(ground, int(found[1])), relation.bound)
    words = set(re.findall(r"\w+", bound))
    needed = [
        number
        for number, column in relation.columns.items()
        if words & set(re.findall(r"\w+", column.name))
    ]
    source = source_of(ground, relation.oid, needed)
    return _question(
        ground,
        relation,
        f"partition {relation}: its bounds",
        "is outside of them",
        source,
        which_violate(source, sql.SQL("({}) IS FALSE").format(sql.SQL(bound))),
    )


def _of_parent(ground: Ground, oid: int) -> str:
    """The bound of a hash partition holds the OID of its parent, which is another in production."""
    parent = ground.before.relations.get(oid)
    if parent is None:
        raise CannotAsk("the batch makes the partitioned table, and rows are hashed for that")
    literal = str(parent).replace("'", "''")
    return f"satisfies_hash_partition('{literal}'::regclass::oid"


def index_question(ground: Ground, index: Index) -> Question | None:
    """The rows that a unique index does not take, or at which a key of any cannot be computed;
    None where nothing can be in the way. Raises CannotAsk."""
    relation = ground.after.relations[index.relation]
    detail = ground.details.indexes[index.oid]
    ground.refuse_changed(ground.details.uses.get(index.oid, ()))
    if index.unique and not detail.usual:
        raise CannotAsk("its keys are compared otherwise than their types usually are")
    if index.unique and _is_numbered(ground, relation, detail.columns):
        return None
    source = source_of(ground, relation.oid, detail.columns, any_value=True)
    keys = [sql.SQL(key) for key in detail.keys]
    named = f"index {quoted(relation.schema, index.name)} on {relation}"
    predicate = sql.SQL("({})").format(sql.SQL(detail.predicate)) if detail.predicate else _TRUE
    if not index.unique:
        row = sql.SQL("CASE WHEN {} THEN pg_catalog.num_nulls({}) END")
        computed = row.format(predicate, sql.SQL(", ").join(keys))
        forms = which_compute(source, computed)
        return _question(ground, relation, named, "cannot be computed", source, forms, indexed=True)
    among: sql.Composable = predicate
    if not detail.nulls_equal:
        none_null = sql.SQL(" AND ").join(sql.SQL("NOT ({} {})").format(k, NULL) for k in keys)
        among = sql.SQL("CASE WHEN {} THEN {} END").format(predicate, none_null)
    forms = which_repeat(source, keys, among)
    return _question(
        ground, relation, f"unique {named}", "has the key of another", source, forms, indexed=True
    )


def _is_numbered(ground: Ground, relation: Relation, columns: Iterable[int]) -> bool:
    """Whether a new column gives each row a number of its own."""
    if relation.oid not in ground.before.relations:
        return False
    for number in columns:
        try:
            if value_of(ground, relation.oid, number).numbered:
                return True
        except CannotAsk:
            continue
    return False


def exclusion_question(ground: Ground, constraint: Constraint) -> Question:
    """The rows that an exclusion does not let stand beside each other. Raises CannotAsk."""
    relation = ground.after.relations[constraint.relation]
    detail = ground.details.indexes[constraint.index]
    ground.refuse_changed(ground.details.uses.get(constraint.index, ()))
    ground.refuse_changed(ground.details.uses.get(constraint.oid, ()))
    source = source_of(ground, relation.oid, detail.columns)
    operators = ground.details.operators[constraint.oid]
    computed = [sql.SQL(key) for key in detail.keys]
    named = [sql.Identifier(f"hk_part_{number}") for number in range(len(computed))]
    parts = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(each, name) for each, name in zip(computed, named, strict=True)
    )
    with_parts = Source(
        table=source.table,
        rows=sql.SQL("(SELECT {}, {} FROM {}) AS hk_parts").format(
            sql.SQL(", ").join((source.place, *source.keys)),
            parts,
            _where(source, detail.predicate),
        ),
        place=source.place,
        keys=source.keys,
    )
    alike = sql.SQL(" AND ").join(
        operator.between(sql.SQL("hk_one.{}").format(n), sql.SQL("hk_other.{}").format(n))
        for operator, n in zip(operators, named, strict=True)
    )
    forms = which_collide(with_parts, alike, _TRUE)
    name = constraint_name(ground, constraint)
    return _question(ground, relation, name, "excludes another", with_parts, forms, indexed=True)


def _where(source: Source, predicate: str) -> sql.Composable:
    if not predicate:
        return source.rows
    return sql.SQL("{} WHERE {}").format(source.rows, sql.SQL(predicate))


def foreign_key_question(ground: Ground, key: Constraint) -> Question:
    """The rows that refer to none. Raises CannotAsk."""
    relation = ground.after.relations[key.relation]
    referenced = ground.after.relations.get(key.referenced)
    if key.period or referenced is None:
        raise CannotAsk("what it refers to is not asked for yet")
    ground.refuse_changed(ground.details.uses.get(key.oid, ()))
    ground.refuse_written(key.referenced, *_below(ground, key.referenced))
    source = source_of(ground, relation.oid, key.columns)
    own = [sql.Identifier(relation.name, relation.columns[n].name) for n in key.columns]
    given = sql.SQL(" OR " if key.full else " AND ").join(
        sql.SQL("NOT ({} {})").format(column, NULL) for column in own
    )
    violates: sql.Composable = sql.SQL("({})").format(given)
    if referenced.oid in ground.before.relations:
        found = _referenced(ground, key, referenced, own)
        violates = sql.SQL("{} AND NOT EXISTS (SELECT FROM {})").format(violates, found)
    name = constraint_name(ground, key)
    forms = which_violate(source, violates)
    return _question(ground, relation, name, "refers to no row", source, forms)


def detached_question(ground: Ground, part: Relation, key: Constraint) -> Question:
    """The rows that refer to those of a partition which does not stay one. Raises CannotAsk."""
    relation = ground.after.relations[key.relation]
    whole = ground.after.relations.get(key.referenced)
    if key.period or whole is None:
        raise CannotAsk("what it refers to is not asked for yet")
    ground.refuse_written(part.oid, *_below(ground, part.oid))
    source = source_of(ground, relation.oid, key.columns)
    own = [sql.Identifier(relation.name, relation.columns[n].name) for n in key.columns]
    columns = [whole.columns[number].name for number in key.referenced_columns]
    found = _rows_with(ground, key, part, columns, own)
    name = f"partition {part}: DETACH, with {constraint_name(ground, key)}"
    forms = which_violate(source, sql.SQL("EXISTS (SELECT FROM {})").format(found))
    return _question(ground, relation, name, "refers to a row of it", source, forms)


def _referenced(
    ground: Ground, key: Constraint, referenced: Relation, own: list[sql.Identifier]
) -> sql.Composable:
    columns = [referenced.columns[number].name for number in key.referenced_columns]
    return _rows_with(ground, key, referenced, columns, own)


def _rows_with(
    ground: Ground,
    key: Constraint,
    referenced: Relation,
    columns: list[str],
    own: list[sql.Identifier],
) -> sql.Composable:
    """The rows that one refers to: those of all partitions, but of no table that inherits."""
    leaves = [oid for oid in _below(ground, referenced.oid) if ground.after.relations[oid].has_rows]
    parts = [referenced.oid] if referenced.has_rows else leaves
    names = [sql.Identifier(f"hk_key_of_{number}") for number in range(len(columns))]
    rows = []
    for oid in parts:
        part = ground.after.relations[oid]
        numbers = {each.name: number for number, each in part.columns.items()}
        source = source_of(ground, oid, [numbers[name] for name in columns])
        taken = sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(sql.Identifier(column), name)
            for column, name in zip(columns, names, strict=True)
        )
        rows.append(sql.SQL("SELECT {} FROM {}").format(taken, source.rows))
    if not rows:
        return sql.SQL("pg_catalog.pg_class WHERE false")
    equal = sql.SQL(" AND ").join(
        operator.between(sql.SQL("hk_referenced.{}").format(name), column)
        for operator, name, column in zip(
            ground.details.operators[key.oid], names, own, strict=True
        )
    )
    every = sql.SQL(" UNION ALL ").join(rows)
    return sql.SQL("({}) AS hk_referenced WHERE {}").format(every, equal)


def _below(ground: Ground, table: int) -> list[int]:
    """The partitions of a table that production has, down to the last."""
    found = []
    for relation in ground.after.relations.values():
        if (
            table in relation.parents
            and relation.partition
            and relation.oid in ground.before.relations
        ):
            found += [relation.oid, *_below(ground, relation.oid)]
    return found


def constraint_name(ground: Ground, constraint: Constraint) -> str:
    """``constraint total_positive of shop.orders``."""
    return f"constraint {quoted(constraint.name)} of {ground.after.relations[constraint.relation]}"


def _question(
    ground: Ground,
    relation: Relation,
    name: str,
    demand: str,
    source: Source,
    forms: Forms,
    *,
    indexed: bool = False,
) -> Question:
    return Question(
        object=name,
        demand=demand,
        table=str(ground.before.relations[relation.oid]),
        source=source,
        forms=forms,
        indexed=indexed,
    )
