"""The tables that policies read: of which of them a role sees no row, by their own policies.

A policy's sub-select meets the policies of the tables that it reads, with the rights of whoever
asks (https://www.postgresql.org/docs/16/ddl-rowsecurity.html). So a child whose policy looks for
its parent is closed where the parent is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pytest_housekeeping.checks.rls.expressions.constants import PartValues, Settings
from pytest_housekeeping.checks.rls.expressions.context_only import ContextOnly
from pytest_housekeeping.checks.rls.expressions.names import own_columns_in, tables_in
from pytest_housekeeping.checks.rls.expressions.never_true import KnownRows
from pytest_housekeeping.checks.rls.expressions.readable import UnreadableExpression
from pytest_housekeeping.checks.rls.expressions.rewrite import (
    disjuncts_of,
)
from pytest_housekeeping.checks.rls.planner.condition import policy_condition
from pytest_housekeeping.checks.rls.tables import ProtectedTable


@dataclass(kw_only=True)
class TablesRead:
    """Answers for one state of the schema, in which ``known`` are the protected tables."""

    context_only: ContextOnly
    known: Mapping[tuple[str, str], ProtectedTable]
    _conditions: dict[tuple[str, str], str | None] = field(default_factory=dict)

    def conditions(self, role: str, text: str) -> Iterator[str]:
        """The policies for SELECT of all tables that the text reads, and of those that these read
        in turn."""
        seen: set[str] = set()
        waiting = [text]
        while waiting:
            for table in self._tables(waiting.pop()):
                condition = self._condition(table, role)
                if condition and condition not in seen:
                    seen.add(condition)
                    waiting.append(condition)
                    yield condition

    def known_rows(
        self, table: ProtectedTable, role: str, settings: Settings, text: str, values: PartValues
    ) -> KnownRows:
        """What is known of the rows that the text speaks of. Raises UnreadableExpression."""
        return self._known_rows(table, (role, settings), text, values, frozenset())

    def _known_rows(
        self,
        table: ProtectedTable,
        session: tuple[str, Settings],
        text: str,
        values: PartValues,
        under_way: frozenset[str],
    ) -> KnownRows:
        named = own_columns_in(text)
        columns = [column for column in table.columns if column.name in named]
        return KnownRows(
            types=tuple((column.name, column.type) for column in columns),
            required=frozenset(column.name for column in columns if column.required),
            closed=frozenset(
                (each.schema, each.name)
                for each in self._tables(text)
                if each.object not in under_way
                and self._is_closed(each, session, values, under_way | {each.object})
            ),
            aggregates=self.context_only.aggregates,
        )

    def _is_closed(
        self,
        table: ProtectedTable,
        session: tuple[str, Settings],
        values: PartValues,
        under_way: frozenset[str],
    ) -> bool:
        condition = self._condition(table, session[0])
        if not condition:
            return condition is None
        try:
            known_rows = self._known_rows(table, session, condition, values, under_way)
            known = values.get(session, {})
            return not disjuncts_of(condition, self.context_only, known, known_rows)
        except UnreadableExpression:
            return False

    def _tables(self, text: str) -> Iterator[ProtectedTable]:
        try:
            named = tables_in(text)
        except UnreadableExpression:
            return
        yield from (self.known[name] for name in sorted(named) if name in self.known)

    def _condition(self, table: ProtectedTable, role: str) -> str | None:
        """The policies for SELECT; None where none lets a row pass, '' where none binds."""
        key = (table.object, role)
        if key not in self._conditions:
            (privileges,) = (each for each in table.privileges if each.role == role)
            self._conditions[key] = policy_condition(table, privileges, "SELECT")
        return self._conditions[key]
