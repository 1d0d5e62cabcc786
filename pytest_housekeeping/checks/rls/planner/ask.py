"""Ask PostgreSQL's own planner whether any row can pass the policies; no row is read or needed.

Why this is a proof: the planner simplifies a condition only in ways that hold for every row, since
it would return wrong rows otherwise. Each part of a policy that depends on no column is replaced by
the value that it has in a session with the given context. A condition that then folds to false
leaves the plan ``Result`` with ``One-Time Filter: false``, so no row of any table passes; one that
disappears from the plan lets every row pass. What is left over is neither, and stays undecided.
EXPLAIN does not run the statement: https://www.postgresql.org/docs/16/sql-explain.html
The question is asked over a row source of the table's shape instead of the table: no lock is taken,
and no CHECK constraint or partition bound can prove what the policy does not
(https://www.postgresql.org/docs/16/ddl-partitioning.html#DDL-PARTITIONING-CONSTRAINT-EXCLUSION).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pytest_housekeeping.checks.rls.expressions.constants import PartValues, read_part_values
from pytest_housekeeping.checks.rls.expressions.readable import UnreadableExpression
from pytest_housekeeping.checks.rls.expressions.rewrite import (
    disjuncts_of,
    parts_of,
)
from pytest_housekeeping.checks.rls.expressions.schema_usage import usage_grants
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.planner.condition import policy_condition
from pytest_housekeeping.checks.rls.planner.question import Asked, PlannerQuestion, as_asked
from pytest_housekeeping.checks.rls.planner.tables_read import TablesRead
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_unique
from pytest_housekeeping.postgres.connection import Connection

_ROUNDS = 3


class PlannerOutcome(Enum):
    """What the planner has shown: no row passes, every row passes, or neither."""

    CLOSED = "closed"
    OPEN = "open"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannerProof:
    """The answer to a question.

    ``left`` is what the planner has left of the ``condition``, ``raised`` the error that a part
    of it raises, ``reason`` why a text could not be tried. ``setup`` holds the grants without
    which the role would not find what the condition names.
    """

    outcome: PlannerOutcome
    condition: str = ""
    left: str = ""
    raised: str = ""
    reason: str = ""
    setup: str = ""


def ask_planner(ground: ProofGround, questions: Sequence[PlannerQuestion]) -> list[PlannerProof]:
    """Answer all questions, in a few round trips; one proof for each, in their order."""
    conditions = [policy_condition(each.table, each.privileges, each.command) for each in questions]
    asked = list(as_asked(questions, conditions))
    # Many tables have the same policies: what is the same question is asked once.
    searches: dict[Asked, _Search] = {}
    for key, question in zip(asked, questions, strict=True):
        if key is not None and key not in searches:
            searches[key] = _Search(
                question=question,
                condition=key.condition,
                source=key.source,
                texts=(key.condition,),
            )
    _grant_usage(ground.connection, searches)
    tables = TablesRead(
        context_only=ground.context_only,
        known={(each.schema, each.name): each for each in ground.known},
    )
    for _ in range(_ROUNDS):
        pending = [each for each in searches.values() if each.texts and not each.reason]
        if not pending:
            break
        _fold(ground.connection, tables, pending)
    proofs = {key: search.proof() for key, search in searches.items()}
    return [
        proofs[key]
        if key is not None
        else PlannerProof(
            outcome=PlannerOutcome.CLOSED if condition is None else PlannerOutcome.OPEN
        )
        for key, condition in zip(asked, conditions, strict=True)
    ]


@dataclass(kw_only=True)
class _Search:
    """A question under way: the ``texts`` still to fold, and what is ``left`` of those that are
    done."""

    question: PlannerQuestion
    condition: str
    source: str
    texts: tuple[str, ...]
    setup: str = ""
    reason: str = ""
    raised: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    open: bool = False

    def proof(self) -> PlannerProof:
        left = self.left + list(self.texts)
        outcome = PlannerOutcome.UNDECIDED if left or self.reason else PlannerOutcome.CLOSED
        if self.open:
            # A part that raises an error was taken as NULL, which is sound only for CLOSED.
            outcome = PlannerOutcome.UNDECIDED if self.raised else PlannerOutcome.OPEN
        return PlannerProof(
            outcome=outcome,
            condition=self.condition,
            left=" OR ".join(dict.fromkeys(left)),
            raised=self.raised[0] if self.raised else "",
            reason=self.reason,
            setup=self.setup,
        )


def _grant_usage(connection: Connection, searches: Mapping[Asked, _Search]) -> None:
    grants = usage_grants(
        connection, [(each.role, each.condition, each.type_schemas) for each in searches]
    )
    for search, (setup, closed_schema) in zip(searches.values(), grants, strict=True):
        search.setup = setup
        if closed_schema:
            search.reason = (
                f"its condition names schema {closed_schema}, which the role cannot enter"
            )


def _fold(connection: Connection, tables: TablesRead, searches: Sequence[_Search]) -> None:
    """Put the values in, ask the planner, and keep what it leaves for the next round."""
    values = read_part_values(
        connection,
        tables.context_only,
        [
            (each.question.privileges.role, each.question.settings, each.setup, text)
            for each in searches
            for own in each.texts
            for text in (own, *tables.conditions(each.question.privileges.role, own))
        ],
    )
    disjuncts: list[tuple[_Search, str, str]] = []
    for search in searches:
        texts, search.texts = search.texts, ()
        for text in texts:
            try:
                found = _disjuncts(search, text, tables, values)
            except UnreadableExpression:
                search.left.append(text)
                search.reason = search.reason or "the parser does not read the expression"
            else:
                disjuncts += [(search, text, disjunct) for disjunct in found]
    plans = _explain(connection, [(search, disjunct) for search, _, disjunct in disjuncts])
    for (search, text, disjunct), plan in zip(disjuncts, plans, strict=True):
        _judge_plan(search, text, disjunct, plan)


def _disjuncts(
    search: _Search, text: str, tables: TablesRead, values: PartValues
) -> tuple[str, ...]:
    question = search.question
    role = question.privileges.role
    known = values.get((role, question.settings), {})
    search.raised += [
        known[part].raised
        for part in parts_of(text, tables.context_only)
        if part in known and known[part].raised
    ]
    rows = tables.known_rows(question.table, role, question.settings, text, values)
    return disjuncts_of(text, tables.context_only, known, rows)


def _judge_plan(search: _Search, text: str, disjunct: str, result: AttemptResult) -> None:
    plan: dict[str, Any] = result.value or {}
    if result.refused:
        # Privileges are checked before the first row: every session of the role would be refused.
        search.raised.append(str(result))
    elif result.sqlstate:
        search.left.append(disjunct)
        search.reason = search.reason or f"its condition could not be planned: {result}"
    elif plan.get("Node Type") == "Result" and plan.get("One-Time Filter") == "false":
        return
    elif "Plans" not in plan and "Filter" not in plan and "One-Time Filter" not in plan:
        search.open = True
    else:
        has_subplans = "Plans" in plan
        left = str(plan.get("Filter") or plan.get("One-Time Filter") or "")
        if has_subplans or search.question.where:
            # The plan then does not print the policy's condition alone, and in full.
            search.left.append(disjunct)
        elif left in (text, disjunct):
            search.left.append(left)
        else:
            # The planner has inlined functions, and what they return can be folded further.
            search.texts = (*search.texts, left)


def _explain(
    connection: Connection, disjuncts: Sequence[tuple[_Search, str]]
) -> list[AttemptResult]:
    attempts = [
        Attempt(
            role=search.question.privileges.role,
            settings=(
                *search.question.settings,
                # A row source has no constraints: "on" only lets the planner find out that
                # the condition contradicts ``where``.
                ("constraint_exclusion", "on" if search.question.where else "off"),
                ("enable_partition_pruning", "off"),
            ),
            setup=search.setup,
            statement="EXPLAIN (COSTS OFF, FORMAT JSON) SELECT FROM"
            f" {search.source} WHERE ({disjunct})"
            + (f" AND ({search.question.where})" if search.question.where else ""),
            plan=True,
        )
        for search, disjunct in disjuncts
    ]
    return attempt_unique(connection, attempts)
