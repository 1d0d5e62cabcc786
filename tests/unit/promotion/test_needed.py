"""What init reads off a refusal: what the real server has, and no file makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.promotion.init.chosen_settings import chosen_for
from pytest_housekeeping.promotion.init.green import refusal_of
from pytest_housekeeping.promotion.init.needed import Needed, out_of_path, path_of
from pytest_housekeeping.promotion.init.needed_version import needed_version
from pytest_housekeeping.sql.named_extensions import extension_schemas
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.files import write


@pytest.mark.parametrize(
    ("layout", "refused", "statement"),
    [
        ("", 'a.sql:1:1: role "Shop ""App""" does not exist', 'CREATE ROLE "Shop ""App""" LOGIN'),
        ("", 'must be able to SET ROLE "postgres" (SQLSTATE 42501)', "GRANT postgres TO hk;"),
        ("", 'must be member of role "postgres" (SQLSTATE 42501)', "GRANT postgres TO hk;"),
        ("", 'schema "measure" does not exist', "SCHEMA IF NOT EXISTS measure AUTHORIZATION hk"),
        ("", 'permission denied to create extension "http"', "CREATE EXTENSION IF NOT EXISTS http"),
        ("", 'operator class "gin_trgm_ops" does not exist', "EXTENSION IF NOT EXISTS pg_trgm"),
        ("", "function gen_random_bytes(integer) does not exist", "IF NOT EXISTS pgcrypto"),
        (
            "",
            'data type text has no default operator class for access method "gist"',
            "EXTENSION IF NOT EXISTS btree_gist",
        ),
        (
            "",
            'bootstrap: required extension "cube" is not installed (SQLSTATE 42704)',
            "EXTENSION IF NOT EXISTS cube",
        ),
        ("", 'access method "hnsw" does not exist', "EXTENSION IF NOT EXISTS vector"),
        ("", 'foreign-data wrapper "postgres_fdw" does not exist', "IF NOT EXISTS postgres_fdw"),
        ("", 'text search dictionary "unaccent" does not exist', "IF NOT EXISTS unaccent"),
        ("", 'type "public.citext" does not exist', "EXTENSION IF NOT EXISTS citext"),
        # Of an argument of a function.
        ("", "type public.geography does not exist", "EXTENSION IF NOT EXISTS postgis"),
        (
            "golang-migrate",
            'relation "schema_migrations" does not exist',
            "public.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean",
        ),
        (
            "flyway",
            'relation "flyway_schema_history" does not exist',
            "public.flyway_schema_history (installed_rank integer NOT NULL PRIMARY KEY, version",
        ),
        (
            "sqlx",
            'relation "public._sqlx_migrations" does not exist',
            "EXISTS public._sqlx_migrations (version bigint PRIMARY KEY",
        ),
    ],
)
def test_what_lacks_is_made_once(layout: str, refused: str, statement: str) -> None:
    needed = Needed(layout=layout).with_what_lacks(SqlFailed(refused))
    assert needed is not None
    assert statement in needed.bootstrap("hk")
    assert len(needed.names) == 1
    assert needed.with_what_lacks(SqlFailed(refused)) is None


@pytest.mark.parametrize(
    ("layout", "refused"),
    [
        ("", 'relation "schema_migrations" does not exist'),
        ("golang-migrate", 'relation "goose_db_version" does not exist'),
        ("goose", 'relation "account" does not exist'),
        ("", "function total(integer) does not exist"),
        ("", "syntax error"),
    ],
)
def test_what_nobody_can_guess_is_left(layout: str, refused: str) -> None:
    assert Needed(layout=layout).with_what_lacks(SqlFailed(refused)) is None


def test_an_extension_is_made_where_the_files_make_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "sql/migrations/0001_a.sql": "CREATE EXTENSION IF NOT EXISTS moddatetime SCHEMA tools;"
            ' CREATE EXTENSION "uuid-ossp";'
        },
    )
    placed = extension_schemas(Config(root=tmp_path), ProjectFiles(tmp_path))
    assert placed == {"moddatetime": "tools"}
    needed = Needed(extensions=("moddatetime", "uuid-ossp"), placed=placed)
    assert needed.bootstrap("who").splitlines() == [
        "CREATE EXTENSION IF NOT EXISTS moddatetime SCHEMA tools;",
        'CREATE EXTENSION IF NOT EXISTS "uuid-ossp";',
    ]


@pytest.mark.parametrize(
    ("made", "platform", "trusted"),
    [
        ("CREATE EXTENSION vector;", "", ("vector",)),
        # A superuser may have made it before the file ran: it goes into sql/bootstrap/.
        ("CREATE EXTENSION IF NOT EXISTS vector;", "", ()),
        ("CREATE EXTENSION plpgsql;", "", ()),
        ("CREATE EXTENSION vector;", "rds", ()),
    ],
)
def test_who_makes_an_extension_plainly_may(
    tmp_path: Path, made: str, platform: str, trusted: tuple[str, ...]
) -> None:
    write(tmp_path, {"sql/migrations/0001_a.sql": made})
    config = Config(root=tmp_path, platform=platform)
    assert chosen_for(config, ProjectFiles(tmp_path)).trusted == trusted


def test_an_extension_that_another_one_requires_is_made_before_it() -> None:
    needed = Needed(extensions=("earthdistance",)).with_what_lacks(
        SqlFailed('required extension "cube" is not installed')
    )
    assert needed is not None
    assert needed.extensions == ("cube", "earthdistance")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL);", (18, "VIRTUAL")),
        ("ALTER TABLE t ADD PRIMARY KEY (a, p WITHOUT  OVERLAPS);", (18, "WITHOUT OVERLAPS")),
        ("SELECT * FROM json_table(a, '$' COLUMNS (b int));", (17, "JSON_TABLE")),
        ("DO $$ BEGIN PERFORM 1 FROM JSON_TABLE(a, '$'); END $$;", (17, "JSON_TABLE")),
        ("SELECT 1; -- it is NOT ENFORCED\n/* JSON_TABLE(a) */", (0, "")),
        ("COMMENT ON TABLE t IS 'NOT ENFORCED'; SELECT $a$ -- WITHOUT OVERLAPS $a$;", (0, "")),
        ("SET transaction_timeout = 0;", (17, "transaction_timeout")),
        ("CREATE TABLE virtual (a int, b int);", (0, "")),
    ],
)
def test_the_version_is_read_off_what_an_older_one_does_not_know(
    tmp_path: Path, text: str, version: tuple[int, str]
) -> None:
    write(tmp_path, {"sql/migrations/0001_a.sql": text})
    assert needed_version(Config(root=tmp_path), ProjectFiles(tmp_path)) == version


@pytest.mark.parametrize("said", ['relation "ticket"', "type ticket", 'type "ticket[]"'])
def test_what_is_not_in_the_path_is_known_by_its_name(said: str) -> None:
    assert out_of_path(SqlFailed(f"a.sql:1:1: {said} does not exist")) == "ticket"
    assert out_of_path(SqlFailed("a.sql:1:1: type desk.ticket does not exist")) == ""


def test_a_refusal_says_what_failed_where_nothing_else_does() -> None:
    step = {"outcome": "failed", "message": "a.sql:1:1: permission denied"}
    audit = {"run": {"message": ""}, "findings": [], "steps": [step, {"outcome": "passed"}]}
    assert refusal_of(audit).found == "staging was refused:\na.sql:1:1: permission denied"


def test_schemas_of_a_search_path_that_the_server_has_are_not_made(tmp_path: Path) -> None:
    write(tmp_path, {"a.sql": "SET search_path = shop, pg_catalog;\nSELECT nowhere();"})
    error = SqlFailed("a.sql:2:8: function nowhere() does not exist", sqlstate="42883")
    assert path_of(ProjectFiles(tmp_path), error) == ["shop"]
