"""The files of a packed data folder, laid out; run as a program, those of its tables alone.

A folder has a dozen files for each table, and a thread that makes them waits for the interpreter
after each call, as long as another one has something to do.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# Of an image: the digest in its first line, and the steps in which it is laid.
DIGEST = 64
STEPS = ("first", "tables")


@contextmanager
def opened(file: int) -> Iterator[tuple[mmap.mmap, memoryview]]:
    """The content of an image."""
    with mmap.mmap(file, 0, prot=mmap.PROT_READ) as content, memoryview(content) as view:
        yield content, view


def read_index(content: mmap.mmap) -> tuple[dict[str, Any], int]:
    """What an image says of itself and holds, and where its blocks begin. Raises ValueError."""
    content.seek(DIGEST + 1)
    return json.loads(content.readline()), content.tell()


def lay_step(
    step: str,
    index: dict[str, Any],
    view: memoryview,
    start: int,
    *,
    target: str,
    owner: Sequence[int],
) -> None:
    """Lay the files of a step below ``target``, for another account where there is an ``owner``;
    all blocks begin at ``start``."""
    for each in STEPS:
        for length, files in index[each]:
            if each == step:
                with view[start : start + length] as block:
                    _lay(block, files, target, owner, packed=bool(index["level"]))
            start += length


def _lay(
    block: memoryview,
    files: Sequence[tuple[str, int, int]],
    target: str,
    owner: Sequence[int],
    *,
    packed: bool,
) -> None:
    whole = zlib.decompress(block, bufsize=sum(f[1] for f in files) or 1) if packed else block
    place = 0
    with memoryview(whole) as view:
        for name, length, size in files:
            with view[place : place + length] as part:
                _write(f"{target}/{name}", part, size, owner)
            place += length


def _write(path: str, content: memoryview, size: int, owner: Sequence[int]) -> None:
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        done = 0
        while done < len(content):
            done += os.write(file, content[done:])
        if size > done:
            os.ftruncate(file, size)
        if owner:
            os.fchown(file, *owner)
    finally:
        os.close(file)


def main(file: str, target: str, *owner: str) -> None:
    with opened(int(file)) as (content, view):
        index, start = read_index(content)
        lay_step("tables", index, view, start, target=target, owner=[*map(int, owner)])


if __name__ == "__main__":
    main(*sys.argv[1:])
