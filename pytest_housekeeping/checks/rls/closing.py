"""What closes a table on which a proof has found a leak, in SQL that can be run as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_housekeeping.checks.rls.tables import Policy, ProtectedTable
from pytest_housekeeping.sql.identifiers import quoted

_NAME = "own_rows_only"
_OWN = re.compile(r'\((?P<column>"(?:[^"]|"")+"|\w+) = (?P<context>.+)\)', re.DOTALL)
_WORD = re.compile(r'"(?:[^"]|"")+"|\w+')


def closing_statements(table: ProtectedTable, role: str) -> str:
    """Row-level security where it is off, and otherwise a policy that narrows all others to the
    rows that one of the table's own policies compares with the context; where none does, what is
    to be written is said in a comment."""
    privileges = next((each for each in table.privileges if each.role == role), None)
    force = f"ALTER TABLE {table.object} FORCE ROW LEVEL SECURITY;"
    if not table.row_security:
        return f"ALTER TABLE {table.object} ENABLE ROW LEVEL SECURITY;\n{force}"
    if privileges and privileges.exempt:
        return f"ALTER ROLE {quoted(role)} NOSUPERUSER NOBYPASSRLS;"
    if privileges and privileges.owner and not table.forced:
        return force
    own = next(_own_rows(table, role), "")
    if own:
        return (
            f"CREATE POLICY {_fresh_name(table)} ON {table.object} AS RESTRICTIVE TO"
            f" {quoted(role)}\nUSING {own};"
        )
    names = ", ".join(quoted(each.name) for each in table.policies if each.permissive)
    return (
        f"-- let each policy of {table.object} compare a column with what the context says: {names}"
    )


def _own_rows(table: ProtectedTable, role: str) -> Iterator[str]:
    """The conditions that compare a column of the row with something that names no column."""
    for policy in table.policies:
        if _counts(policy, role) and (found := _OWN.fullmatch(policy.using)):
            columns = {column.quoted for column in table.columns}
            named = set(_WORD.findall(found["context"]))
            if found["column"] in columns and not named & columns:
                yield policy.using


def _counts(policy: Policy, role: str) -> bool:
    return policy.permissive and policy.command in ("*", "r") and role in policy.roles


def _fresh_name(table: ProtectedTable) -> str:
    taken = {policy.name for policy in table.policies}
    names = (_NAME, *(f"{_NAME}_{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)
