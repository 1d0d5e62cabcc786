"""Which two identities are tried against each other on a table, or why none can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from pytest_housekeeping.checks.rls.identities.identities import TableIdentities, describe
from pytest_housekeeping.checks.rls.identities.visible_rows import VisibleRows
from pytest_housekeeping.checks.rls.proofs.not_tried import only_public
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.declarations.identity import Identity
from pytest_housekeeping.sql.identifiers import quoted

NOT_OWNER = (
    "the migrator is not its owner, and cannot tell whether there are rows at all;"
    " let the migrator own the table, or be a member of its owner"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentityPair:
    """One identity, and another whose rows it must not reach."""

    table: ProtectedTable
    privileges: RolePrivileges
    identities: TableIdentities
    me: VisibleRows
    other: VisibleRows


@dataclass(frozen=True, kw_only=True, slots=True)
class Unproved:
    """A role and a table for which isolation is not proved yet, and why. ``no_row`` is why no row
    could be made up."""

    table: ProtectedTable
    privileges: RolePrivileges
    reason: str = ""
    no_row: str = ""


def unproved_of(tables: Sequence[ProtectedTable]) -> list[Unproved]:
    """What is to be proved of tables: each role with a privilege that is not only for all."""
    return [
        Unproved(table=table, privileges=privileges)
        for table in tables
        for privileges in table.privileges
        if privileges.any and not only_public(table, privileges)
    ]


def both_ways(
    table: ProtectedTable,
    privileges: RolePrivileges,
    identities: TableIdentities,
    two: tuple[VisibleRows, VisibleRows],
) -> tuple[IdentityPair, IdentityPair]:
    """Each of two identities against the other."""
    one, other = two
    return (
        IdentityPair(
            table=table, privileges=privileges, identities=identities, me=one, other=other
        ),
        IdentityPair(
            table=table, privileges=privileges, identities=identities, me=other, other=one
        ),
    )


def furthest_apart(
    rows_by_identity: Sequence[VisibleRows], constants: Identity
) -> tuple[VisibleRows, VisibleRows] | None:
    """Two identities of the same settings that differ in each but the ``constants``, with the
    fewest rows in common."""
    pairs = [
        (len(set(one.rows) & set(other.rows)), number, one, other)
        for number, (one, other) in enumerate(combinations(rows_by_identity, 2))
        if [setting for setting, _ in one.identity] == [setting for setting, _ in other.identity]
        and set(one.identity) & set(other.identity) <= set(constants)
    ]
    if not pairs:
        return None
    _, _, one, other = min(pairs, key=lambda pair: pair[:2])
    return one, other


def why_no_pair(identities: TableIdentities, rows_by_identity: Sequence[VisibleRows]) -> str:
    """What is missing for a pair of identities that see rows of their own."""
    if identities.unread_expressions:
        return f"a policy could not be read: {identities.unread_expressions[0]}"
    if not rows_by_identity:
        return "no identity is known: no row tells which values the context may have"
    errors = [each.error for each in rows_by_identity if each.error]
    seeing = [each for each in rows_by_identity if each.rows]
    tried = "; ".join(describe(each.identity) for each in rows_by_identity)
    if len(seeing) == 1:
        return f"of the identities tried ({tried}) only one sees a row of its own"
    if errors:
        return f"reading failed for every identity tried ({tried}): {errors[0]}"
    return f"the control fails: acting for {tried} it sees no row, not even its own"


def what_to_grant(pair: IdentityPair) -> str:
    """What to do where a role has a privilege on a table, and not on what reading it takes."""
    role = quoted(pair.privileges.role)
    return (
        f"REVOKE ALL ON {pair.table.object} FROM {role};\n"
        f"-- or, if it is to use the table, GRANT {role} what the refusal names (schema: USAGE)"
    )
