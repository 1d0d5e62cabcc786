"""A production of Supabase's, where a stub stands for an extension: taken over, and promoted."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.stubs import read_stubs
from pytest_housekeeping.declarations.toml import Problems
from pytest_housekeeping.server import StagingDatabase, server_settings, start
from pytest_housekeeping.server.staging_database import connect
from pytest_housekeeping.sql.platforms import platform_text
from support.fresh_copy import commit_all, git
from support.init_command import command
from support.production_project import OFF
from support.staging_project import Project

FIRST = """\
create extension if not exists http with schema extensions;
create table public.hook (id bigint generated always as identity primary key, url text not null,
    of_user uuid not null default auth.uid() references auth.users (id), token text not null
    default encode(gen_random_bytes(9), 'base64'));
alter table public.hook enable row level security;
create policy own on public.hook for all to authenticated
using ((select auth.uid()) = of_user) with check ((select auth.uid()) = of_user);
create function public.call(hook public.hook) returns integer language plpgsql
set search_path = '' as $$
declare
    answer extensions.http_response;
begin
    select * into answer from extensions.http_get(hook.url);
    return answer.status;
end;
$$;
create policy pictures on storage.objects for select to authenticated
using (bucket_id = 'pictures');
"""
# What is otherwise there than the preset says, and no file has made.
OF_THE_PROVIDER = """\
ALTER TABLE auth.users ADD COLUMN is_robot boolean;
CREATE FUNCTION storage.tidy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER tidies AFTER DELETE ON storage.objects EXECUTE FUNCTION storage.tidy();
CREATE SCHEMA graphs AUTHORIZATION supabase_admin;
CREATE FUNCTION graphs.answer() RETURNS int RETURN 1;
DROP TABLE auth.mfa_factors;
DROP ROLE pgbouncer;
ALTER ROLE anon NOINHERIT;
ALTER DEFAULT PRIVILEGES FOR ROLE supabase_admin IN SCHEMA public GRANT SELECT ON TABLES TO anon;
"""
HISTORY = """\
CREATE SCHEMA supabase_migrations;
CREATE TABLE supabase_migrations.schema_migrations
    (version text NOT NULL PRIMARY KEY, statements text[], name text);
INSERT INTO supabase_migrations.schema_migrations VALUES ('20260101000000', NULL, 'first');
"""


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StagingDatabase]:
    stubs = read_stubs({"stubs": {"http": "shipped", "uuid-ossp": "shipped"}}, Problems("a test"))
    config = Config(
        root=tmp_path_factory.mktemp("none"),
        platform="supabase",
        migrator="postgres",
        server_version=17,
        stubs=stubs,
    )
    # A data folder of its own making: an identity of its own, as no copy of staging's has it.
    cache = Path(tempfile.mkdtemp())
    cache.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        server = start(server_settings(config, max_locks=1024))
        database = server.database()
    try:
        with connect(database.superuser_conninfo) as connection:
            connection.execute(platform_text("supabase", migrator="postgres").encode())
            connection.execute(OF_THE_PROVIDER.encode())
        with connect(database.migrator_conninfo) as connection:
            connection.execute('SET search_path = "$user", public, extensions')
            connection.execute(FIRST.encode())
            connection.execute(HISTORY.encode())
        yield database
    finally:
        server.stop()
        shutil.rmtree(cache)


def test_a_project_is_taken_over_and_its_next_migration_promoted(
    production: StagingDatabase, tmp_path: Path
) -> None:
    project = Project(root=tmp_path / "project", scratch=tmp_path / "tmp")
    project.scratch.mkdir()
    project.write({"supabase/migrations/20260101000000_first.sql": FIRST})
    git(project.root, "init", "--quiet", "--initial-branch=main")
    commit_all(project.root, "the files")
    code, said = command(project.root, "init")
    assert code == 0, said
    assert "stubs of http, uuid-ossp" in said
    commit_all(project.root, "taken in")
    address = {
        "PGHOST_PROD": production.host,
        "PGPORT_PROD": str(production.port),
        "PGDATABASE_PROD": "postgres",
        "PGUSER_PROD": "postgres",
        "PGPASSWORD_PROD": "of no account here",
    }
    off = [word for name in OFF for word in ("-p", f"no:{name}")]

    def run(*arguments: str) -> str:
        spawned = project.spawn(*off, *arguments, **address)
        output = spawned.communicate(timeout=170)[0]
        assert spawned.returncode == 0, output
        return output

    run("--hk-mode=staging")
    taken = run("--hk-mode=prod", "--hk-baseline=auto", "--hk-confirm=PROMOTE")
    assert "extension-stub: extension http: is not proved" in taken
    code, said = command(project.root, "new", "note")
    assert code == 0, said
    (new,) = project.root.glob("supabase/migrations/*_note.sql")
    new.write_text(
        "ALTER TABLE public.hook ADD COLUMN note text;\n"
        "CREATE POLICY more ON storage.objects FOR INSERT TO authenticated"
        " WITH CHECK (bucket_id = 'pictures');\n"
    )
    assert command(project.root, "objects")[0] == 0
    commit_all(project.root, "a note")
    run("--hk-mode=staging")
    assert "column public.hook.note" in run("--hk-mode=plan")
    run("--hk-mode=prod", "--hk-confirm=PROMOTE")
    with psycopg.connect(production.superuser_conninfo) as connection:
        made = connection.execute(
            "SELECT count(*) FROM information_schema.columns WHERE column_name = 'note'"
        ).fetchone()
    assert made == (1,)
