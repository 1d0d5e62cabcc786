"""What a proof finds as it goes on: leaks, what it could not decide, and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.checks.rls.closing import closing_statements
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.checks.rules.attempts import AttemptResult
from pytest_housekeeping.checks.rules.evaluation import findings_of
from pytest_housekeeping.checks.rules.together import ask_together
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import quoted

_UNDECIDED = "undecided: "


@dataclass(kw_only=True)
class FindingCollector:
    """Collects what one rule's proof finds; ``undecided_level`` is for what stays undecided."""

    rule: Rule
    undecided_level: Level
    findings: list[Finding] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)

    def add_leak(self, table: ProtectedTable, role: str, detail: str, fix: str = "") -> None:
        """What a role can do with the table; the fix is made for just these two, and the given one
        is told where that would be no more than words."""
        closing = closing_statements(table, role)
        self.add_way(table, role, detail, fix if fix and closing.startswith("--") else closing)

    def add_way(self, table: ProtectedTable, role: str, detail: str, fix: str) -> None:
        """What a role can do with the table by way of something else, which the fix closes."""
        row = {"object": table.object, "detail": detail, "role": quoted(role), "fix": fix}
        self.findings += findings_of(self.rule, [row])

    @property
    def leaking(self) -> frozenset[str]:
        """The tables of which a leak was found."""
        return frozenset(
            each.object for each in self.findings if not each.detail.startswith(_UNDECIDED)
        )

    def add_undecided(self, table: ProtectedTable, reason: str, fix: str) -> None:
        """Something was neither proved nor refuted; ``fix`` says what would decide it."""
        self.findings.append(
            Finding(
                rule=self.rule.id,
                level=self.undecided_level,
                object=table.object,
                detail=f"{_UNDECIDED}{reason}",
                fix=fix,
            )
        )

    def add_evidence(self, table: ProtectedTable, role: str, text: str) -> None:
        self.evidence.append(f"{table.object}: {role}: {text}")

    def verdict(self, tables: Sequence[ProtectedTable]) -> Verdict:
        """The verdict on the tables that were looked at; the same finding twice counts once."""
        return Verdict(
            examined=len(tables),
            findings=tuple(dict.fromkeys(self.findings)),
            unit="tables",
            evidence=tuple(self.evidence),
        )


def read_any_row(
    connection: Connection,
    pairs: Sequence[tuple[ProtectedTable, RolePrivileges]],
    settings: Sequence[tuple[str, str]],
) -> list[AttemptResult]:
    """Ask as each role, with these settings, whether the table has any row to be read that is not
    public."""
    results: dict[int, AttemptResult] = {}
    for may_read in (True, False):
        # Who is refused for certain holds up nobody else.
        numbers = [n for n, (_, role) in enumerate(pairs) if role.may_read == may_read]
        asked = [(pairs[n][1].role, _any_row(pairs[n][0])) for n in numbers]
        results |= dict(zip(numbers, ask_together(connection, asked, settings), strict=True))
    return [results[number] for number in range(len(pairs))]


def _any_row(table: ProtectedTable) -> str:
    hidden = f" WHERE {table.hidden}" if table.hidden else ""
    return f"EXISTS (SELECT FROM {table.object}{hidden})"
