"""The restrictive policy that holds a table to the rows of an identity: a fix that can be run.

A restrictive policy is joined to all others by AND, so it closes what any of them leaves open, and
it opens nothing: https://www.postgresql.org/docs/16/sql-createpolicy.html
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.planner.condition import policy_condition
from pytest_housekeeping.checks.rls.tables import Column, ProtectedTable, RolePrivileges
from pytest_housekeeping.declarations.identity import Claim
from pytest_housekeeping.sql.identifiers import in_quotes

_NAME = "own_rows"


def own_rows_policy(
    table: ProtectedTable, privileges: RolePrivileges, columns: Mapping[str, Claim]
) -> str:
    """The statements after which only rows pass that carry the identity in one of the columns, and
    what is public is still read."""
    own = " OR ".join(
        _carries(column, columns[column.name]) for column in table.columns if column.name in columns
    )
    if not table.public:
        return _policy(table, privileges, "ALL", f"USING ({own}) WITH CHECK ({own})")
    written = "\n".join(
        _policy(table, privileges, command, clause)
        for command, clause in (
            ("INSERT", f"WITH CHECK ({own})"),
            ("UPDATE", f"USING ({own}) WITH CHECK ({own})"),
            ("DELETE", f"USING ({own})"),
        )
    )
    return (
        f"{_policy(table, privileges, 'SELECT', f'USING ({own} OR ({table.public}))')}\n{written}"
    )


def seen_rows_policy(table: ProtectedTable, privileges: RolePrivileges) -> str:
    """The statements after which a role writes only rows that it sees; '' where it sees none, or
    all."""
    seen = policy_condition(table, privileges, "SELECT")
    if not seen or table.public:
        return ""
    return "\n".join(
        _policy(table, privileges, command, clause)
        for command, clause in (
            ("INSERT", f"WITH CHECK ({seen})"),
            ("UPDATE", f"USING (true) WITH CHECK ({seen})"),
        )
    )


def _policy(table: ProtectedTable, privileges: RolePrivileges, command: str, clause: str) -> str:
    name = _NAME if command == "ALL" else f"{_NAME}_{command.lower()}"
    taken = {policy.name for policy in table.policies}
    while name in taken:
        name += "_2"
    return (
        f"CREATE POLICY {name} ON {table.object} AS RESTRICTIVE FOR {command}"
        f" TO {in_quotes(privileges.role)}\n{clause};"
    )


def _carries(column: Column, claim: Claim) -> str:
    """The column has the value of the context."""
    value = f"nullif(current_setting({literal(claim.setting)}, true), '')"
    if claim.path:
        *outer, last = (literal(name) for name in claim.path)
        steps = "".join(f" -> {name}" for name in outer)
        if claim.many:
            return (
                f"{column.quoted}::text IN (SELECT jsonb_array_elements_text"
                f"({value}::jsonb{steps} -> {last}))"
            )
        value = f"({value}::jsonb{steps} ->> {last})"
    return f"{column.quoted} = {value}::{column.type}"
