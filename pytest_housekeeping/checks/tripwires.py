"""Plant a rule's defect, see the rule fire on it, take it away, see the rule quiet.

Why it shows that the rule works here: the rule is judged by the same function and on the same
schema as in the verification, once with the defect and once without, and nothing else differs; what
the verification has found already is the answer without. The defect lives in a savepoint, whose
rollback undoes DDL as well (https://www.postgresql.org/docs/16/sql-rollback-to.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg

from pytest_housekeeping.checks.boundaries import judge_boundary
from pytest_housekeeping.checks.rls import judge_rule
from pytest_housekeeping.checks.rules import Evaluation, boundary_scope
from pytest_housekeeping.checks.tripwire_target import (
    Guarded,
    GuardedBoundary,
    NotPlanted,
    guarded_by,
    placeholder_values,
)
from pytest_housekeeping.declarations.boundaries import Boundaries
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import Rule, fill
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection, rolled_back

TRIPWIRE = "tripwire"


def trip_rule(
    connection: Connection,
    superuser: Connection | None,
    contract: RlsContract | None,
    boundaries: Boundaries | None,
    rule: Rule,
    verified: Mapping[str, Evaluation] | None = None,
) -> Verdict:
    """Prove on this very database that the rule would fire.

    ``verified`` is what the rules' queries returned on the schema as it is now, by rule: what is
    known from there of the schema without the defect is not asked again.

    The defect is planted in a savepoint of ``connection``; what only a superuser can plant goes
    through ``superuser``, an autocommit connection to the same server, under a name of its own,
    and is undone whatever happens. Raises RuleBroken when the rule itself cannot run.
    """
    try:
        guarded = guarded_by(rule, contract, boundaries)
        values = placeholder_values(connection, guarded, rule)
        with _planted_by_superuser(superuser, rule, values):
            with rolled_back(connection):
                _plant(connection, rule, values)
                fired = _judge(connection, guarded, rule, values)
            # What a superuser plants stands outside of the savepoint: no verification has seen it.
            known = None if rule.tripwire.superuser else verified
            quiet = _judge(connection, guarded, rule, values, known)
    except NotPlanted as reason:
        return _failed(rule, str(reason))
    planted = fill(rule.tripwire.object, values)
    if not any(finding.object == planted for finding in fired.findings):
        return _failed(rule, f"the rule did not fire on {planted}", seen=fired)
    if any(finding in quiet.findings for finding in fired.findings if finding.object == planted):
        return _failed(rule, f"the rule fires on {planted} without the defect as well", seen=quiet)
    return Verdict(
        examined=1, unit="tripwires", evidence=(f"it fired on {planted}, and was quiet without it",)
    )


@contextmanager
def _planted_by_superuser(
    superuser: Connection | None, rule: Rule, values: Mapping[str, str]
) -> Iterator[None]:
    if not rule.tripwire.superuser:
        yield
        return
    if superuser is None:
        raise NotPlanted("only a superuser can plant the defect, and there is no such connection")
    try:
        try:
            superuser.execute(fill(rule.tripwire.superuser, values).encode())
        except psycopg.Error as error:
            raise NotPlanted(f"the superuser could not plant it: {_described(error)}") from None
        yield
    finally:
        superuser.execute(fill(rule.tripwire.undo, values).encode())


def _plant(connection: Connection, rule: Rule, values: Mapping[str, str]) -> None:
    try:
        connection.execute(fill(rule.tripwire.sql, values).encode())
    except psycopg.Error as error:
        raise NotPlanted(f"the defect could not be planted: {_described(error)}") from None


def _judge(
    connection: Connection,
    guarded: Guarded,
    rule: Rule,
    values: Mapping[str, str],
    verified: Mapping[str, Evaluation] | None = None,
) -> Verdict:
    if isinstance(guarded, GuardedBoundary):
        boundaries, contract = guarded.boundaries, guarded.contract
        scope = boundary_scope(boundaries, contract)
        return judge_boundary(connection, scope, boundaries.source(contract).roles, rule)
    only = fill(rule.tripwire.object, values) if rule.proof else ""
    return judge_rule(connection, guarded, rule, only=only, evaluations=verified)


def _described(error: psycopg.Error) -> str:
    return f"{error.sqlstate} {error.diag.message_primary or str(error).strip()}"


def _failed(rule: Rule, reason: str, *, seen: Verdict | None = None) -> Verdict:
    objects = sorted({finding.object for finding in seen.findings}) if seen else []
    finding = Finding(
        rule=TRIPWIRE,
        level=Level.ERROR,
        object=rule.id,
        detail=reason + (f"; it found: {', '.join(objects)}" if objects else ""),
        fix="a rule that does not fire guards nothing: correct its query or its tripwire",
    )
    return Verdict(examined=1, unit="tripwires", findings=(finding,))
