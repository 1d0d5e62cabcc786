"""A given server (``--hk-staging-url``): shared by runs, left as it was found, no secret told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server import ServerSettings, start
from pytest_housekeeping.sql.platforms import platform_text
from support.postgres_service import PASSWORD, postgres_service
from support.server_scripts import STOP, asks, first_line, launch, run, settings_from_environment

ROLES = "SELECT array_agg(rolname::text ORDER BY rolname) FROM pg_roles WHERE rolname !~ '^pg_'"
DATABASES = "SELECT array_agg(datname::text ORDER BY datname) FROM pg_database"
BOOTSTRAP = """
import psycopg
with server.bootstrap_lock(), psycopg.connect(database.superuser_conninfo, autocommit=True) as c:
    c.execute("DO $$ BEGIN CREATE ROLE without_rights; EXCEPTION WHEN duplicate_object THEN NULL;"
              " END $$")
    c.execute("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'venture_app') THEN"
              " CREATE ROLE venture_app; END IF; GRANT venture_app TO hk_migrator; END $$")
with psycopg.connect(database.migrator_conninfo, autocommit=True) as c:
    c.execute("CREATE TABLE orders (id int); GRANT SELECT ON orders TO venture_app")
    c.execute(f"CREATE ROLE of_{database.name}; GRANT SELECT ON orders TO of_{database.name}")
print("ready", flush=True)
"""


@pytest.fixture(scope="module")
def trusting() -> Iterator[str]:
    """The URL of a server, of any version, that asks for no password."""
    server = start(replace(settings_from_environment(), migrator="nobody_else"))
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as superuser:
        superuser.execute("CREATE DATABASE postgres")
    yield f"postgresql://postgres@/postgres?host={database.host}"
    server.stop()


def refused(url: str, **settings: Any) -> ServerError:
    server = start(ServerSettings(url=url, **settings))
    with pytest.raises(ServerError) as caught:
        server.database()
    server.stop()
    assert PASSWORD not in str(caught.value)
    return caught.value


def test_a_run_leaves_the_given_server_as_it_was(url: str) -> None:
    said = run(BOOTSTRAP + STOP, settings={"url": url})
    assert said["status"] == 0, said["stderr"]
    assert said["rest"] == ["ready"]
    assert said["host"] == "127.0.0.1"


@pytest.mark.parametrize("end", ["raise RuntimeError", "", "sys.exit(5)"])
def test_a_run_that_fails_leaves_the_given_server_as_it_was(url: str, end: str) -> None:
    run(BOOTSTRAP + end, settings={"url": url})


def test_no_password_is_shown(url: str) -> None:
    said = run(settings={"url": url})
    derived = psycopg.conninfo.conninfo_to_dict(said["conninfo"])["password"]
    assert derived
    for secret in (PASSWORD, str(derived)):
        assert secret not in said["shown"]
        assert secret not in said["says"]
    assert "-U postgres" in said["says"]


def test_runs_that_share_the_server_do_not_meet(url: str) -> None:
    one = launch(BOOTSTRAP + "sys.stdin.readline()\n" + STOP, settings={"url": url}, stdin=-1)
    first = first_line(one)
    two = launch(BOOTSTRAP + "sys.stdin.readline()\n" + STOP, settings={"url": url}, stdin=-1)
    second = first_line(two)
    for process in (one, two):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    assert first["name"] != second["name"]
    assert one.communicate("go on\n", timeout=30)[1] == ""
    assert "venture_app" in asks(url, ROLES)
    assert asks(second["conninfo"], "SELECT count(*) FROM orders") == 0
    assert two.communicate("go on\n", timeout=30)[1] == ""


def test_many_runs_at_once(url: str) -> None:
    runs = [launch(BOOTSTRAP + STOP, settings={"url": url}) for _ in range(4)]
    for process in runs:
        out, err = process.communicate(timeout=60)
        assert "ready" in out, err


def test_what_a_kill_leaves_is_cleared_by_the_next_run(url: str) -> None:
    killed = launch(BOOTSTRAP + "time.sleep(60)", settings={"url": url})
    name = first_line(killed)["name"]
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.kill()
    killed.communicate()
    assert name in asks(url, DATABASES)
    run(settings={"url": url})


def test_keep_leaves_the_database_for_later_runs_too(url: str) -> None:
    said = run(settings={"url": url, "keep": True})
    run(settings={"url": url})
    assert said["name"] in asks(url, DATABASES)
    assert f"dropdb -h 127.0.0.1 -p {said['says'].split('-p ')[1].split()[0]}" in said["says"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(said["name"])))
    run(settings={"url": url})


def test_a_server_that_asks_for_no_password_serves(trusting: str) -> None:
    said = run(BOOTSTRAP + STOP, settings={"url": trusting})
    assert said["rest"] == ["ready"], said["stderr"]
    assert asks(trusting, ROLES) == ["nobody_else", "postgres"]


@pytest.mark.parametrize(
    ("has", "lacks"),
    [("CREATEDB", "CREATEROLE"), ("CREATEROLE", "CREATEDB"), ("", "CREATEDB and CREATEROLE")],
)
def test_a_user_with_too_little_is_told_what_lacks(trusting: str, has: str, lacks: str) -> None:
    with psycopg.connect(trusting, autocommit=True) as superuser:
        superuser.execute(f"CREATE ROLE weak LOGIN {has}")
        error = refused(trusting.replace("postgres@", "weak@"))
        superuser.execute("DROP ROLE weak")
    assert error.found == f"the role weak of --hk-staging-url lacks {lacks}"


def test_a_user_that_is_no_superuser_will_do(trusting: str) -> None:
    with psycopg.connect(trusting, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE modest LOGIN CREATEDB CREATEROLE")
        said = run(settings={"url": trusting.replace("postgres@", "modest@")})
        superuser.execute("DROP ROLE modest")
    assert said["status"] == 0, said
    assert asks(trusting, ROLES) == ["nobody_else", "postgres"]


def test_a_role_of_somebody_else_is_not_taken_over(trusting: str) -> None:
    with psycopg.connect(trusting, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE theirs SUPERUSER BYPASSRLS LOGIN")
        error = refused(trusting, migrator="theirs")
        superuser.execute("DROP ROLE theirs")
    assert "theirs of the given server is SUPERUSER, BYPASSRLS, NOCREATEROLE" in error.found
    assert "DROP ROLE theirs" in error.fix


def test_the_superuser_that_made_the_server_is_no_migrator(url: str) -> None:
    """As on a plain container that is given to a project of Supabase: the message names a way."""
    error = refused(url, migrator="postgres")
    assert "the role postgres of the given server is the superuser" in error.found
    assert "POSTGRES_USER=supabase_admin" in error.fix
    assert "DROP ROLE" not in error.fix


def test_a_platform_whose_migrator_is_postgres(tmp_path: Path) -> None:
    """On the server that the message asks for: two at once, one killed, another behind it."""
    preset = tmp_path / "preset.sql"
    preset.write_text(platform_text("supabase", migrator="postgres"), encoding="utf-8")
    script = f"""
import pathlib, psycopg
with server.bootstrap_lock(), psycopg.connect(database.superuser_conninfo, autocommit=True) as c:
    c.execute(pathlib.Path({str(preset)!r}).read_bytes())
with psycopg.connect(database.migrator_conninfo, autocommit=True) as c:
    c.execute("CREATE TABLE todo (owner uuid DEFAULT auth.uid())")
print("ready", flush=True)
"""
    with postgres_service(PASSWORD, superuser="supabase_admin") as port:
        url = f"postgresql://supabase_admin:{PASSWORD}@127.0.0.1:{port}/postgres"
        settings = {"url": url, "migrator": "postgres"}
        before = asks(url, ROLES), asks(url, DATABASES)
        killed = launch(script + "time.sleep(60)", settings=settings)
        first_line(killed)
        assert killed.stdout is not None
        assert killed.stdout.readline() == "ready\n"
        beside = run(script + STOP, settings=settings)
        assert (beside["status"], beside["rest"]) == (0, ["ready"]), beside
        killed.kill()
        killed.communicate()
        look = """
import psycopg
with psycopg.connect(database.superuser_conninfo) as c:
    print(c.execute("SELECT rolbypassrls FROM pg_roles WHERE rolname = 'postgres'").fetchone()[0])
"""
        behind = run(look + STOP, settings=settings)
        assert (behind["status"], behind["rest"]) == (0, ["False"]), behind
        assert (asks(url, ROLES), asks(url, DATABASES)) == before


def test_a_role_with_a_password_of_its_own_is_not_altered(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE theirs LOGIN CREATEROLE PASSWORD 'theirs alone'")
        error = refused(url, migrator="theirs")
        superuser.execute("DROP ROLE theirs")
    assert "does not let the role theirs in" in error.found


def test_a_wrong_password_is_told_without_it(port: int) -> None:
    error = refused(f"postgresql://postgres:wrong-one@127.0.0.1:{port}/postgres")
    assert "password authentication failed" in error.found
    assert "wrong-one" not in str(error)
    assert "correct user and password" in error.fix


def test_a_url_that_makes_no_sense_is_told_without_it() -> None:
    error = refused(f"postgresq://postgres:{PASSWORD}@127.0.0.1/postgres")
    assert "no connection URL" in error.found


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    error = refused(f"postgresql://postgres:{PASSWORD}@127.0.0.1:{free}/postgres")
    assert "Connection refused" in error.found
    assert "embedded" in error.fix


def test_a_port_taken_by_something_else_is_told() -> None:
    def answer(listening: socket.socket) -> None:
        taken, _ = listening.accept()
        with taken:
            taken.recv(100)
            taken.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        error = refused(f"postgresql://u:{PASSWORD}@127.0.0.1:{listening.getsockname()[1]}/d")
        thread.join()
    assert "does not speak PostgreSQL" in error.why
