"""The sandbox: a production for everybody, asked for by a command and gone by another."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.server import start
from pytest_housekeeping.server.os_account import server_account
from pytest_housekeeping.server.run_folder import clear_leftovers
from support.fresh_copy import ROOT
from support.ordinary_user import become_ordinary
from support.server_scripts import (
    BECOME,
    gone,
    running_commands,
    serving,
    settings_from_environment,
)

VARIABLES = ["PGHOST_PROD", "PGPORT_PROD", "PGDATABASE_PROD", "PGUSER_PROD", "PGPASSWORD_PROD"]
# Imports first, as in server_scripts: the interpreter may lie where only root can read.
_AS_SOMEBODY = """
import pytest_housekeeping.sandbox, pytest_housekeeping.postgres.transaction
from pytest_housekeeping.__main__ import main
"""


@dataclass(frozen=True, kw_only=True)
class Shell:
    """Somebody with a home of their own, who works in a folder."""

    folder: Path
    state: Path

    def __call__(
        self, *arguments: str, python: tuple[str, ...] = ("-m", "pytest_housekeeping")
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", *python, "sandbox", *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XDG_STATE_HOME": str(self.state),
            "COLUMNS": "100",
        }

    def start(self) -> dict[str, str]:
        """The exports of a sandbox that was started or runs."""
        done = self()
        assert done.returncode == 0, done.stderr
        return exported(done.stdout)

    @property
    def place(self) -> Path:
        """The folder of the server, as ``--status`` says it."""
        found = re.search(r"-h (\S+)/data ", self("--status").stdout)
        assert found is not None
        return Path(found[1])


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Somebody for whom no sandbox runs."""
    yield from _somebody(tmp_path)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Somebody whose sandbox runs, for tests that only look."""
    for somebody in _somebody(tmp_path_factory.mktemp("running")):
        somebody.start()
        yield somebody


def _somebody(place: Path) -> Iterator[Shell]:
    folder = place / "somewhere"
    folder.mkdir()
    somebody = Shell(folder=folder, state=place / "state")
    yield somebody
    somebody("--stop")


def exported(text: str) -> dict[str, str]:
    """What a shell that evaluates `text` has in its environment afterwards."""
    script = 'eval "$0"; for name in "$@"; do printf "%s\\n" "${!name}"; done'
    done = subprocess.run(
        ["bash", "-euc", script, text, *VARIABLES], env={}, capture_output=True, text=True
    )
    return dict(zip(VARIABLES, done.stdout.splitlines(), strict=True))


def logged_in(exports: dict[str, str], **changed: str) -> psycopg.Connection[Any]:
    host, port, database, user, password = exports.values()
    given = {"host": host, "port": port, "dbname": database, "user": user, "password": password}
    return psycopg.connect(**{**given, **changed}, autocommit=True)  # type: ignore[arg-type]


def ask(exports: dict[str, str], query: str) -> Any:
    with logged_in(exports) as connection:
        row = connection.execute(query).fetchone()
        return row[0] if row and len(row) == 1 else row


def test_it_asks_for_the_password_and_lets_no_superuser_in(running: Shell) -> None:
    exports = running.start()

    for changed in ({"password": "wrong"}, {"password": ""}, {"user": "postgres"}):
        with pytest.raises(
            psycopg.OperationalError, match=r"authentication failed|supplied|reject"
        ):
            logged_in(exports, **changed)
    with logged_in(exports) as connection:
        assert connection.pgconn.used_password
    assert exports["PGHOST_PROD"] == ask(exports, "SHOW listen_addresses") == "127.0.0.1"


def test_the_promoter_is_shaped_like_a_real_one(running: Shell) -> None:
    exports = running.start()

    shape = ask(
        exports,
        "SELECT rolcanlogin, rolcreaterole, rolsuper, rolbypassrls, rolcreatedb, rolreplication,"
        " pg_get_userbyid(datdba) = current_user FROM pg_roles, pg_database"
        " WHERE rolname = current_user AND datname = current_database()",
    )
    assert shape == (True, True, False, False, False, False, True)
    assert ask(exports, "SHOW server_version").startswith("16.")
    assert (exports["PGDATABASE_PROD"], exports["PGUSER_PROD"]) == ("shop", "hk_migrator")


@pytest.mark.parametrize(
    ("settings", "administrator"),
    [
        ('migrator = "postgres"', "hk_superuser"),
        ('platform = "supabase"\nserver_version = 18', "supabase_admin"),
    ],
)
def test_the_promoter_is_shaped_so_where_it_has_the_name_of_a_superuser(
    shell: Shell, settings: str, administrator: str
) -> None:
    """As the first role of many a provider is called, which is no superuser there."""
    write(shell, "pyproject.toml", f"[tool.housekeeping]\n{settings}\n")
    write(shell, "sql/migrations/0001_first.sql", "SELECT 1")
    write(shell, "checks/objects.toml", "")
    exports = shell.start()

    assert exports["PGUSER_PROD"] == "postgres"
    assert ask(exports, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert ask(exports, "SELECT rolname FROM pg_roles WHERE oid = 10") == administrator
    command = shell("--status").stdout.splitlines()[1].partition(": ")[2]
    asked = [*shlex.split(command), "-Atc", "SELECT current_user, current_setting('is_superuser')"]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.stdout == f"{administrator}|on\n"


def test_a_project_finds_the_roles_that_its_bootstrap_makes(shell: Shell) -> None:
    write(shell, "pyproject.toml", '[tool.housekeeping]\nmigrator = "mover"\n')
    write(shell, "sql/bootstrap/roles.sql", "CREATE ROLE desk_app LOGIN; GRANT desk_app TO mover;")
    write(shell, "checks/objects.toml", "")
    deep = shell.folder / "sql" / "bootstrap"

    exports = Shell(folder=deep, state=shell.state).start()

    assert exports["PGUSER_PROD"] == "mover"
    assert ask(exports, "SELECT pg_has_role('mover', 'desk_app', 'MEMBER')") is True
    assert str(shell.folder) in shell("--status").stdout


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "sql/bootstrap/roles.sql",
            "CREATE ROLE a;\nCREATE ROEL b;",
            "sql/bootstrap/roles.sql:2:8",
        ),
        ("pyproject.toml", "[tool.housekeeping]\nmigratr = 'x'\n", "did you mean 'migrator'?"),
    ],
)
def test_what_is_wrong_with_the_project_is_said_and_nothing_is_left(
    shell: Shell, tmp_path: Path, name: str, content: str, said: str
) -> None:
    write(shell, "checks/objects.toml", "")
    write(shell, "sql/bootstrap/first.sql", "SELECT 1")
    write(shell, name, content)

    done = shell()

    code = 4 if name == "pyproject.toml" else 1
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert shell("--status").returncode == 3
    assert not serving(shell.folder)


def test_another_project_is_not_given_what_runs(running: Shell, tmp_path: Path) -> None:
    other = Shell(folder=tmp_path, state=running.state)
    assert other.start() == running.start()
    write(other, "pyproject.toml", "[tool.housekeeping]\n")

    done = other()

    assert (done.returncode, done.stdout) == (4, "")
    assert f"the sandbox that runs is for {running.folder}, and this is {tmp_path}" in done.stderr
    assert running("--status").returncode == 0


def test_standard_output_is_five_exports_and_a_second_start_repeats_them(shell: Shell) -> None:
    first = shell()
    second = shell()

    lines = first.stdout.splitlines()
    assert [line.split("=")[0] for line in lines] == [f"export {name}" for name in VARIABLES]
    assert ask(exported(first.stdout), "SELECT 1") == 1
    assert second.stdout == first.stdout
    for done, said in ((first, "sandbox started"), (second, "sandbox runs already")):
        assert said in done.stderr
        assert "sandbox --stop" in done.stderr
        assert exported(first.stdout)["PGPASSWORD_PROD"] not in done.stderr


def test_two_starts_at_once_are_one_sandbox(shell: Shell) -> None:
    command = [sys.executable, "-m", "pytest_housekeeping", "sandbox"]
    both = [
        subprocess.Popen(
            command,
            cwd=shell.folder,
            env=shell.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60) for process in both]

    assert said[0][0] == said[1][0] != ""
    assert sorted(" already" in err for _, err in said) == [False, True]


def test_stop_ends_it_and_leaves_nothing(shell: Shell) -> None:
    exports, place = shell.start(), shell.place

    done = shell("--stop")

    assert (done.returncode, done.stdout) == (0, "")
    assert gone(place)
    with pytest.raises(psycopg.OperationalError):
        logged_in(exports)
    assert [path.name for path in shell.state.rglob("*") if path.is_file()] == ["sandbox.lock"]
    assert shell("--status").returncode == 3
    assert shell("--stop").returncode == 0


@pytest.mark.parametrize("after_s", [0.3, 0.5, 0.7])
def test_a_start_that_is_interrupted_leaves_nothing(shell: Shell, after_s: float) -> None:
    """Before, while or after the files of the server are made, as the machine has it."""
    # Not pytest's own folder, which is closed to the server's account.
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o711)
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest_housekeeping", "sandbox"],
            cwd=shell.folder,
            env=shell.environment() | {"TMPDIR": place},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

        assert process.returncode != 0 or shell("--status").returncode == 0
        shell("--stop")
        assert list(Path(place).iterdir()) == []


def test_a_sandbox_that_was_killed_is_cleared_and_made_anew(shell: Shell) -> None:
    shell.start()
    place = shell.place
    os.kill(int((place / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    assert gone_process(place)
    assert shell("--status").returncode == 3
    exports = shell.start()

    assert ask(exports, "SELECT 1") == 1
    assert shell.place != place
    assert gone(place)


def test_a_staging_run_leaves_it_alone(running: Shell) -> None:
    exports = running.start()

    clear_leftovers(running.place.parent)

    assert ask(exports, "SELECT 1") == 1


def test_it_is_known_from_every_other_server(running: Shell, shell: Shell) -> None:
    """A production is pinned by its identifier, which copies of one data folder would share."""
    query = "SELECT system_identifier::text FROM pg_control_system()"
    one, other = (ask(each.start(), query) for each in (running, shell))
    throwaway = start(settings_from_environment())
    try:
        with psycopg.connect(throwaway.database().superuser_conninfo) as connection:
            staging = connection.execute(query).fetchone()
    finally:
        throwaway.stop()

    assert staging is not None
    assert len({one, other, staging[0]}) == 3


def test_the_password_is_for_the_user_alone(running: Shell) -> None:
    password = running.start()["PGPASSWORD_PROD"]
    place = running.place

    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in running.state.rglob("*")}
    assert {oct(mode) for path, mode in modes.items() if path.is_dir()} == {"0o700"}
    assert {oct(mode) for path, mode in modes.items() if path.is_file()} == {"0o600"}
    holders = [path for path in [*place.rglob("*"), *modes] if holds(path, password)]
    assert [path.name for path in holders] == ["sandbox.json"]
    assert stat.S_IMODE((place / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "server.log").stat().st_mode) == 0o600
    assert not any(password.encode() in command for command in running_commands())
    assert password not in running("--status").stdout


def test_psql_is_opened_as_the_promoter(running: Shell, shell: Shell) -> None:
    done = running("--psql", "-At", "-c", "SELECT current_user || ' in ' || current_database()")
    wrong = running("--psql", "-c", "SELECT nothing_of_the_kind")

    assert (done.returncode, done.stdout) == (0, "hk_migrator in shop\n")
    assert (wrong.returncode, "nothing_of_the_kind" in wrong.stderr) == (1, True)
    assert shell("--psql", "-c", "SELECT 1").returncode == 3


def test_the_administrator_gets_in_by_the_command_that_status_shows(running: Shell) -> None:
    running.start()
    command = running("--status").stdout.splitlines()[1].partition(": ")[2]

    done = subprocess.run(
        f"{command} -Atc 'SHOW is_superuser'",
        shell=True,
        capture_output=True,
        text=True,
        **server_account().switch(),
    )

    assert done.stdout == "on\n", done.stderr


@become_ordinary
def test_an_ordinary_user_has_one_too() -> None:
    nobody = pwd.getpwnam("nobody")
    become = BECOME.format(uid=nobody.pw_uid, gid=nobody.pw_gid)
    code = f"import sys\n{_AS_SOMEBODY}\n{become}\nsys.exit(main())"
    # Not pytest's own folder, which is closed to others.
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chown(place, nobody.pw_uid, nobody.pw_gid)
        somebody = Shell(folder=Path("/"), state=Path(place))

        started = somebody(python=("-c", code))
        assert started.returncode == 0, started.stderr
        assert ask(exported(started.stdout), "SELECT 1") == 1
        owners = {path.stat().st_uid for path in somebody.state.rglob("*")}
        stopped = somebody("--stop", python=("-c", code))

        assert owners == {nobody.pw_uid}
        assert stopped.returncode == 0, stopped.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="as root, the server is somebody else's process")
def test_a_temporary_folder_that_the_server_may_not_enter_is_passed_over(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("TMPDIR", str(closed))

    done = shell()

    # Without memory-backed storage there is no other place.
    assert done.returncode == 0 or "set TMPDIR" in done.stderr
    assert list(closed.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("promote",),
        ("sandbox", "--stop", "--status"),
        ("sandbox", "extra"),
        ("audit", "--nope"),
    ],
)
def test_wrong_usage_is_exit_code_4(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_housekeeping", *arguments], capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (4, "")
    assert "usage:" in done.stderr


def test_help_says_how_to_use_it(running: Shell) -> None:
    helped = running("--help").stdout

    for said in ("--stop", "--status", "--psql", 'eval "$(', "exit codes"):
        assert said in helped


def write(shell: Shell, name: str, content: str) -> None:
    path = shell.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def holds(path: Path, text: str) -> bool:
    return path.is_file() and text.encode() in path.read_bytes()


def gone_process(place: Path) -> bool:
    deadline = time.monotonic() + 5
    while serving(place):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
