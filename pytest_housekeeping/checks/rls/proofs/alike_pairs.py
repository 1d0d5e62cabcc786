"""Pairs of identities on tables that are alike: what the policies refuse on one, they do on all.

A policy is told the row, the role and the session, and nothing of the table. So where the policies
of two tables are the same, and the columns that they name, with the values in every row that is
there, PostgreSQL lets through on one what it does on the other. That holds for what the policies
alone have decided: where anything else answers, or something is let through, each table is tried.
https://www.postgresql.org/docs/16/ddl-rowsecurity.html
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache

from pytest_housekeeping.checks.rls.expressions.names import may_name
from pytest_housekeeping.checks.rls.identities.visible_rows import OwnedRows
from pytest_housekeeping.checks.rls.proofs.isolation_attempts import (
    LOST_CONTEXT,
    READS,
    harmless_assignment,
    keys_to_take_over,
)
from pytest_housekeeping.checks.rls.proofs.isolation_pairs import IdentityPair
from pytest_housekeeping.checks.rls.tables import Column, ProtectedTable
from pytest_housekeeping.checks.rules.attempts import AttemptResult
from pytest_housekeeping.declarations.identity import Claim, Identity

# What a row has beside its columns, and a policy may name: it tells which table it is in, or where.
SYSTEM_COLUMNS = ("tableoid", "ctid", "xmin", "xmax", "cmin", "cmax")
_BY_POLICY = "row-level security policy"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decided:
    """All that decides the attempts of a pair, where policies do: of the session, the role's rights
    as far as they choose the statements, the policies that count for it, the columns that these
    name, and the values of the one row and the other."""

    identities: tuple[Identity, Identity]
    role: str
    bound: tuple[bool, ...]
    holds: tuple[bool, ...]
    may_set: tuple[frozenset[str], frozenset[str]]
    policies: tuple[tuple[str, bool, str, str], ...]
    public: str
    columns: tuple[Column, ...]
    compared: tuple[tuple[tuple[str, Claim], ...], tuple[str, ...]]
    values: tuple[tuple[str | None, str | None], ...]
    assigned: str | None
    taken_over: tuple[frozenset[str], ...]


def what_decides(pair: IdentityPair, mine: OwnedRows, others: OwnedRows) -> Hashable | None:
    """Where it is equal for two pairs, what the policies have refused one they refuse the other;
    None for a pair of which that cannot be said."""
    table, privileges, identities = pair.table, pair.privileges, pair.identities
    text = " ".join((*table.expressions, table.public))
    columns = _columns_in(text, table.columns)
    named = frozenset(column.name for column in columns)
    keys = keys_to_take_over(pair)
    rows = {*mine.rows, *others.rows}
    if (
        not table.plain
        or identities.unread_expressions
        or not {name for name, _ in identities.identity_columns} <= named
        or any(may_name(text, name) for name in (table.name, *SYSTEM_COLUMNS))
        or not (len(mine.rows) == len(others.rows) == 1 and mine.all_rows == len(rows))
        # What the table itself puts in, its own expressions decide.
        or not all(column.writable for column in columns)
        or (keys and not named <= privileges.insert)
    ):
        return None
    assignment = harmless_assignment(pair)
    return _Decided(
        identities=(pair.me.identity, pair.other.identity),
        role=privileges.role,
        bound=(privileges.owner, privileges.exempt, table.row_security, table.forced),
        holds=(privileges.select, privileges.may_read, privileges.delete, bool(assignment)),
        may_set=(privileges.insert & named, privileges.update & named),
        policies=tuple(
            (policy.command, policy.permissive, policy.using, policy.check)
            for policy in table.policies
            if privileges.role in policy.roles
        ),
        public=table.public,
        columns=columns,
        compared=(identities.identity_columns, identities.policy_columns),
        values=tuple((mine.values[each.name], others.values[each.name]) for each in columns),
        assigned=next((each.name for each in columns if each.quoted == assignment), None),
        taken_over=tuple(frozenset(key) & named for key in keys),
    )


def told_of(first: ProtectedTable) -> str:
    """As evidence for a table that the first one stands for."""
    return f"as on {first.object}, whose policies decide all of it alike"


@lru_cache(maxsize=4096)
def _columns_in(text: str, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return tuple(column for column in columns if may_name(text, column.name))


def decided_by_policies(name: str, answer: AttemptResult) -> bool:
    """Whether an attempt of this name was in vain, and the policies alone have seen to that."""
    if name.startswith(LOST_CONTEXT):
        return not answer.value
    if name in READS:
        return not (answer.value or answer.sqlstate)
    if answer.sqlstate:
        return answer.refused and _BY_POLICY in answer.message
    return answer.rows == 0
