"""The condition that a row must meet to pass the policies, and a row source to try it on."""

from __future__ import annotations

from pytest_housekeeping.checks.rls.expressions.names import may_name
from pytest_housekeeping.checks.rls.tables import Column, ProtectedTable, RolePrivileges
from pytest_housekeeping.sql.identifiers import in_quotes

# What an UPDATE makes of a row has to pass WITH CHECK; without one, USING.
NEW_ROW = "UPDATE CHECK"
_POLICY_COMMANDS = {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d", NEW_ROW: "w"}
WRITES = ("INSERT", NEW_ROW)
_ANY_TABLE = "hk_any"


def policy_condition(table: ProtectedTable, privileges: RolePrivileges, command: str) -> str | None:
    """The policies of one command as PostgreSQL joins them: permissive ones by OR, restrictive
    ones by AND. ``''``: no policy binds the role; None: no policy lets any row pass.

    https://www.postgresql.org/docs/16/ddl-rowsecurity.html
    """
    not_bound = privileges.exempt or (privileges.owner and not table.forced)
    if not table.row_security or not_bound:
        return ""
    permissive: list[str] = []
    restrictive: list[str] = []
    for policy in table.policies:
        if policy.command not in ("*", _POLICY_COMMANDS[command]):
            continue
        if privileges.role not in policy.roles:
            continue
        # Without WITH CHECK, USING is checked for new rows as well.
        text = (policy.check or policy.using) if command in WRITES else policy.using
        if text:
            (permissive if policy.permissive else restrictive).append(text)
    if not permissive:
        return None
    alternatives = " OR ".join(f"({text})" for text in dict.fromkeys(permissive))
    return " AND ".join([f"({alternatives})", *(f"({text})" for text in restrictive)])


def row_source(table: ProtectedTable, condition: str) -> str:
    """A relation that holds no row, to ask ``condition`` of as if it were the table.

    No lock and no privilege on the table is needed to query it, and none of the table's policies,
    constraints and partition bounds hold for it. It bears the table's name only where the condition
    does: what is asked of one table is asked of all others with such columns as well.
    """
    columns = ", ".join(f"{each.quoted} {each.type}" for each in columns_asked(table, condition))
    name = table.name if may_name(condition, table.name) else _ANY_TABLE
    return (
        f"pg_catalog.jsonb_to_recordset('[]') AS {in_quotes(name)} ({columns or 'hk_none integer'})"
    )


def columns_asked(table: ProtectedTable, condition: str) -> tuple[Column, ...]:
    """The columns that the condition can depend on: all of them where it names the table itself,
    for that may be the whole row."""
    if may_name(condition, table.name):
        return table.columns
    return tuple(column for column in table.columns if may_name(condition, column.name))
