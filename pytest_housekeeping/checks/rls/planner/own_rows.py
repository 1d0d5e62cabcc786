"""Prove with the planner that only rows of the identity that a role acts for pass the policies.

The question is whether a row passes of which an identity column is NULL or has another value. Where
the condition of the policies together with this one folds to false, no such row can pass, whatever
the table holds: the argument of ``prove``. Without the control a policy that lets nothing pass
would be proved to isolate as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.identities.identities import TableIdentities, describe
from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.planner.ask import (
    PlannerOutcome,
    ask_planner,
)
from pytest_housekeeping.checks.rls.planner.condition import NEW_ROW
from pytest_housekeeping.checks.rls.planner.question import PlannerQuestion
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.declarations.identity import Claim, Identity, settings_of


def prove_own_rows(
    ground: ProofGround, asked: Sequence[tuple[ProtectedTable, RolePrivileges, TableIdentities]]
) -> list[str]:
    """For each: the evidence that no row of others passes for any command; '' without a proof.

    The control is the same question about all rows: some row must be able to pass.
    """
    if not asked:
        return []
    questions = [
        (number, is_control, question)
        for number, each in enumerate(asked)
        for is_control, question in _questions(ground.context, *each)
    ]
    proofs = ask_planner(ground, [question for _, _, question in questions])
    foreign_closed: dict[int, list[bool]] = {number: [] for number in range(len(asked))}
    own_may_pass: dict[int, list[bool]] = {number: [] for number in range(len(asked))}
    for (number, is_control, _), proof in zip(questions, proofs, strict=True):
        closed = proof.outcome is PlannerOutcome.CLOSED
        if is_control:
            own_may_pass[number].append(not closed)
        else:
            foreign_closed[number].append(closed)
    return [
        f"the planner: acting for {describe(identities.candidates[0])} no row passes but its own"
        f" ({', '.join(privileges.commands)})"
        if foreign_closed[number] and all(foreign_closed[number]) and any(own_may_pass[number])
        else ""
        for number, (_, privileges, identities) in enumerate(asked)
    ]


def _questions(
    context: Sequence[Claim],
    table: ProtectedTable,
    privileges: RolePrivileges,
    identities: TableIdentities,
) -> Iterator[tuple[bool, PlannerQuestion]]:
    """Of the rows of others and, as a control, of all; none where nobody's rows are known."""
    if not identities.identity_columns or not identities.candidates:
        return
    identity = identities.candidates[0]
    foreign = _foreign_rows(table, identities, identity)
    settings = settings_of(context, identity)
    for command in _asked_for(privileges):
        if command == "SELECT" and table.is_public:
            continue
        for is_control in (False, True):
            yield (
                is_control,
                PlannerQuestion(
                    table=table,
                    privileges=privileges,
                    command=command,
                    settings=settings,
                    where="" if is_control else _not_public(table, command, foreign),
                ),
            )


def _asked_for(privileges: RolePrivileges) -> tuple[str, ...]:
    """The commands, and what becomes of a row that is changed."""
    commands = privileges.commands
    return (*commands, NEW_ROW) if "UPDATE" in commands else commands


def _not_public(table: ProtectedTable, command: str, foreign: str) -> str:
    """Rows of others, but for those that everybody may read."""
    return f"({foreign}) AND {table.hidden}" if command == "SELECT" and table.hidden else foreign


def _foreign_rows(table: ProtectedTable, identities: TableIdentities, identity: Identity) -> str:
    """The condition that a row does not belong to the identity."""
    values = dict(identity)
    parts = []
    for name, claim in identities.identity_columns:
        column = table.column(name)
        if column is not None:
            value = f"{literal(values[claim])}::{column.type}"
            # NULL is not the identity's value either, and a plain <> would not be true for it.
            parts.append(f"{column.quoted} IS NULL OR {column.quoted} <> {value}")
    return " OR ".join(parts) or "true"
