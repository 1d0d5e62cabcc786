"""What each tool remembers of a file's text, worked out again."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Mapping

from pytest_housekeeping.config import Config
from pytest_housekeeping.sql.layouts.layout import Entry
from pytest_housekeeping.sql.layouts.liquibase_marks import summed
from pytest_housekeeping.sql.layouts.read import reading
from pytest_housekeeping.sql.project_files import ProjectFiles

_LINE = re.compile(r"\r\n|\r|\n")


def checksum_of(config: Config, files: ProjectFiles, entry: Entry) -> str:
    """As the layout's tool would write it; "" where it writes none. Raises OSError."""
    made = _CHECKSUMS.get(config.layout)
    return made(config, files, entry) if made else ""


def flyway_checksum(text: str) -> str:
    """CRC32 over the lines without their ends, as a signed number of 32 bits."""
    found = 0
    for line in _LINE.split(text.removeprefix("\ufeff")):
        found = zlib.crc32(line.encode(), found)
    return str(found - (1 << 32) if found >= 1 << 31 else found)


def _flyway(config: Config, files: ProjectFiles, entry: Entry) -> str:
    """Of a repeatable file with its placeholders replaced, so that another value runs it again."""
    data = files.read(entry.path)
    if entry.version:
        return flyway_checksum(data.decode(errors="replace"))
    return flyway_checksum(reading(config, files, entry.path, data).text)


def _sha256(_: Config, files: ProjectFiles, entry: Entry) -> str:
    return files.digest(entry.path)


def _sqlx(_: Config, files: ProjectFiles, entry: Entry) -> str:
    return hashlib.sha384(files.read(entry.path)).hexdigest()


def _sqitch(_: Config, files: ProjectFiles, entry: Entry) -> str:
    return hashlib.sha1(files.read(entry.path), usedforsecurity=False).hexdigest()


def _liquibase(config: Config, files: ProjectFiles, entry: Entry) -> str:
    """As version 9 makes it: over what the changeset runs, without its white space. One that says
    which others are valid as well is not compared."""
    text = summed(files.read(entry.path).decode(errors="replace"), config.placeholders)
    return f"9:{_md5(f'9:{_md5(text)}:')}" if text else ""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


_CHECKSUMS: Mapping[str, Callable[[Config, ProjectFiles, Entry], str]] = {
    "flyway": _flyway,
    "prisma": _sha256,
    "drizzle": _sha256,
    "sqlx": _sqlx,
    "sqitch": _sqitch,
    "liquibase": _liquibase,
}
