"""What rows can refuse: "0 violations" is said of exactly what PostgreSQL then takes."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from pytest_housekeeping.checks.rows.asking import Answer, NotChecked, ask, reading
from pytest_housekeeping.checks.rows.verdict import rows_verdict
from pytest_housekeeping.model import Level
from pytest_housekeeping.server import Server
from support.row_cases import NULLS, RowCase, T
from support.row_cases_tables import GROUPS, SINCE_18
from support.row_ground import RowGround, row_ground

PERSON = "hk_rows_reader"


@pytest.fixture(scope="module")
def ground(server: Server) -> Iterator[RowGround]:
    with row_ground(server) as laid:
        yield laid


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=f"{g}: {c.name}") for g, cases in GROUPS.items() for c in cases]
)
def test_the_answers_are_what_postgresql_does(ground: RowGround, case: RowCase) -> None:
    prove(ground, case)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in SINCE_18])
def test_what_postgresql_18_brings(ground: RowGround, case: RowCase) -> None:
    if ground.production.info.server_version < 180000:
        pytest.skip("this server is older")
    prove(ground, case)


def prove(ground: RowGround, case: RowCase) -> None:
    outcome = ground.outcome(case.schema, case.rows, case.batch)
    if case.unchecked:
        assert any(case.unchecked in each.why for each in outcome.unchecked), str(outcome)
        return
    assert outcome.unchecked == [], str(outcome)
    assert bool(outcome.violations) == bool(outcome.refused), str(outcome)
    assert sum(each.violations for each in outcome.lost) == case.lost or outcome.refused


CHECKED = "ALTER TABLE t ADD CHECK (a > 0)"


def test_a_row_is_told_by_its_primary_key_and_nothing_else(ground: RowGround) -> None:
    rows = "INSERT INTO t (id, a, b) SELECT g, -g, 'content' FROM generate_series(1, 10) AS g;"
    outcome = ground.outcome(T, rows, CHECKED)
    (answer,) = outcome.asked
    assert (answer.violations, answer.rows, answer.keys) == (10, 10, ("1", "2", "3"))
    verdict, said = rows_verdict(outcome.answers, 4)
    (finding,) = verdict.findings
    assert (verdict.examined, finding.rule, finding.level) == (4, "rows-refuse", Level.ERROR)
    assert finding.detail == (
        "10 / 10 rows of public.t: does not satisfy it; primary keys: (1), (2), (3)"
    )
    assert "content" not in said + str(verdict)
    without = ground.outcome(T.replace(" PRIMARY KEY", ""), rows, CHECKED)
    detail = rows_verdict(without.answers, 1)[0].findings[0].detail
    assert detail.endswith("without a primary key none can be named")


def test_a_row_that_cannot_be_converted_is_told_of_that_alone(ground: RowGround) -> None:
    """Of what looks at the value the error is the same, and NULL it is not."""
    change = "ALTER TABLE t ALTER b SET NOT NULL, ADD CHECK (length(b) < 90);"
    rows = "INSERT INTO t (id, a, b) VALUES (1, 2, 'longer');"
    outcome = ground.outcome(T, rows, f"{change} ALTER TABLE t ALTER b TYPE varchar(3)")
    assert [each.question.demand for each in outcome.asked if each.violations] == [
        "cannot be converted"
    ]
    (finding,) = rows_verdict(outcome.answers, 1)[0].findings
    assert "change these rows first" in finding.fix


def test_where_rows_can_refuse_nothing_that_is_said(ground: RowGround) -> None:
    outcome = ground.outcome(T, NULLS, "CREATE INDEX ON t (a); COMMENT ON TABLE t IS 'a'")
    verdict, said = rows_verdict(outcome.answers, 2)
    assert (verdict.passed, verdict.examined) == (True, 2)
    assert said == "2 changes examined: rows can refuse none of them"


def test_a_question_that_runs_into_its_limit(ground: RowGround) -> None:
    """The next one is asked all the same."""
    batch = "ALTER TABLE t ADD CHECK (pg_sleep(2)::text = ''), ALTER a SET NOT NULL"
    outcome = ground.outcome(T, NULLS, batch, timeout="100ms")
    assert [each.violations for each in outcome.asked] == [2]
    (unchecked,) = outcome.unchecked
    assert unchecked.object == "constraint t_check of public.t"
    assert unchecked.why == "the question ran into its limit of 100ms (question_timeout)"
    verdict, said = rows_verdict(outcome.unchecked, 1)
    assert [each.level for each in verdict.findings] == [Level.WARNING]
    assert said.endswith("; 1 not checked")


@pytest.fixture
def person(ground: RowGround) -> Iterator[str]:
    """A role that may use the schema and owns nothing."""
    ground.production.execute(f"CREATE ROLE {PERSON}".encode())
    yield PERSON
    ground.production.execute(f"DROP ROLE {PERSON}".encode())


@pytest.mark.parametrize(
    ("grant", "why"),
    [
        ("", "may not read what it asks for: permission denied for table t"),
        (
            f"GRANT SELECT ON t TO {PERSON}; ALTER TABLE t ENABLE ROW LEVEL SECURITY",
            "policies hide rows of public.t from the role that asks",
        ),
    ],
)
def test_a_role_that_does_not_see_every_row(
    ground: RowGround, person: str, grant: str, why: str
) -> None:
    """What it may not read is said, and what it may is asked."""
    schema = f"{T}; CREATE TABLE u (id int PRIMARY KEY, a int); GRANT SELECT ON u TO {person};"
    batch = "ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE u ALTER a SET NOT NULL"
    outcome = ground.outcome(schema + grant, NULLS, batch, role=person)
    assert [each.question.table for each in outcome.asked] == ["public.u"]
    (unchecked,) = outcome.unchecked
    assert why in unchecked.why


def test_a_role_that_asks_and_is_not_there_leaves_nothing_open(ground: RowGround) -> None:
    connection = ground.production
    with (
        pytest.raises(psycopg.errors.InvalidParameterValue, match="nobody"),
        reading(connection, "5s", "nobody"),
    ):
        pytest.fail("nothing is asked as somebody else")
    assert connection.info.transaction_status is TransactionStatus.IDLE
    with reading(connection, "5s", "pg_read_all_data"):
        assert connection.execute("SELECT current_user").fetchone() == ("pg_read_all_data",)


def test_a_connection_that_is_lost_is_no_answer(ground: RowGround, server: Server) -> None:
    batch = "ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t ALTER b SET NOT NULL"
    questions = ground.questions(T, batch)
    database = server.database()
    try:
        with (
            psycopg.connect(database.superuser_conninfo, autocommit=True) as connection,
            reading(connection, "5s"),
        ):
            answers = ask(connection, questions, timeout="5s")
            assert isinstance(next(answers), NotChecked)  # there is no such table
            ground.production.execute(
                "SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,)
            )
            with pytest.raises(psycopg.OperationalError):
                next(answers)
    finally:
        server.drop(database)


def test_no_question_writes_and_none_keeps_a_lock(ground: RowGround) -> None:
    """A function that a check calls cannot write either: production is only read."""
    connection = ground.production
    connection.execute("CREATE TABLE kept (a int); CREATE TABLE seen (a int)")
    connection.execute("INSERT INTO kept VALUES (1)")
    connection.execute(
        "CREATE FUNCTION writes(int) RETURNS bool LANGUAGE sql AS"
        " 'INSERT INTO seen VALUES ($1); SELECT true'"
    )
    try:
        batch = "ALTER TABLE kept ADD CHECK (writes(a)), ALTER a SET NOT NULL"
        answers = asked_outside(ground, batch)
    finally:
        connection.execute("DROP FUNCTION writes; DROP TABLE kept, seen")
    assert [type(each) for each in answers] == [Answer, NotChecked]
    assert isinstance(answers[1], NotChecked)
    assert "read-only transaction" in answers[1].why


def asked_outside(ground: RowGround, batch: str) -> list[Answer | NotChecked]:
    """The questions of a batch, asked as a promotion asks them; no lock is held behind one."""
    schema = (
        "CREATE TABLE kept (a int); CREATE TABLE seen (a int);"
        "CREATE FUNCTION writes(int) RETURNS bool LANGUAGE sql AS"
        " 'INSERT INTO seen VALUES ($1); SELECT true'"
    )
    questions = ground.questions(schema, batch)
    found = []
    with reading(ground.production, "5s"):
        for answer in ask(ground.production, questions, timeout="5s"):
            found.append(answer)
            held = ground.production.execute(
                "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation >= 16384"
            ).fetchone()
            assert held == (0,)
    return found
