"""What is protected or granted and judged by nothing is said by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_housekeeping.checks.unjudged import find_unjudged
from pytest_housekeeping.declarations.rls import parse_rls
from pytest_housekeeping.model import Level
from pytest_housekeeping.postgres.connection import Connection

CONTRACT = 'schemas = ["known"]\nroles = ["hk_reader"]\ncontext = ["app.tenant"]\n'


@pytest.fixture
def ground(superuser: Connection) -> Iterator[Connection]:
    superuser.execute(
        "BEGIN; CREATE ROLE hk_reader; CREATE ROLE hk_boss SUPERUSER; CREATE SCHEMA known;"
        " CREATE SCHEMA other; CREATE SCHEMA housekeeping; CREATE TABLE known.a (id int);"
        " CREATE TABLE other.b (id int); CREATE TABLE housekeeping.history (id int)"
    )
    yield superuser
    superuser.execute("ROLLBACK")


def told(ground: Connection, *, contract: bool = False) -> list[str]:
    declared = parse_rls(CONTRACT, known_rules=frozenset()) if contract else None
    found = find_unjudged(ground, declared, level=Level.WARNING, ours="housekeeping")
    assert all(each.level is Level.WARNING and each.fix for each in found)
    return [f"{each.object}: {each.detail}" for each in found]


REST = ": nothing here judges who sees which rows of them"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE other.b ENABLE ROW LEVEL SECURITY", "other.b have policies"),
        ("CREATE POLICY p ON known.a USING (true)", "known.a have policies"),
        ("GRANT SELECT ON other.b TO hk_reader", "other.b are granted to hk_reader"),
        ("GRANT UPDATE ON known.a TO PUBLIC", "known.a are granted to PUBLIC"),
        ("GRANT SELECT ON ALL TABLES IN SCHEMA known, other TO hk_reader", "known.a, other.b are"),
    ],
)
def test_without_a_contract_it_is_said_what_is_there(
    ground: Connection, change: str, said: str
) -> None:
    assert told(ground) == []
    ground.execute(change.encode())
    (line,) = told(ground)
    assert line.startswith(f"rls.toml: {said}")
    assert line.endswith(REST)


def test_with_a_contract_only_what_is_protected_elsewhere(ground: Connection) -> None:
    ground.execute("GRANT SELECT ON known.a, other.b TO hk_reader")
    ground.execute("CREATE POLICY p ON known.a USING (true)")
    assert told(ground, contract=True) == []
    ground.execute("CREATE POLICY p ON other.b USING (true)")
    assert told(ground, contract=True) == [
        f"schemas of rls.toml: other.b have policies or row-level security{REST}"
    ]


@pytest.mark.parametrize(
    ("membership", "said"),
    [
        ("", ["hk_other: it is granted known.a, and rls.toml does not name it: nothing here"]),
        ("GRANT hk_reader TO hk_other", []),
        ("GRANT hk_other TO hk_reader", []),
        ("ALTER ROLE hk_other SUPERUSER", []),
        ("ALTER TABLE known.a OWNER TO hk_other", []),
    ],
)
def test_with_a_contract_who_else_is_granted_protected_tables_is_said(
    ground: Connection, membership: str, said: list[str]
) -> None:
    ground.execute("CREATE ROLE hk_other; GRANT SELECT ON known.a TO hk_other, hk_boss")
    ground.execute("CREATE POLICY p ON known.a TO hk_other USING (true)")
    ground.execute((membership or "SELECT 1").encode())
    assert [line.partition(" judges")[0] for line in told(ground, contract=True)] == said


@pytest.mark.parametrize(
    "change",
    [
        "GRANT ALL ON other.b TO hk_boss",
        "GRANT ALL ON other.b TO CURRENT_USER",
        "GRANT SELECT ON housekeeping.history TO hk_reader",
        "CREATE TEMPORARY TABLE t (id int); GRANT SELECT ON t TO hk_reader",
        "CREATE VIEW other.v AS SELECT 1",
    ],
)
def test_what_binds_nobody_is_not_said(ground: Connection, change: str) -> None:
    ground.execute(change.encode())
    assert told(ground) == []


def test_of_many_tables_a_few_are_named(ground: Connection) -> None:
    for number in range(9):
        ground.execute(f"CREATE TABLE other.t{number} (id int)")
    ground.execute("GRANT SELECT ON ALL TABLES IN SCHEMA other TO hk_reader")
    (line,) = told(ground)
    assert "other.b, other.t0, other.t1, other.t2, other.t3 and 5 more are granted" in line
