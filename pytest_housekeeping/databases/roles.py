"""The roles of a test server: those of all its databases, put back when a test has changed them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.server.staging_database import drop_roles

if TYPE_CHECKING:
    import psycopg

    Superuser = psycopg.Connection[tuple[Any, ...]]

# Settings of a role in one database go with the database.
# https://www.postgresql.org/docs/16/catalog-pg-db-role-setting.html
_SUM = """
SELECT (SELECT sum(pg_catalog.hashtextextended(a::text, 0)) FROM pg_catalog.pg_authid AS a)
    || '/' || COALESCE((SELECT sum(pg_catalog.hashtextextended(m::text, 0))
        FROM pg_catalog.pg_auth_members AS m), 0)
    || '/' || COALESCE((SELECT sum(pg_catalog.hashtextextended(s::text, 0))
        FROM pg_catalog.pg_db_role_setting AS s WHERE s.setdatabase = 0), 0)
"""
_ROWS = """
SELECT pg_catalog.jsonb_build_object(
    'authid', (SELECT pg_catalog.jsonb_object_agg(a.oid::text, pg_catalog.to_jsonb(a))
        FROM pg_catalog.pg_authid AS a),
    'members', (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(m)), '[]')
        FROM pg_catalog.pg_auth_members AS m),
    'settings', (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(s)), '[]')
        FROM pg_catalog.pg_db_role_setting AS s WHERE s.setdatabase = 0))::text
"""
# In one transaction, and with the rows as they were: a role keeps its oid, so what it owns is its.
_AUTHID = """
DELETE FROM pg_catalog.pg_authid WHERE oid::text = ANY (%(changed)s)
"""
_AUTHID_AGAIN = """
INSERT INTO pg_catalog.pg_authid SELECT r.* FROM pg_catalog.jsonb_each(%(authid)s) AS e,
    pg_catalog.jsonb_populate_record(NULL::pg_catalog.pg_authid, e.value) AS r
WHERE e.key = ANY (%(changed)s)
"""
_MEMBERS = """
DELETE FROM pg_catalog.pg_auth_members
WHERE roleid::text = ANY (%(known)s) AND member::text = ANY (%(known)s)
"""
_MEMBERS_AGAIN = """
INSERT INTO pg_catalog.pg_auth_members SELECT r.* FROM
    pg_catalog.jsonb_populate_recordset(NULL::pg_catalog.pg_auth_members, %(members)s) AS r
"""
_SETTINGS = """
DELETE FROM pg_catalog.pg_db_role_setting
WHERE setdatabase = 0 AND (setrole = 0 OR setrole::text = ANY (%(known)s))
"""
_SETTINGS_AGAIN = """
INSERT INTO pg_catalog.pg_db_role_setting SELECT r.* FROM
    pg_catalog.jsonb_populate_recordset(NULL::pg_catalog.pg_db_role_setting, %(settings)s) AS r
"""
_STATEMENTS = (_AUTHID, _AUTHID_AGAIN, _MEMBERS, _MEMBERS_AGAIN, _SETTINGS, _SETTINGS_AGAIN)


@dataclass(frozen=True)
class Roles:
    """The rows of the catalogs that hold roles, and a sum of them by which a change is seen."""

    sum: str
    rows: str

    @property
    def names(self) -> frozenset[str]:
        return frozenset(row["rolname"] for row in json.loads(self.rows)["authid"].values())


def read_roles(superuser: Superuser) -> Roles:
    return Roles(_one(superuser, _SUM), _one(superuser, _ROWS))


def are_alike(superuser: Superuser, before: Roles) -> bool:
    """Whether nothing has changed of the roles, and there is none more or less."""
    return _one(superuser, _SUM) == before.sum


def put_back(superuser: Superuser, before: Roles) -> tuple[str, ...]:
    """Make the roles of ``before`` what they were; what had to be put back, a line each.

    New roles are left as they are: see `drop_new`.
    """
    now, then = json.loads(_one(superuser, _ROWS)), json.loads(before.rows)
    told = tuple(_told(then, now))
    if told:
        known, rows = list(then["authid"]), {key: json.dumps(each) for key, each in then.items()}
        changed = [oid for oid, row in then["authid"].items() if now["authid"].get(oid) != row]
        with superuser.transaction():
            superuser.execute("SET LOCAL allow_system_table_mods = on")
            for statement in _STATEMENTS:
                superuser.execute(statement, {"known": known, "changed": changed, **rows})
    return told


def drop_new(superuser: Superuser, before: Roles) -> frozenset[str]:
    """Drop the roles that were not there ``before``; those that own something are left."""
    import psycopg

    rows = superuser.execute("SELECT rolname FROM pg_catalog.pg_authid")
    new = frozenset(name for (name,) in rows) - before.names
    with suppress(psycopg.Error):
        return drop_roles(superuser, new)
    return new


def _told(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    names = {oid: row["rolname"] for oid, row in {**now["authid"], **then["authid"]}.items()}
    for oid, row in then["authid"].items():
        found = now["authid"].get(oid)
        if found is None:
            yield f"{row['rolname']} was dropped"
            continue
        for column in row:
            if found[column] != row[column]:
                said = f"{row[column]} → {found[column]}"
                yield f"{row['rolname']}: {column}" + (
                    "" if column == "rolpassword" else f" {said}"
                )
    known = set(then["authid"])
    for gone in (True, False):
        one, other = (then, now) if gone else (now, then)
        for each in one["members"]:
            ours = {str(each["roleid"]), str(each["member"])} <= known
            if each not in other["members"] and ours:
                role, member = names[str(each["roleid"])], names[str(each["member"])]
                yield f"membership of {member} in {role}: {'gone' if gone else 'new'}"
        for each in one["settings"]:
            if each not in other["settings"] and str(each["setrole"]) in {*known, "0"}:
                whose = names.get(str(each["setrole"]), "all roles")
                yield f"settings of {whose}: {'they were' if gone else 'now'} {each['setconfig']}"


def _one(superuser: Superuser, query: str) -> str:
    row = superuser.execute(query).fetchone()
    return str(row[0]) if row else ""
