"""The look at a fleet: each database that cannot be taken is told by name, and the others are."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.errors import HousekeepingError, MisuseError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plugin.fleet.runs import Runs
from pytest_housekeeping.postgres.connection import locate
from pytest_housekeeping.postgres.own_tables.history import Row, record
from pytest_housekeeping.promotion.fleet.survey import Survey, reach, survey, told_of
from pytest_housekeeping.promotion.production.of_fleet import databases
from pytest_housekeeping.promotion.production.of_fleet.databases import State, read_databases
from pytest_housekeeping.promotion.production.of_fleet.handed import Away, Handed, handed_back
from pytest_housekeeping.server.embedded import find_embedded
from support.evidence_repository import commit_run, evidence_of, new_repository
from support.evidence_samples import TARGET
from support.fresh_copy import commit_all
from support.postgres_service import service

PASSWORD, OTHER = "of-the-fleet-7", "of-another-8"
FLEET = Fleet(name="tenants", env="TENANTS", databases="tenants.json", audit="ops/tenants/audit")


@contextmanager
def superuser(port: int, password: str) -> Iterator[psycopg.Connection]:
    where = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
    with psycopg.connect(where, password=password, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Two servers, the second of another major version and with another password."""
    newer = find_embedded(18).folder
    with service(PASSWORD) as first, service(OTHER, binaries=newer) as second:
        for port, password in ((first.port, PASSWORD), (second.port, OTHER)):
            with superuser(port, password) as connection:
                for name in ("acme", "zeta"):
                    connection.execute(f"CREATE DATABASE {name}".encode())
        yield first.port, second.port


@pytest.fixture
def project(ports: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, and the variables that lead to the first server."""
    given = {"HOST": "127.0.0.1", "PORT": str(ports[0]), "USER": "postgres", "PASSWORD": PASSWORD}
    for name, value in given.items():
        monkeypatch.setenv(f"PG{name}_TENANTS", value)
    return tmp_path


def look(root: Path, *listed: object) -> Survey:
    (root / "tenants.json").write_text(json.dumps(listed), encoding="utf-8")
    return survey(Config(root=root), FLEET)


def test_one_of_another_password_and_then_of_another_version(
    ports: tuple[int, int], project: Path
) -> None:
    elsewhere = {"name": "c", "database": "acme", "port": ports[1]}
    found = look(project, "acme", {"name": "zeta", "state": "making"}, elsewhere)
    assert [group.names for group in found.groups] == [("acme", "zeta")]
    told = "\n".join(told_of(found))
    assert "c: away: " in told
    assert "password authentication failed" in told
    assert PASSWORD not in told

    with superuser(ports[1], OTHER) as connection:
        connection.execute(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'".encode())
    try:
        found = look(project, "acme", "zeta", elsewhere)
    finally:
        with superuser(ports[1], PASSWORD) as connection:
            connection.execute(f"ALTER ROLE postgres PASSWORD '{OTHER}'".encode())
    assert [(group.names, group.members[0].major) for group in found.groups] == [
        (("acme", "zeta"), 16),
        (("c",), 18),
    ]


def test_one_database_by_two_addresses(ports: tuple[int, int], project: Path) -> None:
    again = {"name": "again", "database": "acme", "host": "localhost", "port": ports[0]}
    with pytest.raises(MisuseError, match="acme and again are the same database"):
        look(project, "acme", "zeta", again)


def test_one_that_is_on_record_as_another_target(ports: tuple[int, int], project: Path) -> None:
    """It is left out, and the command that is told gives it its new name."""
    audit, files = evidence_of(0, Mode.PROD, None)
    rows = [Row(run=audit.run.id, path="1.sql", kind="migration", sha256="0", commit="c")]
    address = f"host=127.0.0.1 port={ports[0]} user=postgres dbname=acme password={PASSWORD}"
    with (
        closing(new_repository(project / "p")) as repository,
        psycopg.connect(address) as connection,
    ):
        record(connection, "housekeeping", rows)
        connection.commit()
        system = locate(connection).system_identifier.encode()
        of_here = {
            path: data.replace(TARGET.system_identifier.encode(), system).replace(
                b'"database": "venture"', b'"database": "acme"'
            )
            for path, data in files.items()
        }
        try:
            commit_run(repository, audit, of_here)
            (repository.root / "ops").mkdir()
            (repository.root / "ops/production.json").touch()
            commit_all(repository.root, "pinned")
            found = look(repository.root, "acme", "zeta")
            assert [group.names for group in found.groups] == [("zeta",)]
            (told,) = found.wrong
            assert told.wrong.startswith("was promoted as prod, as ops/audit/prod_")
            command = told.wrong.partition("from now on: ")[2].partition(", in a reviewed")[0]
            subprocess.run(command, shell=True, check=True, cwd=repository.root)
            assert not look(repository.root, "acme", "zeta").wrong
        finally:
            connection.execute("DROP SCHEMA housekeeping CASCADE")


def test_a_server_made_of_the_image_of_another_is_none_of_its_addresses(
    ports: tuple[int, int], project: Path
) -> None:
    """Of one image two servers have one system identifier; they were started at two moments."""
    (seen,) = look(project, "acme").seen
    with superuser(ports[0], PASSWORD) as connection:
        query = (
            "SELECT system_identifier::text, pg_postmaster_start_time()::text"
            " FROM pg_control_system()"
        )
        assert seen.place.split("/") == [*(connection.execute(query).fetchone() or ()), "acme"]


def test_a_look_can_change_nothing(project: Path) -> None:
    (seen,) = look(project, "acme").seen
    with (
        reach(Config(root=project), FLEET, seen.database) as connection,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        connection.execute("CREATE TABLE public.left_behind ()")


def test_shares_are_all_of_them_and_no_one_twice(project: Path) -> None:
    names = ("acme", "zeta", "postgres", "template1")
    (project / "tenants.json").write_text(json.dumps(names), encoding="utf-8")
    found = [survey(Config(root=project), FLEET, shard=(number, 3)) for number in (1, 2, 3)]
    shares = [{each.database.name for each in share.seen} for share in found]
    assert set.union(*shares) == {*names}
    assert sum(map(len, shares)) == len(names)


QUERY = "SELECT name, state FROM public.tenant"


def test_a_registry_lists_them(
    ports: tuple[int, int], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked by its own variables, in a session that can change nothing."""
    fleet = replace(FLEET, databases="", query=QUERY, registry="REGISTRY")
    with pytest.raises(MisuseError, match="PGHOST_REGISTRY"):
        read_databases(Config(root=project), fleet)
    given = {"HOST": "127.0.0.1", "PORT": str(ports[1]), "USER": "postgres", "PASSWORD": OTHER}
    for name, value in (given | {"DATABASE": "postgres"}).items():
        monkeypatch.setenv(f"PG{name}_REGISTRY", value)
    with superuser(ports[1], OTHER) as connection:
        connection.execute(b"CREATE TABLE public.tenant (name text, state text)")
        connection.execute(b"INSERT INTO public.tenant VALUES ('zeta', NULL), ('acme', 'archived')")
        try:
            found = read_databases(Config(root=project), fleet)
            assert [(each.name, each.state) for each in found] == [
                ("acme", State.ARCHIVED),
                ("zeta", State.LIVE),
            ]
            assert survey(Config(root=project), fleet).groups[0].names == ("zeta",)
            connection.execute(b"INSERT INTO public.tenant VALUES ('zeta', 'live')")
            with pytest.raises(MisuseError, match="listed twice: zeta"):
                read_databases(Config(root=project), fleet)
            monkeypatch.setattr(databases, "_PATIENCE_S", 1)
            hangs = replace(fleet, query="SELECT name FROM public.tenant, pg_sleep(300)")
            with pytest.raises(MisuseError, match=r"the list cannot be had: .* statement timeout"):
                read_databases(Config(root=project), hangs)
            writes = replace(fleet, query="DELETE FROM public.tenant RETURNING name")
            with pytest.raises(
                MisuseError, match=r"the list cannot be had: .*read-only"
            ) as refused:
                read_databases(Config(root=project), writes)
            assert OTHER not in str(refused.value)
            monkeypatch.setenv("PGPASSWORD_REGISTRY", "of-nobody-9")
            with pytest.raises(HousekeepingError, match="password authentication failed"):
                read_databases(Config(root=project), fleet)
        finally:
            connection.execute(b"DROP TABLE public.tenant")


def test_one_that_is_dropped_in_the_middle_is_away(ports: tuple[int, int], project: Path) -> None:
    """It is told so by its own turn, and there is no run of it that would leave a record."""
    with superuser(ports[0], PASSWORD) as connection:
        connection.execute(b"CREATE DATABASE short")
        assert look(project, "short").groups[0].names == ("short",)
        connection.execute(b"DROP DATABASE short")
    settings = Config(root=project)
    (short,) = read_databases(settings, FLEET)
    given = Handed(target=short.target(FLEET, settings.audit), back=project / "back")
    words = ("--hk-mode=prod", "--hk-confirm=PROMOTE", "-p", "no:xdist", "-p", "no:cacheprovider")
    with Runs(settings, words, major=16, audits=(), shared=project.parent) as runs:
        assert runs.run(given).code == 0
    left = handed_back(project / "back")
    assert isinstance(left, Away)
    assert 'database "short" does not exist' in left.detail
    assert not (project / "ops").exists()
