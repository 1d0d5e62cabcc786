"""Cold lint of generated migrations, against ``sqlfluff lint --processes 2`` side by side.

Both use sqlfluff's Rust core and the same settings. Exits 1 when the ratio of the medians is above
the limit, or when the two do not find the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_housekeeping.checks.style.linter import Linting

LIMIT = 1.1
PROCESSES = 2
SETTINGS = "[sqlfluff]\ndialect = postgres\ntemplater = raw\nmax_line_length = 100\n"
MIGRATION = """\
-- table {n}: what a tenant keeps of kind {n}
CREATE TABLE bench.table_{n} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    label text NOT NULL,
    amount numeric(12, 2) NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX table_{n}_tenant_idx ON bench.table_{n} (tenant_id);

ALTER TABLE bench.table_{n} ENABLE ROW LEVEL SECURITY;
ALTER TABLE bench.table_{n} FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_rows ON bench.table_{n}
USING (tenant_id = current_setting('app.tenant_id')::uuid)
WITH CHECK (tenant_id = current_setting('app.tenant_id')::uuid);

GRANT SELECT, INSERT, UPDATE ON bench.table_{n} TO bench_app;

COMMENT ON TABLE bench.table_{n} IS 'table {n} of the benchmark';
"""

Found = set[tuple[str, int, int, str]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = generate(root, arguments.files)
        theirs, ours = [], []
        expected, cache = set[tuple[str, int, int, str]](), root / "cache"
        for number in range(arguments.rounds):
            seconds, expected = by_sqlfluff(root)
            theirs.append(seconds)
            cache = root / f"cache-{number}"
            seconds, found = by_housekeeping(root, files, cache)
            ours.append(seconds)
            if found != expected:
                print(f"not the same findings: {sorted(found ^ expected)[:5]}")
                return 1
        warm, _ = by_housekeeping(root, files, cache)
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"{arguments.files} files, {len(expected)} violations, medians of {arguments.rounds}")
    print(f"sqlfluff lint --processes {PROCESSES}  {statistics.median(theirs):8.2f} s")
    print(f"housekeeping, cold            {statistics.median(ours):8.2f} s")
    print(f"housekeeping, warm            {warm:8.3f} s")
    print(f"ratio {ratio:.2f} (limit {LIMIT})")
    return 0 if ratio <= LIMIT else 1


def generate(root: Path, count: int) -> list[Path]:
    folder = root / "sql" / "migrations"
    folder.mkdir(parents=True)
    (root / ".sqlfluff").write_text(SETTINGS, encoding="utf-8")
    files = [folder / f"{number:05d}_table.sql" for number in range(1, count + 1)]
    for number, file in enumerate(files, start=1):
        file.write_text(MIGRATION.format(n=f"{number:05d}"), encoding="utf-8")
    return files


def by_sqlfluff(root: Path) -> tuple[float, Found]:
    command = [sys.executable, "-m", "sqlfluff", "lint", "sql", "--format", "json"]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--processes", str(PROCESSES)], cwd=root, capture_output=True, check=False
    )
    seconds = time.perf_counter() - started
    return seconds, {
        (Path(file["filepath"]).name, v["start_line_no"], v["start_line_pos"], v["code"])
        for file in json.loads(done.stdout)
        for v in file["violations"]
    }


def by_housekeeping(root: Path, files: list[Path], cache: Path) -> tuple[float, Found]:
    started = time.perf_counter()
    linting = Linting.start(files, root=root, cache_folder=cache, processes=PROCESSES)
    results = {file: linting.result(file) for file in files}
    linting.stop()
    seconds = time.perf_counter() - started
    return seconds, {
        (f.name, v.line, v.column, v.code) for f, found in results.items() for v in found
    }


if __name__ == "__main__":
    sys.exit(main())
