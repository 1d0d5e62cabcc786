"""Where a password may stand in a SQL file, and where none does."""

from __future__ import annotations

import time

import pytest

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.file import from_text
from pytest_housekeeping.sql.password_literals import holds_password, seen_passwords

UNMISTAKABLE = "xQ9-kk71z"
SEEN = [
    "CREATE ROLE app PASSWORD 'PW'",
    "alter role app encrypted password E'PW'",
    "CREATE ROLE app PASSWORD\n  'PW'",
    "CREATE ROLE app PASSWORD /* of the app */ 'PW'",
    "CREATE ROLE app PASSWORD -- of the app\n 'PW'",
    "CREATE ROLE app PASSWORD $$PW$$",
    "CREATE ROLE app PASSWORD $a$PW$a$",
    "CREATE ROLE app PASSWORD U&'PW'",
    "CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'app', password 'PW')",
    "CREATE SERVER s FOREIGN DATA WRAPPER f OPTIONS (passwd 'PW')",
    "CREATE SUBSCRIPTION s CONNECTION 'host=h password=PW' PUBLICATION p",
    "SELECT dblink_connect('c', 'postgresql://app:PW@h/d')",
    "UPDATE account SET password = 'PW'",
    "SELECT sign_in(password => 'PW')",
    "DO $$DECLARE my_password text := 'PW'; BEGIN END$$",
    'SELECT \'{"password": "PW"}\'::jsonb',
    "-- postgres://app:PW@h/d",
    "/* password: PW */",
]
ONLY_KNOWN_TO_BE_THERE = [
    "DO $$BEGIN EXECUTE format('CREATE ROLE app PASSWORD %L', 'PW'); END$$",
    "DO $$BEGIN EXECUTE 'ALTER ROLE app PASSWORD ' || quote_literal('PW'); END$$",
    "\\set pw 'PW'\nCREATE ROLE app PASSWORD :'pw'",
    "INSERT INTO account (name, password) VALUES ('app', 'PW')",
    "INSERT INTO account (name, hash) VALUES ('app', crypt('PW', gen_salt('bf')))",
    "SELECT dblink('PW', 'SELECT 1')",
]
NONE = [
    "CREATE TABLE account (password text NOT NULL, id int)",
    "ALTER TABLE account ADD COLUMN password_hash bytea",
    "ALTER ROLE app PASSWORD NULL",
    "SELECT password, id FROM account",
    "SELECT id FROM account WHERE password = $1",
    "COMMENT ON COLUMN account.password IS 'the hash'",
    "ALTER ROLE app SET password_encryption = 'scram-sha-256'",
    'password authentication failed for user "app"',
    "-- see https://example.org/a:b",
]


@pytest.mark.parametrize("text", SEEN)
def test_a_password_that_stands_there_is_seen(text: str) -> None:
    for password in ("x", UNMISTAKABLE):
        assert holds_password(text.replace("PW", password))
    assert seen_passwords([text.replace("PW", UNMISTAKABLE)]) == {UNMISTAKABLE}


@pytest.mark.parametrize("text", ONLY_KNOWN_TO_BE_THERE)
def test_one_that_stands_elsewhere_is_known_to_be_there(text: str) -> None:
    assert holds_password(text)


@pytest.mark.parametrize("text", NONE)
def test_where_none_stands_everything_is_told(text: str) -> None:
    assert not holds_password(text)


@pytest.mark.parametrize("password", ["app", "desk_app", "orders", "throwaway", "Venture-App", "x"])
def test_a_name_or_word_is_never_hidden_from_a_whole_report(password: str) -> None:
    assert seen_passwords([f"CREATE ROLE app PASSWORD '{password}'"]) == frozenset()


@pytest.mark.parametrize("text", [*SEEN, *ONLY_KNOWN_TO_BE_THERE])
@pytest.mark.parametrize(
    "broken", ["{} '; SELECT", "-- +goose Up {}\n", "-- hk: pw={}\n{}", "${{a}} {}"]
)
def test_what_is_wrong_in_such_a_file_is_told_by_its_place(text: str, broken: str) -> None:
    text = broken.format(text.replace("PW", UNMISTAKABLE), "SELECT 1")
    file = from_text("sql/migrations/0001_a.sql", Kind.MIGRATION, text, "")
    assert file.problems
    assert UNMISTAKABLE not in str(file.problems)


def test_a_thousand_files_cost_little() -> None:
    text = "CREATE TABLE venture.account (id bigint PRIMARY KEY, name text NOT NULL);\n" * 100
    started = time.perf_counter()
    assert not any(holds_password(text) for _ in range(1000))
    assert time.perf_counter() - started < 1
