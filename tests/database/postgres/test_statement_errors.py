"""What a failing file is told as: all that helps, and of a file that holds a password the place."""

from __future__ import annotations

import pytest

from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.simple_query import send


def refusal(connection: LentConnection, text: str) -> str:
    with pytest.raises(SqlFailed) as failed:
        send(connection, "0001_it.sql", text, after="SELECT 1")
    return str(failed.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("CREATE ROLE a PASSWORD 'q7z' VALID UNTIL 'no moment: q7z'", ":1:1: invalid datetime"),
        (
            "SELECT 1;\nCREATE USER MAPPING FOR a SERVER s OPTIONS (password 'q7z')",
            ":2:1: undefined",
        ),
        ("CREATE SERVER q7z FOREIGN DATA WRAPPER f OPTIONS (password 'q7z')", ":1:1: undefined"),
        ("CREATE SUBSCRIPTION s CONNECTION 'password=q7z q7z' PUBLICATION p", ":1:1:"),
        (
            "DO $$BEGIN EXECUTE format('ALTER ROLE nobody PASSWORD %L', 'q7z'); END$$",
            ":1:1: undefined",
        ),
        ("DO $$BEGIN RAISE EXCEPTION 'password=q7z' USING DETAIL = 'q7z'; END$$", ":1:1: raise"),
        ("SELECT 'postgres://u:q7z@h/d'::int", ":1:8: invalid text"),
        ("CREATE TABLE t (a int); INSERT INTO t (password) VALUES ('q7z')", ":1:40: undefined"),
        ("SELECT vault.create_secret('q7z')", ":1:8: "),
        ("ALTER DATABASE none_such SET app.jwt_secret TO 'q7z'", ":1:1: "),
        ("ALTER ROLE none_such SET app.password TO 'q7z'", ":1:1: undefined"),
    ],
)
def test_a_password_is_in_no_message(connection: LentConnection, text: str, told: str) -> None:
    said = refusal(connection, text)
    assert said.startswith(f"0001_it.sql{told}")
    assert "SQLSTATE" in said
    assert "q7z" not in said


def test_nor_one_that_another_file_has_put_into_a_function(connection: LentConnection) -> None:
    body = "BEGIN EXECUTE 'ALTER ROLE nobody_q7z PASSWORD ' || quote_literal('q7z'); END"
    made = f"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $${body}$$"
    send(connection, "0001_f.sql", made, after="SELECT 1")
    said = refusal(connection, "SELECT f()")
    assert "q7z" not in said
    assert "what the server says quotes a password" in said


def test_of_every_other_file_all_is_told(connection: LentConnection) -> None:
    said = refusal(connection, "CREATE TABLE t (password text);\nSELECT nothing FROM t")
    assert 'column "nothing" does not exist' in said
    assert "SELECT nothing FROM t" in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('CREATE TABLE "U" ("password" TEXT);\nALTER TABLE "U" ADD "password" TEXT', '"password"'),
        ("CREATE SCHEMA vault;\nSELECT id FROM vault.secret WHERE content = ''", "vault.secret"),
        ("SELECT secret = current_setting('a.b') FROM (SELECT 1) AS t (secret)", "a.b"),
        ("-- No password: the throwaway server trusts.\nSELECT nothing", '"nothing"'),
        ("CREATE ROLE u; SELECT crypt(given) FROM secret", '"secret"'),
    ],
)
def test_a_name_is_no_password(connection: LentConnection, text: str, told: str) -> None:
    said = refusal(connection, text)
    assert told in said
    assert text.splitlines()[-1] in said
    assert "password as text" not in said


def test_one_that_can_be_told_from_words_is_cut_out(connection: LentConnection) -> None:
    text = "ALTER ROLE nobody_here PASSWORD 'xQ9-kk71z'"
    said = refusal(connection, text)
    assert 'role "nobody_here" does not exist' in said
    assert "PASSWORD '[secret]'" in said
    assert "xQ9-kk71z" not in said
    said = refusal(connection, f"SELECT vault.create_secret('xQ9-kk71z'); {text}")
    assert 'schema "vault" does not exist' in said
    assert "create_secret('[secret]')" in said
    assert "xQ9-kk71z" not in said
