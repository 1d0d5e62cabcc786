"""A file of Liquibase's in SQL, cut at its marks: each changeset is a piece with a name of its own.

The digest of a step is that of its piece, so that what is written behind it leaves it as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

_FIRST = re.compile(rb"\s*--\s*liquibase\s*formatted[^\r\n]*", re.IGNORECASE)
_ANY = re.compile(rb"^[ \t]*--?[ \t]*changeset\b[^\r\n]*", re.MULTILINE | re.IGNORECASE)
MARK = r"[ \t]*--[ \t]*changeset[ \t]+(\"[^\"]+\"|[^:\r\n]+):(\"[^\"]+\"|\S+)"
"""Matches the mark of a changeset as far as its author and its id, whatever their letters' case."""

_MARK = re.compile(MARK.encode(), re.IGNORECASE)
_IGNORED = re.compile(
    rb"^--[ \t]*ignoreLines:(?:start[ \t]*\r?$.*?^--[ \t]*ignoreLines:end[^\r\n]*|(\d+)[ \t]*\r?$)",
    re.MULTILINE | re.IGNORECASE | re.DOTALL,
)
_PLAIN = "@+-._,"


@dataclass(frozen=True, kw_only=True, slots=True)
class Changeset:
    """One of a file: who wrote it, its id there, its bytes, and the line at which they begin,
    counted from 1."""

    author: str
    id: str
    data: bytes
    line: int

    @property
    def lines(self) -> range:
        """Those of the file in which it stands."""
        return range(self.line, self.line + self.data.count(b"\n") + 1)

    @property
    def name(self) -> str:
        """How a path names it behind the "#": what would have another meaning there is written as
        it is in a URL."""
        return f"{quote(self.author, safe=_PLAIN)}:{quote(self.id, safe=_PLAIN)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CutFile:
    """What stands above the first changeset, the changesets in their order, and the lines that
    only look like the mark of one, each with its number."""

    head: bytes
    changesets: tuple[Changeset, ...]
    unread: tuple[tuple[int, str], ...] = ()


def is_formatted(data: bytes) -> bool:
    """Whether the first line that is not empty says that Liquibase is to read the file."""
    return _FIRST.match(data.removeprefix(b"\xef\xbb\xbf")) is not None


def cut_at_changesets(data: bytes) -> CutFile:
    """A file in its pieces; white space at the end of one belongs to none."""
    marks = [(_MARK.match(mark[0]), mark) for mark in _ANY.finditer(without_ignored(data))]
    read = [(found, mark) for found, mark in marks if found]
    unread = [
        (data.count(b"\n", 0, mark.start()) + 1, _text(mark[0].strip()))
        for found, mark in marks
        if not found
    ]
    if not read:
        return CutFile(head=data, changesets=(), unread=tuple(unread))
    ends = [*(mark.start() for _, mark in read[1:]), len(data)]
    changesets, line, at = [], 1, 0
    for (found, mark), end in zip(read, ends, strict=True):
        line, at = line + data.count(b"\n", at, mark.start()), mark.start()
        piece = data[mark.start() : end].rstrip()
        author, name = (_text(found[n].strip().strip(b'"')) for n in (1, 2))
        changesets.append(Changeset(author=author, id=name, data=piece, line=line))
    head = data[: read[0][1].start()]
    return CutFile(head=head, changesets=tuple(changesets), unread=tuple(unread))


def _ignored(data: bytes) -> Iterator[tuple[int, int]]:
    """What Liquibase is told to pass over: a number of lines, or all up to a mark."""
    if b"gnore" not in data and b"GNORE" not in data:
        return
    for found in _IGNORED.finditer(data):
        end = found.end()
        for _ in range(int(found[1] or 0) + 1 if found[1] else 0):
            end = data.find(b"\n", end) + 1 or len(data)
        yield found.start(), end


def without_ignored(data: bytes) -> bytes:
    """The bytes with blanks in the place of what Liquibase passes over, every line in its place."""
    pieces, done = [], 0
    for start, end in _ignored(data):
        begins = max(start, done)  # a number of lines may reach into the next
        pieces += [data[done:begins], re.sub(rb"[^\r\n]", b" ", data[begins:end])]
        done = max(done, end)
    return b"".join([*pieces, data[done:]])


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
