"""The schema of a real database before and after a run, by its digests: where one run ended the
next one has to begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_housekeeping.snapshot.compare.declared_moves import without_declared
from pytest_housekeeping.snapshot.fingerprint import Fingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaStates:
    """Digests of what was read; "" for what was not. ``settled``: without what may move by itself,
    as the run's settings declare it. ``version`` is that of the reading: what two versions have
    read cannot be compared by a digest."""

    version: int = 0
    before: str = ""
    after: str = ""
    settled_before: str = ""
    settled_after: str = ""


def schema_states(
    before: Fingerprint | None, after: Fingerprint | None, may_move: Mapping[str, str]
) -> SchemaStates:
    """What a run has found, and what it has seen behind its last COMMIT; None for not read."""
    if before is None:
        return SchemaStates()
    return SchemaStates(
        version=before.version,
        before=before.digest,
        after=after.digest if after else "",
        settled_before=without_declared(before, may_move).digest,
        settled_after=without_declared(after, may_move).digest if after else "",
    )
