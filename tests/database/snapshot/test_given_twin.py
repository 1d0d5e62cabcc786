"""The copy on a server that was given: as on one of this machine, and nothing of it stays there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.server import ServerSettings, StagingDatabase, start
from pytest_housekeeping.server.given_refusals import Original
from pytest_housekeeping.snapshot.compare.difference import diff
from pytest_housekeeping.snapshot.copies.proof import prove_backup
from pytest_housekeeping.snapshot.copies.server import (
    RestoreServer,
    extensions_to_leave_out,
    given_restore_server,
)
from pytest_housekeeping.snapshot.copies.twin import Dumps, Twin, twin_of, without_copy_alone
from pytest_housekeeping.snapshot.dumps.around import dump_around
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.fingerprint import (
    Fingerprint,
    SchemaObject,
    in_order,
    read_fingerprint,
)
from pytest_housekeeping.snapshot.problems import BackupNotProved, RestoreRefused
from support.installed_server import installed_server
from support.postgres_service import PASSWORD, left_as_found, service, state_of


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a run keeps of production before it starts."""

    dumps: Dumps
    schema: Fingerprint
    server_version: str

    def twin(
        self, server: RestoreServer, database: str, schema: bytes = b""
    ) -> AbstractContextManager[Twin]:
        dumps = self.dumps
        if schema:
            dumps = Dumps(schema=schema, roles=dumps.roles, around=dumps.around)
        return twin_of(
            dumps,
            self.schema,
            database=database,
            server_version=self.server_version,
            restore_server=server,
        )


@pytest.fixture(scope="module")
def taken(base: StagingDatabase) -> Taken:
    """One object of every kind, roles of every kind."""
    with psycopg.connect(base.superuser_conninfo, autocommit=True) as connection:
        major = connection.info.server_version // 10000
        if major != 16:
            pytest.skip("the server that is given here is a 16")
        return _taken(connection, base)


def _taken(connection: psycopg.Connection[Any], database: StagingDatabase) -> Taken:
    major = connection.info.server_version // 10000
    return Taken(
        dumps=Dumps(
            schema=dump_schema(database.superuser_conninfo, server_major=major),
            roles=dump_roles(connection),
            around=dump_around(connection),
        ),
        schema=read_fingerprint(connection, exclude_schemas=()),
        server_version=connection.info.parameter_status("server_version") or "",
    )


@pytest.fixture
def given(url: str) -> Iterator[RestoreServer]:
    original = Original(host="db.invalid", port=1, database="any", system_identifier="1", major=16)
    opened = given_restore_server(url, original)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", ["shop", "postgres", "template1"])
def test_the_copy_is_as_production(given: RestoreServer, taken: Taken, name: str) -> None:
    with taken.twin(given, name) as twin, twin.connect() as connection:
        expected, found = map(without_copy_alone, (taken.schema, twin.schema))
        assert [str(each) for each in diff(expected, found)] == []
        where = connection.execute("SELECT current_database(), pg_get_userbyid(10)").fetchone()
        assert where == (name, taken.schema.superuser)
        role = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper AND rolvaliduntil"
            " IS NULL ORDER BY 1 LIMIT 1"
        ).fetchone()
        assert role is not None
        with twin.connect(role[0]) as other:
            assert other.execute("SELECT session_user::text").fetchone() == role
        if name == "template1":
            return  # nothing can be made of it while somebody is in it
        dump = twin.dump()
        proof = twin.prove_restores(dump, twin.schema)
        assert proof.objects > 100


def test_one_copy_comes_after_the_other(given: RestoreServer, taken: Taken) -> None:
    with taken.twin(given, "shop"):
        pass
    proof = prove_backup(
        taken.dumps.schema,
        taken.dumps.roles,
        taken.schema,
        server_major=16,
        restore_server=given,
    )
    assert proof.server_major == 16
    with taken.twin(given, "shop") as twin:
        assert twin.copy.restored_before is False


def test_a_restore_that_fails_leaves_nothing(given: RestoreServer, taken: Taken, url: str) -> None:
    broken = taken.dumps.schema + b"\nCREATE TABLE no_such_schema.t (id int);\n"
    with pytest.raises(RestoreRefused) as caught, taken.twin(given, "shop", broken):
        pass
    assert PASSWORD not in str(caught.value)
    given.close()
    assert {each.kind for each in state_of(url).things} == {"database", "role"}


def test_extensions_are_those_of_the_given_server(given: RestoreServer, taken: Taken) -> None:
    assert given.has(frozenset({"plpgsql", "vector"}))
    names = frozenset({"plpgsql", "postgis"})
    assert extensions_to_leave_out(16, names, frozenset(), given) == {"postgis"}
    assert extensions_to_leave_out(16, names, frozenset({"postgis"}), given) == frozenset()
    postgis = SchemaObject(name="extension postgis", parent="", text="")
    needs = replace(taken.schema, entries=in_order((*taken.schema.entries, postgis)))
    with (
        pytest.raises(BackupNotProved) as caught,
        twin_of(
            taken.dumps,
            needs,
            database="shop",
            server_version=taken.server_version,
            restore_server=given,
        ),
    ):
        pass
    assert caught.value.found == (
        "the backup needs extensions that the given server lacks: postgis"
    )
    assert "--hk-twin-server" in caught.value.fix


def test_a_production_of_another_version_is_copied_to_one_of_its_own() -> None:
    """Debian's, say, which no wheel holds."""
    programs = installed_server()
    production = start(ServerSettings(kind="system"))
    try:
        database, major = production.database(), programs.version
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute("CREATE ROLE hk_reader; CREATE TABLE t (id int PRIMARY KEY)")
            connection.execute("GRANT SELECT ON t TO hk_reader")
            taken = _taken(connection, database)
        with service(PASSWORD, binaries=programs.folder) as found:
            url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{found.port}/postgres"
            original = Original(
                host="db.invalid", port=1, database="any", system_identifier="1", major=major
            )
            with left_as_found(url):
                given = given_restore_server(url, original)
                with taken.twin(given, "shop") as twin:
                    assert twin.schema.server_major == major
                given.close()
    finally:
        production.stop()
