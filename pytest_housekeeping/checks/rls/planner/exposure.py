"""What a role can do with a table in one state of the context, as far as the planner can tell."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from pytest_housekeeping.checks.rls.expressions.constants import Settings
from pytest_housekeeping.checks.rls.expressions.names import functions_in, may_name
from pytest_housekeeping.checks.rls.expressions.readable import UnreadableExpression
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.planner.ask import (
    PlannerOutcome,
    PlannerProof,
    ask_planner,
)
from pytest_housekeeping.checks.rls.planner.constraints import closed_by_constraints
from pytest_housekeeping.checks.rls.planner.counterexample import find_counterexamples
from pytest_housekeeping.checks.rls.planner.question import PlannerQuestion
from pytest_housekeeping.checks.rls.rows.constraint_values import NoRow
from pytest_housekeeping.checks.rls.rows.table_shape import read_shapes
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.postgres.connection import Connection

_DOES = {
    "SELECT": "reads",
    "INSERT": "inserts",
    "UPDATE": "changes",
    "DELETE": "deletes",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """What is open to one role on one table, over all commands that it has a privilege for.

    ``leak`` says what it can do, ``undecided`` under which condition it could: one that was
    neither proved to be false nor refuted by a counterexample. ``depends_on_functions``: such a
    condition calls functions of the project, which only real rows can decide. ``raised`` is the
    error that a policy raises in this context.
    """

    leak: str = ""
    undecided: str = ""
    depends_on_functions: bool = False
    raised: str = ""

    def joined(self, other: Exposure) -> Exposure:
        """Both together: the first of each text; what is undecided depends on functions only
        where all of it does."""
        undecided = [each for each in (self, other) if each.undecided]
        return Exposure(
            leak=self.leak or other.leak,
            undecided=self.undecided or other.undecided,
            depends_on_functions=all(each.depends_on_functions for each in undecided),
            raised=self.raised or other.raised,
        )


def find_exposures(
    ground: ProofGround,
    pairs: Sequence[tuple[ProtectedTable, RolePrivileges]],
    settings: Settings,
    state: str,
) -> list[Exposure]:
    """The exposure of each table to each role; ``state`` names the settings for the reader.

    Pairs of which the planner is told the same are one question, unless it leaves it undecided:
    then a table's own constraints count.
    """
    kinds: dict[Hashable, list[int]] = {}
    for place, pair in enumerate(pairs):
        kinds.setdefault(_told(*pair), []).append(place)
    found: dict[int, Exposure] = {}

    def ask(places: Sequence[int]) -> frozenset[int]:
        chosen = [pairs[place] for place in places]
        asked = _exposures(ground, chosen, settings, state)
        found.update(zip(places, asked.each, strict=True))
        return frozenset(places[number] for number in asked.undecided)

    undecided = ask([first for first, *_ in kinds.values()])
    ask([place for first, *others in kinds.values() if first in undecided for place in others])
    for first, *others in kinds.values():
        for place in others:
            found.setdefault(place, found[first])
    return [found[place] for place in range(len(pairs))]


def _told(table: ProtectedTable, privileges: RolePrivileges) -> Hashable:
    """All that the planner is told of a role and a table."""
    text = " ".join((*table.expressions, table.public))
    policies = (
        (each.command, each.permissive, each.using, each.check)
        for each in table.policies
        if privileges.role in each.roles
    )
    return (
        table.object if may_name(text, table.name) else "",
        # Tables with the same columns share them: see ``read_tables``.
        id(table.columns),
        (table.row_security, table.forced, table.public),
        (privileges.role, privileges.commands, privileges.exempt, privileges.owner),
        tuple(policies),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """The exposures of some pairs, and the numbers of those of which the planner has left anything
    undecided."""

    each: list[Exposure]
    undecided: frozenset[int]


def _exposures(
    ground: ProofGround,
    pairs: Sequence[tuple[ProtectedTable, RolePrivileges]],
    settings: Settings,
    state: str,
) -> _Asked:
    questions = [
        (
            number,
            PlannerQuestion(
                table=table,
                privileges=privileges,
                command=command,
                settings=settings,
                where=table.hidden if command == "SELECT" else "",
            ),
        )
        for number, (table, privileges) in enumerate(pairs)
        for command in privileges.commands
        if not (command == "SELECT" and table.is_public)
    ]
    asked = [question for _, question in questions]
    proofs = ask_planner(ground, asked)
    undecided = frozenset(
        number
        for (number, _), proof in zip(questions, proofs, strict=True)
        if proof.outcome is PlannerOutcome.UNDECIDED
    )
    for place in closed_by_constraints(ground.connection, ground.context_only, asked, proofs):
        closed = PlannerOutcome.CLOSED
        proofs[place] = replace(proofs[place], outcome=closed, left="")
    counterexamples = _counterexamples(ground.connection, asked, proofs)
    exposures = [Exposure() for _ in pairs]
    for (number, question), proof, counterexample in zip(
        questions, proofs, counterexamples, strict=True
    ):
        one = _exposure(question, proof, counterexample, state)
        exposures[number] = exposures[number].joined(one)
    return _Asked(each=exposures, undecided=undecided)


def _counterexamples(
    connection: Connection, questions: Sequence[PlannerQuestion], proofs: Sequence[PlannerProof]
) -> list[str]:
    """A row that passes, for each question that the planner has left undecided; '' elsewhere."""
    found = [""] * len(questions)
    undecided = [
        place for place, proof in enumerate(proofs) if proof.outcome is PlannerOutcome.UNDECIDED
    ]
    if not undecided:
        return found
    asked = [questions[place] for place in undecided]
    tables = dict.fromkeys((each.table.schema, each.table.name) for each in asked)
    shapes = read_shapes(connection, list(tables))
    # Where a constraint cannot be read it is not known which rows the table takes.
    try:
        rows = find_counterexamples(
            connection, shapes, asked, [proofs[place].setup for place in undecided]
        )
    except NoRow:
        return found
    for place, row in zip(undecided, rows, strict=True):
        found[place] = row
    return found


def _exposure(
    question: PlannerQuestion, proof: PlannerProof, counterexample: str, state: str
) -> Exposure:
    does = f"{question.privileges.role} {_DOES[question.command]} rows while the context is {state}"
    if proof.outcome is PlannerOutcome.CLOSED:
        return Exposure(raised=proof.raised)
    if proof.outcome is PlannerOutcome.OPEN:
        why = (
            "every row passes its policies"
            if proof.condition
            else "no policy binds it"
            if question.table.row_security
            else "row-level security is off"
        )
        return Exposure(leak=f"{does}: {why}")
    if counterexample:
        return Exposure(leak=f"{does}: one with {counterexample}")
    condition = proof.left or proof.condition
    reason = f" ({proof.reason})" if proof.reason else ""
    return Exposure(
        undecided=f"{does} if {condition}{reason}",
        depends_on_functions=_calls_project_functions(condition),
    )


def _calls_project_functions(condition: str) -> bool:
    try:
        return any(len(names) > 1 and names[0] != "pg_catalog" for names in functions_in(condition))
    except UnreadableExpression:
        return False
