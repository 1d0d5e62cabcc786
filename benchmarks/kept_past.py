"""What staging costs with much that was applied before: from its start to its first pending file.

Two projects of one table a file, 800 and 20 files of it promoted, and one more file that waits.
Run turn by turn; what the first round has replayed is kept for the others, and a round that makes
everything else warm does not count. The ratio is that of what processors have used up to that file,
the server's and git's included: by the clock it moves by a third with what else the machine does.
Prints medians of both, what replaying costs, and the ratio; exits with 1 when that is above the
limit.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from many_tables import write_project
from side_by_side import (
    Command,
    Taken,
    measured,
    pytest_command,
    scratch,
    show,
    show_processor,
    taken,
    verdict,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.promoted_past import promote
from support.staging_project import Project

LIMIT = 1.3
_PENDING = "sql/migrations/9000_next.sql"
# A plugin of pytest: it writes down when the first file of the batch would be applied, and what was
# used by then, and ends.
_CLOCK = """\
import os, pathlib, time

import pytest
from side_by_side import used_below


def first(*_):
    now = time.time()
    pathlib.Path(os.environ["FIRST"]).write_text(f"{now!r} {used_below(os.getpid())!r}")
    pytest.exit("seen", returncode=7)


def pytest_collection_finish():
    from pytest_housekeeping.promotion.transaction.batch import Batch

    Batch.apply = first
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--many", type=int, default=800)
    parser.add_argument("--few", type=int, default=20)
    options = parser.parse_args()
    with scratch("hk-kept-past-") as folder:
        (folder / "first_file.py").write_text(_CLOCK, encoding="utf-8")
        projects = {n: _promoted(folder / str(n), n) for n in (options.many, options.few)}
        cold = {n: _until_first(folder, project) for n, project in projects.items()}
        warm: dict[int, list[Taken]] = {n: [] for n in projects}
        for number in range(options.rounds + 1):
            for n, project in projects.items():
                found = _until_first(folder, project)
                if number:
                    warm[n].append(found)
    for n, seconds in cold.items():
        show(f"{n} files applied, to be replayed", [seconds])
    by_the_clock = {n: show(f"{n} files applied, kept", warm[n]) for n in projects}
    verdict("by the clock", by_the_clock[options.many] / by_the_clock[options.few], LIMIT)
    medians = {n: show_processor(f"{n} files applied, kept", warm[n]) for n in projects}
    ratio = medians[options.many] / medians[options.few]
    return verdict("many against few", ratio, LIMIT)


def _promoted(folder: Path, tables: int) -> Path:
    """A project whose files are all promoted, and one that waits."""
    project = Project(
        root=write_project(folder / "project", tables=tables, per_file=1), scratch=folder
    )
    promote(project, "r1")
    project.write({_PENDING: "CREATE INDEX next_idx ON work.t1 (created_at);\n"})
    project.commit()
    return project.root


def _until_first(folder: Path, project: Path) -> Taken:
    """What a staging run takes from its start to the first file of its batch."""
    first = folder / "first"
    first.unlink(missing_ok=True)
    own: Mapping[str, str] = {
        "FIRST": str(first),
        "PYTHONPATH": os.pathsep.join((str(folder), str(Path(__file__).parent))),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    plain = pytest_command(project, "-p", "first_file", "--hk-mode=staging", "--hk-no-commit")
    started = time.time()
    measured(Command(arguments=plain.arguments, folder=project, environment=own, code=7))
    at, used = map(float, first.read_text(encoding="utf-8").split())
    return taken(at - started, used)


if __name__ == "__main__":
    sys.exit(main())
