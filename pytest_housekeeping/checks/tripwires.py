"""Plant a rule's defect, see the rule fire on it, take it away, see the rule quiet."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg

from pytest_housekeeping.checks.boundaries import judge_boundary
from pytest_housekeeping.checks.rls import judge_rule
from pytest_housekeeping.checks.rules import (
    boundary_scope,
    rls_scope,
    run_readonly,
    scoped_query,
)
from pytest_housekeeping.declarations.boundaries import Boundaries, Contract
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule, fill, placeholders
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection, rolled_back

TRIPWIRE = "tripwire"


def trip(
    connection: Connection,
    superuser: Connection | None,
    contract: RlsContract | None,
    boundaries: Boundaries | None,
    rule: Rule,
) -> Verdict:
    """Prove on this very database that the rule would fire.

    The defect is planted in a savepoint of ``connection``; what only a superuser can plant goes
    through ``superuser``, an autocommit connection to the same server, under a name of its own,
    and is undone whatever happens. Raises RuleBroken when the rule itself cannot run.
    """
    try:
        guarded = _guarded(contract, boundaries, rule)
        values = _values(connection, contract, boundaries, rule, guarded)
        with _planted_by_superuser(superuser, rule, values):
            with rolled_back(connection):
                _plant(connection, rule, values)
                fired = _judge(connection, contract, boundaries, rule, values, guarded)
            quiet = _judge(connection, contract, boundaries, rule, values, guarded)
    except _NotPlanted as reason:
        return _failed(rule, str(reason))
    planted = fill(rule.tripwire.object, values)
    if not any(finding.object == planted for finding in fired.findings):
        return _failed(rule, f"the rule did not fire on {planted}", seen=fired)
    if any(finding in quiet.findings for finding in fired.findings if finding.object == planted):
        return _failed(rule, f"the rule fires on {planted} without the defect as well", seen=quiet)
    return Verdict(
        examined=1, unit="tripwires", evidence=(f"it fired on {planted}, and was quiet without it",)
    )


class _NotPlanted(Exception):
    """Why a defect could not be planted."""


def _guarded(
    contract: RlsContract | None, boundaries: Boundaries | None, rule: Rule
) -> Contract | None:
    """The boundary contract to trip, for a rule about boundaries."""
    if rule.family != BOUNDARY:
        if contract is None:
            raise _NotPlanted("there is no checks/rls.toml")
        return None
    if boundaries is not None:
        fitting = [each for each in boundaries.contracts if each.type == rule.contract]
        # In a target that is single tables there is no place of its own for a planted object.
        fitting.sort(key=lambda each: not boundaries.target(each).schemas)
        if fitting:
            return fitting[0]
    raise _NotPlanted(f"no contract of the type {rule.contract!r} is declared")


def _values(
    connection: Connection,
    contract: RlsContract | None,
    boundaries: Boundaries | None,
    rule: Rule,
    guarded: Contract | None,
) -> Mapping[str, str]:
    """What the tripwire's placeholders stand for, as SQL."""
    values = {
        "tripwire_role": f"hk_tripwire_{secrets.token_hex(6)}",
        "good_role": f"hk_good_{secrets.token_hex(6)}",
    }
    if guarded is not None and boundaries is not None:
        scope = boundary_scope(boundaries, guarded)
        values |= _asked(connection, scoped_query(connection, scope, _BOUNDARY_VALUES))
    elif contract is not None:
        scope = rls_scope(contract)
        values |= _asked(connection, scoped_query(connection, scope, _RLS_VALUES))
        if "table" in placeholders(rule.tripwire.sql):
            values["table"] = _proven_table(connection, contract, rule)
    tripwire = rule.tripwire
    texts = (tripwire.sql, tripwire.object, tripwire.superuser, tripwire.undo)
    missing = frozenset().union(*(placeholders(text) for text in texts)) - values.keys()
    if missing:
        raise _NotPlanted(f"nothing here can stand for {', '.join(sorted(missing))}")
    return values


def _asked(connection: Connection, query: bytes) -> dict[str, str]:
    row = run_readonly(connection, query)
    return {name: value for name, value in row[0].items() if value is not None}


def _proven_table(connection: Connection, contract: RlsContract, rule: Rule) -> str:
    """The first table for which the rule has proved something by reading."""
    readable = run_readonly(
        connection,
        scoped_query(
            connection,
            rls_scope(contract),
            "SELECT coalesce(pg_catalog.jsonb_agg("
            "t.object ORDER BY t.object COLLATE \"C\"), '[]') FROM hk_table AS t"
            " WHERE t.row_security AND EXISTS (SELECT FROM hk_policy_role AS a"
            " INNER JOIN hk_policy AS p ON a.policy_oid = p.oid WHERE p.table_oid = t.oid"
            " AND p.permissive AND p.command IN ('*', 'r')"
            " AND pg_catalog.has_table_privilege(a.role, t.oid, 'SELECT'))",
        ),
    )[0]
    for name in readable:
        verdict = judge_rule(connection, contract, rule, only=name)
        if not any(finding.object == name for finding in verdict.findings):
            return str(name)
    raise _NotPlanted("no table has been proved yet on which the defect would make a difference")


@contextmanager
def _planted_by_superuser(
    superuser: Connection | None, rule: Rule, values: Mapping[str, str]
) -> Iterator[None]:
    if not rule.tripwire.superuser:
        yield
        return
    if superuser is None:
        raise _NotPlanted("only a superuser can plant the defect, and there is no such connection")
    try:
        try:
            superuser.execute(fill(rule.tripwire.superuser, values).encode())
        except psycopg.Error as error:
            raise _NotPlanted(f"the superuser could not plant it: {_words(error)}") from None
        yield
    finally:
        superuser.execute(fill(rule.tripwire.undo, values).encode())


def _plant(connection: Connection, rule: Rule, values: Mapping[str, str]) -> None:
    try:
        connection.execute(fill(rule.tripwire.sql, values).encode())
    except psycopg.Error as error:
        raise _NotPlanted(f"the defect could not be planted: {_words(error)}") from None


def _judge(
    connection: Connection,
    contract: RlsContract | None,
    boundaries: Boundaries | None,
    rule: Rule,
    values: Mapping[str, str],
    guarded: Contract | None,
) -> Verdict:
    if guarded is not None and boundaries is not None:
        scope = boundary_scope(boundaries, guarded)
        return judge_boundary(connection, scope, boundaries.source(guarded).roles, rule)
    if contract is None:
        raise RuleBroken(f"rule {rule.id!r} has no contract to be judged by")
    only = fill(rule.tripwire.object, values) if rule.proof else ""
    return judge_rule(connection, contract, rule, only=only)


def _words(error: psycopg.Error) -> str:
    return f"{error.sqlstate} {error.diag.message_primary or str(error).strip()}"


def _failed(rule: Rule, reason: str, *, seen: Verdict | None = None) -> Verdict:
    others = (
        f"; it found: {', '.join(sorted({f.object for f in seen.findings}))}"
        if (seen and seen.findings)
        else ""
    )
    return Verdict(
        examined=1,
        unit="tripwires",
        findings=(
            Finding(
                rule=TRIPWIRE,
                level=Level.ERROR,
                object=rule.id,
                detail=f"{reason}{others}",
                fix="a rule that does not fire guards nothing: correct its query or its tripwire",
            ),
        ),
    )


_RLS_VALUES = """
SELECT pg_catalog.jsonb_build_object(
    'migrator', pg_catalog.quote_ident(current_user),
    'database', pg_catalog.quote_ident(pg_catalog.current_database()),
    'schema', (SELECT s.object FROM hk_schema AS s ORDER BY s.object COLLATE "C" LIMIT 1),
    'role', (SELECT r.object FROM hk_role AS r ORDER BY r.object COLLATE "C" LIMIT 1)
)
"""

_BOUNDARY_VALUES = """
SELECT pg_catalog.jsonb_build_object(
    'migrator', pg_catalog.quote_ident(current_user),
    'source_role', (SELECT r.object FROM hk_source_role AS r ORDER BY r.object COLLATE "C" LIMIT 1),
    'source_schema', (
        SELECT s.object FROM hk_source_schema AS s ORDER BY s.object COLLATE "C" LIMIT 1
    ),
    'target_schema', (
        SELECT s.object FROM hk_target_schema AS s ORDER BY s.object COLLATE "C" LIMIT 1
    ),
    'target_relation', (
        SELECT t.object
        FROM hk_target_relation AS t
        CROSS JOIN hk_source_role AS r
        WHERE t.relkind IN ('r', 'p')
        ORDER BY
            pg_catalog.has_table_privilege(r.oid, t.oid, 'SELECT') DESC,
            t.object COLLATE "C"
        LIMIT 1
    )
)
"""
