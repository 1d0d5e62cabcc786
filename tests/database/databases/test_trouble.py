"""What tests, other runs and the machine do to the server of a run, and what becomes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.databases.content import State
from pytest_housekeeping.databases.databases import Databases, Lent
from pytest_housekeeping.postgres.connection import Connection
from support.database_ground import databases_of, laid, lent, one, process
from support.fresh_copy import ROOT
from support.ordinary_user import has_room_for_namespaces
from support.server_scripts import gone

# A process that lends itself a database of the project in the folder given, and says where.
_LENDS = """
import json, sys, time
from pathlib import Path
from pytest_housekeeping.databases.content import State
from pytest_housekeeping.databases.databases import Databases, Run
databases = Databases(Run(root=Path(sys.argv[1]), name=sys.argv[2], workers=2))
found = databases.lend(State(), asked_by="a test").database
print(json.dumps([found.host, found.name]), flush=True)
"""
_WAITS = "time.sleep(60)"
_FILLS = """
from pytest_housekeeping.errors import ServerError
lent = []
try:
    while len(lent) < 200:
        lent.append(databases.lend(State(), asked_by="a test"))
except ServerError as error:
    print(json.dumps([len(lent), str(error)]), flush=True)
for each in lent:
    databases.take_back(each)
again = databases.lend(State(), asked_by="a test")
with again.database.connect() as connection:
    print(json.dumps(connection.execute("SELECT count(*) FROM note").fetchone()[0]))
databases.close()
"""


@contextmanager
def elsewhere(root: Path, name: str, script: str = _WAITS) -> Iterator[list[str]]:
    """Another process of the run, which is killed at the end: the host and name of its database."""
    command = [sys.executable, "-c", _LENDS + script, str(root), name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            yield json.loads(started.stdout.readline())
        finally:
            started.send_signal(signal.SIGKILL)


def superuser(found: Lent) -> Connection:
    """A superuser's connection to a database that was lent."""
    return psycopg.connect(found.place.cluster.conninfo(found.database.name), autocommit=True)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("ALTER ROLE app BYPASSRLS", "app: rolbypassrls False → True"),
        ("ALTER ROLE app RENAME TO other", "app: rolname app → other"),
        ("ALTER ROLE app PASSWORD 'geheim'", "app: rolpassword"),
        ("ALTER ROLE app SET work_mem = '1MB'", "settings of app: now ['work_mem=1MB']"),
        ("GRANT reader TO app", "membership of app in reader: new"),
        ("REVOKE reader FROM hk_migrator", "membership of hk_migrator in reader: gone"),
        ("DROP ROLE reader", "reader was dropped"),
    ],
)
def test_a_role_that_was_changed_is_put_back_and_told(
    databases: Databases, statement: str, told: str
) -> None:
    rows = "SELECT string_agg(a::text, ';' ORDER BY oid) || (SELECT string_agg(m.roleid || ' '"
    rows += " || m.member, ';' ORDER BY m.roleid, m.member) FROM pg_auth_members AS m)"
    rows += " FROM pg_authid AS a"
    found = databases.lend(State(), asked_by="a test")
    with superuser(found) as connection:
        before = connection.execute(rows.encode()).fetchone()
        connection.execute(statement.encode())
    changed = databases.take_back(found)
    assert told in changed
    assert not any("geheim" in each for each in changed)

    again = databases.lend(State(), asked_by="a test")
    with superuser(again) as connection:
        assert connection.execute(rows.encode()).fetchone() == before
    assert databases.take_back(again) == ()


def test_a_role_that_is_new_goes_with_its_database(databases: Databases) -> None:
    for _ in range(2):
        with lent(databases) as found, superuser(found) as connection:
            connection.execute("CREATE ROLE mine; GRANT SELECT ON note TO mine")


def test_a_role_is_kept_while_a_database_of_several_tests_may_need_it(databases: Databases) -> None:
    with lent(databases, lasts=True) as module, superuser(module) as connection:
        connection.execute("CREATE ROLE of_the_module")
        with lent(databases):
            pass
        assert one(module, "SELECT count(*) FROM pg_roles WHERE rolname = 'of_the_module'") == 1


def test_one_that_drops_its_database_or_leaves_connections(databases: Databases) -> None:
    place, _ = databases.server(asked_by="a test")
    with lent(databases) as dropped:
        way = place.cluster.conninfo("template1")
        with psycopg.connect(way, autocommit=True) as other:
            other.execute(f"DROP DATABASE {dropped.database.name} WITH (FORCE)".encode())
    with lent(databases) as left:
        connections = [left.database.connect() for _ in range(3)]
        connections[0].execute("INSERT INTO note (body) VALUES ('open')")
        with superuser(left) as connection:
            connection.execute("CREATE DATABASE beside")
    place.clones.drop_behind()
    with pytest.raises(psycopg.OperationalError):
        connections[0].execute("SELECT 1")
    for each in connections:
        each.close()
    with lent(databases) as after:
        assert one(after, "SELECT count(*) FROM note") == 0


class TestRuns:
    """Processes of one run share a server, which ends with the last; other runs have their own."""

    def test_workers_share_one_until_the_last_has_left(self, project: Path) -> None:
        first, second = (process(project, name="shared", workers=2) for _ in range(2))
        with lent(first) as one_of, lent(second) as other:
            assert one_of.database.host == other.database.host
            assert one_of.database.name != other.database.name
            host = Path(one_of.database.host)
        first.close()
        with lent(second) as found:
            assert one(found, "SELECT count(*) FROM note") == 0
        second.close()
        assert gone(host.parent)

    def test_processes_that_begin_at_once_start_one(self, tmp_path: Path, cache: Path) -> None:
        root, before = laid(tmp_path), set(cache.glob("run-*"))
        with elsewhere(root, "at once") as first, elsewhere(root, "at once") as second:
            assert first[0] == second[0]
            assert first[1] != second[1]
        # Both were killed: the next run clears what they have left.
        with databases_of(root) as databases, lent(databases) as found:
            assert gone(Path(first[0]).parent)
            assert found.database.host != first[0]
            assert len(set(cache.glob("run-*")) - before) == 2, "not this run's own alone"

    def test_two_branches_at_once(self, project: Path, tmp_path: Path) -> None:
        other = laid(tmp_path, {"sql/migrations/0004_b.sql": "ALTER TABLE note ADD COLUMN b int;"})
        columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'note'::regclass"
        columns += " AND attnum > 0"
        with (
            databases_of(project, name="a") as a,
            databases_of(other, name="a") as b,
            lent(a) as ours,
            lent(b) as theirs,
        ):
            assert (one(ours, columns), one(theirs, columns)) == (3, 4)
            assert ours.database.host != theirs.database.host


class TestKept:
    """What is kept for the next run, when it is used, and when it is made anew."""

    def test_the_next_run_begins_with_the_templates(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root, seeded = laid(tmp_path), State(seeds=("sql/seeds/demo.sql",))
        with databases_of(root) as first, lent(first, seeded):
            pass
        with databases_of(root) as second:
            monkeypatch.setattr(second, "_template", _unmade(second))
            with lent(second, seeded) as found, lent(second) as plain:
                assert one(found, "SELECT body FROM note") == "demo"
                assert one(plain, "SELECT count(*) FROM note") == 0
                roles = "SELECT count(*) FROM pg_roles WHERE rolname ~ '^made_by'"
                assert one(plain, roles) == 2
        (root / "sql/views/long.sql").write_text("CREATE OR REPLACE VIEW long AS SELECT 1 AS id;")
        with databases_of(root) as third, lent(third) as found:
            assert one(found, "SELECT count(*) FROM long") == 1

    @pytest.mark.parametrize("reuse", [True, False])
    def test_what_is_damaged_or_not_wanted_is_made_anew(
        self, tmp_path: Path, cache: Path, reuse: bool
    ) -> None:
        root = laid(tmp_path, {"sql/seeds/more.sql": f"SELECT '{reuse}';"})
        before = set(cache.glob("kept-test-*"))
        with databases_of(root) as databases, lent(databases):
            pass
        (kept,) = set(cache.glob("kept-test-*")) - before
        content = bytearray(kept.read_bytes())
        content[len(content) // 2] ^= 1
        kept.write_bytes(content)
        with databases_of(root, reuse=reuse) as databases, lent(databases) as found:
            assert one(found, "SELECT count(*) FROM note") == 0
        assert (kept.read_bytes() == content) is not reuse

    def test_a_server_whose_roles_have_become_others_is_not_kept(
        self, tmp_path: Path, cache: Path
    ) -> None:
        root = laid(tmp_path, {"sql/seeds/more.sql": "SELECT 'x';"})
        before = set(cache.glob("kept-*"))
        with (
            databases_of(root) as databases,
            lent(databases, lasts=True) as found,
            superuser(found) as connection,
        ):
            connection.execute("CREATE ROLE left_behind")
            connection.execute("CREATE DATABASE beside OWNER left_behind")
        assert set(cache.glob("kept-*")) == before


def _unmade(databases: Databases) -> Any:
    """`Databases._template`, of which none is made."""
    whole = databases._template

    def template(place: Any, state: State, asked_by: str) -> str:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(place, "maker", lambda: pytest.fail("it was made again"))
            return whole(place, state, asked_by)

    return template


@pytest.mark.skipif(not has_room_for_namespaces(), reason="no mount namespaces here")
def test_a_disk_that_is_full_is_told_and_what_is_given_back_makes_room(
    project: Path, open_folder: Path
) -> None:
    small = "mount -t tmpfs -o size=3m none /dev/shm && mount -t tmpfs -o size=70m none"
    script = (sys.executable, "-c", _LENDS + _FILLS, str(project), "full")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{small} "{open_folder}" && exec "$@"', "sh", *script],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(open_folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    _, refused, again = map(json.loads, done.stdout.splitlines())
    assert refused[0] >= 1
    assert "no room for another test database: " in refused[1]
    assert "HK_TEST_URL" in refused[1]
    assert again == 0
