"""What squawk says of the sixty batches of the tests, compared with what the documentation says.

squawk is a program of its own (from PyPI: squawk-cli), named by ``--squawk``. It lints each file by
itself, as one that runs in a transaction unless its header says that it does not. Rules of style
are left out, for they speak of new tables as of old ones. ``--print`` prints what was said, for
``tests/support/change_statements.py``; otherwise the end is 1 where anything is said otherwise than
is written there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.change_statements import DANGEROUS, HARMLESS, SQUAWK, Case

STYLE = (
    "ban-char-field",
    "identifier-too-long",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamptz",
    "require-timeout-settings",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--squawk", default="squawk")
    parser.add_argument("--print", action="store_true", dest="prints")
    arguments = parser.parse_args()
    if which(arguments.squawk) is None:
        parser.error(f"there is no program {arguments.squawk}: install it, or name it")
    version = subprocess.run(
        [arguments.squawk, "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    if version != SQUAWK:
        parser.error(f"this is squawk {version}, and what is written down is of {SQUAWK}")
    other = 0
    caught = {True: 0, False: 0}
    for case in (*DANGEROUS, *HARMLESS):
        said = by_squawk(arguments.squawk, case)
        caught[bool(case.rule)] += bool(said)
        if arguments.prints:
            print(f"{case.title}: {said}")
        elif said != case.squawk:
            other += 1
            print(f"{case.title}: {said}, and not {case.squawk}")
    print(f"squawk {version}: {caught[True]} of {len(DANGEROUS)} dangerous batches found,")
    print(f"an alarm on {caught[False]} of {len(HARMLESS)} harmless ones")
    return int(other > 0)


def by_squawk(program: str, case: Case) -> tuple[str, ...]:
    """The rules that fire on any file of a batch, sorted."""
    found: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(case.files, start=1):
            path = Path(folder) / f"{number:04}_it.sql"
            path.write_text(text + "\n", encoding="utf-8")
            within = [] if "transaction=none" in text else ["--assume-in-transaction"]
            done = subprocess.run(
                [
                    program,
                    "--reporter=json",
                    "--pg-version=16.0",
                    f"--exclude={','.join(STYLE)}",
                    *within,
                    str(path),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if not done.stdout.startswith("["):
                sys.exit(f"{program} ended with {done.returncode}: {done.stderr}")
            found |= {each["rule_name"] for each in json.loads(done.stdout)}
    return tuple(sorted(found))


if __name__ == "__main__":
    sys.exit(main())
