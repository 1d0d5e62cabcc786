"""Which role may do what with the rows of which relation, at one moment, and what has changed.

PostgreSQL itself is asked, so that memberships, ownership and predefined roles count: whoever may
do something to a relation may do the same to each with that owner and those grants, so that one of
them is asked about. Where row security is on, the policies say which rows
(https://www.postgresql.org/docs/16/ddl-rowsecurity.html). Superusers may do everything, and are
told only where a role comes to be one or ceases to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.postgres.batch_facts import AccessChange
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import spelt

COMMANDS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
EVERYTHING = "every relation"
_ALL_ROWS, _OF_A_VIEW, _SUPERUSER = "all rows", "all that the view shows", "superuser"
# By the letters of pg_policy; TRUNCATE knows no policy.
_LETTERS = {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d"}

# ``alike``: one of the relations with the same owner, grants and columns that have their own.
_RELATIONS: Any = r"""
SELECT c.oid::int8, pg_catalog.format('%%I.%%I', n.nspname, c.relname), n.oid::int8,
    c.relowner::int8, c.relrowsecurity, c.relforcerowsecurity, c.relkind = 'v',
    pg_catalog.min(c.oid::int8) OVER (
        PARTITION BY c.relowner, c.relacl::text, columns.acl, c.relkind = 'f')
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN (
    SELECT a.attrelid, pg_catalog.string_agg(a.attname || a.attacl::text, ' ' ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND a.attnum > 0
    GROUP BY a.attrelid) AS columns (oid, acl) ON columns.oid = c.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> %s
ORDER BY 1
"""
_ROLES = """
SELECT rolname::text, rolsuper, rolbypassrls FROM pg_catalog.pg_roles
WHERE rolname !~ '^pg_' ORDER BY 1
"""
_PRIVILEGES = """
SELECT c.oid::int8, r.rolname::text, p.command,
    CASE WHEN pg_catalog.has_table_privilege(r.oid, c.oid, p.command) THEN '*'
    WHEN p.command IN ('SELECT', 'INSERT', 'UPDATE') AND EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)
    THEN (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, p.command)) END
FROM pg_catalog.pg_class AS c
CROSS JOIN pg_catalog.pg_roles AS r
CROSS JOIN pg_catalog.unnest(%s::text[]) AS p (command)
WHERE c.oid = ANY (%s::oid[]) AND r.rolname !~ '^pg_' AND NOT r.rolsuper
"""
_SCHEMAS = """
SELECT n.oid::int8, r.rolname::text FROM pg_catalog.pg_namespace AS n
CROSS JOIN pg_catalog.pg_roles AS r
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND r.rolname !~ '^pg_' AND NOT r.rolsuper
AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
"""
# PUBLIC is the role 0.
_POLICIES = """
SELECT p.polrelid::int8, p.polname::text, p.polcmd::text, p.polpermissive,
    ARRAY(SELECT g::int8 FROM pg_catalog.unnest(p.polroles) AS g),
    pg_catalog.concat_ws(' / ', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
                         pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_catalog.pg_policy AS p ORDER BY 1, 2
"""
# Who acts with the rights of whom: of the owners of relations, and of the roles of policies.
_MEMBERS = """
SELECT g.oid::int8, r.rolname::text FROM pg_catalog.pg_roles AS r
JOIN pg_catalog.pg_roles AS g ON pg_catalog.pg_has_role(r.oid, g.oid, 'USAGE')
WHERE r.rolname !~ '^pg_' AND NOT r.rolsuper AND g.oid = ANY (%s::oid[])
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Relation:
    name: str
    schema: int
    owner: int
    row_security: bool
    forced: bool
    view: bool
    alike: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Policy:
    name: str
    command: str
    permissive: bool
    roles: frozenset[int]
    text: str


# By role and command: the columns, or "*" for all of them.
_Privileges = dict[str, dict[str, str]]
# By role and command: what it may do, in words, and what the policies say by which it may.
_Cells = dict[tuple[str, str], tuple[str, tuple[str, ...]]]
_NOTHING: tuple[str, tuple[str, ...]] = ("", ())


@dataclass(frozen=True, kw_only=True)
class TableAccess:
    """Who may do what; compared with another moment by `access_changes`."""

    relations: Mapping[int, _Relation]
    superusers: frozenset[str]
    bypassing: frozenset[str]
    privileges: Mapping[int, _Privileges]
    schemas: Mapping[int, frozenset[str]]
    members: Mapping[int, frozenset[str]]
    policies: Mapping[int, tuple[_Policy, ...]]

    def _reasons(self, oid: int) -> object:
        """All that the access to a relation follows from; equal ones need no look at each role."""
        relation = self.relations[oid]
        policies = self.policies.get(oid, ()) if relation.row_security else ()
        return (
            self.privileges.get(relation.alike, {}),
            self.schemas.get(relation.schema, frozenset()),
            relation.row_security and (relation.forced, policies, self.bypassing),
            relation.row_security and self.members.get(relation.owner),
            [self.members.get(role) for policy in policies for role in sorted(policy.roles)],
        )

    def _cells(self, oid: int) -> _Cells:
        """What each role may do with the rows of a relation, by role and command."""
        relation = self.relations[oid]
        usable = self.schemas.get(relation.schema, frozenset())
        cells: _Cells = {}
        for role, commands in self.privileges.get(relation.alike, {}).items():
            if role not in usable:
                continue
            for command, columns in commands.items():
                rows, texts = self._rows(oid, role, command)
                told = rows if columns == "*" else f"{rows}, columns {columns}"
                cells[role, command] = told, texts
        return cells

    def _rows(self, oid: int, role: str, command: str) -> tuple[str, tuple[str, ...]]:
        relation, letter = self.relations[oid], _LETTERS.get(command)
        if relation.view:
            return _OF_A_VIEW, ()
        owns = role in self.members.get(relation.owner, frozenset())
        free = role in self.bypassing or (owns and not relation.forced)
        if not relation.row_security or free or letter is None:
            return _ALL_ROWS, ()
        there = [
            policy
            for policy in self.policies.get(oid, ())
            if policy.command in ("*", letter) and self._concerns(policy, role)
        ]
        allowing = [spelt(policy.name) for policy in there if policy.permissive]
        if not allowing:
            return "no row: no policy lets it", ()
        narrowing = [spelt(policy.name) for policy in there if not policy.permissive]
        told = f"rows of policy {' or '.join(allowing)}"
        told += f" and {' and '.join(narrowing)}" * bool(narrowing)
        return told, tuple(policy.text for policy in there)

    def _concerns(self, policy: _Policy, role: str) -> bool:
        return 0 in policy.roles or any(role in self.members.get(r, ()) for r in policy.roles)


def read_access(connection: Connection, *, but: str) -> TableAccess:
    """Who may do what with the rows of each relation, but for those in one schema. Any role may
    ask."""
    relations = {
        oid: _Relation(
            name=name,
            schema=schema,
            owner=owner,
            row_security=on,
            forced=forced,
            view=view,
            alike=alike,
        )
        for oid, name, schema, owner, on, forced, view, alike in connection.execute(
            _RELATIONS, (but,)
        ).fetchall()
    }
    roles = connection.execute(_ROLES.encode()).fetchall()
    policies: dict[int, list[_Policy]] = {}
    for oid, name, command, permissive, concerned, text in connection.execute(_POLICIES.encode()):
        policy = _Policy(
            name=name,
            command=command,
            permissive=permissive,
            roles=frozenset(concerned),
            text=text,
        )
        policies.setdefault(oid, []).append(policy)
    groups = {each.owner for each in relations.values()}
    groups |= {role for each in policies.values() for policy in each for role in policy.roles}
    return TableAccess(
        relations=relations,
        superusers=frozenset(name for name, superuser, _ in roles if superuser),
        bypassing=frozenset(name for name, _, bypasses in roles if bypasses),
        privileges=_read_privileges(connection, {each.alike for each in relations.values()}),
        schemas=_pairs(connection.execute(_SCHEMAS.encode()).fetchall()),
        members=_pairs(connection.execute(_MEMBERS.encode(), (sorted(groups),)).fetchall()),
        policies={oid: tuple(each) for oid, each in policies.items()},
    )


def access_changes(before: TableAccess, after: TableAccess) -> tuple[AccessChange, ...]:
    """What has changed for whom, relation by relation; of one that was dropped, nothing is told,
    and of a new one nothing of its owner."""
    found = [
        AccessChange(
            role=role,
            relation=EVERYTHING,
            commands=", ".join(COMMANDS),
            before=_SUPERUSER if role in before.superusers else "",
            after=_SUPERUSER if role in after.superusers else "",
        )
        for role in sorted(before.superusers ^ after.superusers)
    ]
    told = before.superusers | after.superusers
    for oid, relation in after.relations.items():
        stood = oid in before.relations
        if stood and before._reasons(oid) == after._reasons(oid):
            continue
        old, new = before._cells(oid) if stood else {}, after._cells(oid)
        owners = frozenset() if stood else after.members.get(relation.owner, frozenset())
        named = before.relations[oid].name if stood else relation.name
        found += _of_relation(named, old, new, but=told | owners)
    return tuple(sorted(found, key=lambda e: (e.relation != EVERYTHING, e.role, e.relation)))


def access_kept(
    before: TableAccess, after: TableAccess, changes: Iterable[AccessChange]
) -> tuple[AccessChange, ...]:
    """What stays as it was on the relations of which something has changed, superusers left out."""
    changed = {each.relation for each in changes}
    found: list[AccessChange] = []
    for oid, relation in before.relations.items():
        if relation.name not in changed or oid not in after.relations:
            continue
        new, grouped = after._cells(oid), dict[tuple[str, str], list[str]]()
        for (role, command), told in before._cells(oid).items():
            if new.get((role, command)) == told and role not in before.superusers:
                grouped.setdefault((role, told[0]), []).append(command)
        for (role, rows), commands in grouped.items():
            named = ", ".join(each for each in COMMANDS if each in commands)
            found.append(_kept(role, relation.name, named, rows))
    return tuple(sorted(found, key=lambda each: (each.role, each.relation, each.commands)))


def _kept(role: str, relation: str, commands: str, rows: str) -> AccessChange:
    return AccessChange(role=role, relation=relation, commands=commands, before=rows, after=rows)


def _of_relation(
    name: str, old: _Cells, new: _Cells, *, but: frozenset[str]
) -> Iterator[AccessChange]:
    """One change for all commands of a role for which the same has changed."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for role, command in sorted(old.keys() | new.keys()):
        was, texts = old.get((role, command), _NOTHING)
        now, others = new.get((role, command), _NOTHING)
        if was == now and texts != others:
            now = f"{now}, which says something else now"
        if was != now and role not in but:
            grouped.setdefault((role, was, now), []).append(command)
    for (role, was, now), commands in grouped.items():
        told = ", ".join(each for each in COMMANDS if each in commands)
        yield AccessChange(role=role, relation=name, commands=told, before=was, after=now)


def _read_privileges(connection: Connection, oids: set[int]) -> dict[int, _Privileges]:
    found: dict[int, _Privileges] = {}
    rows = connection.execute(_PRIVILEGES.encode(), (list(COMMANDS), sorted(oids))).fetchall()
    for oid, role, command, columns in rows:
        if columns:
            found.setdefault(oid, {}).setdefault(role, {})[command] = columns
    return found


def _pairs(rows: list[tuple[Any, ...]]) -> dict[int, frozenset[str]]:
    found: dict[int, set[str]] = {}
    for oid, role in rows:
        found.setdefault(oid, set()).add(role)
    return {oid: frozenset(roles) for oid, roles in found.items()}
