"""What a target has applied already, and which files are to be applied there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.file import SqlFile

FILES = (Kind.MIGRATION, Kind.VIEW, Kind.POLICY)


@dataclass(frozen=True, kw_only=True, slots=True)
class AppliedFile:
    """A file that the target has applied already, and the commit that holds its text; ``recorded``:
    by a baseline, so that this tool has never run it, and never undoes it."""

    path: str
    sha256: str
    kind: Kind
    commit: str
    segment: int = 1
    recorded: bool = False


def applied_last(past: Iterable[AppliedFile]) -> dict[str, str]:
    """By its path, the digest of the text of each that was applied last."""
    return {each.path: each.sha256 for each in past}


def is_pending(file: SqlFile, applied: Mapping[str, str]) -> bool:
    """Versioned: not applied yet. Repeatable: its text is not the one applied last."""
    digest = applied.get(file.path)
    if file.kind is Kind.MIGRATION:
        return digest is None
    return digest != file.sha256


def pending_files(
    files: Mapping[Kind, Sequence[SqlFile]],
    past: Sequence[AppliedFile],
    kinds: Sequence[Kind] = FILES,
) -> list[SqlFile]:
    """The files that are to be applied, in order: where there are any, those of `every` batch."""
    ordered, applied = [file for kind in kinds for file in files[kind]], applied_last(past)
    pending = {file.path for file in ordered if is_pending(file, applied)}
    return [file for file in ordered if file.path in pending or (pending and file.every)]
