"""From the refusals of an application's own tests to findings: those about the target's objects."""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.app_tests.connection import AppConnection
from pytest_housekeeping.checks.app_tests.proxy import INSUFFICIENT_PRIVILEGE, Refusal
from pytest_housekeeping.declarations.boundaries import App, Boundaries, Contract, Zone
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import split_name

RULE = "running-boundary"
_WORD = re.compile(r'"((?:[^"]|"")+)"|([\w$]+)')


def judge_app_tests(
    connection: Connection,
    boundaries: Boundaries,
    contract: Contract,
    connection_of: Callable[[str], AppConnection],
) -> Verdict:
    """A finding for each refusal of the source's tests that is about an object of the target.

    ``connection_of`` gives the connection that the tests of an application used. At the end a query
    that must be refused is sent through it: raises RuleBroken when that refusal is not recorded,
    since those of the tests may be missing then as well.
    """
    app = connection_of(contract.source)
    refusals, statements = app.proxy.refusals, app.proxy.statements
    target = _names(connection, boundaries.target(contract))
    own = _names(connection, boundaries.source(contract))
    _provoke_refusal(connection, boundaries.target(contract), app)
    findings = tuple(
        _finding(contract, app.role, refusal)
        for refusal in dict.fromkeys(refusals)
        if _names_target(refusal, target, own)
    )
    return Verdict(
        examined=statements,
        unit="statements of the application's tests",
        findings=findings,
        evidence=(f"{len(refusals)} refusals of {app.role}; a planted one was seen",),
    )


def _provoke_refusal(connection: Connection, target: App | Zone, app: AppConnection) -> None:
    relation = next(iter(_relations(connection, target)), None)
    if relation is None:
        raise RuleBroken(
            f"{target.name} has no relation that could be named",
            why="a record in which nothing can appear proves nothing",
            fix="take the contract out until there is something to guard",
        )
    before = len(app.proxy.refusals)
    statement = sql.SQL("SELECT 1 FROM {} LIMIT 0").format(sql.Identifier(*split_name(relation)))
    try:
        with psycopg.connect(app.url) as planted:
            planted.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        pass
    except psycopg.Error as error:
        raise _not_recorded(relation, str(error).strip()) from None
    else:
        raise _not_recorded(relation, f"{app.role} was let in")
    if len(app.proxy.refusals) != before + 1:
        raise _not_recorded(relation, f"{INSUFFICIENT_PRIVILEGE} was answered and is not on record")
    app.proxy.drop_last_refusal()


def _not_recorded(relation: str, found: str) -> RuleBroken:
    return RuleBroken(
        f"the planted query of {relation} did not show up: {found}",
        why="what the applications were refused may be missing in the record as well",
        fix="look at the boundary's items by privilege first",
    )


def _names_target(refusal: Refusal, target: frozenset[str], own: frozenset[str]) -> bool:
    """Whether it was refused for what is the target's.

    The message names the object that was refused. Where it names nothing of either side, the
    statement decides; without a statement it counts, since nobody can tell.
    """
    named = _words(refusal.message)
    if named & target:
        return True
    return not named & own and (bool(_words(refusal.statement) & target) or not refusal.statement)


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
    by = f" by {statement[:200]}" if statement else ""
    return Finding(
        rule=RULE,
        level=Level.ERROR,
        object=contract.name,
        detail=f"{role} was refused while the tests of {contract.source} ran:"
        f" {refusal.message} ({INSUFFICIENT_PRIVILEGE}){by}",
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
