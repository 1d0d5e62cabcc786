"""Prove with the planner that acting for an identity only rows that carry it pass the policies."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_housekeeping.checks.rls.expressions.context_only import read_purity
from pytest_housekeeping.checks.rls.identities.identities import Identities, Identity, describe
from pytest_housekeeping.checks.rls.identities.visible_rows import literal, settings_of
from pytest_housekeeping.checks.rls.planner.prove import Outcome, Question, ask_planner
from pytest_housekeeping.checks.rls.tables import Rights, Subject
from pytest_housekeeping.postgres.connection import Connection


def commands_of(rights: Rights) -> tuple[str, ...]:
    """The commands for which the role has a privilege."""
    held = {
        "SELECT": rights.select or rights.select_some,
        "INSERT": bool(rights.insert),
        "UPDATE": bool(rights.update),
        "DELETE": rights.delete,
    }
    return tuple(command for command, there in held.items() if there)


def prove_own_only(
    connection: Connection,
    context: Sequence[str],
    asked: Sequence[tuple[Subject, Rights, Identities]],
) -> list[str]:
    """For each: the evidence that no other row passes for any command; '' when it is not shown.

    The control is the same question without the condition: rows of its own must be able to pass.
    """
    if not asked:
        return []
    questions: list[tuple[int, bool, Question]] = []
    for number, (subject, rights, identities) in enumerate(asked):
        if not identities.own or not identities.candidates:
            continue
        identity = identities.candidates[0]
        where = _foreign(subject, identities, identity)
        for command in commands_of(rights):
            for control in (False, True):
                question = Question(
                    subject=subject,
                    rights=rights,
                    command=command,
                    settings=settings_of(context, identity),
                    where="" if control else where,
                )
                questions.append((number, control, question))
    proofs = ask_planner(
        connection, read_purity(connection), [question for _, _, question in questions]
    )
    closed: dict[int, list[bool]] = {number: [] for number in range(len(asked))}
    alive: dict[int, list[bool]] = {number: [] for number in range(len(asked))}
    for (number, control, _), proof in zip(questions, proofs, strict=True):
        if control:
            alive[number].append(proof.outcome is not Outcome.CLOSED)
        else:
            closed[number].append(proof.outcome is Outcome.CLOSED)
    return [
        f"the planner: acting for {describe(identities.candidates[0])} no row passes but its own"
        f" ({', '.join(commands_of(rights))})"
        if closed[number] and all(closed[number]) and any(alive[number])
        else ""
        for number, (_, rights, identities) in enumerate(asked)
    ]


def _foreign(subject: Subject, identities: Identities, identity: Identity) -> str:
    values = dict(identity)
    parts = []
    for name, setting in identities.own:
        column = subject.column(name)
        if column is not None:
            value = f"{literal(values[setting])}::{column.type}"
            parts.append(f"{column.quoted} IS NULL OR {column.quoted} <> {value}")
    return " OR ".join(parts) or "true"
