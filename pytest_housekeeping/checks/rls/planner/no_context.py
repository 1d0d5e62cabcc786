"""What the planner says about sessions without context, and what to make of its silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.rls.expressions.constants import Settings
from pytest_housekeeping.checks.rls.expressions.context_only import Purity
from pytest_housekeeping.checks.rls.expressions.rewrite import Unreadable, calls_of
from pytest_housekeeping.checks.rls.planner.counterexample import find_witnesses
from pytest_housekeeping.checks.rls.planner.own_rows import commands_of
from pytest_housekeeping.checks.rls.planner.prove import Outcome, Proof, Question, ask_planner
from pytest_housekeeping.checks.rls.rows.constraint_values import NoRow
from pytest_housekeeping.checks.rls.rows.table_shape import read_shapes
from pytest_housekeeping.checks.rls.tables import Rights, Subject
from pytest_housekeeping.postgres.connection import Connection

_DOES = {
    "SELECT": "reads",
    "INSERT": "inserts",
    "UPDATE": "changes",
    "DELETE": "deletes",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Openness:
    """What is open to a role on a table in one state of the context.

    ``leak`` tells what it can do, ``silent`` the conditions that were neither proved nor refuted;
    ``opaque``: these rest on functions of the project that only doing can judge.
    """

    leak: str = ""
    silent: str = ""
    opaque: bool = False
    raised: str = ""


def judge_openness(
    connection: Connection,
    purity: Purity,
    pairs: Sequence[tuple[Subject, Rights]],
    settings: Settings,
    state: str,
) -> list[Openness]:
    """For each role on a table, over all commands that it has a privilege for."""
    questions = [
        (number, Question(subject=subject, rights=rights, command=command, settings=settings))
        for number, (subject, rights) in enumerate(pairs)
        for command in commands_of(rights)
    ]
    proofs = ask_planner(connection, purity, [question for _, question in questions])
    doubtful = [place for place, proof in enumerate(proofs) if proof.outcome is Outcome.UNDECIDED]
    witnesses = _witnesses(
        connection,
        [questions[place][1] for place in doubtful],
        [proofs[place].setup for place in doubtful],
    )
    seen = dict(zip(doubtful, witnesses, strict=True))
    found = [Openness() for _ in pairs]
    for place, ((number, question), proof) in enumerate(zip(questions, proofs, strict=True)):
        one = _judge(question, proof, seen.get(place, ""), state)
        before = found[number]
        found[number] = Openness(
            leak=before.leak or one.leak,
            silent=before.silent or one.silent,
            opaque=(before.opaque or not before.silent) and (one.opaque or not one.silent),
            raised=before.raised or one.raised,
        )
    return found


def _witnesses(
    connection: Connection, questions: Sequence[Question], setups: Sequence[str]
) -> list[str]:
    if not questions:
        return []
    tables = dict.fromkeys((each.subject.schema, each.subject.name) for each in questions)
    shapes = read_shapes(connection, list(tables))
    try:
        return find_witnesses(connection, shapes, questions, setups)
    except NoRow:
        return [""] * len(questions)


def _judge(question: Question, proof: Proof, witness: str, state: str) -> Openness:
    does = f"{question.rights.role} {_DOES[question.command]}"
    if proof.outcome is Outcome.CLOSED:
        return Openness(raised=proof.raised)
    if proof.outcome is Outcome.OPEN:
        why = (
            "every row passes its policies"
            if proof.condition
            else "no policy binds it"
            if question.subject.row_security
            else "row-level security is off"
        )
        return Openness(leak=f"{does} rows while the context is {state}: {why}")
    if witness:
        return Openness(leak=f"{does} rows while the context is {state}: one with {witness}")
    why = f" ({proof.reason})" if proof.reason else ""
    return Openness(
        silent=f"{does} rows while the context is {state} if {proof.left or proof.condition}{why}",
        opaque=_rests_on_functions(proof.left or proof.condition),
    )


def _rests_on_functions(text: str) -> bool:
    try:
        return any(len(names) > 1 and names[0] != "pg_catalog" for names in calls_of(text))
    except Unreadable:
        return False
