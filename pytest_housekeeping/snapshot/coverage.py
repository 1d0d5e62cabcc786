"""What a fingerprint holds: as much as a schema dump does, and what is around that.

What a dump holds is compared with a copy that it was restored into. What it leaves out, of the
database or of the server around it, can be compared between two states of one server alone: with
the last promotion, with the moment of the backup, before COMMIT and behind it.
"""

from __future__ import annotations

from enum import Flag, auto


class Around(Flag):
    """What a fingerprint holds beside the schema."""

    NOTHING = 0
    """no more than ``pg_dump --schema-only`` does"""
    DATABASE = auto()
    """what a dump leaves out of this database: row types, large objects, subscriptions …"""
    SYSTEM = auto()
    """PostgreSQL's own objects, and what was put among them"""
    SERVER = auto()
    """what all databases of the server share: roles, memberships, parameters, tablespaces"""
    ALL = DATABASE | SYSTEM | SERVER


# The version of the reading, which is written into a record. A version reads all that the one
# before read, the same way, and more kinds of objects.
VERSION = 3

# How the names of objects begin, by what they belong to. What stands nowhere is of the schema. No
# kind is the beginning of another's name.
KINDS = {
    Around.DATABASE: (
        "limits of database",
        "encoding of database",
        "state of",
        "row type",
        "members of",
        "large objects",
        "subscription",
    ),
    Around.SYSTEM: ("system", "digest of system"),
    Around.SERVER: (
        "role",
        "limits of role",
        "membership",
        "settings of",
        "parameter",
        "tablespace",
        "replication origin",
        "shared label",
    ),
}
_SCHEMA_SINCE_2 = ("order of columns", "dependence of")
_SINCE_3 = ("shared label",)
# Another major version of the server brings other objects of its own.
OF_THE_MAJOR = KINDS[Around.SYSTEM]


def beyond(around: Around) -> tuple[str, ...]:
    """The kinds that a fingerprint with no more than this around the schema does not hold."""
    return tuple(kind for each, kinds in KINDS.items() if each not in around for kind in kinds)


def since(version: int) -> tuple[str, ...]:
    """The kinds that a record of this version of the reading does not hold."""
    if version < 2:
        return (*_SCHEMA_SINCE_2, *beyond(Around.NOTHING))
    return _SINCE_3 if version < VERSION else ()
