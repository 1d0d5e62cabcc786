"""What a promotion was bound to, and who approved it, as an audit holds it."""

from __future__ import annotations

from pydantic import Field

from pytest_housekeeping.evidence.bound import SecondPerson
from pytest_housekeeping.evidence.model.part import Moment, Part


class ApprovalRecord(Part):
    """Somebody who neither wrote nor ran it has approved just this, before it ran."""

    approver: str
    commit: str = Field(description="signed by the approver, on housekeeping/audit/decisions")
    at: Moment


class BoundRecord(Part):
    """What a promotion was bound to before production saw anything of it."""

    digest: str = Field(
        default="",
        description="of files, history, checks, code, settings, options, database, schema before"
        " and after, and version; empty where that was not known yet",
    )
    planned: bool = Field(
        default=False,
        description="it was told to promote what was planned under this digest, and did so",
    )
    second_person: SecondPerson = Field(
        default=SecondPerson.UNKNOWN,
        description="whether somebody else has approved it; nobody: nobody is asked,"
        " by approvals = 0",
    )
    approvals: tuple[ApprovalRecord, ...] = ()
    schema_before: str = Field(
        default="",
        description="sha256 of the schema alone, without the server around it and this tool's own"
        " tables: equal in two databases where their schemas are",
    )
    schema_after: str = Field(default="", description="the same after the batch, as rehearsed")
