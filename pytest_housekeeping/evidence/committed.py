"""All evidence of a clone, as git has it: HEAD and every branch housekeeping/audit/*, read only."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_housekeeping.evidence.git_objects import (
    AUDIT_NAME,
    FLEET_NAME,
    REFUSED,
    GitCommands,
    evidence_refs,
    files_below,
    objects,
)
from pytest_housekeeping.evidence.raw_log import logged_changes
from pytest_housekeeping.model import Mode

# "shop: prod of preprod rolled back: 12 steps on 0123456789ab"
_SUBJECT = re.compile(rf"(?:.*: )?({'|'.join(Mode)})(?: of \S+)? [^:]+: \d+ steps.*")
# A commit that brings evidence of several databases says in which folder each audit is.
_TOLD = re.compile(r"^Run (\S+), plan \w*, audit (\w{64})(?:, in (.+))?$", re.MULTILINE)
_RECORDED = re.compile(r"^Record (\S+) of a fleet, digest (\w{64}), in (.+)$", re.MULTILINE)
# How many files are held in memory at a time.
_AT_ONCE = 200
_LOGS = {"HEAD", REFUSED, *Mode}


@dataclass(frozen=True, kw_only=True, slots=True)
class FileVersion:
    """A content that stands under a path, and on which branches it does."""

    path: str
    oid: str
    branches: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]


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


@dataclass(frozen=True, kw_only=True)
class Committed:
    """The evidence: every version of every file below the folders that hold audits.

    ``changes`` is all that the history has ever taken away, whether it has come back or not.
    ``shallow``: the history does not begin in this clone.
    """

    versions: tuple[FileVersion, ...]
    changes: tuple[FileChange, ...]
    told: tuple[Told, ...]
    branches: tuple[str, ...]
    shallow: bool
    recorded: tuple[Told, ...] = ()

    @property
    def audits(self) -> tuple[FileVersion, ...]:
        """The files that are audits by their names."""
        return tuple(each for each in self.versions if AUDIT_NAME.fullmatch(each.name))

    @property
    def fleets(self) -> tuple[FileVersion, ...]:
        """The files that are records of fleets by their names."""
        return tuple(each for each in self.versions if FLEET_NAME.fullmatch(each.name))


def read_committed(git: GitCommands, folder: str | None = None) -> Committed:
    """Read all of it, or what belongs to one ``folder`` of audits, from the repository's root.

    The folders, of whatever project and under whatever name, are found by the names of audits and
    of records of fleets.
    """
    tips = _tips(git)
    audits = {folder} if folder is not None else _folders(git, tips)
    folders = sorted(audits | {incidents_of(each) for each in audits})
    versions = _versions(git, tips, folders)
    shallow = git.run("rev-parse", "--is-shallow-repository").strip() == b"true"
    messages = tuple(_messages(git, tips, folders if folder is not None else ())) if tips else ()
    named = frozenset(folders if folder is not None else ())
    return Committed(
        versions=versions,
        # Without tips `git log --stdin` would take HEAD, which is none before the first commit.
        changes=tuple(changes_behind(git, tips, folders)) if tips and folders else (),
        told=tuple(_told(messages, named)),
        recorded=tuple(_recorded(messages, named)),
        branches=tuple(name for names in tips.values() for name in names),
        shallow=shallow,
    )


def contents(git: GitCommands, committed: Committed) -> Iterator[tuple[str, bytes]]:
    """Every content of the evidence that is in this clone, each once, a few at a time."""
    oids = list(dict.fromkeys(version.oid for version in committed.versions))
    for start in range(0, len(oids), _AT_ONCE):
        yield from objects(git, oids[start : start + _AT_ONCE])


def incidents_of(audit_folder: str) -> str:
    """Where incident reports lie: beside the folder of the audits."""
    return (PurePosixPath(audit_folder).parent / "incidents").as_posix()


def _tips(git: GitCommands) -> dict[str, list[str]]:
    """The commits to look into, each with the branches that point to it; HEAD is the first."""
    tips: dict[str, list[str]] = {}
    head = git.commit("HEAD")
    if head is not None:
        tips[head] = ["HEAD"]
    lines = git.run("for-each-ref", "--format=%(objectname) %(refname:short)", *evidence_refs())
    for line in lines.decode(errors="replace").splitlines():
        commit, _, name = line.partition(" ")
        tips.setdefault(commit, []).append(name)
    return tips


def _folders(git: GitCommands, tips: Mapping[str, Sequence[str]]) -> set[str]:
    """Every folder that holds an audit, or a record of a fleet.

    HEAD and the logs are looked through as a whole; of a branch to merge it is enough to see what
    its last commit has added.
    """
    whole = [
        tip for tip, names in tips.items() if {name.rpartition("/")[2] for name in names} & _LOGS
    ]
    listing = ("ls-tree", "-r", "-z", "--name-only", "--full-tree")
    names = [name for tip in whole for name in git.run(*listing, tip).split(b"\0")]
    others = "".join(f"{tip}\n" for tip in tips if tip not in whole).encode()
    added = ("diff-tree", "--stdin", "--root", "-m", "-r", "-z", "--name-only", "--no-commit-id")
    names += git.run(*added, stdin=others).split(b"\0") if others else []
    found = set()
    for name in dict.fromkeys(names):
        if name.endswith(b".json"):
            folder, _, last = os.fsdecode(name).rpartition("/")
            known = AUDIT_NAME.fullmatch(last) or FLEET_NAME.fullmatch(last)
            if known and "\n" not in folder:
                found.add(folder)
    return found


def _versions(
    git: GitCommands, tips: Mapping[str, Sequence[str]], folders: Sequence[str]
) -> tuple[FileVersion, ...]:
    places = [(tip, folder) for tip in tips for folder in folders]
    standing: dict[tuple[str, str], dict[str, None]] = {}
    below = files_below(git, [f"{tip}:{folder}" for tip, folder in places])
    for (tip, folder), files in zip(places, below, strict=True):
        for name, oid in files.items():
            path = f"{folder}/{name}".lstrip("/")
            standing.setdefault((path, oid), {}).update(dict.fromkeys(tips[tip]))
    return tuple(
        FileVersion(path=path, oid=oid, branches=tuple(names))
        for (path, oid), names in sorted(standing.items())
    )


def changes_behind(
    git: GitCommands, tips: Iterable[str], folders: Sequence[str]
) -> Iterator[FileChange]:
    """Every commit behind the tips that deletes or changes a file in these folders."""
    for commit, told, path in logged_changes(git, tips, folders, "-m", "--diff-filter=DMT"):
        _, _, oid, _, status = told
        yield FileChange(path=path, oid=oid, commit=commit, deletes=status == "D")


def _messages(
    git: GitCommands, tips: Iterable[str], folders: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Commit and message of all that tell of evidence: of those that touch these folders, or of
    all of them."""
    log = ("log", "--stdin", "--no-show-signature", "--full-history", "-z", "--format=%H%n%B")
    found = ("-E", "--grep=^Run [^ ]+, plan |^Record [^ ]+ of a fleet, ", "--", *folders)
    revisions = "".join(f"{tip}\n" for tip in tips).encode()
    for text in git.run(*log, *found, stdin=revisions).split(b"\0"):
        commit, _, message = text.decode(errors="replace").partition("\n")
        yield commit, message


def _told(messages: Iterable[tuple[str, str]], folders: Collection[str]) -> Iterator[Told]:
    """What commits tell of audits: of those in these folders, or of all of them."""
    for commit, message in messages:
        mode = _SUBJECT.fullmatch(message.partition("\n")[0])
        for run, digest, place in _TOLD.findall(message):
            if place and folders and place not in folders:
                continue
            # Of several databases at once there are promotions alone.
            said = Mode.PROD if place else mode[1] if mode else ""
            yield Told(mode=said, run=run, digest=digest, commit=commit)


def _recorded(messages: Iterable[tuple[str, str]], folders: Collection[str]) -> Iterator[Told]:
    """What they tell of records of fleets."""
    for commit, message in messages:
        for run, digest, place in _RECORDED.findall(message):
            if not folders or place in folders:
                yield Told(mode="", run=run, digest=digest, commit=commit)
