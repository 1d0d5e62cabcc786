"""The background process that runs sqlfluff: a list of files on stdin, one JSON line per file out.

It is run as a script in a process group of its own, imports nothing of this package, and needs
neither server nor database. It imports sqlfluff once, loads the dialect, and forks: a pool of
fresh interpreters, as sqlfluff's own, would pay for both once per worker.

In:   {"root": folder, "processes": N, "overrides": {...}, "files": [path relative to root, ...]}
Out:  {"path", "sha256", "violations": [ROW, ...]}
      ROW: [line, column, code, name, description, fixable, warning]
   or {"path", "sha256", "unexamined": reason}  or {"path", "error": text};  last {"done": true}
"""

from __future__ import annotations

import concurrent.futures
import gc
import hashlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

# Collecting cycles costs a sixth of the imports, and a quarter of a lint: once a chunk bounds the
# memory as well. sqlfluff takes pytest where there is one, for tests of rules: another sixth.
# Whoever imports this module, as a walk over the package does, keeps both.
if __name__ == "__main__":
    gc.disable()
    sys.modules["pytest"] = None  # type: ignore[assignment]

from sqlfluff.core import FluffConfig, Linter
from sqlfluff.core.errors import SQLFluffSkipFile
from sqlfluff.core.linter.discovery import paths_from_path

CHUNK = 4
IGNORED = "an ignore pattern of sqlfluff names it (.sqlfluffignore or ignore_paths)"
SKIPPED = (
    "sqlfluff skipped this file, so nothing of it was examined: {reason} Raise"
    " large_file_skip_byte_limit in .sqlfluff, or name the file in .sqlfluffignore."
)

Overrides = tuple[tuple[str, str], ...]
Answer = dict[str, Any]


def main() -> int:
    """Examine the files that standard input lists, until done or until nobody listens."""
    request = json.load(sys.stdin)
    overrides = tuple(request["overrides"].items())
    os.chdir(request["root"])
    _linter(overrides).get_rulepack()
    gc.freeze()
    for answer in _examine_all(overrides, request["files"], request["processes"]):
        _say(answer)
    _say({"done": True})
    return 0


def _say(answer: Answer) -> None:
    try:
        sys.stdout.write(json.dumps(answer, separators=(",", ":")) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody listens any more: the run was killed. The pool goes along from here, for on the way
        # out of it Python would wait until all that it was given is done.
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


@cache
def _linter(overrides: Overrides) -> Linter:
    """Made once, before the pool forks, so that its workers inherit it."""
    return Linter(config=FluffConfig.from_root(overrides=dict(overrides)))


def _examine_all(overrides: Overrides, files: list[str], processes: int) -> Iterator[Answer]:
    examine = partial(_examine_chunk, overrides)
    chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
    workers = min(processes, len(chunks))
    if workers == 1:
        for chunk in chunks:
            yield from examine(chunk)
        return
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting = [pool.submit(examine, chunk) for chunk in chunks]
        for done in concurrent.futures.as_completed(waiting):
            yield from done.result()


def _examine_chunk(overrides: Overrides, files: list[str]) -> list[Answer]:
    answers = [_examine(_linter(overrides), file) for file in files]
    gc.collect()
    return answers


def _examine(linter: Linter, file: str) -> Answer:
    try:
        answer = _lint(linter, file)
        # Taken after the lint: a text that changed meanwhile is not filed under the old one.
        sha256 = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except Exception as error:
        return {"path": file, "error": f"{type(error).__name__}: {error}"}
    return {"path": file, "sha256": sha256, **answer}


def _lint(linter: Linter, file: str) -> Answer:
    # An empty extension matches every file: sql_file_exts must not drop one silently.
    if not paths_from_path(file, working_path=str(Path.cwd()), target_file_exts=("",)):
        return {"unexamined": IGNORED}
    try:
        rendered = linter.render_file(file, linter.config)
    except SQLFluffSkipFile as skipped:
        text = SKIPPED.format(reason=skipped)
        return {"violations": [[1, 1, "HK-SKIPPED", "housekeeping.skipped", text, False, False]]}
    linted = linter.lint_rendered(rendered, linter.get_rulepack(config=rendered.config))
    found = linted.get_violations(filter_warning=False)
    return {"violations": [_row(each) for each in found]}


def _row(found: Any) -> list[Any]:
    """A SQLBaseError of sqlfluff, or what is made of it."""
    place = [found.line_no, found.line_pos]
    said = [found.rule_code(), found.rule_name(), found.desc()]
    return [*place, *said, bool(found.fixable), bool(found.warning)]


if __name__ == "__main__":
    sys.exit(main())
