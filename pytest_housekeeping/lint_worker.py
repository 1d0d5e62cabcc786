"""The background process that runs sqlfluff: a list of files on stdin, one JSON line per file out.

It is run as a script in a process group of its own, imports nothing of this package, and needs
neither server nor database. It imports sqlfluff once, loads the dialect, and forks: a pool of
fresh interpreters, as sqlfluff's own, would pay for both once per worker.

In:   {"root": folder, "processes": N, "overrides": {...}, "files": [path relative to root, ...]}
Out:  {"path", "sha256", "violations": [[line, column, code, name, description, warning], ...]}
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
from pathlib import Path
from typing import Any

from sqlfluff.core import FluffConfig, Linter
from sqlfluff.core.errors import SQLFluffSkipFile
from sqlfluff.core.linter.discovery import paths_from_path

CHUNK = 4
IGNORED = "an ignore pattern of sqlfluff names it (.sqlfluffignore or ignore_paths)"
SKIPPED = (
    "sqlfluff skipped this file, so nothing of it was examined: {reason} Raise"
    " large_file_skip_byte_limit in .sqlfluff, or name the file in .sqlfluffignore."
)

_linter: Linter
_root: str


def main() -> int:
    global _linter, _root
    request = json.load(sys.stdin)
    _root = request["root"]
    os.chdir(_root)
    config = FluffConfig.from_root(overrides=request["overrides"])
    _linter = Linter(config=config)
    _linter.get_rulepack()
    # Cyclic collection during a lint costs a quarter of it; once per chunk bounds the memory as well.
    gc.freeze()
    gc.disable()
    try:
        for answer in _examine_all(request["files"], request["processes"]):
            print(json.dumps(answer, separators=(",", ":")), flush=True)
        print('{"done":true}', flush=True)
    except BrokenPipeError:
        # Nobody listens any more: the run was killed. Take the pool along.
        os.killpg(0, signal.SIGKILL)
    return 0


def _examine_all(files: list[str], processes: int) -> Iterator[dict[str, Any]]:
    chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
    if processes == 1 or len(chunks) == 1:
        for chunk in chunks:
            yield from _examine_chunk(chunk)
        return
    context = multiprocessing.get_context("fork")
    workers = min(processes, len(chunks))
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting = [pool.submit(_examine_chunk, chunk) for chunk in chunks]
        for done in concurrent.futures.as_completed(waiting):
            yield from done.result()


def _examine_chunk(files: list[str]) -> list[dict[str, Any]]:
    answers = [_examine(file) for file in files]
    gc.collect()
    return answers


def _examine(file: str) -> dict[str, Any]:
    try:
        answer = _lint(file)
    except Exception as error:  # noqa: BLE001 - told for this file, never a pass
        return {"path": file, "error": f"{type(error).__name__}: {error}"}
    # Taken after the lint, so that a text that changed meanwhile is not filed under the old one.
    sha256 = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return {"path": file, "sha256": sha256, **answer}


def _lint(file: str) -> dict[str, Any]:
    # An empty extension matches every file: sql_file_exts must not drop one silently.
    if not paths_from_path(file, working_path=_root, target_file_exts=("",)):
        return {"unexamined": IGNORED}
    try:
        rendered = _linter.render_file(file, _linter.config)
    except SQLFluffSkipFile as skipped:
        text = SKIPPED.format(reason=skipped)
        return {"violations": [[1, 1, "HK-SKIPPED", "housekeeping.skipped", text, False]]}
    rules = _linter.get_rulepack(config=rendered.config)
    linted = _linter.lint_rendered(rendered, rules)
    found = linted.get_violations(filter_warning=False)
    return {
        "violations": [
            [v.line_no, v.line_pos, v.rule_code(), v.rule_name(), v.desc(), bool(v.warning)]
            for v in found
        ]
    }


if __name__ == "__main__":
    sys.exit(main())
