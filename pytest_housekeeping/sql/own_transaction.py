"""Statements that PostgreSQL refuses inside a transaction block.

They are those that its source guards with ``PreventInTransactionBlock``; the page of each command
says so, as https://www.postgresql.org/docs/16/sql-vacuum.html does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from pytest_housekeeping.sql.parse import Node

# Refused for a partitioned table or index only, which the database knows and no parser.
REFUSED_IF_PARTITIONED = frozenset({"ReindexStmt", "ClusterStmt"})
# Refused whatever they are given.
_ALWAYS = {
    "CreatedbStmt": "CREATE DATABASE",
    "DropdbStmt": "DROP DATABASE",
    "CreateTableSpaceStmt": "CREATE TABLESPACE",
    "DropTableSpaceStmt": "DROP TABLESPACE",
    "AlterSystemStmt": "ALTER SYSTEM",
    "CreateSubscriptionStmt": "CREATE SUBSCRIPTION",
    "DropSubscriptionStmt": "DROP SUBSCRIPTION",
}
_REINDEX_MANY = {
    "REINDEX_OBJECT_SCHEMA": "REINDEX SCHEMA",
    "REINDEX_OBJECT_SYSTEM": "REINDEX SYSTEM",
    "REINDEX_OBJECT_DATABASE": "REINDEX DATABASE",
}
_REFRESHES = {
    "ALTER_SUBSCRIPTION_REFRESH",
    "ALTER_SUBSCRIPTION_SET_PUBLICATION",
    "ALTER_SUBSCRIPTION_ADD_PUBLICATION",
    "ALTER_SUBSCRIPTION_DROP_PUBLICATION",
}


def refused_in_transaction(name: str, body: Node) -> str | None:
    """The command, when PostgreSQL refuses it inside a transaction block."""
    if name in _ALWAYS:
        return _ALWAYS[name]
    return _SOMETIMES[name](body) if name in _SOMETIMES else None


def _reindex(body: Node) -> str | None:
    if '"concurrently"' in json.dumps(body.get("params", [])):
        return "REINDEX CONCURRENTLY"
    return _REINDEX_MANY.get(str(body.get("kind")))


def _alter_table(body: Node) -> str | None:
    commands = (entry.get("AlterTableCmd", {}) for entry in body.get("cmds", []))
    detaches = any(
        command.get("subtype") == "AT_DetachPartition"
        and command.get("def", {}).get("PartitionCmd", {}).get("concurrent")
        for command in commands
    )
    return "ALTER TABLE ... DETACH PARTITION CONCURRENTLY" if detaches else None


def _alter_database(body: Node) -> str | None:
    options = (entry.get("DefElem", {}) for entry in body.get("options", []))
    moves = any(option.get("defname") == "tablespace" for option in options)
    return "ALTER DATABASE ... SET TABLESPACE" if moves else None


def _alter_subscription(body: Node) -> str | None:
    """It asks the publisher, unless it is told not to: ``WITH (refresh = false)``."""
    asks = body.get("kind") in _REFRESHES
    told = '"refresh"' in json.dumps(body.get("options", []))
    return "ALTER SUBSCRIPTION with a refresh" if asks and not told else None


_SOMETIMES: Mapping[str, Callable[[Node], str | None]] = {
    "IndexStmt": lambda body: "CREATE INDEX CONCURRENTLY" if body.get("concurrent") else None,
    "DropStmt": lambda body: "DROP INDEX CONCURRENTLY" if body.get("concurrent") else None,
    "VacuumStmt": lambda body: "VACUUM" if body.get("is_vacuumcmd") else None,
    "ClusterStmt": lambda body: None if "relation" in body else "CLUSTER of all tables",
    "ReindexStmt": _reindex,
    "AlterTableStmt": _alter_table,
    "AlterDatabaseStmt": _alter_database,
    "AlterSubscriptionStmt": _alter_subscription,
}
