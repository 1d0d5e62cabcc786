"""Cases by somebody who knew the kinds and no rule: each planted one does harm and is told by name,
what only looks like one is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from pytest_housekeeping.checks.boundaries.verdict import verify_contract
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from support.blind import (
    BOUNDARIES,
    CONTRACT,
    GROUND,
    OUT,
    PLANTED,
    SOUND,
    Planted,
    Sound,
)
from support.blind.still import ALARMS, MISSED
from support.guarded import RULES, judged
from support.lent_database import LentDatabase

KINDS = range(1, 11)
# Of these kinds no more than a role's acting tells them from the others.
ACTED = (3, 4, 8)


@pytest.fixture(scope="module")
def studio(lent: LentDatabase) -> Iterator[Connection]:
    """One transaction of a superuser for all cases, which is never committed."""
    with (
        lent.lend() as database,
        psycopg.connect(database.superuser_conninfo, autocommit=True) as connection,
    ):
        connection.execute("BEGIN")
        connection.execute(GROUND.encode())
        yield connection
        connection.execute("ROLLBACK")


@contextmanager
def laid(connection: Connection, case: Planted | Sound) -> Iterator[str]:
    """The case, laid by the migrating role, which also asks afterwards; the database's name."""
    name = connection.info.dbname
    with rolled_back(connection):
        connection.execute("SET LOCAL ROLE hk_migrator")
        connection.execute(case.sql.replace("{database}", name).encode())
        connection.execute("SET LOCAL ROLE hk_migrator")
        yield name


def alarms(
    connection: Connection, rules: Sequence[Rule], contract: RlsContract = CONTRACT
) -> list[Finding]:
    found = judged(connection, contract, rules)
    if any(rule.family == BOUNDARY for rule in rules):
        found += verify_contract(connection, BOUNDARIES, OUT, rules).findings
    return [finding for finding in found if finding.level is not Level.NOTICE]


def does_harm(connection: Connection, case: Planted) -> bool:
    with rolled_back(connection):
        connection.execute("RESET ROLE")
        for name, value in case.acting.items():
            connection.execute("SELECT set_config(%s, %s, true)", (name, value))
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(case.who)))
        cursor = connection.execute(case.attack.encode())
        while cursor.nextset():
            pass
        if case.seen:
            connection.execute("RESET ROLE")
            cursor = connection.execute(case.seen.encode())
        row = cursor.fetchone()
        return row is not None and row[0] is True


@pytest.mark.parametrize("case", PLANTED, ids=str)
def test_what_does_harm_is_told_and_closed_by_the_printed_fix(
    studio: Connection, case: Planted
) -> None:
    rules = [RULES[case.rule]]
    with laid(studio, case) as name:
        assert does_harm(studio, case)
        about = case.about.replace("{database}", name)
        found = [each for each in alarms(studio, rules) if about in f"{each.object} {each.detail}"]
        assert found
        assert not [each.detail for each in found if "undecided" in each.detail]
        fixes = list(dict.fromkeys(each.fix for each in found))
        assert not any("{" in fix for fix in fixes)
        fixes = [fix for fix in fixes if not fix.startswith("--")]
        if not fixes:
            return  # what only its author can repair
        for fix in fixes:
            studio.execute(f"RESET ROLE; {fix}".encode())
        studio.execute("SET LOCAL ROLE hk_migrator")
        objects = {each.object for each in found}
        assert not objects & {each.object for each in alarms(studio, rules)}


@pytest.mark.parametrize("case", SOUND, ids=str)
def test_what_only_looks_like_it_is_silent(studio: Connection, case: Sound) -> None:
    """What acting would tell is asked of those kinds; of all, what can be read."""
    rules = [
        rule
        for rule in RULES.values()
        if case.kind in ACTED or rule.proof not in ("context", "isolation")
    ]
    with laid(studio, case):
        found = alarms(studio, rules, case.contract)
        assert [(each.rule, each.object, each.detail) for each in found] == []


@pytest.mark.parametrize("case", MISSED, ids=str)
def test_what_does_harm_and_is_told_by_none_yet(studio: Connection, case: Planted) -> None:
    """Once a rule tells of it, it stands with the others; and docs/checks.md says so no more."""
    with laid(studio, case):
        assert does_harm(studio, case)
        assert alarms(studio, list(RULES.values())) == []


@pytest.mark.parametrize("case", ALARMS, ids=str)
def test_what_does_no_harm_and_alarms_still(studio: Connection, case: Sound) -> None:
    with laid(studio, case):
        assert alarms(studio, list(RULES.values()), case.contract)


def test_each_kind_has_cases() -> None:
    for kind in KINDS:
        assert sum(case.kind == kind for case in PLANTED) >= 3
        assert sum(case.kind == kind for case in SOUND) >= 2
