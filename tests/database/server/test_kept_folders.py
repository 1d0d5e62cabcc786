"""A data folder that is kept is what was kept, or is not used: bounded, and no run fails by it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.server import (
    Beginning,
    Begun,
    Server,
    ServerSettings,
    StagingDatabase,
    kept_folders,
    start,
)
from pytest_housekeeping.server.packed_folder import HALF_MADE
from support.ordinary_user import become_ordinary, has_room_for_namespaces
from support.own_cache import own_cache
from support.server_scripts import STOP, asks, first_line, folder, gone, launch, run

KEY = "test-a"
MADE = """
CREATE UNLOGGED TABLE kept AS SELECT generate_series(1, 3) AS n;
CREATE TABLE large AS SELECT n, repeat('x', 900) AS filler FROM generate_series(1, 400) AS n;
CREATE ROLE beside
"""
SEEN = "SELECT (SELECT sum(n) FROM kept) || ' ' || (SELECT sum(n) FROM large)"


def accepts(_: StagingDatabase, about: Mapping[str, str]) -> str:
    return "" if about["said"] == "by a test" else "nobody has said it"


def begun_with(
    *keys: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Server, StagingDatabase, Begun]:
    monkeypatch.setattr(kept_folders, "cache_folder", lambda: cache)
    server = start(ServerSettings(), Beginning(keys=keys, differs=accepts))
    return server, server.database(), server.begun()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which one server is kept."""
    place = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patched:
        server, database, begun = begun_with(KEY, cache=place, monkeypatch=patched)
        assert begun == Begun()
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute(MADE)
        assert server.keep(database, KEY, {"said": "by a test"}) == ""
        # It runs on, with all that was in it.
        assert asks(database.superuser_conninfo, SEEN) == "6 80200"
        server.stop()
        assert gone(Path(database.host).parent)
    return place


@pytest.fixture
def cache(original: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(original, tmp_path / "cache"))


def only_file(cache: Path) -> Path:
    (path,) = cache.iterdir()
    return path


def test_a_server_begins_with_what_was_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ("test-longer", KEY)
    server, database, begun = begun_with(*keys, cache=cache, monkeypatch=monkeypatch)
    try:
        assert begun == Begun(key=KEY)
        assert asks(database.superuser_conninfo, SEEN) == "6 80200"
        assert asks(database.migrator_conninfo, "SELECT current_user") == "hk_migrator"
        kept = only_file(cache)
        status = kept.stat()
        assert status.st_mode & 0o077 == 0
        assert status.st_size < 3_000_000
        # What is there is not made again, and nobody's session ends for it.
        with psycopg.connect(database.superuser_conninfo) as connection:
            assert server.keep(database, KEY, {"said": "by a test"}) == ""
            assert connection.execute("SELECT 42").fetchone() == (42,)
        assert kept.stat().st_ino == status.st_ino
        assert server.keep(database, KEY, {"said": "again"}, instead=True) == ""
        assert kept.stat().st_ino != status.st_ino
        # Nobody's database is taken away.
        assert server.begin_again(because="a test asks") == Begun()
        server.drop(database)
        # What is begun again begins with nothing, and says why.
        assert server.begin_again(because="a test asks") == Begun(refused=("a test asks",))
        again = server.database()
        assert asks(again.superuser_conninfo, "SELECT to_regclass('kept')") is None
        assert asks(again.superuser_conninfo, "SELECT to_regrole('beside')") is None
    finally:
        server.stop()


def sealed(path: Path, was: bytes, now: bytes) -> None:
    """Something else in it, and a digest that fits: made by who can write to the cache."""
    rest = path.read_bytes().partition(b"\n")[2].replace(was, now)
    path.write_bytes(sha256(rest).hexdigest().encode() + b"\n" + rest)


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def another(path: Path) -> None:
    sealed(path, b'"key": "test-a"', b'"key": "test-b"')


def other_facts(path: Path) -> None:
    sealed(path, b'"said": "by a test"', b'"said": "by nobody"')


def no_server(path: Path) -> None:
    sealed(path, b"global/pg_control", b"global/pg_CONTROL")


def open_to_others(path: Path) -> None:
    path.chmod(0o666)


def linked(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize(
    ("spoil", "said", "stays"),
    [
        pytest.param(flipped, "is not what was written", False, id="a bit of it"),
        pytest.param(another, "kept under another's name", False, id="another's"),
        pytest.param(other_facts, "nobody has said it", False, id="what is told of it"),
        pytest.param(no_server, "did not start", False, id="no data folder"),
        pytest.param(open_to_others, "others may write to it", True, id="open to others"),
        pytest.param(linked, "others may write to it", True, id="a link"),
    ],
)
def test_what_was_tampered_with_is_not_used(
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
    said: str,
    stays: bool,
) -> None:
    kept = only_file(cache)
    spoil(kept)
    server, database, begun = begun_with(KEY, cache=cache, monkeypatch=monkeypatch)
    try:
        assert begun.key == ""
        (refused,) = begun.refused
        assert said in refused
        assert str(kept) in refused
        assert kept.exists() is stays
        assert asks(database.superuser_conninfo, "SELECT to_regclass('kept')") is None
    finally:
        server.stop()


KEEP = "print(json.dumps(server.keep(database, 'test-a', {'said': 'by a test'})), flush=True)"


def test_two_runs_may_keep_one_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment, place = own_cache(tmp_path)
    both = [launch(f"{KEEP}; {STOP}", environment=environment) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert out.splitlines()[-1] == '""', err
    assert len(list(place.glob("kept-*"))) == 1
    assert not list(place.glob(f"{HALF_MADE}*"))
    server, _, begun = begun_with(KEY, cache=place, monkeypatch=monkeypatch)
    server.stop()
    assert begun == Begun(key=KEY)


def test_a_run_killed_while_it_keeps_leaves_nothing_that_is_used(tmp_path: Path) -> None:
    environment, place = own_cache(tmp_path)
    die = (
        "import signal; from pathlib import Path; Path.replace = lambda *_: os.kill(os.getpid(), 9)"
    )
    process = launch(f"{die}\n{KEEP}", environment=environment)
    said = first_line(process)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert not list(place.glob("kept-*"))
    (half,) = place.glob(f"{HALF_MADE}*")
    os.utime(half, (0, 0))
    out = run(f"{KEEP}; {STOP}", environment=environment)
    assert out["rest"] == ['""']
    assert not half.exists()
    assert gone(folder(said))


@become_ordinary
@pytest.mark.skipif(not has_room_for_namespaces(), reason="no mount namespaces here")
def test_no_room_to_keep_it_is_said_and_no_failure(tmp_path: Path) -> None:
    environment, place = own_cache(tmp_path)
    (image,) = place.iterdir()
    room = image.stat().st_size // 1024 + 600
    small = f'mount -t tmpfs -o size={room}k,mode=700 none "{place}" && cp -p "$0" "{place}" '
    saved = shutil.copy(image, tmp_path)
    prefix = ("unshare", "--mount", "sh", "-c", f'{small} && exec "$@"', saved)
    script = f"""
{KEEP}
import psycopg, pathlib
print(psycopg.connect(database.migrator_conninfo).execute("SELECT 42").fetchone()[0])
print([path.name[:5] for path in pathlib.Path({str(place)!r}).iterdir()])
{STOP}"""
    said = run(script, prefix=prefix, environment=environment)
    assert said["rest"] == ['"the cache: No space left on device"', "42", "['data-']"]
    assert said["status"] == 0
