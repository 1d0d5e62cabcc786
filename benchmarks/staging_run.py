"""The repository's own sample through the whole of staging, against an empty pytest run.

The committed files, cloned into a new folder; server, lint and bytecode caches are warm, the
evidence is committed. Beside them stands what pytest takes for as many items that do nothing. All
run turn by turn in one environment. What processors have used is shown as well: on a machine that
is busy with something else the clock tells little. Exits with 1 when the ratio of the medians is
above the limit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from side_by_side import (
    empty_suite,
    idle_command,
    plain_environment,
    pytest_command,
    scratch,
    show,
    show_processor,
    turn_by_turn,
    verdict,
)

LIMIT = 4.0
ITEMS = 400
NOTHING_COLLECTED = 5
REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    with scratch("hk-staging-run-") as folder:
        clone = folder / "clone"
        subprocess.run(
            ["git", "clone", "--quiet", str(REPOSITORY), str(clone)],
            env=plain_environment(),
            check=True,
        )
        seconds = turn_by_turn(
            {
                "empty": pytest_command(empty_suite(folder / "empty"), code=NOTHING_COLLECTED),
                "idle": idle_command(folder / "idle", ITEMS),
                "staging": pytest_command(clone, "--hk-mode=staging"),
            },
            rounds,
        )
    empty = show("empty pytest run", seconds["empty"])
    show(f"pytest, {ITEMS} items that do nothing", seconds["idle"])
    staging = show("pytest --hk-mode=staging, the sample", seconds["staging"])
    used = {name: show_processor(name, seconds[name]) for name in seconds}
    verdict("ratio of what processors have used", used["staging"] / used["empty"], LIMIT)
    return verdict("ratio", staging / empty, LIMIT)


if __name__ == "__main__":
    sys.exit(main())
