"""Look for a row that would pass the policies, by trying values on them; no table is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_housekeeping.checks.rls.planner.condition import policy_condition
from pytest_housekeeping.checks.rls.planner.question import PlannerQuestion
from pytest_housekeeping.checks.rls.rows.candidate_values import candidates_of
from pytest_housekeeping.checks.rls.rows.constraint_values import (
    NoRow,
    one_row_query,
    row_told,
    typed,
)
from pytest_housekeeping.checks.rls.rows.table_shape import ColumnShape, TableShape
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.postgres.connection import Connection

_MOST_COLUMNS = 8
_NULL_AFTER = 12


def find_counterexamples(
    connection: Connection,
    shapes: Mapping[str, TableShape],
    questions: Sequence[PlannerQuestion],
    setups: Sequence[str],
) -> list[str]:
    """For each question a row that passes, as ``column = value``; '' where none was found.

    ``setups`` are the grants that each question needs. Raises NoRow where a constraint of a table
    cannot be read.
    """
    attempts: list[Attempt] = []
    tried: list[tuple[int, list[ColumnShape]]] = []
    for number, (question, setup) in enumerate(zip(questions, setups, strict=True)):
        shape = shapes.get(question.table.object)
        condition = policy_condition(question.table, question.privileges, question.command)
        if shape is None or not condition:
            continue
        if question.where:
            condition = f"({condition}) AND {question.where}"
        try:
            columns, statement = one_row_query(
                shape, [f"({condition}) IS TRUE"], _choices, _MOST_COLUMNS
            )
        except NoRow:
            continue
        tried.append((number, columns))
        attempts.append(
            Attempt(
                role=question.privileges.role,
                settings=question.settings,
                setup=setup,
                statement=statement,
            )
        )
    found = [""] * len(questions)
    for (number, columns), result in zip(tried, attempt_all(connection, attempts), strict=True):
        if not result.sqlstate and result.value:
            found[number] = row_told(columns, result.value[0])
    return found


def _choices(column: ColumnShape, texts: Sequence[str]) -> list[str]:
    found = [typed(column, text) for text in candidates_of(column, texts)]
    if column.required:
        return found
    return [*found[:_NULL_AFTER], typed(column, None), *found[_NULL_AFTER:]]
