"""The batch cut into segments: files that are committed together, or stand in no transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pytest_housekeeping.sql.file import SqlFile

BATCH, OWN, NONE = "batch", "own", "none"
"""What a header may say of the file's transaction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Files that share one transaction. ``transaction=none`` files stand alone and in none."""

    number: int
    files: tuple[SqlFile, ...]
    transaction: str = BATCH


def cut_into_segments(
    files: Iterable[SqlFile],
    *,
    first: Iterable[SqlFile] = (),
    last: Iterable[SqlFile] = (),
    apart: Collection[str] = (),
) -> tuple[Segment, ...]:
    """The segments in order: a file that asks for it begins one, and so do those whose paths are
    in ``apart``. ``first`` and ``last`` go into the first and the last segment.

    In the last one everything is verified. It is never ``none``, nor one that adds values to an
    enum in a transaction of its own: seeds and checks may use them.
    """
    groups: list[tuple[str, list[SqlFile]]] = []
    if beginning := list(first):
        groups.append((BATCH, beginning))
    for file in files:
        joins = groups and groups[-1][0] == BATCH and file.path not in apart
        if file.transaction == BATCH and joins:
            groups[-1][1].append(file)
        else:
            groups.append((file.transaction, [file]))
    if not groups or groups[-1][0] == NONE or _adds_for_later(*groups[-1]):
        groups.append((BATCH, []))
    groups[-1][1].extend(last)
    return tuple(
        Segment(number=number, files=tuple(members), transaction=transaction)
        for number, (transaction, members) in enumerate(groups, start=1)
    )


def _adds_for_later(transaction: str, files: list[SqlFile]) -> bool:
    return transaction == OWN and any(file.values_added for file in files)
