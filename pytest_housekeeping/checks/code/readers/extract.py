"""Read all files of an application: known texts from the cache, many others by two processes."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_housekeeping.checks.code.facts import (
    CodeReference,
    FileFacts,
    SkippedFile,
    Undecided,
)
from pytest_housekeeping.checks.code.readers.cache import cache_file, content_key
from pytest_housekeeping.checks.code.readers.encoding import decode_facts, encode_facts
from pytest_housekeeping.checks.code.readers.files import match
from pytest_housekeeping.checks.code.readers.processes import MANY, read_by_processes
from pytest_housekeeping.checks.code.readers.read import read_source, unreadable
from pytest_housekeeping.checks.json_cache import default_folder, read_entries, write_entries


@dataclass(frozen=True, kw_only=True, slots=True)
class Extraction:
    """What the code of one application names.

    ``others``: files that are neither read nor searched. ``unmatched``: globs that match no file.
    """

    files: Mapping[str, FileFacts] = field(default_factory=dict)
    skipped: tuple[SkippedFile, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    others: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def found(self) -> tuple[CodeReference | Undecided, ...]:
        return (*self.undecided, *(each for facts in self.files.values() for each in facts.found))


def references(
    paths: Iterable[str], *, root: Path, cache_folder: Path | None = None
) -> tuple[CodeReference | Undecided, ...]:
    """Every place where the files name something of the database, in the order of the files."""
    files = read_files(list(paths), root=root, cache_folder=cache_folder)
    return tuple(each for facts in files.values() for each in facts.found)


def extract(
    root: Path,
    patterns: Sequence[str],
    *,
    cache_folder: Path | None,
    project: Path | None = None,
) -> Extraction:
    """Read every file that the globs match. No file of theirs is imported or run.

    What is found in a text is kept for the ``project``, where ``root`` only holds a copy of it.
    """
    matched = match(root, patterns)
    with _without_collecting():
        files = _read_files(matched.files, root, cache_folder, project or root)
    return Extraction(
        files=files,
        skipped=matched.skipped,
        undecided=matched.undecided,
        others=matched.others,
        unmatched=matched.unmatched,
    )


def read_files(
    paths: Sequence[str], *, root: Path, cache_folder: Path | None
) -> dict[str, FileFacts]:
    """The facts of each file. A file that cannot be read is undecided, and never an error."""
    with _without_collecting():
        return _read_files(paths, root, cache_folder, root)


def _read_files(
    paths: Sequence[str], root: Path, cache_folder: Path | None, project: Path
) -> dict[str, FileFacts]:
    store = cache_file(cache_folder or default_folder("code"), project)
    known = read_entries(store) if paths else {}
    files: dict[str, FileFacts] = {}
    fresh: dict[str, tuple[str, str, bytes]] = {}
    used: dict[str, Any] = {}
    for path in paths:
        suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122  thousands of files
        try:
            data = (root / path).read_bytes()
        except OSError as error:
            files[path] = unreadable(path, error)
            continue
        key = content_key(data, suffix)
        stored = known.get(key)
        try:
            if stored is not None:
                files[path] = decode_facts(stored, path)
                used[key] = stored
                continue
        except (ValueError, TypeError, KeyError, IndexError):
            pass  # not of ours: read it again
        fresh[path] = (key, suffix, data)
    if fresh:
        for path, stored in _read_fresh(root, fresh).items():
            files[path] = decode_facts(stored, path)
            used[fresh[path][0]] = stored
        write_entries(store, known, used)
    return {path: files[path] for path in paths}


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
        found = read_by_processes(root, [(path, suffix) for path, (_, suffix, _) in fresh.items()])
    for path, (_, suffix, data) in fresh.items():
        if path not in found:
            found[path] = encode_facts(read_source(data, path, suffix))
    return found
