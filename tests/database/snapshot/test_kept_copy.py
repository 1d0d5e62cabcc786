"""A backup is restored once: what was kept is used again if it is the same, and tells no secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.server import (
    Beginning,
    ServerSettings,
    StagingDatabase,
    kept_folders,
    postmaster,
    start,
)
from pytest_housekeeping.server.os_account import server_account
from pytest_housekeeping.server.packed_folder import lay
from pytest_housekeeping.snapshot.copies.kept import WORTH_KEEPING
from pytest_housekeeping.snapshot.copies.proof import compare
from pytest_housekeeping.snapshot.copies.server import RESTORER, start_restore_server
from pytest_housekeeping.snapshot.copies.twin import Dumps, Twin, twin_of
from pytest_housekeeping.snapshot.dumps.around import dump_around
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint

SECRET = "geheim-4711"
MADE = f"""
CREATE ROLE kc_app LOGIN PASSWORD '{SECRET}';
CREATE ROLE postgres_of_old NOLOGIN;
CREATE SCHEMA kc AUTHORIZATION kc_app;
CREATE TABLE kc.item (id int PRIMARY KEY, name text COLLATE "C" NOT NULL);
INSERT INTO kc.item VALUES (1, '{SECRET}');
CREATE MATERIALIZED VIEW kc.names AS SELECT name FROM kc.item;
COMMENT ON TABLE kc.item IS '{"much to tell " * (WORTH_KEEPING // 13)}'
"""
# As where somebody else has made the server: another superuser, and a role by the usual name.
AS_ELSEWHERE = """
CREATE ROLE maker SUPERUSER LOGIN; SET SESSION AUTHORIZATION maker;
ALTER ROLE postgres RENAME TO chief; CREATE ROLE postgres NOLOGIN
"""


@dataclass(frozen=True, kw_only=True)
class Original:
    """What a promotion knows of production when it restores the copy."""

    dumps: Dumps
    fingerprint: Fingerprint
    version: str

    @contextmanager
    def twin(self, foreseen: str = "", *, waits: bool = True) -> Iterator[Twin]:
        """A copy on a server of its own, which had nothing to do before; it has begun with the
        one that was ``foreseen``, if it is kept."""
        restore_server = start_restore_server(self.fingerprint.server_major, foreseen=foreseen)
        assert not waits or restore_server.server.begun().key == foreseen
        try:
            with twin_of(
                self.dumps,
                self.fingerprint,
                database="shop",
                server_version=self.version,
                restore_server=restore_server,
            ) as twin:
                yield twin
        finally:
            restore_server.close()


@pytest.fixture(scope="module")
def original() -> Iterator[Original]:
    server = start(ServerSettings())
    database = server.database()
    try:
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute(MADE.encode())
            connection.execute(AS_ELSEWHERE.encode())
        elsewhere = database.cluster.conninfo(database.name, user="chief")
        with psycopg.connect(
            database.cluster.conninfo("template1", user="chief"), autocommit=True
        ) as chief:
            chief.execute(f"ALTER DATABASE {database.name} RENAME TO shop".encode())
        elsewhere = database.cluster.conninfo("shop", user="chief")
        with psycopg.connect(elsewhere, autocommit=True) as connection:
            connection.execute("ALTER DATABASE shop OWNER TO kc_app; DROP ROLE hk_migrator, maker")
            yield Original(
                dumps=Dumps(
                    schema=dump_schema(elsewhere, server_major=16),
                    roles=dump_roles(connection),
                    around=dump_around(connection),
                ),
                fingerprint=read_fingerprint(connection, exclude_schemas=()),
                version=str(connection.info.parameter_status("server_version")),
            )
    finally:
        server.stop()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept_folders, "cache_folder", lambda: tmp_path)
    return tmp_path


def only_file(cache: Path) -> Path:
    (path,) = cache.glob("kept-copy-*")
    return path


def contents(image: Path, target: Path) -> bytes:
    list(lay(image, target, server_account()))
    return b"".join(path.read_bytes() for path in target.rglob("*") if path.is_file())


def test_a_copy_is_restored_once_and_is_the_same(
    original: Original, cache: Path, tmp_path: Path
) -> None:
    with original.twin() as first:
        assert not first.copy.restored_before
        made = first.schema
    with original.twin() as again:
        assert again.copy.restored_before
        assert again.schema == made
        assert again.schema == read_fingerprint(again.copy.connection, exclude_schemas=())
        assert compare(again.copy, original.fingerprint) == ((), again.proof)
        assert again.schema.superuser == "chief"
        assert again.limits == first.limits
        assert again.proof == first.proof
        with again.connect("kc_app") as connection:
            connection.execute("CREATE TABLE kc.other (id int)")
        assert again.prove_restores(again.dump(), read_fingerprint(again.copy.connection)).objects
        hashes = "SELECT count(*), count(rolpassword) FROM pg_authid WHERE rolname !~ '^pg_'"
        assert again.copy.connection.execute(hashes).fetchone() == (5, 0)
    # What was done to it is not what was kept.
    with original.twin() as third:
        assert third.copy.restored_before
        assert third.schema == made
    # Neither passwords nor rows of production lie in it.
    kept = contents(only_file(cache), tmp_path / "laid")
    assert b"kc_app" in kept
    assert SECRET.encode() not in kept
    assert b"SCRAM-SHA-256" not in kept


def test_a_server_begins_with_the_copy_that_is_foreseen_and_with_no_other(
    original: Original, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with original.twin() as twin:
        made, key = twin.schema, twin.copy.key
    # However early it is asked for, the server is not begun again.
    boot, boots = postmaster.boot, []

    def counted(settings: ServerSettings, **given: Any) -> postmaster.Postmaster:
        boots.append(given)
        return boot(settings, **given)

    monkeypatch.setattr(postmaster, "boot", counted)
    with original.twin(key, waits=False) as twin:
        assert (twin.copy.restored_before, twin.copy.key, twin.schema) == (True, key, made)
    assert len(boots) == 1
    # The same database is restored otherwise by now: nothing of the one foreseen is in the way.
    dumps = replace(original.dumps, roles=original.dumps.roles + b"-- another text\n")
    with replace(original, dumps=dumps).twin(key) as other:
        assert not other.copy.restored_before
        assert (other.copy.key != key, other.schema) == (True, made)
    with replace(original, dumps=dumps).twin(key) as other:
        assert other.copy.restored_before
    assert len(list(cache.glob("kept-copy-*"))) == 2


def test_a_copy_that_was_changed_is_restored_anew(
    original: Original, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with original.twin() as twin:
        made = twin.schema
    kept = only_file(cache)
    about: dict[str, str] = {}

    def look(_: StagingDatabase, told: object) -> str:
        assert isinstance(told, dict)
        about.update(told)
        return ""

    # Somebody who can write to the cache, and has taken care of every digest.
    key = kept.read_bytes().split(b"\n")[1].decode().partition('"key": "')[2].partition('"')[0]
    server = start(ServerSettings(migrator=RESTORER), Beginning(keys=[key], differs=look))
    database = server.database()
    with psycopg.connect(database.migrator_conninfo, autocommit=True) as connection:
        connection.execute(
            "ALTER TABLE kc.item DISABLE ROW LEVEL SECURITY; DROP ROLE postgres_of_old"
        )
    kept.unlink()
    assert server.keep(database, key, about) == ""
    server.stop()

    # Also where it is foreseen: the server begins with nothing then.
    restore_server = start_restore_server(16, foreseen=key)
    begun = restore_server.server.begun()
    restore_server.close()
    assert (begun.key, len(begun.refused)) == ("", 1)
    with original.twin() as twin:
        assert not twin.copy.restored_before
        assert twin.schema == made
    assert kept.exists()
