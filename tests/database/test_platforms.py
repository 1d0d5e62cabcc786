"""What a provider's server has from the beginning: files that can be run, and run again."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.postgres.statement_errors import explain
from pytest_housekeeping.promotion.throwaway import advised
from pytest_housekeeping.server import StagingDatabase, server_settings, start
from pytest_housekeeping.server.staging_database import connect
from pytest_housekeeping.sql.bootstrap import bootstrap_texts
from pytest_housekeeping.sql.platforms import PLATFORMS, platform_of, platform_text
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.files import write

CLAIMS = '{"sub": "11111111-1111-4111-8111-111111111111"}'


def test_a_preset_runs_first_and_a_file_of_its_name_takes_its_place(tmp_path: Path) -> None:
    config = Config(root=tmp_path, platform="rds", migrator="who")
    write(tmp_path, {"sql/bootstrap/a.sql": "SELECT 1;"})
    (preset, text), own = bootstrap_texts(config, ProjectFiles(tmp_path))
    assert (preset, "rds_superuser" in text, own[0]) == (
        "platform rds",
        True,
        "sql/bootstrap/a.sql",
    )
    write(tmp_path, {"sql/bootstrap/rds.sql": "SELECT 2;"})
    names = [name for name, _ in bootstrap_texts(config, ProjectFiles(tmp_path))]
    assert names == ["sql/bootstrap/a.sql", "sql/bootstrap/rds.sql"]
    plain = Config(root=tmp_path)
    assert len(bootstrap_texts(plain, ProjectFiles(tmp_path))) == 2


def test_what_a_platform_has_counts_as_named() -> None:
    assert platform_of("supabase").extensions == {"pgcrypto", "uuid-ossp"}
    assert platform_of("rds").extensions == frozenset()


def test_a_server_bears_the_names_of_its_platform(tmp_path: Path) -> None:
    server = start(server_settings(Config(root=tmp_path, platform="supabase", migrator="postgres")))
    try:
        first, second = server.database(), server.database()
        assert (first.name, first.superuser) == ("postgres", "supabase_admin")
        assert second.name.startswith("hk_staging_")
        with connect(first.migrator_conninfo) as connection:
            row = connection.execute(
                "SELECT current_user::text, rolsuper, pg_catalog.pg_get_userbyid(datdba)::text"
                " FROM pg_catalog.pg_roles, pg_catalog.pg_database"
                " WHERE rolname = current_user AND datname = current_database()"
            ).fetchone()
        with connect(first.superuser_conninfo) as connection:
            names = connection.execute(
                "SELECT array_agg(rolname::text ORDER BY rolname::text) FROM pg_catalog.pg_roles"
                " WHERE rolname !~ '^pg_'"
            ).fetchone()
    finally:
        server.stop()
    assert row == ("postgres", False, "postgres")
    assert names == (["postgres", "supabase_admin"],)


VECTORS = """
CREATE EXTENSION vector;
CREATE TABLE page (id bigint PRIMARY KEY, embedding vector(3));
CREATE INDEX ON page USING hnsw (embedding vector_cosine_ops);
CREATE FUNCTION nearest(asked vector) RETURNS SETOF page LANGUAGE sql STABLE
AS 'SELECT * FROM page ORDER BY embedding <=> asked LIMIT 1';
INSERT INTO page VALUES (1, '[1,2,3]'), (2, '[3,2,1]');
"""


@pytest.mark.parametrize(
    "settings", ["platform = 'supabase'", "trusted_extensions = ['vector', 'not_here']"]
)
def test_what_productions_role_may_make_the_migrator_may(tmp_path: Path, settings: str) -> None:
    text = f"[tool.housekeeping]\n{settings}\n"
    write(tmp_path, {"pyproject.toml": text, "sql/a.txt": "", "checks/a.txt": ""})
    server = start(server_settings(load_config(tmp_path)))
    try:
        with connect(server.database().migrator_conninfo) as connection:
            connection.execute(VECTORS.encode())
            assert connection.execute("SELECT id FROM nearest('[3,2,2]')").fetchall() == [(2,)]
    finally:
        server.stop()


def test_elsewhere_a_superuser_alone_may_and_the_way_is_named(database: StagingDatabase) -> None:
    config = Config(root=Path("/nowhere"))
    with pytest.raises(psycopg.Error) as denied, connect(database.migrator_conninfo) as connection:
        connection.execute("CREATE EXTENSION vector")
    refused = explain("a.sql", "CREATE EXTENSION vector", denied.value)
    told = advised(refused, "embedded", config, database)
    assert 'trusted_extensions = ["vector"]' in told.fix
    given = advised(refused, "given", config, database)
    assert "trusted = true" in given.fix
    assert "vector.control" in given.fix


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_can_be_made_twice(database: StagingDatabase, name: str) -> None:
    text = platform_text(name, migrator=database.migrator)
    with connect(database.superuser_conninfo) as connection:
        connection.execute("BEGIN")  # the roles belong to the server
        for _ in range(2):
            connection.execute(text.encode())
        if name == "supabase":
            connection.execute("SET LOCAL ROLE authenticated")
            connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [CLAIMS])
            found = connection.execute(
                "SELECT auth.uid()::text, storage.foldername('a/b/c.png'),"
                " storage.filename('a/b/c.png'), storage.extension('a/b/c.png')"
            ).fetchone()
            assert found == (CLAIMS[9:45], ["a", "b"], "c.png", "png")
        connection.execute("ROLLBACK")
