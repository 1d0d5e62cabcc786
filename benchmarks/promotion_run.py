"""What pinning and the fingerprints cost of a promotion of the repository's own sample.

Each round promotes the committed files, proved in staging, to an empty production of its own. Timed
inside that run: opening the pinned sessions, every reading of the schema (under the lock, before
COMMIT and behind it), and what proves the tool's own tables. Prints medians, and each part's share
of the whole process; exits with 1 when they take more than a tenth of it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from sandboxed import production, pytest_in
from side_by_side import measured, plain_environment, scratch, show, verdict

LIMIT = 10.0
REPOSITORY = Path(__file__).resolve().parents[1]
# A plugin of pytest; what runs inside another part counts there alone.
_TIMED = """\
import atexit, functools, importlib, json, os, pathlib, time

PARTS = {
    "sessions": ["postgres.connection:_open", "promotion.prechecks.shared:overridden"],
    "fingerprints": ["promotion.production.target:ProductionTarget.read_schema"],
    "own tables": [
        f"postgres.own_tables.guard:HistoryGuard.{name}"
        for name in ("begin", "write", "note", "prove", "prove_kept")
    ],
}
seconds = dict.fromkeys(PARTS, 0.0)
inside = [False]


def timed(part, function):
    @functools.wraps(function)
    def call(*arguments, **named):
        if inside[0]:
            return function(*arguments, **named)
        inside[0], started = True, time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            inside[0] = False
            seconds[part] += time.perf_counter() - started
    return call


for part, places in PARTS.items():
    for place in places:
        module, _, path = place.partition(":")
        holder = importlib.import_module(f"pytest_housekeeping.{module}")
        *owner, name = path.split(".")
        holder = functools.reduce(getattr, owner, holder)
        setattr(holder, name, timed(part, getattr(holder, name)))
atexit.register(lambda: pathlib.Path(os.environ["TIMED"]).write_text(json.dumps(seconds)))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with scratch("hk-promotion-run-") as folder:
        proved = _proved(folder / "proved")
        (folder / "timed_parts.py").write_text(_TIMED, encoding="utf-8")
        walls, parts = [], []
        for number in range(rounds + 1):
            clone = folder / str(number)
            shutil.copytree(proved, clone, symlinks=True)
            wall, seconds = _promotion(folder, clone)
            if number:  # the first one fills the caches
                walls.append(wall)
                parts.append(seconds)
    show("pytest --hk-mode=prod, the sample", walls)
    for name in parts[0]:
        show(f"  {name}", [each[name] for each in parts])
    shares = [100 * sum(each.values()) / wall for each, wall in zip(parts, walls, strict=True)]
    return verdict("pinning and fingerprints", statistics.median(shares), LIMIT, "%")


def _proved(clone: Path) -> Path:
    """The committed files in a clone without a remote, with staging's evidence."""
    subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", str(REPOSITORY), str(clone)],
        env=plain_environment(),
        check=True,
    )
    subprocess.run(["git", "remote", "remove", "origin"], cwd=clone, check=True)
    measured(pytest_in(clone, "--hk-mode=staging", environment={}))
    return clone


def _promotion(folder: Path, clone: Path) -> tuple[float, dict[str, float]]:
    """Seconds of a whole promotion to an empty production, and of its parts."""
    timed = folder / "seconds.json"
    with production(folder, clone) as login:
        environment = login | {"TIMED": str(timed), "PYTHONPATH": str(folder)}
        options = ("-p", "timed_parts", "--hk-mode=prod", "--hk-confirm=PROMOTE")
        wall = measured(pytest_in(clone, *options, environment=environment))
    return wall, json.loads(timed.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
