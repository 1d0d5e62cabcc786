"""Tables on which there is no isolation to try: without a privilege, and public ones."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_housekeeping.checks.rls.findings import FindingCollector, read_any_row
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.postgres.connection import Connection


def try_without_privilege(
    connection: Connection, collector: FindingCollector, tables: Sequence[ProtectedTable]
) -> None:
    """A role that holds no privilege on a table is refused when it reads."""
    pairs = [
        (table, privileges)
        for table in tables
        for privileges in table.privileges
        if not privileges.any
    ]
    results = read_any_row(connection, pairs, ())
    for (table, privileges), result in zip(pairs, results, strict=True):
        if result.refused:
            collector.add_evidence(table, privileges.role, "no privilege, 42501")
        else:
            text = f"{privileges.role} holds no privilege, and yet SELECT answers: {result}"
            collector.add_leak(table, privileges.role, text)


def only_public(table: ProtectedTable, privileges: RolePrivileges) -> bool:
    """The role may read the table and nothing else, and everybody may read all of it."""
    return table.is_public and privileges.commands == ("SELECT",)


def tell_what_is_public(collector: FindingCollector, tables: Sequence[ProtectedTable]) -> None:
    """As evidence: what is not proved, because it is declared open."""
    for table in tables:
        for privileges in table.privileges:
            if only_public(table, privileges):
                text = "it may only read, and rls.toml declares all rows public"
                collector.add_evidence(table, privileges.role, text)
