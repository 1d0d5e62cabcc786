"""The protected tables as proofs need them: columns, policies, and what each role may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.rls.tables_query import POLICIES, TABLES
from pytest_housekeeping.checks.rules.evaluation import PLANNING
from pytest_housekeeping.checks.rules.scope import RuleScope, run_readonly, scoped_query
from pytest_housekeeping.postgres.connection import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class RolePrivileges:
    """What one untrusted role may do with one table.

    ``select_some``: with a column at least; ``insert`` and ``update`` name the columns.
    ``read_policy``: a permissive policy for SELECT counts for the role. ``owner``: it has the
    owner's rights, and policies bind it only where they are forced. ``exempt``: a superuser or a
    role with BYPASSRLS, bound by no policy at all.
    https://www.postgresql.org/docs/16/ddl-rowsecurity.html
    """

    role: str
    select: bool
    select_some: bool
    insert: frozenset[str]
    update: frozenset[str]
    delete: bool
    read_policy: bool
    owner: bool
    exempt: bool

    @property
    def any(self) -> bool:
        return bool(self.commands)

    @property
    def may_read(self) -> bool:
        return self.select or self.select_some

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands for which the role holds a privilege, on a column at least."""
        held = {
            "SELECT": self.may_read,
            "INSERT": bool(self.insert),
            "UPDATE": bool(self.update),
            "DELETE": self.delete,
        }
        return tuple(command for command, granted in held.items() if granted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column; ``quoted`` is its name for SQL. ``has_default``: an INSERT may leave it out;
    ``required``: it is NOT NULL; ``exact``: no two different values of it are equal."""

    name: str
    quoted: str
    type: str
    type_schema: str
    writable: bool
    updatable: bool
    has_default: bool
    required: bool
    collation: str
    exact: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A policy as PostgreSQL prints it, and the untrusted roles that it counts for; ``object`` is
    its name in findings."""

    name: str
    object: str
    command: str
    permissive: bool
    using: str
    check: str
    roles: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtectedTable:
    """One protected table; ``object`` is its name for SQL and in findings.

    ``owned``: the migrator has its owner's rights. ``no_force`` is the statement after which the
    policies bind the migrator no longer, empty where none is needed or would help.
    ``public`` is the condition of the rows that everybody may read, empty where there are none;
    ``expressions`` are the texts of all its policies, ``keys`` the columns of its unique indexes.
    ``plain``: a table by itself, on which nothing but its policies decides what a statement does
    to a row: no trigger, no rule, no partition and no heir.
    """

    schema: str
    name: str
    object: str
    row_security: bool
    forced: bool
    owned: bool
    no_force: str
    plain: bool
    policies: tuple[Policy, ...]
    public: str
    columns: tuple[Column, ...]
    expressions: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    privileges: tuple[RolePrivileges, ...]

    def __hash__(self) -> int:
        # Of all that is known of it, that would be as much work as many a question about it.
        return hash(self.object)

    @property
    def hidden(self) -> str:
        """The condition of the rows that are not public; empty where none is."""
        return f"(({self.public}) IS NOT TRUE)" if self.public else ""

    @property
    def is_public(self) -> bool:
        """Everybody may read all of it."""
        return self.public == "true"

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def read_tables(connection: Connection, scope: RuleScope) -> tuple[ProtectedTable, ...]:
    """Every table in scope, by name, in one query; those with the same columns share them."""
    text = scoped_query(connection, scope, TABLES, extra=POLICIES)
    (items,) = run_readonly(connection, text, settings=PLANNING)
    shared: dict[str, tuple[Column, ...]] = {}
    return tuple(_table(item, _columns(item["columns"], shared)) for item in items)


def read_locked_tables(connection: Connection) -> frozenset[str]:
    """The tables that this transaction has locked against all other sessions already."""
    (tables,) = run_readonly(
        connection,
        b"SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.format('%I.%I', n.nspname, c.relname)),"
        b" '[]') FROM pg_catalog.pg_locks AS l"
        b" INNER JOIN pg_catalog.pg_class AS c ON l.relation = c.oid"
        b" INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid"
        b" WHERE l.pid = pg_catalog.pg_backend_pid() AND l.granted"
        b" AND l.mode = 'AccessExclusiveLock' AND l.database = ("
        b"SELECT d.oid FROM pg_catalog.pg_database AS d"
        b" WHERE d.datname = pg_catalog.current_database())",
    )
    return frozenset(tables)


def _columns(
    items: Sequence[Mapping[str, Any]], shared: dict[str, tuple[Column, ...]]
) -> tuple[Column, ...]:
    key = repr(items)
    if key not in shared:
        shared[key] = tuple(Column(**column) for column in items)
    return shared[key]


def _table(item: Mapping[str, Any], columns: tuple[Column, ...]) -> ProtectedTable:
    must_lift_force = item["forced"] and item["owned"] and not item["migrator_exempt"]
    return ProtectedTable(
        schema=item["schema"],
        name=item["name"],
        object=item["object"],
        row_security=item["row_security"],
        forced=item["forced"],
        owned=item["owned"],
        no_force=f"ALTER TABLE {item['object']} NO FORCE ROW LEVEL SECURITY;"
        if must_lift_force
        else "",
        plain=item["plain"],
        policies=tuple(
            Policy(**{**policy, "roles": frozenset(policy["roles"])}) for policy in item["policies"]
        ),
        public=item["public"],
        columns=columns,
        expressions=_expressions(item["policies"]),
        keys=tuple(tuple(key) for key in item["keys"]),
        privileges=tuple(
            RolePrivileges(
                **{
                    **privileges,
                    "insert": frozenset(privileges["insert"]),
                    "update": frozenset(privileges["update"]),
                }
            )
            for privileges in item["privileges"]
        ),
    )


def _expressions(policies: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The texts of all policies, each once, in a fixed order."""
    return tuple(sorted({each[key] for each in policies for key in ("using", "check")} - {""}))
