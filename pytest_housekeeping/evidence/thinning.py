"""Staging's log begun anew, without the audits that nobody asks about any more.

An audit of staging stays whole while it may be asked for: a promotion or a rollback names it, it is
the newest of its commit and no later commit that passed has that one behind it, or it is among the
newest. Of every other one a line stays (thinned.py). What was in git is gone only where no commit
holds it any more: so the log gets a first commit that holds what stays, and is moved to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex

from pytest_housekeeping.evidence.git.branch import commit_files
from pytest_housekeeping.evidence.git.objects import (
    BRANCHES,
    OBJECT_NAME,
    STAGING_LOG,
    GitCommands,
    files_at,
    files_below,
)
from pytest_housekeeping.evidence.records import Record
from pytest_housekeeping.evidence.run_outcomes import PROVED
from pytest_housekeeping.evidence.thinned import THINNED, Thinned, lines, read_lines
from pytest_housekeeping.model import Mode
from pytest_housekeeping.sql.text import digest

# The newest stay whatever they are of: somebody may be looking at them.
NEWEST = 20
_NAMED = re.compile(rf"{Mode.STAGING}_\d{{8}}T\d{{6}}Z_[\w-]+\.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Thinning:
    """What is to stay whole on the log, and of which audits a line."""

    whole: tuple[Record, ...]
    gone: tuple[Record, ...]


def thinning(
    git: GitCommands, records: Sequence[Record], signed: Mapping[str, str] | None = None
) -> Thinning:
    """Which audits of staging's log stay. Where audits have to be signed, ``signed`` are those that
    are: another one is not brought along, for the commit that brings it now will be signed."""
    log = [each for each in records if each.mode == Mode.STAGING and _is_on_log(each)]
    log.sort(key=lambda each: (each.finished_at, each.path))
    named = set(_named(records))
    behind = _behind(git, log)
    newest = {each.commit: each.path for each in log if _passed(each)}
    whole: list[Record] = []
    gone: list[Record] = []
    for place, record in enumerate(reversed(log)):
        asked_for = (
            place < NEWEST
            or record.path.rpartition("/")[2] in named
            or (newest.get(record.commit) == record.path and record.commit not in behind)
        )
        fit = signed is None or record.path in signed
        (whole if asked_for and fit else gone).append(record)
    return Thinning(whole=tuple(whole), gone=tuple(gone))


def begin_anew(
    git: GitCommands,
    found: Thinning,
    *,
    sign: bool,
    prove: Callable[[str], None],
) -> str:
    """The first commit of the new log, to which this clone's branch was moved.

    Everything else that the old one holds, of other projects say, stays as it is. Raises
    EvidenceError, SigningFailed among them, with nothing changed.
    """
    ref = f"refs/heads/{STAGING_LOG}"
    tip = git.commit(ref) or ""
    (held,) = files_below(git, [f"{tip}:"])
    contents = {path: data for (_, path), data in files_at(git, [(tip, p) for p in held]).items()}
    stays = dict(contents)
    told: dict[str, list[Thinned]] = {}
    for record in found.gone:
        folder = record.version.folder
        mine = {path: stays.pop(path) for path in _files_of(record, contents)}
        sha256 = {path: digest(data) for path, data in mine.items()}
        told.setdefault(folder, []).append(_line_of(record, sha256))
    for folder, new in told.items():
        path = f"{folder}/{THINNED}".lstrip("/")
        stays[path] = lines([*read_lines(contents.get(path, b"")), *new])
    beside = f"{BRANCHES}/thinned-{token_hex(4)}"
    message = (
        f"staging thinned: {len(found.whole)} audits whole, {len(found.gone)} more a line each\n"
    )
    made = commit_files(git, beside, stays, message, None, sign=sign, prove=prove)
    try:
        git.run("update-ref", ref, made, tip)
    finally:
        git.attempt("update-ref", "-d", f"refs/heads/{beside}", made)
    return made


def _is_on_log(record: Record) -> bool:
    return any(name == STAGING_LOG for name in record.version.branches)


def _passed(record: Record) -> bool:
    return record.entry is not None and record.entry.outcome in PROVED


def _named(records: Sequence[Record]) -> Iterator[str]:
    """The audits of staging that what has changed a database says it was proved by."""
    for record in records:
        if record.mode == Mode.STAGING or record.entry is None:
            continue
        for text in (*record.proved_by, *record.entry.way_back):
            yield from _NAMED.findall(text)


def _behind(git: GitCommands, log: Sequence[Record]) -> set[str]:
    """The commits that a commit which has passed has behind it, and those that are not here."""
    commits = {each.commit for each in log if OBJECT_NAME.fullmatch(each.commit)}
    here = {each for each in commits if git.commit(each) is not None}
    tips = sorted({each.commit for each in log if _passed(each)} & here)
    asked = "".join(f"{tip}^@\n" for tip in tips).encode()
    reached = git.run("rev-list", "--stdin", stdin=asked).decode().split() if tips else []
    return (commits - here) | set(reached)


def _line_of(record: Record, sha256: Mapping[str, str]) -> Thinned:
    """What stays of an audit; ``sha256`` is that of its files, by path."""
    return Thinned(
        run=record.run,
        path=record.path,
        digest=record.digest,
        previous=record.previous,
        commit=record.commit,
        outcome=record.entry.outcome if record.entry else "",
        finished_at=record.finished_at,
        files=dict(sorted(sha256.items())),
    )


def _files_of(record: Record, contents: Mapping[str, bytes]) -> list[str]:
    """The audit and what it names, as far as the log holds it."""
    folder = record.version.folder
    names = [record.path]
    names += [f"{folder}/{a.path.rpartition('/')[2]}".lstrip("/") for a in record.artifacts]
    return [path for path in dict.fromkeys(names) if path in contents]
