"""Every way past the policies is shown to leak, is caught, and is closed by the printed fix; what
only looks like one is silent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from pytest_housekeeping.checks.boundaries.verdict import verify_contract
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule
from pytest_housekeeping.model import Finding
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from support.doors import (
    ACTS,
    BOUNDARIES,
    CONNECTS,
    CONTRACT,
    DOORS,
    LAID,
    OUT,
    SIDE,
    SOUND,
    WAYS,
    Door,
    Sound,
)
from support.guarded import RULES, judged
from support.lent_database import LentDatabase

# What could speak of a kind; that all rules are silent benchmarks/beside_others.py shows.
FAMILIES = {
    ACTS: ("doors", "rls"),
    WAYS: ("doors", "rls", BOUNDARY),
    CONNECTS: ("roles", "privileges", BOUNDARY),
    SIDE: ("doors", "covert", BOUNDARY),
}


@pytest.fixture(scope="module")
def desk(lent: LentDatabase) -> Iterator[Connection]:
    """One transaction of a superuser for all stories, which is never committed."""
    with (
        lent.lend() as database,
        psycopg.connect(database.superuser_conninfo, autocommit=True) as connection,
    ):
        connection.execute("BEGIN")
        connection.execute(LAID.encode())
        yield connection
        connection.execute("ROLLBACK")


@contextmanager
def told(connection: Connection, sql: str) -> Iterator[None]:
    """The story, laid by the migrating role, which also asks afterwards."""
    with rolled_back(connection):
        connection.execute("SET LOCAL ROLE hk_migrator")
        connection.execute(sql.replace("{database}", named_database(connection)).encode())
        connection.execute("SET LOCAL ROLE hk_migrator")
        yield


def named_database(connection: Connection) -> str:
    row = connection.execute("SELECT quote_ident(current_database())").fetchone()
    return str(row[0]) if row else ""


def all_judged(connection: Connection, rules: list[Rule]) -> list[Finding]:
    found = judged(connection, CONTRACT, rules)
    return [*found, *verify_contract(connection, BOUNDARIES, OUT, rules).findings]


def leaks(connection: Connection, door: Door) -> bool:
    """Whether the attack shows or changes what belongs to somebody else."""
    with rolled_back(connection):
        connection.execute(
            f"RESET ROLE; SET LOCAL desk.me = '1'; SET LOCAL ROLE {door.who}".encode()
        )
        cursor = connection.execute(door.attack.encode())
        while cursor.nextset():
            pass
        if door.seen:
            connection.execute("RESET ROLE")
            cursor = connection.execute(door.seen.encode())
        row = cursor.fetchone()
        return row is not None and row[0] is True


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_a_way_past_the_policies_leaks_is_caught_and_closed(desk: Connection, door: Door) -> None:
    rules = [RULES[door.rule]]
    with told(desk, door.sql):
        if door.attack:
            assert leaks(desk, door)
        named = door.object.replace("{database}", named_database(desk))
        found = [each for each in all_judged(desk, rules) if each.object == named]
        assert found
        for finding in found:
            assert "{" not in finding.fix
            if finding.fix.startswith("--"):
                return  # what only its author can repair
            desk.execute(f"RESET ROLE; {finding.fix}".encode())
        desk.execute("SET LOCAL ROLE hk_migrator")
        assert named not in [each.object for each in all_judged(desk, rules)]


@pytest.mark.parametrize("sound", SOUND, ids=str)
def test_what_only_looks_like_one_is_silent(desk: Connection, sound: Sound) -> None:
    rules = [
        rule
        for rule in RULES.values()
        if rule.family in FAMILIES[sound.kind] and rule.proof not in ("context", "isolation")
    ]
    with told(desk, sound.sql):
        assert [(found.rule, found.object, found.detail) for found in all_judged(desk, rules)] == []


def test_each_kind_has_its_look_alikes() -> None:
    assert len(DOORS) >= 60
    assert len(SOUND) >= 30
    for kind in FAMILIES:
        assert sum(door.kind == kind for door in DOORS) >= 10
        assert sum(sound.kind == kind for sound in SOUND) >= 5
