"""What a statement that no transaction can hold locks and reads, as PostgreSQL's pages say.

It cannot be measured: when it has ended, its locks are gone. Each of these takes SHARE UPDATE
EXCLUSIVE, which neither readers nor writers wait for:
https://www.postgresql.org/docs/16/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
https://www.postgresql.org/docs/16/sql-dropindex.html
https://www.postgresql.org/docs/16/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.sql.parse import parsed

MODE = "ShareUpdateExclusiveLock"
# The table is read once to build the index, and once more for what came meanwhile.
_SCANS_OF_A_BUILD = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class OutsideLock:
    """A relation by its name as it was typed, with its schema where that was: a table, or an index
    of the table that is locked."""

    name: tuple[str, ...]
    scans: int = 0


def outside_locks(text: str) -> tuple[OutsideLock, ...] | None:
    """What the one statement of a file locks; None for one of which nobody can say it."""
    statements = parsed(text)
    if len(statements) != 1:
        return None
    name, body = statements[0].name, statements[0].body
    if name == "IndexStmt":
        return (OutsideLock(name=_range(body["relation"]), scans=_SCANS_OF_A_BUILD),)
    if name == "DropStmt" and body.get("removeType") == "OBJECT_INDEX":
        return tuple(OutsideLock(name=_dotted(each)) for each in body.get("objects", ()))
    if name == "AlterTableStmt":
        parts = (each.get("AlterTableCmd", {}).get("def", {}) for each in body.get("cmds", ()))
        others = [part["PartitionCmd"]["name"] for part in parts if "PartitionCmd" in part]
        return tuple(OutsideLock(name=_range(each)) for each in (body["relation"], *others))
    return None


def _range(node: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(node[key] for key in ("schemaname", "relname") if node.get(key))


def _dotted(node: Mapping[str, Any]) -> tuple[str, ...]:
    items = node.get("List", {}).get("items", ())
    return tuple(each["String"]["sval"] for each in items)[-2:]
