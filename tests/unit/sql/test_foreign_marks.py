"""Files of other migration tools are refused by the tool's name; what merely looks alike is not."""

from __future__ import annotations

import pytest

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.file import from_text

UP, DOWN = "CREATE TABLE t (id int);", "DROP TABLE t;"


def problems(text: str) -> list[tuple[int, str]]:
    file = from_text("sql/migrations/0004_label.sql", Kind.MIGRATION, text, "")
    return [(problem.line, problem.found) for problem in file.problems]


@pytest.mark.parametrize(
    ("tool", "text", "line"),
    [
        ("goose", f"-- +goose Up\n{UP}\n-- +goose Down\n{DOWN}", 1),
        ("goose", f"-- a comment\n--+goose up\n{UP}", 2),
        ("goose", f"{UP}\n  -- +goose StatementBegin\nSELECT 1;\n-- +goose StatementEnd", 2),
        ("goose", f"-- +goose NO TRANSACTION\n{UP}", 1),
        ("sql-migrate", f"-- +migrate Up\n{UP}\n-- +migrate Down\n{DOWN}", 1),
        ("dbmate", f"-- migrate:up\n{UP}\n\n-- migrate:down\n{DOWN}", 1),
        ("dbmate", f"-- migrate:up transaction:false\n{UP}", 1),
        ("rambler", f"-- rambler up\n{UP}\n-- rambler down\n{DOWN}", 1),
        ("tern", f"{UP}\n---- create above / drop below ----\n{DOWN}", 2),
        ("node-pg-migrate", f"-- Up Migration\n{UP}\n-- Down Migration\n{DOWN}", 1),
        ("shmig", f"-- ==== UP ====\n{UP}\n-- ==== DOWN ====\n{DOWN}", 1),
        ("Play", f"-- !Ups\n{UP}\n-- !Downs\n{DOWN}", 1),
        ("Play", f"# --- !Ups\n{UP}", 1),
        ("MyBatis Migrations", f"{UP}\n-- //@UNDO\n{DOWN}", 2),
        ("Liquibase", f"--liquibase formatted sql\n--changeset ada:1\n{UP}\n--rollback {DOWN}", 1),
        ("Sqitch", f"-- Deploy shop:label to pg\nSELECT 1;\n{UP}", 1),
        ("Sqitch", f"-- Revert label from pg\n{DOWN}", 1),
        ("Sqitch", "-- Verify shop:label on pg\nSELECT 1;", 1),
        ("graphile-migrate", f"--! split: 1.sql\n--! no-transaction\n{UP}", 2),
        ("yoyo", f"-- depends: 0003_more\n{UP}", 1),
        ("sqlx", "-- no-transaction\nCREATE INDEX i ON t (id);", 1),
        ("Atlas", f"-- atlas:txmode none\n{UP}", 1),
        ("bun", f"{UP}\n--bun:split\nSELECT 1;", 2),
        ("Flyway", "INSERT INTO t VALUES ('${schema}');", 1),
        ("Flyway", f"{UP}\nCOMMENT ON TABLE t IS 'of ${{flyway:user}}';", 2),
    ],
)
def test_the_tool_and_the_line_are_named(tool: str, text: str, line: int) -> None:
    found = [(at, said) for at, said in problems(text) if tool in said]
    assert found, problems(text)
    assert found[0][0] == line


def test_a_tool_that_a_layout_reads_has_it_named() -> None:
    file = from_text("sql/migrations/0004_label.sql", Kind.MIGRATION, f"-- +goose Up\n{UP}", "")
    (problem,) = file.problems
    assert problem.fix.startswith('of a folder of such files, in the settings: layout = "goose";')


def test_a_placeholder_where_sql_has_no_word_for_it_is_named_too() -> None:
    said = [found for _, found in problems("GRANT SELECT ON t TO ${role};")]
    assert "'${role}' looks like a placeholder of Flyway" in said


@pytest.mark.parametrize(
    "variable", [":name", ":'name'", ':"name"', ":{?name}"], ids=["plain", "text", "name", "asked"]
)
def test_a_psql_variable_is_named(variable: str) -> None:
    ((line, found),) = problems(f"SELECT 1;\nSELECT 2 WHERE {variable} = 1;")
    assert (line, found.split()[:3]) == (2, ["the", "psql", "variable"])


@pytest.mark.parametrize(
    "text",
    [
        f"-- goose up the prices: the migration of dbmate comes later\n{UP}",
        f"-- up migration path of the users is below\n{UP}".replace("-- up", "-- the up"),
        f"-- we deploy shop to production on pg day\n{UP}",
        f"-- this depends on 0003\n{UP}",
        f"-- runs in one transaction: no-transaction files are elsewhere\n{UP}",
        "--> statement-breakpoint\nSELECT 1;",
        f"--! Previous: sha1:12\n--! Hash: sha1:34\n\n{UP}",
        f"-- atlas:nolint DS103\n{UP}",
        f"--  Changeset db/changelog.sql::1::ada\n{UP}",
        "SELECT (ARRAY[1, 2, 3])[1:2];\nSELECT '12:30'::time;",
        "SELECT $body$ costs 5 $ {or more} $body$;",
        "SELECT '$ {name}', '{name}', '$name', '${', '${}';",
        "-- hk: placeholders=none\nINSERT INTO mail VALUES ('Dear ${name},');",
        "DO $$ BEGIN PERFORM 1; END $$;",
    ],
)
def test_what_only_looks_alike_is_plain_sql(text: str) -> None:
    assert problems(text) == []
