"""What a proof saw, as it sees it: leaks, open questions, and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.checks.rls.tables import Rights, Subject
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_all
from pytest_housekeeping.checks.rules.evaluation import findings_of
from pytest_housekeeping.checks.rules.scope import RuleScope
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

SEED = "seed rows for two identities, as the application would write them"
OWNER = "let the migrator own the table, or be a member of its owner"
NOT_OWNER = "the migrator is not its owner, and cannot tell whether there are rows at all"


@dataclass(kw_only=True)
class Book:
    """What was seen, as it is seen: leaks, open questions and evidence."""

    rule: Rule
    undecided_level: Level
    findings: list[Finding] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)

    def leak(self, subject: Subject, detail: str) -> None:
        self.findings += findings_of(self.rule, [{"object": subject.object, "detail": detail}])

    def undecided(self, subject: Subject, reason: str, decides: str) -> None:
        self.findings.append(
            Finding(
                rule=self.rule.id,
                level=self.undecided_level,
                object=subject.object,
                detail=f"undecided: {reason}",
                fix=decides,
            )
        )

    def show(self, subject: Subject, rights: Rights, text: str) -> None:
        self.evidence.append(f"{subject.object}: {rights.role}: {text}")


def chosen_of(
    subjects: Iterable[Subject], only: str, without: frozenset[str]
) -> tuple[Subject, ...]:
    return tuple(
        subject
        for subject in subjects
        if subject.object not in without and only in ("", subject.object)
    )


def read_any(
    connection: Connection,
    pairs: Sequence[tuple[Subject, Rights]],
    settings: Sequence[tuple[str, str]],
) -> list[AttemptResult]:
    """As each role: is there any row to be read?"""
    return attempt_all(
        connection,
        [
            Attempt(
                role=rights.role,
                settings=tuple(settings),
                statement=f"SELECT EXISTS (SELECT FROM {subject.object})",
            )
            for subject, rights in pairs
        ],
    )


def open_book(rule: Rule, scope: RuleScope) -> Book:
    return Book(rule=rule, undecided_level=Level.WARNING if scope.unfinished else rule.level)


def verdict_of(book: Book, subjects: Sequence[Subject]) -> Verdict:
    return Verdict(
        examined=len(subjects),
        findings=tuple(dict.fromkeys(book.findings)),
        unit="tables",
        evidence=tuple(book.evidence),
    )
