"""Look for a row that would pass: values tried on the policies themselves, no table is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_housekeeping.checks.rls.planner.prove import Question, condition_of
from pytest_housekeeping.checks.rls.rows.candidate_values import candidates_of
from pytest_housekeeping.checks.rls.rows.constraint_values import (
    NoRow,
    chosen_rows,
    columns_in,
    typed,
)
from pytest_housekeeping.checks.rls.rows.table_shape import Field, Shape
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.postgres.connection import Connection

_MOST_ROWS = 20_000
_MOST_COLUMNS = 8


def find_witnesses(
    connection: Connection,
    shapes: Mapping[str, Shape],
    questions: Sequence[Question],
    setups: Sequence[str],
) -> list[str]:
    """For each question a row that passes, as ``column = value``; '' where none was found."""
    attempts: list[Attempt] = []
    placed: list[tuple[int, list[Field]]] = []
    for number, (question, setup) in enumerate(zip(questions, setups, strict=True)):
        shape = shapes.get(question.subject.object)
        condition = condition_of(question.subject, question.rights, question.command)
        if shape is None or not condition:
            continue
        try:
            fields, statement = _search(shape, condition)
        except NoRow:
            continue
        placed.append((number, fields))
        attempts.append(
            Attempt(
                role=question.rights.role,
                settings=question.settings,
                setup=setup,
                statement=statement,
            )
        )
    found = [""] * len(questions)
    for (number, fields), answer in zip(placed, attempt_all(connection, attempts), strict=True):
        if not answer.sqlstate and answer.value:
            found[number] = ", ".join(
                f"{field.quoted} {'IS NULL' if value is None else f'= {value!r}'}"
                for field, value in zip(fields, answer.value[0], strict=True)
            )
    return found


def _search(shape: Shape, condition: str) -> tuple[list[Field], str]:
    """Candidates for the columns that the policies name, within the table's own constraints."""
    named = set(columns_in(condition, shape))
    checks = [text for text in shape.checks if set(columns_in(text, shape)) <= named]
    fields = [field for field in shape.fields if field.name in named]
    if not fields or len(fields) > _MOST_COLUMNS:
        raise NoRow("too many columns")
    choices = {field.name: _choices(field, (condition, *checks)) for field in fields}
    while _size(choices) > _MOST_ROWS:
        longest = max(choices, key=lambda name: len(choices[name]))
        choices[longest] = choices[longest][:-1]
    conditions = [*checks, f"({condition}) IS TRUE"]
    return fields, chosen_rows(shape.name, fields, choices, conditions, 1)


def _choices(field: Field, texts: Sequence[str]) -> list[str]:
    found = [typed(field, text) for text in candidates_of(field, texts)]
    return found if field.required else [*found[:12], typed(field, None), *found[12:]]


def _size(choices: Mapping[str, Sequence[str]]) -> int:
    size = 1
    for each in choices.values():
        size *= max(len(each), 1)
    return size
