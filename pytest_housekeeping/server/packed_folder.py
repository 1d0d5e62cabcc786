"""A data folder as one file: packed when its server has stopped, laid out for the next to start."""

from __future__ import annotations

import json
import mmap
import os
import re
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import WAYS_OUT, Programs, does_not_run
from pytest_housekeeping.server.os_account import Account, run

HALF_MADE = "making-"
_PAGE = 8192
# The first line of a file: what it says and holds, told by the rest of it.
_DIGEST = 64


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
    parts: list[bytes] = []
    index: dict[str, Any] = {"about": dict(about or {}), "level": level, "folders": []}
    index |= {"first": [], "tables": [], "length": 0}
    for path in _tree(folder):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise ServerError(f"{name} of the data folder lies elsewhere: a tablespace")
        if path.is_dir():
            index["folders"].append("" if name == "." else name)
        elif path.is_file() and _needed(name, segment):
            content = path.read_bytes()
            part = content.rstrip(b"\0") if len(content) > _PAGE else content
            packed = zlib.compress(part, level) if level else part
            step = "tables" if name.startswith("base/") else "first"
            index[step].append((name, index["length"], len(packed), len(content)))
            index["length"] += len(packed)
            parts.append(packed)
    _write_whole(image, [json.dumps(index).encode() + b"\n", *parts])


def lay(
    image: Path, target: Path, account: Account, *, verify: bool = False
) -> Generator[dict[str, str], None, None]:
    """Lay the folder of an image at `target`, owned by `account`, in two steps.

    After the first, ``postgres`` can be started on it; after the second, it can be connected to:
    on a cleanly stopped folder it reads no table before somebody connects. So the dearer half is
    laid while the server boots. Both give what was kept with the image. Raises `ValueError` for a
    file that is not whole; with `verify`, for one of which any byte has changed.
    """
    with (
        image.open("rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content,
        memoryview(content) as view,
    ):
        with view[_DIGEST + 1 :] as rest:
            if verify and content[: _DIGEST + 1] != sha256(rest).hexdigest().encode() + b"\n":
                raise ValueError(f"{image} is not what was written")
        content.seek(_DIGEST + 1)
        index = json.loads(content.readline())
        start = content.tell()
        if start + index["length"] != len(view):
            raise ValueError(f"{image} is not whole")
        os.utime(image)
        for name in index["folders"]:
            folder = target / name
            folder.mkdir(mode=0o700)
            account.give(folder)
        for step in ("first", "tables"):
            for name, offset, length, size in index[step]:
                with view[start + offset : start + offset + length] as part:
                    whole = zlib.decompress(part) if index["level"] else part
                    _write(f"{target}/{name}", whole, size, account)
            yield index["about"]


def _write(path: str, content: bytes | memoryview, size: int, account: Account) -> None:
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        done = 0
        while done < len(content):
            done += os.write(file, content[done:])
        if size > done:
            os.ftruncate(file, size)
        account.give(file)
    finally:
        os.close(file)


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


def _tree(folder: Path) -> Iterator[Path]:
    yield folder
    yield from sorted(folder.rglob("*"))


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
            fix=WAYS_OUT,
        )
    return match[1]
