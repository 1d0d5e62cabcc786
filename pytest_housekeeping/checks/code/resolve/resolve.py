"""What a reference means, as the server says it: for one role, on the uncommitted schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.code.facts import CodeReference, Name, ReferenceKind
from pytest_housekeeping.checks.code.resolve.catalog import (
    DependencyGraph,
    Node,
    ReachedObject,
    read_dependency_graph,
    split_path,
)
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.sql.identifiers import in_quotes
from pytest_housekeeping.sql.parse import SyntaxRefused, parse

_PREPARABLE = {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}
# Names that must be there for these to work; CREATE, DROP IF EXISTS and the like may do without.
_NEEDS_NAMES = {"TruncateStmt", "CopyStmt", "LockStmt", "CallStmt", "RefreshMatViewStmt"}
# The type of a parameter that the driver would have told: no fault of the statement.
_TYPES_UNKNOWN = {"42P18", "42P08", "42P38", "42725", "42846"}
_FAULTS = ("42", "3F", "22")
_NOBODY = {"none", "default", "current_user", "session_user"}
BATCH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """Why PostgreSQL would refuse the code, and the word that it stopped at, if it told."""

    sqlstate: str
    message: str
    word: str = ""
    occurrence: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """What a reference reaches. ``refused``: PostgreSQL would not run it as it is."""

    reached: tuple[ReachedObject, ...] = ()
    refused: Rejection | None = None


Resolutions = Mapping[CodeReference, Resolution]


def resolve(connection: Connection, references: Sequence[CodeReference], role: str) -> Resolutions:
    """Let the server say what the references reach. Only inside an open transaction.

    Names without a schema go through the search_path that ``role`` would log in with. Nothing of
    a statement is run, and nothing stays. Raises RuleBroken when the catalog cannot be read.
    """
    try:
        with rolled_back(connection):
            path = search_path(connection, role)
            directory = read_dependency_graph(connection)
            connection.execute(
                sql.SQL("SELECT pg_catalog.set_config('search_path', {}, true)").format(
                    sql.Literal(", ".join(in_quotes(each) for each in path))
                )
            )
            return _Resolver(connection, directory, path, references).resolve()
    except psycopg.Error as error:
        raise RuleBroken(
            f"what the code names could not be resolved: {error.diag.message_primary or error}",
            why="references that nobody resolved prove nothing",
            fix="see the message of PostgreSQL",
        ) from error


def search_path(connection: Connection, role: str) -> tuple[str, ...]:
    """The schemas in which ``role`` finds bare names: its own setting, and where it has USAGE.

    https://www.postgresql.org/docs/16/catalog-pg-db-role-setting.html
    """
    row = connection.execute(_SETTING, {"role": role}).fetchone()
    wanted = split_path(row[0] if row and row[0] is not None else '"$user", public')
    named = [role if part == "$user" else part for part in wanted]
    found = connection.execute(_USABLE, {"role": role, "schemas": named})
    return tuple(each[0] for each in found)


class _Resolver:
    def __init__(
        self,
        connection: Connection,
        directory: DependencyGraph,
        path: Sequence[str],
        references: Sequence[CodeReference],
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._path = path
        self._references = references
        self._made = frozenset(name for each in references for name in each.makes)

    def resolve(self) -> Resolutions:
        texts = {
            each.text: None
            for each in self._references
            if each.kind is ReferenceKind.STATEMENT and each.exact and _is_preparable(each.text)
        }
        told = self._ask(list(texts))
        return {each: self._answer(each, told.get(each.text)) for each in self._references}

    def _ask(self, texts: Sequence[str]) -> dict[str, Any]:
        """What the server says of each text: one round trip for some hundred of them."""
        told: dict[str, Any] = {}
        if texts:
            self._connection.execute(_function().encode())
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            rows = self._connection.execute(
                "SELECT pg_temp.hk_resolve(%s::jsonb)",
                [json.dumps(list(enumerate(batch)))],
            )
            for (row,) in rows:
                told[batch[row["id"]]] = row
        return told

    def _answer(self, reference: CodeReference, told: Any) -> Resolution:
        if told is None:
            return self._by_names(reference)
        if told["reached"] is not None:
            found = [*self._followed(told["reached"]), *self._chosen(reference)]
            return Resolution(reached=tuple(found))
        by_names = self._by_names(reference)
        state = str(told["state"])
        if told["prepared"] or state in _TYPES_UNKNOWN or not state.startswith(_FAULTS):
            return Resolution(reached=by_names.reached)
        if state == "42501" or self._is_of_its_own(reference):
            return Resolution(reached=by_names.reached)
        refusal = self._refusal(reference.text, state, str(told["message"]))
        return Resolution(reached=by_names.reached, refused=refusal)

    def _chosen(self, reference: CodeReference) -> Iterator[ReachedObject]:
        """Roles and schemas that a statement chooses: PostgreSQL keeps no dependencies of them."""
        for name in reference.names:
            if name.kind in (ReferenceKind.SCHEMA, ReferenceKind.ROLE):
                yield from self._of_name(name)

    def _is_of_its_own(self, reference: CodeReference) -> bool:
        """It speaks of a table that the same code makes, such as a temporary one."""
        return any(name.parts[-1] in self._made for name in reference.names)

    def _refusal(self, text: str, state: str, message: str) -> Rejection:
        """Asked once more, alone: inside a function PostgreSQL does not tell the position."""
        prefix = "PREPARE hk_code_reference AS "
        position = 0
        with rolled_back(self._connection):
            try:
                self._connection.execute((prefix + text).encode())
            except psycopg.Error as error:
                position = int(error.diag.statement_position or 0) - len(prefix)
        if position < 1:
            return Rejection(sqlstate=state, message=message)
        word = _word(text, position - 1)
        before = text.count(word, 0, position - 1) if word else 0
        return Rejection(sqlstate=state, message=message, word=word, occurrence=before)

    def _followed(self, dependencies: Iterable[Sequence[Any]]) -> Iterator[ReachedObject]:
        columns: dict[Node, list[str]] = {}
        for is_relation, oid, column in dependencies:
            named = columns.setdefault((is_relation, oid), [])
            if column and (name := self._directory.columns.get(oid, {}).get(column)):
                named.append(name)
        for node, names in columns.items():
            if node in self._directory.names:
                yield self._reached(node, columns=tuple(sorted(names)))
                yield from self._behind(node)

    def _behind(self, node: Node) -> Iterator[ReachedObject]:
        for following, through in self._directory.behind(node, self._path):
            yield self._reached(following, through=through)

    def _reached(
        self, node: Node, *, columns: tuple[str, ...] = (), through: str = ""
    ) -> ReachedObject:
        schema, name = self._directory.names[node]
        kind = ReferenceKind.RELATION if node[0] else ReferenceKind.FUNCTION
        return ReachedObject(kind=kind, schema=schema, name=name, columns=columns, through=through)

    def _by_names(self, reference: CodeReference) -> Resolution:
        reached: list[ReachedObject] = []
        missing: Rejection | None = None
        for name in reference.names:
            found = list(self._of_name(name)) or list(self._about_to_be(reference, name))
            reached += found
            if name.kind is ReferenceKind.RELATION:
                missing = missing or self._missing(reference, name)
        unique = tuple(dict.fromkeys(reached))
        return Resolution(reached=unique, refused=missing)

    def _of_name(self, name: Name) -> Iterator[ReachedObject]:
        if name.kind is ReferenceKind.SCHEMA and name.parts[0] in self._directory.schemas:
            yield ReachedObject(kind=ReferenceKind.SCHEMA, schema=name.parts[0])
        elif name.kind is ReferenceKind.ROLE and name.parts[0] not in _NOBODY:
            yield ReachedObject(kind=ReferenceKind.ROLE, schema="", name=name.parts[0])
            rows = self._connection.execute(_OF_ROLE, {"role": name.parts[0]})
            for (schema,) in rows.fetchall():
                yield ReachedObject(
                    kind=ReferenceKind.SCHEMA, schema=schema, through=f"role {name.parts[0]}"
                )
        nodes: list[Node] = []
        if name.kind is ReferenceKind.RELATION:
            oid = self._directory.relation(name.parts, self._path)
            nodes = [(True, oid)] if oid is not None else []
        elif name.kind is ReferenceKind.FUNCTION:
            nodes = [(False, each) for each in self._directory.routine(name.parts, self._path)]
        for node in nodes:
            if node in self._directory.names:
                yield self._reached(node, columns=name.columns if node[0] else ())
                yield from self._behind(node)

    def _about_to_be(self, reference: CodeReference, name: Name) -> Iterator[ReachedObject]:
        """An object that the statement makes in a schema that is there."""
        if len(name.parts) > 1 and name.parts[-1] in reference.makes:
            schema = name.parts[-2]
            if schema in self._directory.schemas:
                yield ReachedObject(kind=name.kind, schema=schema, name=name.parts[-1])

    def _missing(self, reference: CodeReference, name: Name) -> Rejection | None:
        """What is named and is not there, where the code cannot do without."""
        needed = (
            reference.kind is not ReferenceKind.STATEMENT
            or _name_of(reference.text) in _NEEDS_NAMES
        )
        if not needed or name.parts[-1] in self._made:
            return None
        oid = self._directory.relation(name.parts, self._path)
        spelt = ".".join(name.parts)
        if oid is None:
            return Rejection(sqlstate="42P01", message=f'relation "{spelt}" does not exist')
        there = set(self._directory.columns.get(oid, {}).values())
        for column in name.columns:
            if there and column not in there:
                return Rejection(
                    sqlstate="42703",
                    message=f'column "{column}" of relation "{spelt}" does not exist',
                )
        return None


@cache
def _name_of(text: str) -> str:
    try:
        statements = parse(text)
    except (SyntaxRefused, ValueError):
        return ""
    if len(statements) != 1 or "intoClause" in statements[0].body:
        return ""
    return statements[0].name


def _is_preparable(text: str) -> bool:
    return _name_of(text) in _PREPARABLE


def _word(text: str, at: int) -> str:
    end = at
    while end < len(text) and (text[end].isalnum() or text[end] in '_."$'):
        end += 1
    return text[at:end]


@cache
def _function() -> str:
    return Path(__file__).with_name("resolve_statements.sql").read_text(encoding="utf-8")


_SETTING = """
SELECT pg_catalog.substr(c.setting, 13)
FROM pg_catalog.pg_db_role_setting AS s
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
WHERE c.setting LIKE 'search_path=%%'
    AND (s.setrole = 0 OR r.rolname = %(role)s)
    AND (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
ORDER BY s.setrole = 0, s.setdatabase = 0
LIMIT 1
"""
_USABLE = """
SELECT n.nspname
FROM pg_catalog.unnest(%(schemas)s::text[]) WITH ORDINALITY AS w (name, position)
JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.name
WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = %(role)s
    AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE'))
ORDER BY w.position
"""
_OF_ROLE = """
SELECT n.nspname
FROM pg_catalog.pg_roles AS r
CROSS JOIN pg_catalog.pg_namespace AS n
WHERE r.rolname = %(role)s
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\\_%%'
    AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
    AND EXISTS (
        SELECT FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
    )
ORDER BY n.nspname
"""
