"""What a round trip has to know: which files go there and back, and the schemas that it meets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_housekeeping.plan.rollback_files import RollbackLink
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.view_dependents import standing_upon
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.sql.file import SqlFile


@dataclass(frozen=True, kw_only=True)
class AppliedRepeatable:
    """A view or policy file as it is applied. ``older`` is the text that it had before this batch,
    "" where it is new in this batch; None where this batch does not touch it."""

    file: SqlFile
    text: str
    older: str | None = None


@dataclass(frozen=True, kw_only=True)
class RoundTripInput:
    """What a round trip needs to know of the plan.

    ``links`` are migrations with their rollback files, newest first; ``repeatables`` stand in the
    order in which they are applied. ``schema_before_migration`` holds, by the migration's path,
    the schema before a migration at which the way down ends. ``around`` is what is compared beside
    the schema.
    """

    links: Sequence[RollbackLink]
    repeatables: Sequence[AppliedRepeatable]
    read_text: Callable[[SqlFile], str]
    schema_before_batch: Fingerprint | None
    excluded_schemas: tuple[str, ...]
    around: Around
    schema_before_migration: Mapping[str, Fingerprint] = field(default_factory=dict)


def touched_by_batch(
    connection: Connection, repeatables: Sequence[AppliedRepeatable]
) -> list[AppliedRepeatable]:
    """Those of the batch, and older ones whose views depend on theirs."""
    texts = {each.file.path: each.text for each in repeatables}
    in_batch = [each.file.path for each in repeatables if each.older is not None]
    paths = standing_upon(connection, texts, in_batch)
    return [
        each if each.older is not None else replace(each, older=each.text)
        for each in repeatables
        if each.file.path in paths
    ]
