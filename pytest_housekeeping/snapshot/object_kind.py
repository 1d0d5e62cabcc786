"""The name of an object in a fingerprint, taken apart: its kind, and what one would type."""

from __future__ import annotations

# Kinds of more than one word; any other name begins with its kind.
_KINDS = (
    "access method",
    "default privileges",
    "dependence of",
    "digest of system",
    "event trigger",
    "foreign data wrapper",
    "foreign table",
    "large objects",
    "limits of",
    "materialized view",
    "members of",
    "operator class",
    "operator family",
    "order of columns",
    "replication origin",
    "row type",
    "security label",
    "settings of",
    "shared label",
    "state of",
    "text search configuration",
    "text search dictionary",
    "text search parser",
    "text search template",
    "user mapping",
)
RELATIONS = ("table", "view", "materialized view", "foreign table")


def kind_and_name(name: str) -> tuple[str, str]:
    """``column shop.orders.total`` → ``column``, ``shop.orders.total``."""
    for kind in _KINDS:
        if name.startswith(f"{kind} "):
            return kind, name[len(kind) + 1 :]
    kind, _, rest = name.partition(" ")
    return kind, rest
