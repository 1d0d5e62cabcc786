"""Ask PostgreSQL's own planner whether any row can pass the policies: no row is read or needed.

Every part of a policy that depends on no column is replaced by the value that it has in a session
with the given context; a condition that the planner then folds to false passes no row of any
table. It is asked over a row source of the table's shape, not over the table: no lock is taken,
and no CHECK constraint or partition bound can prove what the policy does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from psycopg import sql

from pytest_housekeeping.checks.rls.expressions.constants import Settings, read_parts
from pytest_housekeeping.checks.rls.expressions.context_only import Purity
from pytest_housekeeping.checks.rls.expressions.rewrite import (
    Part,
    Unreadable,
    Value,
    arms_of,
    parts_of,
)
from pytest_housekeeping.checks.rls.expressions.schema_usage import entrances
from pytest_housekeeping.checks.rls.tables import Rights, Subject
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_all
from pytest_housekeeping.postgres.connection import Connection

_COMMANDS = {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d"}
_ROUNDS = 3


class Outcome(Enum):
    """What the planner has shown: no row passes, every row passes, or neither."""

    CLOSED = "closed"
    OPEN = "open"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Does any row that meets ``where`` pass the policies for a command?"""

    subject: Subject
    rights: Rights
    command: str
    settings: Settings
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """The answer: what is left of the condition, the error that a part of it raises.

    ``setup`` is what lets the role find what its text names.
    """

    outcome: Outcome
    condition: str = ""
    left: str = ""
    raised: str = ""
    reason: str = ""
    setup: str = ""


def condition_of(subject: Subject, rights: Rights, command: str) -> str | None:
    """The policies of one command as PostgreSQL joins them: permissive ones by OR, restrictive
    ones by AND. ``''``: no policy binds the role; None: no policy lets it pass.

    https://www.postgresql.org/docs/16/ddl-rowsecurity.html
    """
    unbound = rights.exempt or (rights.owner and not subject.forced)
    if not subject.row_security or unbound:
        return ""
    texts: dict[bool, list[str]] = {True: [], False: []}
    for policy in subject.policies:
        if policy.command not in ("*", _COMMANDS[command]) or rights.role not in policy.roles:
            continue
        text = (policy.check or policy.using) if command == "INSERT" else policy.using
        if text:
            texts[policy.permissive].append(text)
    if not texts[True]:
        return None
    alternatives = " OR ".join(f"({text})" for text in dict.fromkeys(texts[True]))
    return " AND ".join([f"({alternatives})", *(f"({text})" for text in texts[False])])


def ask_planner(
    connection: Connection, purity: Purity, questions: Sequence[Question]
) -> list[Proof]:
    """AttemptResult all questions in a few round trips."""
    conditions = [condition_of(each.subject, each.rights, each.command) for each in questions]
    asked = [
        _Asked(question=question, condition=condition, texts=(condition,))
        for question, condition in zip(questions, conditions, strict=True)
        if condition
    ]
    _let_in(connection, asked)
    for _ in range(_ROUNDS):
        pending = [each for each in asked if each.texts and not each.reason]
        if not pending:
            break
        _fold(connection, purity, pending)
    proofs = iter([each.proof() for each in asked])
    return [
        next(proofs)
        if condition
        else Proof(outcome=Outcome.CLOSED if condition is None else Outcome.OPEN)
        for condition in conditions
    ]


@dataclass(kw_only=True)
class _Asked:
    """A question under way: the texts still to fold, what is left of those that are done."""

    question: Question
    condition: str
    texts: tuple[str, ...]
    setup: str = ""
    reason: str = ""
    raised: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    open: bool = False

    def proof(self) -> Proof:
        left = self.left + list(self.texts)
        outcome = Outcome.UNDECIDED if left or self.reason else Outcome.CLOSED
        if self.open:
            # A part that raises an error was taken as NULL, which may only be trusted to close.
            outcome = Outcome.UNDECIDED if self.raised else Outcome.OPEN
        return Proof(
            outcome=outcome,
            condition=self.condition,
            left=" OR ".join(dict.fromkeys(left)),
            raised=self.raised[0] if self.raised else "",
            reason=self.reason,
            setup=self.setup,
        )


def _fold(connection: Connection, purity: Purity, asked: Sequence[_Asked]) -> None:
    """Put values in, ask the planner, and keep what it leaves for the next round."""
    values: dict[tuple[str, Settings], dict[Part, Value]] = {}
    answered = read_parts(
        connection,
        purity,
        [
            (each.question.rights.role, each.question.settings, each.setup, text)
            for each in asked
            for text in each.texts
        ],
    )
    for (role, settings, part), value in answered.items():
        values.setdefault((role, settings), {})[part] = value
    arms: list[tuple[_Asked, str, str]] = []
    for each in asked:
        texts, each.texts = each.texts, ()
        for text in texts:
            try:
                arms += [(each, text, arm) for arm in _arms(each, text, purity, values)]
            except Unreadable:
                each.left.append(text)
                each.reason = each.reason or "the parser does not read the expression"
    plans = _explain(connection, [(each, arm) for each, _, arm in arms])
    for (each, text, arm), answer in zip(arms, plans, strict=True):
        _judge_plan(each, text, arm, answer)


def _arms(
    asked: _Asked,
    text: str,
    purity: Purity,
    values: Mapping[tuple[str, Settings], Mapping[Part, Value]],
) -> tuple[str, ...]:
    known = values.get((asked.question.rights.role, asked.question.settings), {})
    asked.raised += [
        known[part].raised
        for part in parts_of(text, purity)
        if part in known and known[part].raised
    ]
    return arms_of(text, purity, known)


def _judge_plan(asked: _Asked, text: str, arm: str, answer: AttemptResult) -> None:
    plan: dict[str, Any] = answer.value or {}
    if answer.sqlstate == "42501":
        asked.raised.append(str(answer))  # permissions are checked before the first row
    elif answer.sqlstate:
        asked.left.append(arm)
        asked.reason = asked.reason or f"its condition could not be planned: {answer}"
    elif plan.get("Node Type") == "Result" and plan.get("One-Time Filter") == "false":
        return
    elif "Plans" not in plan and "Filter" not in plan and "One-Time Filter" not in plan:
        asked.open = True
    else:
        left = _left(plan)
        again = "Plans" not in plan and not asked.question.where and left not in (text, arm)
        if again:
            asked.texts = (*asked.texts, left)  # functions have been inlined: look once more
        else:
            asked.left.append(arm if "Plans" in plan or asked.question.where else left)


def _left(plan: Mapping[str, Any]) -> str:
    return str(plan.get("Filter") or plan.get("One-Time Filter") or "")


def _explain(connection: Connection, arms: Sequence[tuple[_Asked, str]]) -> list[AttemptResult]:
    attempts = [
        Attempt(
            role=each.question.rights.role,
            # Of its constraints a row source has none, so "on" finds contradictions only.
            settings=(
                *each.question.settings,
                ("constraint_exclusion", "on" if each.question.where else "off"),
                ("enable_partition_pruning", "off"),
            ),
            setup=each.setup,
            statement="EXPLAIN (COSTS OFF, FORMAT JSON) SELECT FROM"
            f" {row_source(each.question.subject)} WHERE ({arm})"
            + (f" AND ({each.question.where})" if each.question.where else ""),
            plan=True,
        )
        for each, arm in arms
    ]
    unique = list(dict.fromkeys(attempts))
    answers = dict(zip(unique, attempt_all(connection, unique), strict=True))
    return [answers[attempt] for attempt in attempts]


def row_source(subject: Subject) -> str:
    """A relation of the table's name and shape, with no row, that no policy or lock guards."""
    columns = ", ".join(f"{column.quoted} {column.type}" for column in subject.columns)
    name = sql.Identifier(subject.name).as_string()
    return f"pg_catalog.jsonb_to_recordset('[]') AS {name} ({columns or 'hk_none integer'})"


def _let_in(connection: Connection, asked: Sequence[_Asked]) -> None:
    told = entrances(
        connection,
        [(each.question.subject, each.question.rights.role, each.condition) for each in asked],
    )
    for each, (setup, shut) in zip(asked, told, strict=True):
        each.setup = setup
        if shut:
            each.reason = f"its condition names schema {shut}, which the role cannot enter"
