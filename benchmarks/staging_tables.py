"""What staging of a first batch of N tables costs as a whole, against ``psql -1`` of its files.

The generated project (``many_tables``) is staged by a process of its own, and its files are run by
psql on a server that was started for that; what the server costs alone is measured beside it and
taken off. What counts is processor time, of the process and all that it has started, so that a busy
machine matters little. A first round fills the caches and does not count: which rules fire on this
machine, what the schema decides, and that the result restores, is known in the others. ``--all``
tells besides what a run takes that knows none of it, as one in CI does, and one with a migration
more than the last. Medians; exits with 1 above a limit.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from many_tables import (
    ROLES,
    bootstrap,
    commit_all,
    migrations,
    write_files,
    write_project,
)
from side_by_side import Command, measured, pytest_command, scratch, verdict

from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.server import ServerSettings, start
from pytest_housekeeping.server.sources import find_programs

LIMIT = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, nargs="+", default=[400, 1600])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    with scratch("hk-staging-tables-") as folder:
        return max(
            _ratio(folder, tables, options.rounds, every=options.all) for tables in options.tables
        )


def _ratio(folder: Path, tables: int, rounds: int, *, every: bool) -> int:
    project = write_project(folder / str(tables), tables=tables)
    text = folder / f"{tables}.sql"
    text.write_text("\n".join(each.text for each in migrations(tables, 10)), encoding="utf-8")
    turns: dict[str, Callable[[], object]] = {
        "a server": lambda: _by_psql(tables, None),
        "psql -1": lambda: _by_psql(tables, text),
        "staging": lambda: measured(pytest_command(project, "--hk-mode=staging")),
    }
    if every:
        more = pytest_command(project, "--hk-mode=staging")
        nothing = {"XDG_CACHE_HOME": str(folder / "nothing known")}
        turns["nothing known"] = lambda: measured(replace(more, environment=nothing))
        turns["a migration more"] = lambda: measured(more)
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(rounds + 1):
        for name, turn in turns.items():
            if name == "nothing known":
                shutil.rmtree(folder / name, ignore_errors=True)
            elif name == "a migration more":
                _one_more(project, number)
            taken = _processor_seconds(turn)
            if number:  # the first round fills the caches
                seconds[name].append(taken)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{tables} tables: " + ", ".join(f"{n} {value:.2f} s" for n, value in medians.items()))
    base = medians["psql -1"] - medians["a server"]
    for name in list(turns)[3:]:
        print(f"{name:44} {medians[name] / base:8.2f} x")
    ratio = medians["staging"] / base
    return verdict(f"staging of {tables} tables / psql -1", ratio, LIMIT)


def _one_more(project: Path, number: int) -> None:
    table = f"CREATE TABLE back.more_{number} (id bigint GENERATED ALWAYS AS IDENTITY);\n"
    write_files(project, {f"sql/migrations/{9000 + number}_more.sql": table})
    commit_all(project, "one more")


def _processor_seconds(work: Callable[[], object]) -> float:
    """Of the processes that are started, to their ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _by_psql(tables: int, text: Path | None) -> None:
    """A server with the roles, in which psql runs the text, if there is one, in one transaction."""
    server = start(ServerSettings(max_locks=256 + 16 * tables))
    try:
        database = server.database()
        with connect(database.superuser_conninfo) as superuser:
            for role in ROLES:
                superuser.execute(bootstrap(role).encode())
        if text is None:
            return
        program = find_programs("embedded", server.settings.version)["psql"]
        options = ["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", str(text)]
        where = ["-h", database.host, "-p", str(database.port), "-U", database.migrator]
        measured(
            Command(arguments=[program, *options, *where, "-d", database.name], folder=text.parent)
        )
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
