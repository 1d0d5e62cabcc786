"""What may move without voiding a proof: `may_move` in the settings names it, and says why.

The extension that a provider updates, the partitions that a scheduler makes, the logins that a
vault hands out, the schema that an application makes for each tenant. Nothing else can be declared:
a policy that may move would be changed unseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

PARTITIONS, LOGINS, SCHEMAS = "partitions of ", "logins in ", "schemas like "
# What operating a server changes, by the first words of its name in a difference.
_OF_OPERATION = (
    "extension ",
    "limits of role ",
    "limits of database",
    "settings of role ",
    "subscription ",
    "large objects of ",
    "replication origin ",
    "state of materialized view ",
    PARTITIONS,
    LOGINS,
    SCHEMAS,
)


def wrongly_declared(may_move: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with the table as TOML has it; nothing when all of it can be used."""
    for name, reason in may_move.items():
        if not name.startswith(_OF_OPERATION):
            kinds = ", ".join(kind.strip() for kind in _OF_OPERATION)
            yield f'may_move."{name}" is nothing that operating a server changes; that is: {kinds}'
        elif not isinstance(reason, str) or not reason.strip():
            yield f'may_move."{name}" = {reason!r} is no reason: say who moves it, and why'
