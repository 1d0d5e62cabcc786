"""A question to the planner, and all that PostgreSQL is told of it: many tables ask the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.rls.expressions.constants import Settings
from pytest_housekeeping.checks.rls.expressions.names import may_name
from pytest_housekeeping.checks.rls.planner.condition import columns_asked, row_source
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannerQuestion:
    """Does any row that meets ``where`` pass the policies for a command?"""

    table: ProtectedTable
    privileges: RolePrivileges
    command: str
    settings: Settings
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """All that PostgreSQL is told of a question: where it is equal, so is the answer."""

    condition: str
    source: str
    type_schemas: frozenset[str]
    role: str
    settings: Settings
    where: str
    required: frozenset[str]


def as_asked(
    questions: Sequence[PlannerQuestion], conditions: Sequence[str | None]
) -> Iterator[Asked | None]:
    """Each question as PostgreSQL is told it; None where no policy binds, or none lets pass."""
    sources: dict[tuple[int | str, str], tuple[str, frozenset[str], frozenset[str]]] = {}
    for question, condition in zip(questions, conditions, strict=True):
        if not condition:
            yield None
            continue
        table, named = question.table, f"{condition} {question.where}"
        # Tables with the same columns share them: see ``read_tables``.
        key = table.object if may_name(named, table.name) else id(table.columns), named
        if key not in sources:
            columns = columns_asked(table, named)
            sources[key] = (
                row_source(table, named),
                frozenset(column.type_schema for column in columns),
                frozenset(column.name for column in columns if column.required),
            )
        source, type_schemas, required = sources[key]
        yield Asked(
            condition=condition,
            source=source,
            type_schemas=type_schemas,
            role=question.privileges.role,
            settings=question.settings,
            where=question.where,
            required=required,
        )
