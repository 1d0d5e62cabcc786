"""What stands beside the protected schemas: each way past them is shown, found, and shut by the
fix as it is printed; what only looks like one is quiet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_housekeeping.checks.rls import verify_scope
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.model import Level
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from support.catalogue_cases import GROUND
from support.guarded import RULES, judged
from support.reach_cases import GRANTS, OUTSIDE, REACH_DEFECTS, ROWS, SYSTEM, ReachCase
from support.reach_sound import REACH_SOUND

CONTRACT = RlsContract(schemas=("desk",), roles=("desk_app",), context=("desk.me",))
FAST = [rule for rule in RULES.values() if rule.family != "boundary" and not rule.proof]


@pytest.fixture
def desk(superuser: Connection) -> Iterator[Connection]:
    """The ground, laid by the migrating role in a superuser's transaction."""
    superuser.execute("BEGIN; CREATE ROLE desk_app NOLOGIN; GRANT desk_app TO hk_migrator")
    superuser.execute(f"SET LOCAL ROLE hk_migrator; {GROUND} {ROWS}".encode())
    try:
        yield superuser
    finally:
        superuser.execute("ROLLBACK")


@contextmanager
def laid(desk: Connection, by_superuser: str, by_migrator: str) -> Iterator[None]:
    with rolled_back(desk):
        for role, text in (("NONE", by_superuser), ("hk_migrator", by_migrator)):
            desk.execute(f"SET LOCAL ROLE {role}".encode())
            desk.execute((text.replace("{database}", desk.info.dbname) or "SELECT 1").encode())
        yield


def shown(desk: Connection, case: ReachCase) -> bool:
    with rolled_back(desk):
        desk.execute("SET LOCAL ROLE desk_app; SET LOCAL desk.me = '1'")
        return desk.execute(case.shown.encode()).fetchone() == (True,)


def test_each_way_is_shown_found_and_shut_by_its_fix(desk: Connection) -> None:
    wrong = []
    for case in REACH_DEFECTS:
        name = case.object.replace("{database}", desk.info.dbname)
        rules = [RULES[case.rule]]
        with laid(desk, case.superuser, case.sql):
            if not shown(desk, case):
                wrong.append((case.rule, name, "cannot be done"))
            fixes = {each.fix for each in judged(desk, CONTRACT, rules) if each.object == name}
            if not fixes:
                wrong.append((case.rule, name, "is not found"))
            if case.superuser:
                desk.execute("SET LOCAL ROLE NONE")
            for fix in sorted(fixes):
                desk.execute(fix.encode())
            desk.execute("SET LOCAL ROLE hk_migrator")
            if name in {each.object for each in judged(desk, CONTRACT, rules)}:
                wrong.append((case.rule, name, f"is still found after {fixes}"))
    assert wrong == []


def test_what_only_looks_like_it_is_quiet(desk: Connection) -> None:
    both = [";".join(texts) for texts in zip(*REACH_SOUND, strict=True)]
    with laid(desk, both[0], both[1]):
        found = judged(desk, CONTRACT, [*FAST, RULES["outside-copies-rows"]])
        assert [(finding.rule, finding.object, finding.detail) for finding in found] == []


def test_what_is_reached_and_not_declared_is_said(desk: Connection) -> None:
    made = ";".join(f"CREATE TABLE desk_more.t{n} (id int)" for n in range(7))
    grants = "GRANT USAGE ON SCHEMA desk_more TO desk_app;" + ";".join(
        f"GRANT SELECT ON desk_more.t{n} TO desk_app" for n in range(6)
    )
    with laid(desk, "", f"CREATE SCHEMA desk_more; {made}; {grants}"):
        verdict = verify_scope(desk, CONTRACT)
        assert verdict.passed
        (said,) = verdict.findings
        assert (said.level, said.object) == (Level.NOTICE, "desk_more")
        assert "desk_app may use desk_more.t0, " in said.detail
        assert "desk_more.t4 and 1 more here" in said.detail
    with laid(desk, "", "CREATE SCHEMA desk_more; CREATE TABLE desk_more.t (id int)"):
        assert verify_scope(desk, CONTRACT).findings == ()


def test_there_are_enough_cases_of_each_kind() -> None:
    assert min(map(len, (OUTSIDE, SYSTEM, GRANTS))) >= 8
    assert len(REACH_SOUND) >= 20
