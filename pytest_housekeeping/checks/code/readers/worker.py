"""A process that reads its share of the files; started by ``processes`` when there are many."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

from pytest_housekeeping.checks.code.readers.encoding import encode_facts
from pytest_housekeeping.checks.code.readers.read import read_source, unreadable


def main() -> int:
    """Files as JSON on standard input, their facts as JSON on standard output."""
    request = json.load(sys.stdin)
    root = Path(request["root"])
    # Trees are freed by counting; collecting would only walk them again and again.
    gc.disable()
    answers = []
    for number, (file, suffix) in enumerate(request["files"]):
        try:
            data = (root / file).read_bytes()
        except OSError as error:
            answers.append(encode_facts(unreadable(file, error)))
            continue
        answers.append(encode_facts(read_source(data, file, suffix)))
        if number % 100 == 99:
            gc.collect()
    json.dump(answers, sys.stdout, separators=(",", ":"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
