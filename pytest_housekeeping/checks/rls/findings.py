"""What a proof finds as it goes on: leaks, what it could not decide, and evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pytest_housekeeping.checks.rls.closing import closing_statements
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_all
from pytest_housekeeping.checks.rules.evaluation import findings_of
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import quoted

_AT_ONCE = 50


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
        row = {
            "object": table.object,
            "detail": detail,
            "role": quoted(role),
            "fix": fix if fix and closing.startswith("--") else closing,
        }
        self.findings += findings_of(self.rule, [row])

    def add_undecided(self, table: ProtectedTable, reason: str, fix: str) -> None:
        """Something was neither proved nor refuted; ``fix`` says what would decide it."""
        self.findings.append(
            Finding(
                rule=self.rule.id,
                level=self.undecided_level,
                object=table.object,
                detail=f"undecided: {reason}",
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
    groups = list(_groups(pairs))
    answers = attempt_all(
        connection,
        [_reading(role, settings, [pairs[n][0] for n in group]) for role, group in groups],
    )
    for (_, group), answer in zip(groups, answers, strict=True):
        if not answer.sqlstate:
            results |= {
                number: AttemptResult(value=value)
                for number, value in zip(group, answer.value, strict=True)
            }
    # Of several that were asked at once it is not known which one was refused.
    left = [number for number in range(len(pairs)) if number not in results]
    alone = attempt_all(
        connection, [_reading(pairs[n][1].role, settings, [pairs[n][0]]) for n in left]
    )
    for number, answer in zip(left, alone, strict=True):
        value = answer.value[0] if answer.value else None
        results[number] = replace(answer, value=value)
    return [results[number] for number in range(len(pairs))]


def _groups(
    pairs: Sequence[tuple[ProtectedTable, RolePrivileges]],
) -> Iterator[tuple[str, list[int]]]:
    """The places of pairs that are asked at once, by role: those whose role may read the table."""
    by_role: dict[str, list[int]] = {}
    for number, (_, privileges) in enumerate(pairs):
        if privileges.may_read:
            by_role.setdefault(privileges.role, []).append(number)
    for role, numbers in by_role.items():
        for start in range(0, len(numbers), _AT_ONCE):
            yield role, numbers[start : start + _AT_ONCE]


def _reading(
    role: str, settings: Sequence[tuple[str, str]], tables: Sequence[ProtectedTable]
) -> Attempt:
    asked = ", ".join(
        f"EXISTS (SELECT FROM {table.object}" + (f" WHERE {table.hidden})" if table.hidden else ")")
        for table in tables
    )
    return Attempt(role=role, settings=tuple(settings), statement=f"SELECT ARRAY[{asked}]")
