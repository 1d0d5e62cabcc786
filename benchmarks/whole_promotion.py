"""What a promotion of one file takes as a whole, against a dump, a restore and the file by psql.

A generated project with N tables is promoted to a production of its own. Then, in each round, one
file is promoted twice over: with a copy of production that has to be restored, and, after a watch
(``--hk-mode=verify``) has kept one, with a copy that is used again. Beside them stand ``pg_dump``,
``psql`` with what it wrote, in an empty database, and ``psql`` with the file. Prints medians; exits
with 1 above the limits.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from many_tables import ROLES, commit_all, write_files, write_project
from sandboxed import production, pytest_in
from side_by_side import measured, plain_environment, scratch, show, verdict

from pytest_housekeeping.server import ServerSettings, StagingDatabase, start
from pytest_housekeeping.snapshot.programs import find_pg_dump

# A first promotion of so many files is not what is measured, and has no evidence of staging.
_SETTINGS = "[tool.housekeeping]\nlint = false\nrequire_staging_evidence = false\n"
_PROD = ("--hk-mode=prod", "--hk-confirm=PROMOTE")
_WATCH = ("--hk-mode=verify",)
_BIN = find_pg_dump(16).parent
COLD_LIMIT, WARM_LIMIT = 2.5, 1.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tables", type=int, default=1600)
    options = parser.parse_args()
    plain: list[float] = []
    cold: list[float] = []
    warm: list[float] = []
    with scratch("hk-whole-") as folder:
        project = write_project(folder / "project", tables=options.tables)
        write_files(project, {"pyproject.toml": _SETTINGS})
        commit_all(project, "no evidence of staging is asked for")
        with production(folder, project) as login:
            own = {**login, "XDG_CACHE_HOME": str(folder / "cache")}
            _promoted(project, own)
            for number in range(options.rounds):
                plain.append(_by_hand(login, number))
                _pending(project, 2 * number)
                cold.append(_promoted(project, own))
                measured(pytest_in(project, *_WATCH, environment=own))
                _pending(project, 2 * number + 1)
                warm.append(_promoted(project, own))
                _expect_kept(project)
    by_hand = show(f"{options.tables} tables: dumped, restored, psql", plain)
    return max(
        verdict("one file promoted", show("promoted", cold) / by_hand, COLD_LIMIT),
        verdict("with a kept copy", show("promoted, copy kept", warm) / by_hand, WARM_LIMIT),
    )


def _pending(project: Path, number: int) -> None:
    name = f"{9000 + number}_note"
    text = f"ALTER TABLE work.t1 ADD COLUMN note{number} text;\n"
    write_files(project, {f"sql/migrations/{name}.sql": text})
    commit_all(project, name)


def _promoted(project: Path, environment: dict[str, str]) -> float:
    return measured(pytest_in(project, *_PROD, environment=environment))


def _expect_kept(project: Path) -> None:
    """Exits where the last promotion has restored its copy anew."""
    audits = (project / "ops" / "audit").glob("prod_*.json")
    newest = max(audits, key=lambda path: path.stat().st_mtime)
    if "restored by an earlier run" not in newest.read_text(encoding="utf-8"):
        sys.exit(f"{newest.name}: the copy was not the one that was kept")


def _by_hand(login: Mapping[str, str], number: int) -> float:
    """Seconds for a dump, its restore into an empty database, and a file of one statement."""
    libpq = plain_environment() | {
        name.removesuffix("_PROD"): value for name, value in login.items() if name[:2] == "PG"
    }
    server = start(ServerSettings(max_locks=1024))
    try:
        database = server.database()
        _ready(database)
        began = time.perf_counter()
        dump = _run("pg_dump", ["--schema-only"], libpq)
        _run("psql", ["-Xq", "-d", database.superuser_conninfo], plain_environment(), dump)
        _run("psql", ["-X"], libpq, f"ALTER TABLE work.t1 ADD COLUMN by_hand{number} text".encode())
        seconds = time.perf_counter() - began
        _run("psql", ["-X"], libpq, f"ALTER TABLE work.t1 DROP COLUMN by_hand{number}".encode())
    finally:
        server.stop()
    return seconds


def _ready(database: StagingDatabase) -> None:
    made = "; ".join(f"CREATE ROLE {role}" for role in ROLES).encode()
    _run("psql", ["-X", "-d", database.superuser_conninfo], plain_environment(), made)


def _run(
    program: str, arguments: list[str], environment: Mapping[str, str], text: bytes = b""
) -> bytes:
    done = subprocess.run(
        [str(_BIN / program), *arguments],
        check=False,
        input=text,
        env=dict(environment),
        capture_output=True,
    )
    if done.returncode:
        sys.exit(f"{program}: {done.stderr.decode(errors='replace')}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
