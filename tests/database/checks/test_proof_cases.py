"""The proofs on a real database: every planted defect leaks and is told, nothing sound is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from psycopg import sql

from pytest_housekeeping.checks.rls import verify_rule
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from support.guarded import RULES, TODAY, judged, laid_ground
from support.proof_cases import PLANTED
from support.proof_ground import GROUND, Planted, Sound, contract_of, in_schemas, moved
from support.proof_sound import SOUND

KINDS = sorted({case.kind for case in PLANTED})


@pytest.fixture
def hall(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    with laid_ground(connection, superuser, GROUND, ("hall_app",)) as laid:
        yield laid


def lay(connection: Connection, cases: Sequence[Planted] | Sequence[Sound]) -> RlsContract:
    """Each case in a schema of its own; the contract over all of them."""
    for text in in_schemas([case.sql for case in cases]):
        connection.execute(text.encode())
    return contract_of([case.contract for case in cases])


def alarms(connection: Connection, contract: RlsContract) -> list[Finding]:
    """What every rule and proof finds, but for what is only told as a notice."""
    found = judged(connection, contract, RULES.values())
    return [finding for finding in found if finding.level is not Level.NOTICE]


def of_case(findings: Sequence[Finding], number: int) -> list[Finding]:
    return [each for each in findings if f"hall_{number}." in each.object]


def reached(connection: Connection, case: Planted, number: int) -> int:
    """How many rows the attack reaches, as the application's role."""
    tables = connection.execute(
        "SELECT c.oid::regclass::text FROM pg_class AS c INNER JOIN pg_namespace AS n"
        " ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relforcerowsecurity",
        (f"hall_{number}",),
    ).fetchall()
    text = [f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY;" for (name,) in tables]
    text.append(moved(case.rows, number))
    text += [f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY;" for (name,) in tables]
    connection.execute("".join(text).encode())
    for name, value in case.acting.items():
        connection.execute(
            sql.SQL("SELECT set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
        )
    connection.execute("SET LOCAL ROLE hall_app")
    return connection.execute(moved(case.attack, number).encode()).rowcount


@pytest.mark.parametrize("kind", KINDS)
def test_what_leaks_is_told(hall: Connection, kind: str) -> None:
    cases = [case for case in PLANTED if case.kind == kind]
    contract = lay(hall, cases)
    findings = [each for each in alarms(hall, contract) if each.level is Level.ERROR]
    told = [bool(of_case(findings, number)) for number in range(len(cases))]
    assert [case.name for case, is_told in zip(cases, told, strict=True) if not is_told] == []
    for number, case in enumerate(cases):
        with rolled_back(hall):
            assert reached(hall, case, number) > 0, case.name


def test_a_fix_that_is_printed_closes_what_it_was_printed_for(hall: Connection) -> None:
    """Planted, fixed by the text of the finding, silent; where it is more than words."""
    kinds = ("nearly", "handed", "second setting", "public")
    cases = [case for case in PLANTED if case.kind in kinds]
    contract = lay(hall, cases)
    rules = ("identity-isolated", "setting-undeclared")

    def told() -> list[Finding]:
        return [
            each
            for rule in rules
            for each in verify_rule(hall, contract, RULES[rule], today=TODAY).findings
            if not each.fix.startswith("--") and not each.detail.startswith("undecided")
        ]

    found = told()
    assert len({each.object for each in found}) > 35
    for fix in dict.fromkeys(each.fix for each in found):
        hall.execute(fix.encode())
    assert {each.object for each in told()} & {each.object for each in found} == set()


def test_what_is_sound_is_not(hall: Connection) -> None:
    findings = alarms(hall, lay(hall, SOUND))
    of_cases = {
        case.name: [f"{each.rule}: {each.object}: {each.detail}" for each in found]
        for number, case in enumerate(SOUND)
        if (found := of_case(findings, number))
    }
    assert of_cases == {}
    assert findings == []
