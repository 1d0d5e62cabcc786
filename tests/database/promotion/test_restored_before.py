"""Of a result what is other than in the last one is restored, and all where that shows less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_housekeeping.checks.json_cache import read_entries, write_entries
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.promotion.kept_verdicts import Recent
from pytest_housekeeping.promotion.staging import restored_before as module
from pytest_housekeeping.promotion.staging.restored_before import Restored, RestoredBefore
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.copies.proof import prove_result
from pytest_housekeeping.snapshot.dumps.dump import dump_schema, without_restriction
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint

Read = Callable[[], tuple[bytes, Fingerprint]]
NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
RECENT = Recent(now=NOW, days=7)
GROUND = """
CREATE SCHEMA shop; SET search_path = shop;
CREATE FUNCTION fold(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)';
CREATE TABLE place (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text);
CREATE TABLE item (id int PRIMARY KEY, title text, place int REFERENCES place);
CREATE INDEX item_fold ON item (fold(title));
INSERT INTO place (title) VALUES ('secret');
""" + "".join(f"CREATE TABLE other_{n} (id int PRIMARY KEY, v text);\n" for n in range(30))


@pytest.fixture
def read(database: StagingDatabase, superuser: Connection) -> Iterator[Read]:
    superuser.execute(GROUND.encode())
    superuser.execute("RESET search_path")

    def now() -> tuple[bytes, Fingerprint]:
        dump = dump_schema(database.superuser_conninfo, server_major=16, rows=True)
        return without_restriction(dump), read_fingerprint(superuser)

    yield now
    superuser.execute("DROP ROLE IF EXISTS hk_one_more")


@pytest.fixture
def before(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Restored:
    monkeypatch.setattr(module, "WORTH_KEEPING", 0)
    kept = RestoredBefore(folder=tmp_path, key="k", recent=RECENT)
    kept.keep(*read(), NOW)
    found = kept.read()
    assert found is not None
    assert found.since == "2027-01-02 03:04 UTC"
    assert b"secret" not in found.dump
    return found


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE shop.tag (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text)",
        "CREATE INDEX other_fold ON shop.other_1 (shop.fold(v))",
        "ALTER TABLE shop.other_2 ADD note text DEFAULT 'none'; DROP TABLE shop.other_3",
        "SELECT nextval('shop.place_id_seq')",
    ],
)
def test_what_is_other_is_restored(
    server: Server, before: Restored, read: Read, superuser: Connection, statement: str
) -> None:
    superuser.execute(statement.encode())
    dump, schema = read()
    proof = before.proves(server, dump, schema)
    assert proof is not None
    assert proof.restored is not None
    assert proof.restored < proof.objects
    assert proof.objects == prove_result(server, dump, schema, server_major=16).objects


@pytest.mark.parametrize(
    "statement",
    [
        # A row of the table may be what does not restore.
        "CREATE INDEX place_fold ON shop.place (shop.fold(title))",
        "ALTER TABLE shop.place ADD CHECK (shop.fold(title) <> '')",
        "INSERT INTO shop.place (title) VALUES ('b')",
        # What is around the schema is another.
        "CREATE ROLE hk_one_more",
        # An entry that is as it was does not restore any more.
        """CREATE OR REPLACE FUNCTION shop.fold(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE
        AS 'BEGIN RETURN (SELECT max(title) FROM item); END';
        CREATE MATERIALIZED VIEW shop.folded AS SELECT shop.fold('a')""",
    ],
)
def test_where_that_does_not_show_it_all_is_restored(
    server: Server, before: Restored, read: Read, superuser: Connection, statement: str
) -> None:
    superuser.execute("SET search_path = shop")
    superuser.execute(statement.encode())
    superuser.execute("RESET search_path")
    assert before.proves(server, *read()) is None


def test_what_has_another_form_or_is_not_worth_it_is_not_known(
    before: Restored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, (file,) = RestoredBefore(folder=tmp_path, key="k", recent=RECENT), tmp_path.iterdir()
    entry = read_entries(file)["k"]
    for part in ("dump", "schema"):
        write_entries(file, {}, {"k": entry | {part: "A"}})
        assert kept.read() is None
    write_entries(file, {}, {"k": entry})
    assert kept.read() == before
    assert replace(kept, recent=replace(RECENT, now=NOW + timedelta(days=7))).read() is None
    file.unlink()
    monkeypatch.setattr(module, "WORTH_KEEPING", 10**9)
    kept.keep(before.dump, before.schema, before.since)
    assert kept.read() is None
