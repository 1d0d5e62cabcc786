"""What a tripwire is planted in: the contract that its rule guards, and names of this database."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pytest_housekeeping.checks.rls import judge_rule
from pytest_housekeeping.checks.rules import (
    boundary_scope,
    rls_scope,
    run_readonly,
    scoped_query,
)
from pytest_housekeeping.declarations.boundaries import Boundaries, Contract
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule, placeholders
from pytest_housekeeping.postgres.connection import Connection


class NotPlanted(Exception):
    """Why a defect could not be planted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardedBoundary:
    """One contract of the boundaries."""

    boundaries: Boundaries
    contract: Contract


Guarded: TypeAlias = RlsContract | GuardedBoundary
"""What a rule guards: the row-level-security contract, or a boundary."""


def guarded_by(rule: Rule, contract: RlsContract | None, boundaries: Boundaries | None) -> Guarded:
    """The contract to trip. Raises NotPlanted where none is declared that the rule is about."""
    if rule.family != BOUNDARY:
        if contract is None:
            raise NotPlanted("there is no checks/rls.toml")
        return contract
    if boundaries is not None:
        fitting = [each for each in boundaries.contracts if each.type == rule.contract]
        # In a target that is single tables there is no place of its own for a planted object.
        fitting.sort(key=lambda each: not boundaries.target(each).schemas)
        if fitting:
            return GuardedBoundary(boundaries=boundaries, contract=fitting[0])
    raise NotPlanted(f"no contract of the type {rule.contract!r} is declared")


def placeholder_values(connection: Connection, guarded: Guarded, rule: Rule) -> Mapping[str, str]:
    """What each placeholder of the rule's tripwire stands for, as SQL.

    Raises NotPlanted where the database has nothing that could stand for one of them.
    """
    values = {
        "tripwire_role": f"hk_tripwire_{secrets.token_hex(6)}",
        "good_role": f"hk_good_{secrets.token_hex(6)}",
    }
    if isinstance(guarded, GuardedBoundary):
        scope = boundary_scope(guarded.boundaries, guarded.contract)
        values |= _values(connection, scoped_query(connection, scope, _BOUNDARY_VALUES))
    else:
        scope = rls_scope(guarded)
        values |= _values(connection, scoped_query(connection, scope, _RLS_VALUES))
        if "table" in placeholders(rule.tripwire.sql):
            values["table"] = _proven_table(connection, guarded, rule)
    tripwire = rule.tripwire
    texts = (tripwire.sql, tripwire.object, tripwire.superuser, tripwire.undo)
    missing = frozenset().union(*(placeholders(text) for text in texts)) - values.keys()
    if missing:
        raise NotPlanted(f"nothing here can stand for {', '.join(sorted(missing))}")
    return values


def _values(connection: Connection, query: bytes) -> dict[str, str]:
    row = run_readonly(connection, query)
    return {name: value for name, value in row[0].items() if value is not None}


def _proven_table(connection: Connection, contract: RlsContract, rule: Rule) -> str:
    """The first table on which the rule finds nothing, and so would notice the defect."""
    (readable,) = run_readonly(
        connection, scoped_query(connection, rls_scope(contract), _READABLE_TABLES)
    )
    for name in readable:
        verdict = judge_rule(connection, contract, rule, only=name)
        if not any(finding.object == name for finding in verdict.findings):
            return str(name)
    raise NotPlanted("no table has been proved yet on which the defect would make a difference")


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

_READABLE_TABLES = """
SELECT coalesce(pg_catalog.jsonb_agg(t.object ORDER BY t.object COLLATE "C"), '[]')
FROM hk_table AS t
WHERE t.row_security AND EXISTS (
    SELECT FROM hk_policy_role AS a
    INNER JOIN hk_policy AS p ON a.policy_oid = p.oid
    WHERE p.table_oid = t.oid
        AND p.permissive AND p.command IN ('*', 'r')
        AND pg_catalog.has_table_privilege(a.role, t.oid, 'SELECT')
)
"""
