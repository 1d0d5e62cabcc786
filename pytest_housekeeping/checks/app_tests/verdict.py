"""Applications at work on the promoted staging database, and what the server has refused them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.app_tests.proxy import REFUSED, Refusal, Wire
from pytest_housekeeping.declarations.boundaries import App, Boundaries, Contract, Zone
from pytest_housekeeping.declarations.objects import split_name
from pytest_housekeeping.errors import MisuseError, RuleBroken
from pytest_housekeeping.model import Finding, Level, Mode, Verdict
from pytest_housekeeping.postgres import connection as database
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.server.given_roles import lend_password, take_password_back

RULE = "running-boundary"
_WORD = re.compile(r'"((?:[^"]|"")+)"|([\w$]+)')


@dataclass(kw_only=True)
class AppDoor:
    """A URL for one application, and the wire behind it. ``close`` ends both."""

    role: str
    url: str = field(repr=False)
    wire: Wire
    shut: Callable[[], None] = lambda: None

    def close(self) -> None:
        self.wire.close()
        self.shut()
        self.shut = lambda: None


def open_door(
    boundaries: Boundaries | None,
    app: str,
    mode: Mode,
    made: Callable[[], StagingDatabase],
) -> AppDoor:
    """Let an application in, as the first of its roles. Raises MisuseError when it cannot be."""
    if mode is not Mode.STAGING:
        raise MisuseError(
            f"hk_app_url({app!r}) in the mode {mode}",
            why="the tests of an application write, and run on a throwaway database only",
            fix="run them with --hk-mode=staging",
        )
    found = [each for each in (boundaries.apps if boundaries else ()) if each.name == app]
    if not found:
        names = ", ".join(each.name for each in boundaries.apps) if boundaries else "none"
        raise MisuseError(
            f"hk_app_url({app!r}): boundaries.toml declares no such application",
            why="without one there is no role to log in as",
            fix=f"declared: {names}",
        )
    return _open(made(), found[0].roles[0])


def _open(staging: StagingDatabase, role: str) -> AppDoor:
    superuser = database.connect(staging.superuser_conninfo)
    try:
        password, lent = lend_password(superuser, staging.cluster, role)
    finally:
        superuser.close()
    wire = Wire(staging.host, staging.port)
    secret = f":{quote(password, safe='')}" if password else ""
    url = (
        f"postgresql://{quote(role, safe='')}{secret}@127.0.0.1:{wire.port}"
        f"/{quote(staging.name, safe='')}?sslmode=disable&gssencmode=disable"
    )

    def shut() -> None:
        if lent:
            take_password_back(staging.superuser_conninfo, role)

    return AppDoor(role=role, url=url, wire=wire, shut=shut)


def judge_running(
    connection: Connection,
    boundaries: Boundaries,
    contract: Contract,
    door_of: Callable[[str], AppDoor],
) -> Verdict:
    """What the server refused the source's role while its tests ran, as far as it is the target's.

    A refused query is planted at the end and has to be on record, or nothing could have been seen.
    Raises RuleBroken when it is not.
    """
    door = door_of(contract.source)
    refusals, statements = door.wire.refusals, door.wire.statements
    names = _names(connection, boundaries.target(contract))
    own = _names(connection, boundaries.source(contract))
    _plant(connection, boundaries.target(contract), door)
    findings = tuple(
        _finding(contract, door.role, refusal)
        for refusal in dict.fromkeys(refusals)
        if _is_about(refusal, names, own)
    )
    return Verdict(
        examined=statements,
        unit="statements of the application's tests",
        findings=findings,
        evidence=(f"{len(refusals)} refusals of {door.role}; a planted one was seen",),
    )


def _plant(connection: Connection, target: App | Zone, door: AppDoor) -> None:
    relation = next(iter(_relations(connection, target)), None)
    if relation is None:
        raise RuleBroken(
            f"{target.name} has no relation that could be named",
            why="a record in which nothing can appear proves nothing",
            fix="take the contract out until there is something to guard",
        )
    before = len(door.wire.refusals)
    statement = sql.SQL("SELECT 1 FROM {} LIMIT 0").format(sql.Identifier(*split_name(relation)))
    try:
        with psycopg.connect(door.url) as planted:
            planted.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        pass
    except psycopg.Error as error:
        raise _deaf(relation, str(error).strip()) from None
    else:
        raise _deaf(relation, f"{door.role} was let in")
    if len(door.wire.refusals) != before + 1:
        raise _deaf(relation, f"{REFUSED} was answered and is not on record")
    door.wire.forget_last()


def _deaf(relation: str, found: str) -> RuleBroken:
    return RuleBroken(
        f"the planted query of {relation} did not show up: {found}",
        why="what the applications were refused may be missing in the record as well",
        fix="look at the boundary's items by privilege first",
    )


def _is_about(refusal: Refusal, target: frozenset[str], own: frozenset[str]) -> bool:
    """Whether it names what is the target's; where it names nothing known, nobody can tell."""
    said = _words(refusal.message)
    if said & target:
        return True
    return not said & own and (bool(_words(refusal.statement) & target) or not refusal.statement)


def _words(text: str) -> frozenset[str]:
    return frozenset(
        quoted.replace('""', '"') or plain.lower() for quoted, plain in _WORD.findall(text)
    )


def _names(connection: Connection, part: App | Zone) -> frozenset[str]:
    """The names by which PostgreSQL's message could mean this part: schemas and what is in them."""
    rows = connection.execute(_NAMES, {"schemas": list(part.schemas)}).fetchall()
    named = {split_name(table)[-1] for table in part.tables}
    return frozenset({name for (name,) in rows} | named | set(part.schemas))


def _relations(connection: Connection, part: App | Zone) -> list[str]:
    rows = connection.execute(_RELATIONS, {"schemas": list(part.schemas)}).fetchall()
    return [*part.tables, *(name for (name,) in rows)]


def _finding(contract: Contract, role: str, refusal: Refusal) -> Finding:
    statement = " ".join(refusal.statement.split())
    return Finding(
        rule=RULE,
        level=Level.ERROR,
        object=contract.name,
        detail=f"{role} was refused while the tests of {contract.source} ran:"
        f" {refusal.message} ({REFUSED})" + (f" by {statement[:200]}" if statement else ""),
        fix=f"take it out of the code of {contract.source}, or change the contract",
    )


_NAMES = """
SELECT c.relname::text FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = ANY (%(schemas)s)
UNION
SELECT f.proname::text FROM pg_catalog.pg_proc AS f
JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace WHERE n.nspname = ANY (%(schemas)s)
"""
_RELATIONS = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname) FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY 1 LIMIT 1
"""
