"""Read all files of an application: by content from the cache, the rest by two processes."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_housekeeping.checks.code.facts import CodeReference, FileFacts, SkippedFile, Undecided
from pytest_housekeeping.checks.code.readers import encoding, files
from pytest_housekeeping.checks.code.readers.cache import cache_file, content_key
from pytest_housekeeping.checks.code.readers.read import read_source, unreadable
from pytest_housekeeping.checks.json_cache import default_folder, read_entries, write_entries

MANY = 80
PROCESSES = 2
_PACKAGES = Path(__file__).resolve().parents[4]


@dataclass(frozen=True, kw_only=True, slots=True)
class Extraction:
    """What the code of one application names. ``unmatched``: globs that match no file."""

    readings: Mapping[str, FileFacts] = field(default_factory=dict)
    passed: tuple[SkippedFile, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    others: int = 0
    unmatched: tuple[str, ...] = ()

    @property
    def found(self) -> tuple[CodeReference | Undecided, ...]:
        return (*self.undecided, *(each for r in self.readings.values() for each in r.found))


def references(
    paths: Iterable[str], *, root: Path, cache_folder: Path | None = None
) -> tuple[CodeReference | Undecided, ...]:
    """Every place where the files name something of the database, in the order of the files."""
    readings = read_files(list(paths), root=root, cache_folder=cache_folder)
    return tuple(each for reading in readings.values() for each in reading.found)


def extract(root: Path, patterns: Sequence[str], *, cache_folder: Path | None = None) -> Extraction:
    """Read every file that the globs match. No file of theirs is imported or run."""
    matched = files.match(root, patterns)
    return Extraction(
        readings=read_files(matched.files, root=root, cache_folder=cache_folder),
        passed=matched.passed,
        undecided=matched.undecided,
        others=matched.others,
        unmatched=matched.unmatched,
    )


def read_files(
    paths: Sequence[str], *, root: Path, cache_folder: Path | None = None
) -> dict[str, FileFacts]:
    """The reading of each file. Known texts come from the cache."""
    with _without_collecting():
        return _read_files(paths, root, cache_folder)


def _read_files(
    paths: Sequence[str], root: Path, cache_folder: Path | None
) -> dict[str, FileFacts]:
    store = cache_file(cache_folder or default_folder("code"), root)
    known = read_entries(store) if paths else {}
    readings: dict[str, FileFacts] = {}
    fresh: dict[str, tuple[str, str, bytes]] = {}
    used: dict[str, Any] = {}
    for path in paths:
        suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122  thousands of files
        try:
            data = (root / path).read_bytes()
        except OSError as error:
            readings[path] = unreadable(path, error)
            continue
        key = content_key(data, suffix)
        stored = known.get(key)
        try:
            if stored is not None:
                readings[path] = encoding.decode(stored, path)
                used[key] = stored
                continue
        except (ValueError, TypeError, KeyError, IndexError):
            pass  # not of ours: read it again
        fresh[path] = (key, suffix, data)
    if fresh:
        for path, stored in _read_fresh(root, fresh).items():
            readings[path] = encoding.decode(stored, path)
            used[fresh[path][0]] = stored
        write_entries(store, known, used)
    return {path: readings[path] for path in paths}


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Facts hold no cycles: looking for some while thousands are made takes half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read_fresh(root: Path, fresh: Mapping[str, tuple[str, str, bytes]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    if len(fresh) >= MANY and (os.cpu_count() or 1) > 1:
        found = _read_by_processes(root, [(path, suffix) for path, (_, suffix, _) in fresh.items()])
    for path, (_, suffix, data) in fresh.items():
        if path not in found:
            found[path] = encoding.encode(read_source(data, path, suffix))
    return found


def _read_by_processes(root: Path, paths: Sequence[tuple[str, str]]) -> dict[str, list[Any]]:
    """What a process could not answer is left out, and read here."""
    shares = [paths[number::PROCESSES] for number in range(PROCESSES)]
    running = [_start(root, share) for share in shares]
    found: dict[str, list[Any]] = {}
    for share, process in zip(shares, running, strict=True):
        output, _ = process.communicate()
        try:
            answers = json.loads(output) if process.returncode == 0 else []
        except ValueError:
            answers = []
        if len(answers) == len(share):
            found |= {path: answer for (path, _), answer in zip(share, answers, strict=True)}
    return found


def _start(root: Path, share: Sequence[tuple[str, str]]) -> subprocess.Popen[bytes]:
    inherited = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "pytest_housekeeping.checks.code.readers.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_PACKAGES), *inherited])},
    )
    if process.stdin is not None:
        process.stdin.write(json.dumps({"root": str(root), "files": share}).encode())
        process.stdin.close()
        process.stdin = None
    return process
