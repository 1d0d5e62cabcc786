"""Whether the declared objects exist as declared, and what exists that nobody declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_housekeeping.checks.catalog import Catalog, CatalogRelation
from pytest_housekeeping.checks.out_of_force import Lapse, QualifiedName
from pytest_housekeeping.declarations.objects import DeclaredObject, ObjectKind, Objects
from pytest_housekeeping.declarations.toml import toml_key, toml_string
from pytest_housekeeping.errors import did_you_mean
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.sql.identifiers import quoted, spelt, split_name

_FILE = "checks/objects.toml"
# https://www.postgresql.org/docs/16/catalog-pg-class.html
_RELKINDS = {
    "r": "table",
    "p": "table",
    "f": "foreign table",
    "v": "view",
    "m": "materialized view",
    "i": "index",
    "I": "index",
    "S": "sequence",
    "c": "composite type",
}
_FITTING = {
    ObjectKind.TABLE: ("table", "foreign table"),
    ObjectKind.VIEW: ("view", "materialized view"),
    ObjectKind.INDEX: ("index",),
}
# No types: PostgreSQL makes an integer column with a sequence of them.
_SERIAL = {"serial": "integer", "bigserial": "bigint", "smallserial": "smallint"}


def verify_object(catalog: Catalog, declared: DeclaredObject) -> Verdict:
    """Whether a declared object is there and of its kind; of a table, with exactly its columns.

    Examined are the object and, of a table, each declared column.
    """
    findings = tuple(_findings(catalog, declared))
    return Verdict(examined=1 + len(declared.columns), findings=findings)


def undeclared(catalog: Catalog, objects: Objects) -> tuple[Finding, ...]:
    """A notice for each object in the declared schemas that nobody declares.

    Silent about what comes with another object: partitions, indexes behind constraints, cloned
    triggers, sequences, members of extensions.
    """
    known = {(declared.kind, split_name(declared.name)) for declared in objects.declared}
    signatures = set(catalog.signatures.values())
    extras = [
        (kind, spelt(*relation.name))
        for relation in catalog.relations.values()
        for kind in _FITTING
        if relation.counted
        and _kind(relation) in _FITTING[kind]
        and (kind, relation.name) not in known
    ]
    extras += [
        (ObjectKind.FUNCTION, routine.signature)
        for routine in catalog.routines.values()
        if routine.counted and routine.signature not in signatures
    ]
    extras += [
        (ObjectKind.TRIGGER, spelt(*trigger.name))
        for trigger in catalog.triggers.values()
        if trigger.counted and (ObjectKind.TRIGGER, trigger.name) not in known
    ]
    return tuple(
        Finding(
            rule="object-undeclared",
            level=Level.NOTICE,
            object=name,
            detail=f"this {kind} exists and is not declared",
            fix=f"declare it in {_FILE}, or drop it in a migration",
        )
        for kind, name in sorted(extras)
    )


def _findings(catalog: Catalog, declared: DeclaredObject) -> Iterator[Finding]:
    match declared.kind:
        case ObjectKind.SCHEMA:
            yield from _named(catalog.schemas, declared, f"CREATE SCHEMA {declared.sql};")
        case ObjectKind.ROLE:
            fix = f"CREATE ROLE {declared.sql}; in sql/bootstrap/, and on the real server"
            yield from _named(catalog.roles, declared, fix)
        case ObjectKind.FUNCTION:
            yield from _function(catalog, declared)
        case ObjectKind.TRIGGER:
            if split_name(declared.name) not in catalog.triggers:
                names = [spelt(*name) for name in catalog.triggers]
                yield _missing(declared, did_you_mean(declared.name, names), "CREATE TRIGGER ...;")
            yield from _out_of_force(catalog, name=split_name(declared.name))
        case ObjectKind.NOT_VALID:
            yield from _not_valid(catalog, declared)
        case _:
            yield from _relation(catalog, declared)


def _named(names: Iterable[str], declared: DeclaredObject, fix: str) -> Iterator[Finding]:
    if split_name(declared.name)[0] not in names:
        yield _missing(declared, did_you_mean(declared.name, names), fix)


def _function(catalog: Catalog, declared: DeclaredObject) -> Iterator[Finding]:
    if catalog.signatures.get(declared.name) in catalog.routines:
        return
    name = split_name(declared.name)
    others = [r.signature for r in catalog.routines.values() if r.name == name]
    hint = did_you_mean(declared.name, catalog.routines)
    if others:
        hint = f" (there is {', '.join(others)})"
    elif declared.name in catalog.refused:
        hint = f" ({catalog.refused[declared.name]})"
    yield _missing(declared, hint, f"CREATE FUNCTION {declared.sql} ...;")


def _relation(catalog: Catalog, declared: DeclaredObject) -> Iterator[Finding]:
    relation = catalog.relations.get(split_name(declared.name))
    if relation is None:
        fitting = _FITTING[declared.kind]
        names = [spelt(*r.name) for r in catalog.relations.values() if _kind(r) in fitting]
        yield _missing(declared, did_you_mean(declared.name, names), _create(declared))
        return
    if _kind(relation) not in _FITTING[declared.kind]:
        yield _error(
            "object-kind",
            declared.name,
            f"declared as a {declared.kind}, but it is a {_kind(relation)}",
            f"move it to its own key in {_FILE}, or make it a {declared.kind} in a migration",
        )
    elif declared.kind is ObjectKind.TABLE:
        yield from _columns(catalog, declared, relation)
        yield from _out_of_force(catalog, table=relation.name)
    elif declared.kind is ObjectKind.INDEX:
        yield from _out_of_force(catalog, name=relation.name)


def _out_of_force(
    catalog: Catalog, *, table: QualifiedName = (), name: QualifiedName = ()
) -> Iterator[Finding]:
    """What guards nothing although it is there: on a table, or one thing by its name."""
    for each in catalog.out_of_force:
        declared_so = each.lapse is Lapse.CONSTRAINT and each.name in catalog.may_be_not_valid
        if (each.table == table or each.name == name) and not declared_so:
            fix = each.repair
            if each.lapse is Lapse.CONSTRAINT:
                fix += f" or, until a later migration does: not_valid in {_FILE}"
            yield _error(each.lapse, spelt(*each.name), each.detail, fix)


def _not_valid(catalog: Catalog, declared: DeclaredObject) -> Iterator[Finding]:
    """A constraint that is declared not to be valid yet must be there, and still be so."""
    waiting = {each.name for each in catalog.out_of_force if each.lapse is Lapse.CONSTRAINT}
    if split_name(declared.name) not in waiting:
        yield _error(
            "object-not-waiting",
            declared.name,
            "is declared not to be valid yet, and no constraint of this name waits for that",
            f"take it out of not_valid in {_FILE}, so that the table's check guards it",
        )


def _columns(
    catalog: Catalog, declared: DeclaredObject, relation: CatalogRelation
) -> Iterator[Finding]:
    there, wanted = dict(relation.columns), dict(declared.columns)
    table = declared.sql
    for column, spelling in wanted.items():
        name = f"{declared.name}.{spelt(column)}"
        expected = catalog.types.get(spelling)
        if expected is None:
            yield _unknown_type(catalog, name, spelling, there.get(column))
        elif column not in there:
            hint = did_you_mean(column, there.keys() - wanted.keys())
            fix = f"ALTER TABLE {table} ADD COLUMN {quoted(column)} {expected};"
            yield _error("column-missing", name, f"the column does not exist{hint}", fix)
        elif there[column] != expected:
            yield _error(
                "column-type",
                name,
                f"declared as {expected}, but it is {there[column]}",
                f"ALTER TABLE {table} ALTER COLUMN {quoted(column)} TYPE {expected};"
                f" or declare {there[column]!r} in {_FILE}",
            )
    for column in there.keys() - wanted.keys():
        yield _error(
            "column-undeclared",
            f"{declared.name}.{spelt(column)}",
            f"the column exists as {there[column]} and is not declared",
            f"declare {toml_key(column)} = {toml_string(there[column])} in {_FILE},"
            f" or ALTER TABLE {table} DROP COLUMN {quoted(column)};",
        )


def _unknown_type(catalog: Catalog, name: str, spelling: str, actual: str | None) -> Finding:
    reason = catalog.refused.get(spelling, "PostgreSQL knows no type of this name")
    known = _SERIAL.get(spelling.lower(), actual)
    fix = f"declare {known!r} in {_FILE}" if known else f"correct the type in {_FILE}"
    fix += ", a type outside pg_catalog with its schema"
    return _error("type-unknown", name, f"declared as {spelling!r}: {reason}", fix)


def _missing(declared: DeclaredObject, hint: str, fix: str) -> Finding:
    return _error(
        "object-missing",
        declared.name,
        f"the {declared.kind} does not exist{hint}",
        f"{fix} or take it out of {_FILE}",
    )


def _create(declared: DeclaredObject) -> str:
    if declared.kind is ObjectKind.TABLE:
        columns = ", ".join(f"{quoted(name)} {spelling}" for name, spelling in declared.columns)
        return f"CREATE TABLE {declared.sql} ({columns});"
    if declared.kind is ObjectKind.INDEX:
        # It lies in the schema of its table and is made under its own name alone.
        return f"CREATE INDEX {quoted(split_name(declared.name)[-1])} ON ...;"
    return f"CREATE {declared.kind.upper()} {declared.sql} ...;"


def _error(rule: str, name: str, detail: str, fix: str) -> Finding:
    return Finding(rule=rule, level=Level.ERROR, object=name, detail=detail, fix=fix)


def _kind(relation: CatalogRelation) -> str:
    return _RELKINDS.get(relation.kind, "relation")
