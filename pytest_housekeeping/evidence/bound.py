"""What a promotion is bound to before it runs, and who besides has approved just that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SecondPerson(StrEnum):
    """Whether anybody besides who wrote and who runs a promotion has approved it; a stable name of
    the audit. ``nobody``: nobody is asked, by ``approvals = 0``."""

    APPROVED = "approved"
    LACKING = "lacking"
    NOBODY = "nobody"
    WAIVED = "waived"
    NOT_NEEDED = "not_needed"
    UNKNOWN = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """Who has approved a promotion, and the commit that says so."""

    approver: str
    commit: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """The digest that a promotion is bound to, whether it was told to promote just that, and who
    besides has approved just that. ``schema_before`` and ``schema_after`` are digests of the schema
    alone, by which the same transition of another database is known again."""

    digest: str = ""
    planned: bool = False
    second_person: SecondPerson = SecondPerson.UNKNOWN
    approvals: tuple[Approval, ...] = ()
    schema_before: str = ""
    schema_after: str = ""
