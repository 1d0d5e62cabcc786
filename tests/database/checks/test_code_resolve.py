"""What references mean, as a real server says it, and that asking leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from pytest_housekeeping.checks.code.facts import CodeReference
from pytest_housekeeping.checks.code.readers.read import read_source
from pytest_housekeeping.checks.code.resolve.references import resolve
from pytest_housekeeping.checks.code.resolve.resolution import Resolution
from pytest_housekeeping.checks.code.resolve.search_path import search_path
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.postgres.connection import Connection
from support.snippet_ground import laid_schema


@pytest.fixture
def ground(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    with laid_schema(connection, superuser) as laid:
        yield laid


def ask(connection: Connection, *statements: str) -> list[Resolution]:
    text = "".join(f"cur.execute({statement!r})\n" for statement in statements)
    found = [
        each
        for each in read_source(text.encode(), "a.py", ".py").found
        if isinstance(each, CodeReference)
    ]
    answers = resolve(connection, found, "venture_app")
    return [answers[each] for each in found]


def reached(answer: Resolution) -> dict[str, tuple[tuple[str, ...], str]]:
    return {each.object: (each.columns, each.through) for each in answer.reached}


def test_columns_are_exact(ground: Connection) -> None:
    statement = "SELECT o.id FROM venture.orders AS o WHERE o.note = %s ORDER BY total"
    (answer,) = ask(ground, statement)
    assert reached(answer) == {"venture.orders": (("id", "note", "total"), "")}
    assert answer.rejected is None


def test_columns_that_are_written_count(ground: Connection) -> None:
    (answer,) = ask(ground, "UPDATE governance.ledger SET entry = %s WHERE id = %s")
    assert reached(answer) == {"governance.ledger": (("entry", "id"), "")}


def test_views_are_followed_to_the_end(ground: Connection) -> None:
    ground.execute("CREATE VIEW venture.inner_view AS SELECT entry FROM governance.ledger")
    ground.execute("CREATE VIEW venture.outer_view AS SELECT entry FROM venture.inner_view")
    (answer,) = ask(ground, "SELECT entry FROM outer_view")
    assert reached(answer) == {
        "venture.outer_view": (("entry",), ""),
        "venture.inner_view": ((), "venture.outer_view"),
        "governance.ledger": ((), "venture.outer_view"),
    }


@pytest.mark.parametrize(
    "body",
    [
        "LANGUAGE sql BEGIN ATOMIC SELECT entry FROM governance.ledger; END",
        "LANGUAGE sql AS 'SELECT entry FROM governance.ledger'",
        "LANGUAGE sql SET search_path = governance AS 'SELECT entry FROM ledger'",
        "LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT entry FROM governance.ledger LIMIT 1); END'",
        "LANGUAGE plpgsql AS 'DECLARE x text; BEGIN SELECT id INTO x FROM governance.ledger; END'",
    ],
)
def test_functions_are_followed_to_what_they_read(ground: Connection, body: str) -> None:
    ground.execute(f"CREATE FUNCTION venture.peek() RETURNS text {body}".encode())
    (answer,) = ask(ground, "SELECT peek()")
    assert reached(answer)["governance.ledger"] == ((), "venture.peek")


def test_bare_names_go_by_the_role_and_its_rights(
    ground: Connection, superuser: Connection
) -> None:
    assert search_path(ground, "venture_app") == ("venture",)
    assert search_path(ground, "governance_officer") == ("public",)
    superuser.execute(
        sql.SQL(
            "ALTER ROLE venture_app IN DATABASE {} SET search_path = governance, venture"
        ).format(sql.Identifier(ground.info.dbname))
    )
    ground.execute("CREATE TABLE governance.orders (id bigint)")
    assert search_path(ground, "venture_app") == ("venture",), "no USAGE on governance"
    ground.execute("GRANT USAGE ON SCHEMA governance TO venture_app")
    (answer,) = ask(ground, "SELECT id FROM orders")
    assert set(reached(answer)) == {"governance.orders"}


@pytest.mark.parametrize(
    ("statement", "sqlstate", "word"),
    [
        ("SELECT id FROM venture.gone", "42P01", "venture.gone"),
        ("SELECT id FROM nowhere.gone", "42P01", "nowhere.gone"),
        ("SELECT id, colour FROM venture.orders", "42703", "colour"),
        ("INSERT INTO venture.orders (id, colour) VALUES (%s, %s)", "42703", "colour"),
        ("SELECT venture.gone(1)", "42883", "venture.gone"),
        ("SELECT id FROM venture.orders WHERE id = 'one'", "22P02", ""),
        ("TRUNCATE venture.gone", "42P01", ""),
    ],
)
def test_what_the_server_refuses_is_told(
    ground: Connection, statement: str, sqlstate: str, word: str
) -> None:
    (answer,) = ask(ground, statement)
    assert answer.rejected is not None
    assert answer.rejected.sqlstate == sqlstate
    assert word in answer.rejected.word


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT %s",
        "SELECT id FROM venture.orders WHERE id = ANY(%s) LIMIT %s OFFSET %s",
        "SELECT id FROM venture.orders WHERE data @> %s FOR UPDATE",
        "INSERT INTO venture.orders (id) VALUES (%s) ON CONFLICT DO NOTHING RETURNING id",
        "SELECT generate_series(%s, %s)",
        "VALUES (%s, 1)",
        "SELECT 1 -- a comment at the end",
        "CALL governance.settle(%s)",
        "LISTEN orders",
        "SELECT 1 FROM pg_stat_activity, information_schema.tables",
    ],
)
def test_sound_statements_are_refused_nowhere(ground: Connection, statement: str) -> None:
    assert all(answer.rejected is None for answer in ask(ground, statement))


def test_nothing_is_run_and_nothing_stays(ground: Connection) -> None:
    ground.execute("INSERT INTO venture.orders (id) VALUES (1)")
    before = _state(ground)
    ask(
        ground,
        "DELETE FROM venture.orders",
        "SELECT id FROM venture.gone",
        "DROP TABLE venture.orders",
        "TRUNCATE venture.orders",
        "SELECT 1; COMMIT",
    )
    assert _state(ground) == before
    assert ground.execute("SELECT id FROM venture.orders").fetchall() == [(1,)]


def test_a_thousand_statements_take_few_round_trips(ground: Connection) -> None:
    statements = [f"SELECT id FROM venture.orders WHERE id = {n}" for n in range(1000)]
    sent: list[object] = []
    ground.add_notice_handler(sent.append)
    answers = ask(ground, *statements)
    assert len(answers) == 1000
    assert all("venture.orders" in reached(answer) for answer in answers)
    assert sent == []


def _state(connection: Connection) -> tuple[object, ...] | None:
    assert connection.info.transaction_status is psycopg.pq.TransactionStatus.INTRANS
    return connection.execute(
        "SELECT current_setting('search_path'), current_user,"
        " (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_proc),"
        " (SELECT count(*) FROM pg_class WHERE relnamespace = 'venture'::regnamespace)"
    ).fetchone()


def test_a_schema_that_the_migrator_may_not_enter_is_named_all_the_same(
    ground: Connection, superuser: Connection
) -> None:
    superuser.execute("CREATE SCHEMA vault; CREATE TABLE vault.secret (id bigint)")
    superuser.execute("REVOKE ALL ON SCHEMA vault FROM PUBLIC")
    (answer,) = ask(ground, "SELECT id FROM vault.secret")
    assert reached(answer) == {"vault.secret": ((), "")}
    assert answer.rejected is None


def test_an_answer_needs_an_open_transaction_that_works(ground: Connection) -> None:
    with pytest.raises(psycopg.Error):
        ground.execute("SELECT 1 / 0")
    with pytest.raises((RuleBroken, psycopg.Error)):
        ask(ground, "SELECT id FROM venture.orders")
