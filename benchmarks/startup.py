"""What the plugin adds to a pytest start without ``--hk-mode``: with it, against ``-p no:``.

Both start in a folder without tests, turn by turn; bytecode is cached on both sides. Exits with 1
when the medians differ by more than the limit.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from side_by_side import empty_suite, pytest_command, scratch, show, turn_by_turn, verdict

LIMIT_MS = 20.0
NOTHING_COLLECTED = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with scratch("hk-startup-") as folder:
        suite = empty_suite(folder / "empty")
        seconds = turn_by_turn(
            {
                "without": pytest_command(suite, "-p", "no:housekeeping", code=NOTHING_COLLECTED),
                "with": pytest_command(suite, code=NOTHING_COLLECTED),
            },
            rounds,
        )
    show("pytest -p no:housekeeping", seconds["without"])
    show("pytest", seconds["with"])
    pairs = zip(seconds["without"], seconds["with"], strict=True)
    added = statistics.median(after - before for before, after in pairs) * 1000
    return verdict("the plugin adds (median of the pairs)", added, LIMIT_MS, "ms")


if __name__ == "__main__":
    sys.exit(main())
