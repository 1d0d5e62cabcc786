"""Applying many generated migration files as items, against ``psql -1 -f`` of the same text.

psql runs on a server that was started the same way, as the same role. Two ratios are shown: of the
whole process, with the start of Python, pytest and the server in it, and of what the files add to a
run with one file. The first one decides; beside it stands what pytest takes for as many items that
do nothing. Then the memory of the pytest process is held against that of a run whose files are
larger: the plan holds the bytes of every file, once, because what was read is what runs. Of many
files what one takes while it is looked at is lost among them; of a few large ones, which wait for
their turn together, it is a part of the figure. Exits with 1 above a limit.

The lint cache is warm: entries of clean files are written, not linted (lint_cold.py measures that).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from side_by_side import (
    Command,
    Taken,
    idle_command,
    measured,
    peak_memory_kb,
    pytest_command,
    scratch,
    show,
    show_processor,
    taken,
    used_below,
    verdict,
)

from pytest_housekeeping.checks.json_cache import default_folder, read_entries, write_entries
from pytest_housekeeping.checks.style.cache import find_linted
from pytest_housekeeping.checks.style.linter import OVERRIDES
from pytest_housekeeping.checks.style.result import Style, encode
from pytest_housekeeping.server import Server, ServerSettings, start
from pytest_housekeeping.server.sources import find_programs

LIMIT = 1.5
GROWTH_LIMIT = 1.2
TIMES_AS_LARGE = 20
# One of twelve is looked at in some copies.
LARGE_FILES, LARGE_TIMES, LARGE_LIMIT = 12, 250, 1.5
ROLE = "DO $$ BEGIN CREATE ROLE app; EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n"
MIGRATION = """\
CREATE TABLE public.t{i} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX t{i}_tenant_idx ON public.t{i} (tenant_id);

ALTER TABLE public.t{i} ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.t{i} FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_isolation ON public.t{i}
FOR ALL TO app
USING (tenant_id = nullif(current_setting('app.tenant_id', TRUE), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE public.t{i} TO app;

COMMENT ON TABLE public.t{i} IS 'Generated table {i}';
"""
OBJECTS = """\
schemas = ["public"]
[tables]
"public.t1" = { id = "bigint", tenant_id = "uuid", name = "text", created_at = "timestamptz" }
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    said = "of few files it tells nothing: the peak of a process moves by some MB by itself"
    parser.add_argument("--memory-files", type=int, default=200, help=said)
    arguments = parser.parse_args()
    with scratch("hk-apply-batch-") as folder:
        above = speed(folder, arguments.files, arguments.rounds)
        above |= memory(folder / "many-texts", arguments.memory_files, TIMES_AS_LARGE, GROWTH_LIMIT)
        return above | memory(folder / "large", LARGE_FILES, LARGE_TIMES, LARGE_LIMIT)


def speed(folder: Path, files: int, rounds: int) -> int:
    many, one = project(folder / "many", files), project(folder / "one", 1)
    idle = idle_command(folder / "idle", files)
    server = start(ServerSettings(max_locks=64 + files))
    seconds: dict[str, list[Taken]] = {"psql": [], "many": [], "one": [], "idle": []}
    try:
        turns: dict[str, Callable[[], Taken]] = {
            "psql": lambda: by_psql(server, folder / "many" / "all.sql"),
            "many": lambda: measured(many),
            "one": lambda: measured(one),
            "idle": lambda: measured(idle),
        }
        for number in range(rounds + 1):
            for name, turn in turns.items():
                taken = turn()
                if number:
                    seconds[name].append(taken)
    finally:
        server.stop()
    print(f"{files} files")
    psql = show("psql -1 -f, one file", seconds["psql"])
    whole = show("pytest --hk-mode=staging, as items", seconds["many"])
    alone = show("pytest --hk-mode=staging, one file", seconds["one"])
    show(f"pytest, {files} items that do nothing", seconds["idle"])
    used = {name: show_processor(name, seconds[name]) for name in seconds}
    added = (used["many"] - used["one"]) / used["psql"]
    verdict("what the files add / psql, processors", added, LIMIT)
    verdict("what the files add / psql", (whole - alone) / psql, LIMIT)
    return verdict("whole process / psql", whole / psql, LIMIT)


def by_psql(server: Server, text: Path) -> Taken:
    """Processors count what its server has used for it as well."""
    database, used = server.database(), used_below(os.getpid())
    try:
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute(ROLE)
        program = find_programs("embedded", server.settings.version)["psql"]
        options = ["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", str(text)]
        where = ["-h", database.host, "-p", str(database.port), "-U", database.migrator]
        seconds = measured(
            Command(arguments=[program, *options, *where, "-d", database.name], folder=text.parent)
        )
        return taken(seconds, used_below(os.getpid()) - used)
    finally:
        server.drop(database)


def memory(folder: Path, files: int, times: int, limit: float) -> int:
    """What the peak grows by, as a share of the text that the larger files have more."""
    line = f"-- {'why this table is as it is ' * 3}\n"
    lines = 100
    small = project(folder / "small", files, comment=line * lines)
    large = project(folder / "large", files, comment=line * lines * times)
    more_kb = files * lines * (times - 1) * len(line) / 1024
    for command in (small, large):
        measured(command)
    small_kb, large_kb = peak_memory_kb(small), peak_memory_kb(large)
    print(f"{files} files, peak of the pytest process    {small_kb / 1024:8.1f} MB")
    print(f"files {times} times as large{'':22} {large_kb / 1024:8.1f} MB")
    print(f"text added by that{'':26} {more_kb / 1024:8.1f} MB")
    growth = (large_kb - small_kb) / more_kb
    return verdict("growth / text added", growth, limit)


def project(root: Path, count: int, *, comment: str = "") -> Command:
    """A project of so many migrations, its lint cache warm, and the command that stages it."""
    migrations, bootstrap = root / "sql" / "migrations", root / "sql" / "bootstrap"
    for place in (migrations, bootstrap, root / "checks"):
        place.mkdir(parents=True)
    (bootstrap / "roles.sql").write_text(ROLE, encoding="utf-8")
    (root / "checks" / "objects.toml").write_text(OBJECTS, encoding="utf-8")
    (root / "pyproject.toml").write_text("[tool.housekeeping]\n", encoding="utf-8")
    files = [migrations / f"{number:05}_t{number}.sql" for number in range(1, count + 1)]
    with (root / "all.sql").open("w", encoding="utf-8") as whole:
        for number, file in enumerate(files, start=1):
            text = comment + MIGRATION.format(i=number)
            file.write_text(text, encoding="utf-8")
            whole.write(text)
    fill_lint_cache(root, files)
    return pytest_command(root, "--hk-mode=staging")


def fill_lint_cache(root: Path, files: list[Path]) -> None:
    entries = find_linted(
        files,
        root=root,
        folder=default_folder("lint"),
        overrides=OVERRIDES,
        contents={},
    )
    styles: dict[Path, dict[str, list[object]]] = {}
    for entry in entries:
        styles.setdefault(entry.cache_file, {})[entry.key] = encode(Style())
    for cache_file, known in styles.items():
        write_entries(cache_file, read_entries(cache_file), known)


if __name__ == "__main__":
    began = time.perf_counter()
    code = main()
    print(f"took {time.perf_counter() - began:.0f} s")
    sys.exit(code)
