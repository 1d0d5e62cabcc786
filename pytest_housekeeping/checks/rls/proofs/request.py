"""What a proof is asked for: the rule, what it looks over, and the tables to try."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.rls.expressions.context_only import read_context_only
from pytest_housekeeping.checks.rls.findings import FindingCollector
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.tables import ProtectedTable, read_tables
from pytest_housekeeping.checks.rules.scope import RuleScope
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Level
from pytest_housekeeping.postgres.connection import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class ProofRequest:
    """A proof of one rule, for all tables but those in ``without``; where ``only`` names some,
    for these alone. ``known`` gives all protected tables, where they have been read before."""

    contract: RlsContract
    scope: RuleScope
    rule: Rule
    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    known: Callable[[], Sequence[ProtectedTable]] | None = None

    def ground(self, connection: Connection) -> ProofGround:
        """What a proof by doing stands on."""
        return ProofGround(
            connection=connection,
            context=self.contract.identity,
            known=self.tables(connection),
            context_only=read_context_only(connection),
        )

    def tables(self, connection: Connection) -> Sequence[ProtectedTable]:
        """All protected tables, as the schema still is."""
        return self.known() if self.known else read_tables(connection, self.scope)

    def chosen(self, tables: Iterable[ProtectedTable]) -> tuple[ProtectedTable, ...]:
        return tuple(
            table
            for table in tables
            if table.object not in self.without and (not self.only or table.object in self.only)
        )

    def collector(self) -> FindingCollector:
        """In a schema that is not finished yet, what is undecided is no more than a warning."""
        return FindingCollector(
            rule=self.rule,
            undecided_level=Level.WARNING if self.scope.unfinished else self.rule.level,
        )
