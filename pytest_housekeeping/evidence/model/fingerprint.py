"""The part of an audit that says in which state a run has found and left the schema."""

from __future__ import annotations

from pydantic import Field

from pytest_housekeeping.evidence.model.part import Part


class FingerprintRecord(Part):
    """The digests of the schema, and of what is around it, before the run and behind its last
    COMMIT; empty for what was not read. Where one run ended the next one has to begin."""

    version: int = Field(
        default=0, ge=0, description="of the reading; only digests of one version can be compared"
    )
    before: str = ""
    after: str = ""
    settled_before: str = Field(
        default="",
        description="without what may move by itself, by the settings of the run",
    )
    settled_after: str = ""
