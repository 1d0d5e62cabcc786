"""``checks/objects.toml``, read off a schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.catalog import Catalog, read_catalog
from pytest_housekeeping.checks.out_of_force import Lapse
from pytest_housekeeping.declarations.objects import DeclaredObject, ObjectKind, Objects
from pytest_housekeeping.declarations.toml import toml_key, toml_string
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import spelt

HEAD = """\
# What must exist: every schema, table with its columns, view, function, index and trigger.
# Read off the schema that the files make; after a change of them: python -m pytest_housekeeping
# objects. A missing object, another column or another type fails a promotion.
"""
_TABLES, _VIEWS, _INDEXES = "rpf", "vm", "iI"
# How a difference calls what stands under a key; a constraint that is not valid is none.
_KINDS = {
    "schemas": "schema",
    "views": "view",
    "functions": "function",
    "indexes": "index",
    "triggers": "trigger",
}

# PostgreSQL's own, who is above row-level security, and who migrates, a project does not declare;
# nor the platform's, but for those that may use what stands in its schemas.
_ROLES = """
SELECT r.rolname
FROM pg_catalog.pg_roles AS r
WHERE r.rolname !~ '^pg_' AND NOT (r.rolsuper OR r.rolbypassrls) AND r.rolname <> %(migrator)s
    AND (
        r.rolname <> ALL (%(given)s)
        OR EXISTS (
            SELECT FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
            WHERE n.nspname = ANY (%(schemas)s) AND a.grantee = r.oid
        )
    )
ORDER BY r.rolname
"""


def own_roles(
    connection: Connection,
    *,
    migrator: str,
    given: Sequence[str] = (),
    schemas: Sequence[str] = (),
) -> tuple[str, ...]:
    """The roles of the server that are not PostgreSQL's own, nor who migrates, nor above row-level
    security, nor ``given`` by a platform without a right to anything in these ``schemas``."""
    named = {"migrator": migrator, "given": list(given), "schemas": list(schemas)}
    return tuple(name for (name,) in connection.execute(_ROLES, named))


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a schema holds, as objects.toml names it: lists by their key, tables with columns."""

    lists: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, Mapping[str, str]]

    def without(self, other: Declared) -> tuple[str, ...]:
        """What this one has, and another has not or has otherwise, by kind and name."""
        named = [
            f"{_KINDS[key]} {name}"
            for key, names in self.lists.items()
            for name in names
            if key in _KINDS and name not in other.lists.get(key, ())
        ]
        for table, columns in self.tables.items():
            there = other.tables.get(table)
            if there is None:
                named.append(f"table {table}")
            else:
                named += [
                    f"column {table}.{name}: {spelling}"
                    for name, spelling in columns.items()
                    if there.get(name) != spelling
                ]
        return tuple(named)

    def shared(self, other: Declared) -> Declared:
        """What both have."""
        lists = {
            key: tuple(name for name in names if name in other.lists.get(key, ()))
            for key, names in self.lists.items()
        }
        tables = {
            table: dict(columns.items() & other.tables[table].items())
            for table, columns in self.tables.items()
            if table in other.tables
        }
        ordered = {
            table: {name: columns[name] for name in self.tables[table] if name in columns}
            for table, columns in tables.items()
        }
        return Declared(lists=lists, tables=ordered)


def objects_toml(connection: Connection, schemas: Sequence[str], roles: Sequence[str]) -> str:
    """The declarations of all that stands in the schemas. Only inside an open transaction."""
    return objects_text(read_declared(connection, schemas, roles))


def read_declared(connection: Connection, schemas: Sequence[str], roles: Sequence[str]) -> Declared:
    """All that stands in the schemas. Only inside an open transaction."""
    declared = tuple(DeclaredObject(kind=ObjectKind.SCHEMA, name=spelt(name)) for name in schemas)
    catalog = read_catalog(connection, Objects(declared=declared))
    relations = [each for each in catalog.relations.values() if each.counted]
    inhabited = {each.name[0] for each in relations} | {
        routine.name[0] for routine in catalog.routines.values() if routine.counted
    }
    named = [name for name in schemas if name != "public" or name in inhabited]
    lists = {
        "schemas": [spelt(name) for name in named],
        "roles": [spelt(name) for name in roles],
        "views": _named(catalog, _VIEWS),
        "functions": [each.signature for each in catalog.routines.values() if each.counted],
        "indexes": _named(catalog, _INDEXES),
        "triggers": [spelt(*each.name) for each in catalog.triggers.values() if each.counted],
        "not_valid": [
            spelt(*each.name) for each in catalog.out_of_force if each.lapse is Lapse.CONSTRAINT
        ],
    }
    return Declared(
        lists={key: tuple(names) for key, names in lists.items()},
        tables={
            spelt(*each.name): dict(each.columns)
            for each in relations
            if each.kind in _TABLES and each.columns
        },
    )


def objects_text(declared: Declared) -> str:
    """What is declared, as objects.toml."""
    parts = [HEAD, *(_list(key, names) for key, names in declared.lists.items() if names)]
    parts += [_table(name, columns.items()) for name, columns in declared.tables.items() if columns]
    return "\n".join(parts)


def _named(catalog: Catalog, kinds: str) -> list[str]:
    return [
        spelt(*each.name)
        for each in catalog.relations.values()
        if each.counted and each.kind in kinds
    ]


def _list(key: str, names: Iterable[str]) -> str:
    return f"{key} = [\n" + "".join(f"    {toml_string(name)},\n" for name in names) + "]\n"


def _table(name: str, columns: Iterable[tuple[str, str]]) -> str:
    return "\n".join([f"[tables.{toml_string(name)}]", *_columns(columns)]) + "\n"


def _columns(columns: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, spelling in columns:
        yield f"{toml_key(name)} = {toml_string(spelling)}"
