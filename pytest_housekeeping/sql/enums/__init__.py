"""Values of an enum that are used in the transaction that adds them, found by type.

PostgreSQL refuses such a use with SQLSTATE 55P04:
https://www.postgresql.org/docs/16/sql-altertype.html. From 17 on it lets it pass where the type was
made in the same transaction; 15 and 16 do not, whatever that page says.

What is found here is refused by the server for certain. What the files do not tell (the type of a
column that a DO block made, the body of a PL/pgSQL function, text that a program puts together) is
left to the server.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pytest_housekeeping.sql.enums.definitions import Definitions
from pytest_housekeeping.sql.enums.known import Known
from pytest_housekeeping.sql.enums.renames import rename
from pytest_housekeeping.sql.parse import parsed
from pytest_housekeeping.sql.text import place

__all__ = ["EarlyUse", "EnumReader"]

# From here on a value may be used if its type was made in the same transaction.
_NEW_TYPES_ARE_SAFE = 17


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlyUse:
    """A value, the file and the offset in it where it is added, and where it is used."""

    value: str
    added_by: str
    added_at: int
    used_by: str
    used_in_line: int


@dataclass(kw_only=True)
class EnumReader:
    """Reads the files in the order in which they run, on a server of that major version."""

    server_version: int
    _known: Known = field(default_factory=Known)

    def read(self, path: str, text: str) -> Iterator[EarlyUse]:
        """The values that a file uses too early, each with its first use. What cannot be parsed
        is told elsewhere."""
        known, told = self._known, set()
        known.path = Known().path
        reader = Definitions(known)
        for statement in parsed(text):
            for enum, label in reader.take(statement.name, statement.body):
                safe = enum.made_since_commit and self.server_version >= _NEW_TYPES_ARE_SAFE
                if label not in enum.added or safe or (id(enum), label) in told:
                    continue
                told.add((id(enum), label))
                added_by, added_at = enum.added[label]
                yield EarlyUse(
                    value=label,
                    added_by=added_by,
                    added_at=added_at,
                    used_by=path,
                    used_in_line=place(text, statement.offset)[0],
                )
            rename(known, statement.name, statement.body, (path, statement.offset))

    def committed(self) -> None:
        """Between two segments there is a COMMIT."""
        self._known.committed()
