"""Whether the schema of the tool's own tables holds exactly those, closed to everybody else.

What is not as it has to be is named together with the SQL that repairs it. A trigger, a default, a
rule or a policy there would run or decide when the history is written, after everything was proved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables.catalog import Planned, Rows, ask
from pytest_housekeeping.postgres.own_tables.tables import TABLES, ExpectedColumn
from pytest_housekeeping.sql.identifiers import in_quotes, quoted, split_name

SHAPE, OPEN = "history-shape", "history-open"
NO_SQL = "bring it back from a backup: pg_dump --schema"
# A comment, so that the fix stays SQL: to drop what a newer version keeps would lose it.
_NEWER = (
    " -- unless a newer version of pytest-housekeeping has promoted here: then install that one"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Misfit:
    """One thing that is not as it has to be: the rule, the object, how it is, and the repair."""

    rule: str
    object: str
    said: str
    fix: str


def misfits(
    connection: Connection,
    schema: str,
    *,
    applications: Sequence[str] = (),
    promoter: str = "",
    planned: Planned = Planned.NOT,
) -> tuple[Misfit, ...]:
    """All that is not as it has to be; nothing where the schema is not there yet.

    Tables that an earlier version made have no chain, which is no misfit. ``applications`` are
    roles that may not write there by any membership either; ``promoter`` is who promotes, where it
    is not who asks.
    """
    owners, relations, columns, objects, grants = ask(
        connection, schema, applications, promoter, planned=planned
    )
    if not owners:
        return ()
    owner, is_ours, user = owners[0]
    there = {name: kind for name, kind, *_ in relations if name in TABLES}
    chained = any(column[1] == "chain" for column in columns)
    found = [
        *_owner("schema", quoted(schema), owner, is_ours, user),
        *_relations(schema, relations, user),
        *_missing(schema, relations),
        *_objects(schema, objects, there, relations),
    ]
    for table, kind in there.items():
        if kind == "r":
            known = [row[1:] for row in columns if row[0] == table]
            expected = [each for each in TABLES[table] if chained or not each.since_chain]
            found += _columns(f"{quoted(schema)}.{table}", expected, known)
    found += (
        Misfit(rule=OPEN, object=name, said=f"{role} holds {what}", fix=fix)
        for name, role, what, fix in grants
    )
    return tuple(found)


def _owner(kind: str, full: str, owner: str, is_ours: bool, promoter: str) -> Iterator[Misfit]:
    if not is_ours:
        yield Misfit(
            rule=OPEN,
            object=f"{kind} {full}",
            said=f"belongs to {owner}, and the migrating role {promoter} is not that role",
            fix=f"ALTER {kind.upper()} {full} OWNER TO {promoter};",
        )


_UNUSUAL = {
    "DISABLE ROW LEVEL SECURITY": "has row-level security",
    "NO FORCE ROW LEVEL SECURITY": "has row-level security for its owner too",
    "SET LOGGED": "is unlogged: a crash of the server empties it",
    "NOT OF": "is of a type",
}


def _relations(schema: str, relations: Rows, user: str) -> Iterator[Misfit]:
    """The own tables are ordinary ones, of the migrating role, and no row of them is hidden."""
    for name, kind, owner, is_ours, undo, _ in relations:
        full = f"{quoted(schema)}.{name}"
        if name not in TABLES or kind != "r":
            continue
        yield from _owner("table", full, owner, is_ours, user)
        for words in undo:
            yield Misfit(
                rule=SHAPE,
                object=f"table {full}",
                said=_UNUSUAL.get(words, "inherits from another table"),
                fix=f"ALTER TABLE {full} {words};",
            )


def _missing(schema: str, relations: Rows) -> Iterator[Misfit]:
    """Both tables or none; where one bears another name, which."""
    names = {row[0]: row for row in relations}
    lacking = [table for table in TABLES if table not in names]
    others = [row for name, row in names.items() if name not in TABLES and row[1] == "r"]
    if len(lacking) == len(TABLES) and not others:
        return
    for table in lacking:
        known = {column.name for column in TABLES[table] if not column.since_chain}
        renamed = next((row[0] for row in others if known <= set(row[5])), None)
        yield Misfit(
            rule=SHAPE,
            object=f"table {quoted(schema)}.{table}",
            said=f"is gone: {quoted(renamed)} has its columns" if renamed else "is gone",
            fix=f"ALTER TABLE {quoted(schema, renamed)} RENAME TO {table};"
            if renamed
            else f"{NO_SQL}={schema}",
        )


def _columns(table: str, expected: Sequence[ExpectedColumn], known: Rows) -> Iterator[Misfit]:
    there = {row[0]: row[1:] for row in known}
    names = {column.name for column in expected}
    alter = f"ALTER TABLE {table}"
    for name in there.keys() - names:
        fix = f"{alter} DROP COLUMN {quoted(name)};{_NEWER}"
        yield _column(table, name, "should not be there", fix)
    for column in expected:
        if column.name not in there:
            yield _column(table, column.name, "is gone", NO_SQL)
            continue
        kind, not_null, default, identity, generated, collated = there[column.name]
        change = f"{alter} ALTER COLUMN {quoted(column.name)}"
        wanted = column.type
        if kind != wanted or collated or generated:
            yield _column(
                table,
                column.name,
                f"is {kind}{', generated' * bool(generated)}{', collated' * collated}",
                f"{change} SET DATA TYPE {wanted};",
            )
        if not not_null:
            yield _column(table, column.name, "may be NULL", f"{change} SET NOT NULL;")
        if identity != ("a" if column.identity else ""):
            repair = "ADD GENERATED ALWAYS AS IDENTITY" if column.identity else "DROP IDENTITY"
            if column.identity and identity:
                repair = "SET GENERATED ALWAYS"
            yield _column(table, column.name, "has another identity", f"{change} {repair};")
        if default != column.default and not generated:
            wanted = column.definition.partition(" DEFAULT ")[2]
            yield _column(
                table,
                column.name,
                f"has the default {default}" if default else "has no default",
                f"{change} SET DEFAULT {wanted};" if wanted else f"{change} DROP DEFAULT;",
            )


def _column(table: str, name: str, said: str, fix: str) -> Misfit:
    return Misfit(rule=SHAPE, object=f"column {table}.{quoted(name)}", said=said, fix=fix)


def _objects(
    schema: str, objects: Rows, there: dict[str, str], relations: Rows
) -> Iterator[Misfit]:
    """Beside tables and columns there are their keys, sequences and defaults, and nothing else."""
    place = quoted(schema)
    wanted = {}
    for table in there:
        wanted["table constraint", f"{table}_pkey on {place}.{table}"] = "PRIMARY KEY (id)"
        wanted["sequence", f"{place}.{table}_id_seq"] = ""
    renamed = {misfit.fix.split()[2] for misfit in _missing(schema, relations)}
    found = {(kind, identity): definition for kind, identity, definition in objects}
    for key, definition in wanted.items():
        if found.get(key) != definition:
            yield _changed(schema, key[0], key[1], found.get(key), definition)
    for (kind, identity), definition in sorted(found.items(), key=_removed_first):
        if (kind, identity) in wanted or kind == "default value":
            continue
        if any(_belongs(identity, name) for name in renamed):
            continue
        shown = f": {definition}" if definition else ""
        yield Misfit(
            rule=SHAPE,
            object=f"{kind} {identity}",
            said=f"does not belong to this tool's own tables{shown}",
            fix=removal(kind, identity, definition) + _NEWER * (kind == "table"),
        )


def _removed_first(entry: tuple[tuple[str, str], str]) -> tuple[bool, tuple[str, str]]:
    """A function or a type can be dropped when what uses it is gone: those come last."""
    kind = entry[0][0]
    return kind in ("function", "procedure", "type", "composite type", "collation"), entry[0]


def _belongs(identity: str, table: str) -> bool:
    """Whether an object is a renamed table, or its key or sequence, which are right again with
    its name."""
    return identity == table or identity.endswith(f" on {table}")


def _changed(schema: str, kind: str, identity: str, is_now: str | None, wanted: str) -> Misfit:
    key, _, table = identity.partition(" on ")
    if kind == "sequence":
        fix = f"{NO_SQL}={schema}"
    else:
        drop = f"DROP CONSTRAINT {key}, " if is_now is not None else ""
        fix = f"ALTER TABLE {table} {drop}ADD CONSTRAINT {key} {wanted};"
    said = f"is {is_now}" if is_now else "is gone"
    return Misfit(rule=SHAPE, object=f"{kind} {identity}", said=said, fix=fix)


def removal(kind: str, identity: str, definition: str = "") -> str:
    """The statement that takes away an object, as pg_identify_object() names it."""
    own, _, table = identity.partition(" on ")
    if kind == "table" and definition.startswith("inherits "):
        return f"ALTER TABLE {identity} NO INHERIT {definition.removeprefix('inherits ')};"
    if kind == "table constraint":
        return f"ALTER TABLE {table} DROP CONSTRAINT {own};"
    if kind == "domain constraint":
        return f"ALTER DOMAIN {table} DROP CONSTRAINT {own};"
    if kind.endswith(" column"):
        relation, column = in_quotes(*split_name(identity)[:2]), split_name(identity)[2]
        kinds = {"foreign table column": "FOREIGN TABLE", "view column": "VIEW"}
        return f"ALTER {kinds.get(kind, 'TABLE')} {relation} DROP COLUMN {in_quotes(column)};"
    if kind == "extension":
        return f"ALTER EXTENSION {identity} SET SCHEMA public;"
    if kind == "member of an extension":
        relation, _, extension = identity.rpartition(" of ")
        return f"ALTER EXTENSION {extension} DROP TABLE {relation};"
    if kind == "publication relation":
        relation, _, publication = identity.rpartition(" in publication ")
        return f"ALTER PUBLICATION {publication} DROP TABLE {relation};"
    if kind == "publication namespace":
        place, _, publication = identity.rpartition(" in publication ")
        return f"ALTER PUBLICATION {publication} DROP TABLES IN SCHEMA {place};"
    words = {"statistics object": "STATISTICS", "composite type": "TYPE"}
    return f"DROP {words.get(kind, kind.upper())} {identity};"
