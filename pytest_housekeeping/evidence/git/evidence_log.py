"""What the commits behind the evidence tell of it, and what they have taken away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from pytest_housekeeping.evidence.git.objects import GitCommands
from pytest_housekeeping.evidence.git.raw_log import logged_changes
from pytest_housekeeping.model import Mode

# "shop: prod of preprod rolled back: 12 steps on 0123456789ab"
_SUBJECT = re.compile(rf"(?:.*: )?({'|'.join(Mode)})(?: of \S+)? [^:]+: \d+ steps.*")
# A commit that brings evidence of several databases says in which folder each audit is.
_TOLD = re.compile(r"^Run (\S+), plan \w*, audit (\w{64})(?:, in (.+))?$", re.MULTILINE)
_RECORDED = re.compile(r"^Record (\S+) of a fleet, digest (\w{64}), in (.+)$", re.MULTILINE)
_TELLS = "--grep=^Run [^ ]+, plan |^Record [^ ]+ of a fleet, "
_LOG = ("log", "--stdin", "--no-show-signature", "--full-history", "-z", "--format=%H%n%B", "-E")
_TAKEN_AWAY = ("D", "M", "T")
_SAID = "--format=%x01%H%n%B"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileChange:
    """A commit that took a content away from a path: it ``deletes`` the file or ``changes`` it."""

    path: str
    oid: str
    commit: str
    deletes: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the message of a commit of evidence says: this run, and the digest of its audit, or of
    the record that a run on a fleet has made."""

    mode: str
    run: str
    digest: str
    commit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Commit:
    """What one commit tells, by the folder that it names ("" for none); in and below which folders
    it has done anything, and what it has taken away there."""

    told: Mapping[str, Sequence[Told]]
    recorded: Mapping[str, Sequence[Told]]
    touched: frozenset[str]
    changes: Sequence[FileChange]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceLog:
    """The commits behind some tips, the newest first, as far as they touch some folders: asked for
    once, also where many parts of it are wanted."""

    commits: tuple[_Commit, ...]

    def told(self, folders: Sequence[str]) -> Iterator[Told]:
        """What they tell of audits in these folders; a commit that names none tells of those that
        it touches."""
        for each in self._touching(folders):
            yield from (told for place in ("", *folders) for told in each.told.get(place, ()))

    def recorded(self, folders: Sequence[str]) -> Iterator[Told]:
        """What they tell of records of fleets in these folders."""
        for each in self._touching(folders):
            yield from (told for place in folders for told in each.recorded.get(place, ()))

    def changes(self, folders: Sequence[str]) -> Iterator[FileChange]:
        """Every content that one of them has taken away in or below these folders."""
        for each in self._touching(folders):
            for change in each.changes:
                if not _above(change.path).isdisjoint(folders):
                    yield change

    def _touching(self, folders: Sequence[str]) -> Iterator[_Commit]:
        return (each for each in self.commits if not each.touched.isdisjoint(folders))


def read_log(git: GitCommands, tips: Iterable[str], folders: Sequence[str]) -> EvidenceLog:
    """All commits behind the tips that touch these folders; one process reads them."""
    touched: dict[str, set[str]] = {}
    changes: dict[str, list[FileChange]] = {}
    for said, (_, _, oid, _, status), path in logged_changes(git, tips, folders, "-m", _SAID):
        touched.setdefault(said, set()).update(_above(path))
        if status in _TAKEN_AWAY:
            changes.setdefault(said, []).append(_change(said, path, oid, status))
    return EvidenceLog(
        commits=tuple(
            _Commit(
                told=_by_place(_told(*_parts(said))),
                recorded=_by_place(_recorded(*_parts(said))),
                touched=frozenset(of_one),
                changes=tuple(changes.get(said, ())),
            )
            for said, of_one in touched.items()
        )
    )


def told_everywhere(
    git: GitCommands, tips: Iterable[str]
) -> tuple[tuple[Told, ...], tuple[Told, ...]]:
    """What all commits behind the tips tell of audits, and of records of fleets."""
    told: list[Told] = []
    recorded: list[Told] = []
    revisions = "".join(f"{tip}\n" for tip in tips).encode()
    found = git.run(*_LOG, _TELLS, "--", stdin=revisions)
    for text in found.split(b"\0"):
        parts = _parts(text.decode(errors="replace"))
        told += (each for _, each in _told(*parts))
        recorded += (each for _, each in _recorded(*parts))
    return tuple(told), tuple(recorded)


def changes_behind(
    git: GitCommands, tips: Iterable[str], folders: Sequence[str]
) -> Iterator[FileChange]:
    """Every commit behind the tips that deletes or changes a file in these folders."""
    filtered = f"--diff-filter={''.join(_TAKEN_AWAY)}"
    for said, (_, _, oid, _, status), path in logged_changes(git, tips, folders, "-m", filtered):
        yield _change(said, path, oid, status)


def _change(said: str, path: str, oid: str, status: str) -> FileChange:
    return FileChange(path=path, oid=oid, commit=_parts(said)[0], deletes=status == "D")


def _parts(said: str) -> tuple[str, str]:
    """The commit and its message."""
    commit, _, message = said.partition("\n")
    return commit, message


def _told(commit: str, message: str) -> Iterator[tuple[str, Told]]:
    mode = _SUBJECT.fullmatch(message.partition("\n")[0])
    for run, digest, place in _TOLD.findall(message):
        # Of several databases at once there are promotions alone.
        said = Mode.PROD if place else mode[1] if mode else ""
        yield place, Told(mode=said, run=run, digest=digest, commit=commit)


def _recorded(commit: str, message: str) -> Iterator[tuple[str, Told]]:
    for run, digest, place in _RECORDED.findall(message):
        yield place, Told(mode="", run=run, digest=digest, commit=commit)


def _by_place(told: Iterable[tuple[str, Told]]) -> Mapping[str, Sequence[Told]]:
    found: dict[str, list[Told]] = {}
    for place, each in told:
        found.setdefault(place, []).append(each)
    return found


@lru_cache(maxsize=1_000)
def _folders_above(folder: str) -> frozenset[str]:
    return frozenset(accumulate(folder.split("/"), "{}/{}".format)) | {"", "."}


def _above(path: str) -> frozenset[str]:
    """The folders that a file is in."""
    return _folders_above(path.rpartition("/")[0])
