"""For how long a promotion of one ADD COLUMN keeps others waiting, against one ``pg_dump`` of it.

A generated project with N tables is promoted to a production of its own; then one file is, whose
only statement takes a millisecond. Told is the time from its first strong lock to the end of its
COMMIT, less what the same statement and COMMIT take by psql, divided by the time that
``pg_dump --schema-only`` takes for the same database. Exits with 1 above the limit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from many_tables import commit_all, write_files, write_project
from sandboxed import production, pytest_in
from side_by_side import measured, plain_environment, scratch, verdict

from pytest_housekeeping.snapshot.programs import find_pg_dump

# A first promotion of so many files is not what is measured, and has no evidence of staging.
_SETTINGS = "[tool.housekeeping]\nlint = false\nrequire_staging_evidence = false\n"
_MAJOR = 16
_LIMITS = {400: 0.25, 1600: 0.15, 10000: 0.1}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, nargs="+", default=[400, 1600])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-place", action="store_true", help="prove under the lock, to compare")
    options = parser.parse_args()
    codes = [_measured(tables, options.rounds, options.in_place) for tables in options.tables]
    return max(codes)


def _measured(tables: int, rounds: int, in_place: bool) -> int:
    with scratch("hk-under-lock-") as folder:
        project = write_project(folder / "project", tables=tables)
        write_files(project, {"pyproject.toml": _SETTINGS})
        commit_all(project, "no evidence of staging is asked for")
        with production(folder, project) as login:
            _promoted(project, login, in_place=False)
            ratios, held, dumped = [], [], []
            for number in range(rounds):
                name = f"{9000 + number}_note"
                text = f"ALTER TABLE work.t1 ADD COLUMN note{number} text;\n"
                write_files(project, {f"sql/migrations/{name}.sql": text})
                commit_all(project, name)
                held.append(_promoted(project, login, in_place=in_place))
                dumped.append(_dumped(login))
                own = _by_psql(login, f"ALTER TABLE work.t1 ADD COLUMN psql{number} text")
                ratios.append((held[-1] - own) / dumped[-1])
                _by_psql(login, f"ALTER TABLE work.t1 DROP COLUMN psql{number}")
                _by_psql(login, "SELECT 1")
    print(
        f"{tables} tables: others waited {statistics.median(held) * 1000:.0f} ms,"
        f" pg_dump --schema-only took {statistics.median(dumped) * 1000:.0f} ms"
    )
    limit = _LIMITS.get(tables, 0.25)
    return verdict(f"under lock, {tables} tables", statistics.median(ratios), limit, " x pg_dump")


def _promoted(project: Path, login: dict[str, str], *, in_place: bool) -> float:
    """Promote what is pending; for how many seconds others had to wait."""
    options = ["--hk-mode=prod", "--hk-confirm=PROMOTE", *["--hk-in-place"] * in_place]
    # What psql has added and dropped between two rounds leaves the schema as it was.
    measured(pytest_in(project, *options, environment=login))
    audits = sorted((project / "ops" / "audit").glob("prod_*.json"))
    newest = max(audits, key=lambda path: path.stat().st_mtime)
    return float(json.loads(newest.read_text(encoding="utf-8"))["run"]["locks_held_s"])


def _libpq(login: dict[str, str]) -> dict[str, str]:
    return plain_environment() | {
        name.removesuffix("_PROD"): value for name, value in login.items() if name[:2] == "PG"
    }


def _dumped(login: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(
        [str(find_pg_dump(_MAJOR)), "--schema-only"],
        env=_libpq(login),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def _by_psql(login: dict[str, str], statement: str) -> float:
    """How long the server takes for the statement and its COMMIT, as psql has timed it."""
    script = f"\\timing on\nBEGIN;\n{statement};\nCOMMIT;\n"
    done = subprocess.run(
        [str(find_pg_dump(_MAJOR).with_name("psql")), "-X", "-v", "ON_ERROR_STOP=1"],
        input=script,
        env=_libpq(login),
        check=True,
        capture_output=True,
        text=True,
    )
    times = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Time:")]
    return sum(float(each) for each in times) / 1000


if __name__ == "__main__":
    sys.exit(main())
