"""Questions about single columns: NOT NULL, conversions, domains, and what is computed anew."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from pytest_housekeeping.checks.rows.catalog import Column, Relation
from pytest_housekeeping.checks.rows.ground import CannotAsk, Ground
from pytest_housekeeping.checks.rows.question import (
    NULL,
    Question,
    Unasked,
    which_compute,
    which_violate,
)
from pytest_housekeeping.checks.rows.values import is_converted, is_never_null, source_of
from pytest_housekeeping.sql.identifiers import quoted

Asked = Iterator[Question | Unasked]


def column_questions(ground: Ground, relation: Relation) -> Asked:
    """What the rows of a table may refuse of its columns, and of their domains."""
    before = ground.before.relations[relation.oid]
    for number, now in relation.columns.items():
        was, domains = before.columns.get(number), tuple(ground.after.domains_of(now.type))
        if was == now and not domains and before.file == relation.file:
            continue
        converted = is_converted(ground, relation.oid, number)
        name = f"column {relation}.{quoted(now.name)}"
        if converted:
            yield from _conversion(ground, relation, now, name)
        elif (
            now.generated is not None
            and not now.virtual
            and (was is None or was.generated != now.generated)
        ):
            yield from _computed(ground, relation, now, name)
        if now.not_null and (was is None or not was.not_null or converted):
            yield from _not_null(ground, relation, now, name)
        for domain in domains:
            yield from _domain(ground, relation, now, domain, new=was is None or converted)


def _not_null(ground: Ground, relation: Relation, column: Column, name: str) -> Asked:
    if is_never_null(ground, relation.oid, column.number):
        return
    try:
        source = source_of(ground, relation.oid, [column.number], any_value=True)
    except CannotAsk as why:
        yield Unasked(object=f"{name}: NOT NULL", why=str(why))
        return
    violates = sql.SQL("{} {}").format(sql.Identifier(column.name), NULL)
    yield Question(
        object=f"{name}: NOT NULL",
        demand="is NULL",
        table=str(ground.before.relations[relation.oid]),
        source=source,
        forms=which_violate(source, violates),
    )


def _conversion(ground: Ground, relation: Relation, column: Column, name: str) -> Asked:
    told = f"{name}: TYPE {column.type_text}"
    try:
        source = source_of(ground, relation.oid, [column.number])
    except CannotAsk as why:
        yield Unasked(object=told, why=str(why))
        return
    before = ground.before.relations[relation.oid]
    value = sql.Identifier(column.name)
    yield Question(
        object=told,
        demand="cannot be converted",
        table=str(before),
        source=source,
        converts=True,
        forms=which_compute(source, value),
    )
    was = before.columns[column.number]
    if _may_lose(ground, relation, was, column):
        lost = sql.SQL("{} IS DISTINCT FROM ({})::{}").format(
            source.originals[column.number], value, sql.SQL(was.type_text)
        )
        yield Question(
            object=told,
            demand="loses a part of its value",
            table=str(before),
            source=source,
            lossy=True,
            forms=which_violate(source, lost),
        )


def _may_lose(ground: Ground, relation: Relation, was: Column, now: Column) -> bool:
    """Whether the old value can be compared with the new one: types of one kind, and no USING that
    makes another value on purpose."""
    types = (ground.after.types.get(ground.after.base_of(each.type)[0]) for each in (was, now))
    categories = [found.category for found in types if found is not None]
    alike = len(categories) == 2 and categories[0] == categories[1] and categories[0] in "BDNSTV"
    return alike and ground.conversion(relation.oid, was, now).casts_only


def _computed(ground: Ground, relation: Relation, column: Column, name: str) -> Asked:
    told = f"{name}: GENERATED"
    try:
        source = source_of(ground, relation.oid, [column.number])
    except CannotAsk as why:
        yield Unasked(object=told, why=str(why))
        return
    yield Question(
        object=told,
        demand="cannot be computed",
        table=str(ground.before.relations[relation.oid]),
        source=source,
        forms=which_compute(source, sql.Identifier(column.name)),
    )


def _domain(ground: Ground, relation: Relation, column: Column, domain: int, *, new: bool) -> Asked:
    """What a domain asks of the values of a column, where that or the column is new."""
    now, was = ground.after.types[domain], ground.before.types.get(domain)
    column_name = f"{relation}.{quoted(column.name)}"
    if now.not_null and (new or was is None or not was.not_null):
        violates = sql.SQL("value {}").format(NULL)
        yield from _of_domain(
            ground, relation, column, f"domain {now.name}: NOT NULL, in {column_name}", violates
        )
    for check in ground.after.constraints.values():
        if check.domain != domain or check.kind != "c":
            continue
        known = ground.before.constraints.get(check.oid)
        if not new and (not check.holds or (known is not None and known.holds)):
            continue
        name = f"constraint {quoted(check.name)} of domain {now.name}, in {column_name}"
        try:
            ground.refuse_changed(ground.details.uses.get(check.oid, ()), of=domain)
        except CannotAsk as why:
            yield Unasked(object=name, why=str(why))
            continue
        text = sql.SQL(ground.details.expressions[check.oid])
        yield from _of_domain(ground, relation, column, name, sql.SQL("({}) IS FALSE").format(text))


def _of_domain(
    ground: Ground, relation: Relation, column: Column, name: str, violates: sql.Composable
) -> Asked:
    """A question about VALUE: PostgreSQL reads it as a column of that name."""
    try:
        source = source_of(ground, relation.oid, [column.number])
        held = ground.assigned(sql.Identifier(column.name), column.type, -1)
    except CannotAsk as why:
        yield Unasked(object=name, why=str(why))
        return
    of_row = sql.SQL("(SELECT {} FROM (SELECT {} AS value) AS hk_value)").format(violates, held)
    yield Question(
        object=name,
        demand="does not fit",
        table=str(ground.before.relations[relation.oid]),
        source=source,
        forms=which_violate(source, of_row),
    )
