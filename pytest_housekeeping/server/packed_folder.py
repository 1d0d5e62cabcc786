"""A data folder as one file: packed when its server has stopped, laid out for the next to start."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeAlias

from pytest_housekeeping.child_environment import bare_environment
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server import laid_blocks
from pytest_housekeeping.server.binaries import WAYS_OUT, Programs, does_not_run
from pytest_housekeeping.server.laid_blocks import DIGEST, STEPS, lay_step, opened, read_index
from pytest_housekeeping.server.os_account import Account, run

HALF_MADE = "making-"
_PAGE = 8192
_TOGETHER = 1024 * 1024
_WORTH_A_PROCESS = 2000
# What is kept of so many files, and of each its name, how much of it that is, and its size.
_Block: TypeAlias = tuple[bytes, list[tuple[str, int, int]]]


def pack(
    folder: Path,
    image: Path,
    programs: Programs,
    account: Account,
    *,
    level: int = 0,
    about: Mapping[str, str] | None = None,
) -> None:
    """Make `image` of the data folder of a server that has been shut down.

    `level` is zlib's, and 0 leaves the content as it is; `about` is kept with it. The file is there
    as a whole or not at all. Raises `OSError` without room, and `ServerError` for a folder that no
    server can be started on by itself.
    """
    segment = _current_segment(folder, programs, account)
    folders = [""]
    # While blocks are compressed, the files of the next ones are read.
    with ThreadPoolExecutor(max_workers=2) as worker:
        packing = {step: _Packing(level, worker) for step in STEPS}
        for name, entry in _tree(folder):
            if entry.is_symlink():
                raise ServerError(f"{name} of the data folder lies elsewhere: a tablespace")
            if entry.is_dir():
                folders.append(name)
            elif entry.is_file() and _needed(name, segment):
                content = _read(entry.path)
                packing["tables" if name.startswith("base/") else "first"].add(name, content)
        blocks = {step: each.ended() for step, each in packing.items()}
    index: dict[str, Any] = {"about": dict(about or {}), "level": level, "folders": folders}
    index |= {step: [(len(block), files) for block, files in blocks[step]] for step in blocks}
    parts = [block for step in blocks for block, _ in blocks[step]]
    _write_whole(image, [json.dumps(index).encode() + b"\n", *parts])


class _Packing:
    """Files one behind the other, and so many bytes of them compressed at once: a table has small
    ones, which are nearly alike."""

    def __init__(self, level: int, worker: ThreadPoolExecutor) -> None:
        self._level, self._worker = level, worker
        self._blocks: list[tuple[Future[bytes], list[tuple[str, int, int]]]] = []
        self._files: list[tuple[str, int, int]] = []
        self._open = bytearray()

    def add(self, name: str, content: bytes) -> None:
        part = content.rstrip(b"\0") if len(content) > _PAGE else content
        self._files.append((name, len(part), len(content)))
        self._open += part
        if len(self._open) >= _TOGETHER:
            self._end_block()

    def ended(self) -> list[_Block]:
        """The blocks, and the files of each: their names, how much of them is kept, their size."""
        self._end_block()
        return [(packed.result(), files) for packed, files in self._blocks]

    def _end_block(self) -> None:
        if self._files:
            pack = partial(zlib.compress, level=self._level) if self._level else bytes
            self._blocks.append((self._worker.submit(pack, self._open), self._files))
            self._files, self._open = [], bytearray()


def lay(
    image: Path, target: Path, account: Account, *, verify: bool = False
) -> Generator[dict[str, str], None, None]:
    """Lay the folder of an image at `target`, owned by `account`, in two steps.

    After the first, ``postgres`` can be started on it; after the second, it can be connected to:
    on a cleanly stopped folder it reads no table before somebody connects. So the dearer half is
    laid while the server boots. Both give what was kept with the image. Raises `ValueError` for a
    file that is not whole; with `verify`, for one of which any byte has changed.
    """
    with image.open("rb") as file, opened(file.fileno()) as (content, view):
        with view[DIGEST + 1 :] as rest:
            if verify and content[: DIGEST + 1] != sha256(rest).hexdigest().encode() + b"\n":
                raise ValueError(f"{image} is not what was written")
        index, start = read_index(content)
        lengths = [length for step in STEPS for length, _ in index[step]]
        if start + sum(lengths) != len(view):
            raise ValueError(f"{image} is not whole")
        os.utime(image)
        for name in index["folders"]:
            folder = target / name
            folder.mkdir(mode=0o700)
            account.give(folder)
        owner = account.new_owner
        work = partial(
            lay_step, index=index, view=view, start=start, target=str(target), owner=owner
        )
        with _tables_apart(file.fileno(), index, str(target), owner) as laid_apart:
            work("first")
            yield index["about"]
            if not laid_apart():
                work("tables")
            yield index["about"]


@contextmanager
def _tables_apart(
    file: int, index: dict[str, Any], target: str, owner: Sequence[int]
) -> Iterator[Callable[[], bool]]:
    """The tables are laid by a process of their own, if they are many; it is that very file which
    was looked at. Tells, once they are there, whether that was so; raises `OSError` without room.
    """
    if sum(len(files) for _, files in index["tables"]) < _WORTH_A_PROCESS or not sys.executable:
        yield lambda: False
        return
    command = [sys.executable, "-I", "-S", laid_blocks.__file__, str(file), target]
    with subprocess.Popen(
        [*command, *map(str, owner)],
        env=bare_environment(),
        pass_fds=[file],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:

        def laid() -> bool:
            _, said = process.communicate()
            if process.returncode:
                raise OSError(f"its tables could not be laid: {said.decode(errors='replace')}")
            return True

        try:
            yield laid
        except BaseException:
            process.kill()
            raise


def _read(path: str) -> bytes:
    """A server's folder has thousands of them, most of one page: this is half as dear as `Path`."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.readall()


def _write_whole(image: Path, parts: list[bytes]) -> None:
    digest = sha256()
    for part in parts:
        digest.update(part)
    with NamedTemporaryFile(dir=image.parent, prefix=HALF_MADE, delete=False) as file:
        try:
            file.write(digest.hexdigest().encode() + b"\n")
            file.writelines(parts)
            file.flush()
            Path(file.name).replace(image)
        except BaseException:
            with suppress(OSError):
                Path(file.name).unlink()
            raise


def _tree(folder: Path | str, above: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """What is in a folder and below it, by its path from there: each folder before what it holds.

    A server's has a dozen files for each table.
    """
    with os.scandir(folder) as entries:
        found = sorted(entries, key=attrgetter("name"))
    for entry in found:
        name = f"{above}{entry.name}"
        yield name, entry
        if entry.is_dir(follow_symlinks=False):
            yield from _tree(entry.path, f"{name}/")


def _needed(name: str, segment: str) -> bool:
    """Whether a file of the folder is needed.

    PostgreSQL rebuilds free space and visibility maps, the relation cache and statistics when they
    are missing; of the write-ahead log a cleanly stopped server needs its current segment alone.
    """
    if name.startswith("pg_wal/"):
        return name == f"pg_wal/{segment}"
    if name.startswith("pg_stat/") or name.endswith(("pg_internal.init", "postmaster.opts")):
        return False
    return re.search(r"/\d+_(fsm|vm)$", name) is None


def _current_segment(folder: Path, programs: Programs, account: Account) -> str:
    program = programs["pg_controldata"]
    try:
        answer = run([program, "-D", str(folder)], account).stdout
    except OSError as error:
        raise does_not_run(program, error) from None
    match = re.search(r"REDO WAL file:\s+([0-9A-F]{24})", answer)
    if match is None or not re.search(r"cluster state:\s+shut down$", answer, re.MULTILINE):
        raise ServerError(
            f"{program} does not say where the write-ahead log stands, or that the server was"
            " shut down",
            why="what is kept of a server that has not shut down would not start again",
            fix=WAYS_OUT,
        )
    return match[1]
