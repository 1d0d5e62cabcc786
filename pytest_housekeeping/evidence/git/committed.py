"""All evidence of a clone, as git has it: HEAD and every branch housekeeping/audit/*, read only."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_housekeeping.evidence.git.evidence_log import (
    EvidenceLog,
    FileChange,
    Told,
    read_log,
    told_everywhere,
)
from pytest_housekeeping.evidence.git.objects import (
    AUDIT_NAME,
    FLEET_NAME,
    REFUSED,
    GitCommands,
    evidence_refs,
    files_below,
    objects,
)
from pytest_housekeeping.model import Mode

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


def read_committed(
    git: GitCommands, folder: str | None = None, log: EvidenceLog | None = None
) -> Committed:
    """Read all of it, or what belongs to one ``folder`` of audits, from the repository's root.

    The folders, of whatever project and under whatever name, are found by the names of audits and
    of records of fleets. ``log`` is that of these or more folders, where it was read before.
    """
    tips = tips_of(git)
    audits = {folder} if folder is not None else _folders(git, tips)
    folders = sorted(audits | {incidents_of(each) for each in audits})
    # Without tips `git log --stdin` would take HEAD, which is none before the first commit.
    if log is None:
        log = read_log(git, tips, folders) if tips and folders else EvidenceLog(commits=())
    if folder is not None:
        told, recorded = tuple(log.told(folders)), tuple(log.recorded(folders))
    else:
        told, recorded = told_everywhere(git, tips) if tips else ((), ())
    return Committed(
        versions=_versions(git, tips, folders),
        changes=tuple(log.changes(folders)),
        told=told,
        recorded=recorded,
        branches=tuple(name for names in tips.values() for name in names),
        shallow=git.run("rev-parse", "--is-shallow-repository").strip() == b"true",
    )


def ask_ahead(git: GitCommands, folders: Sequence[str]) -> EvidenceLog:
    """Ask a repository that remembers what is asked of each of these folders of audits."""
    tips = tips_of(git)
    places = sorted({*folders, *map(incidents_of, folders)})
    any(objects(git, [f"{tip}:{folder}" for tip in tips for folder in places]))
    _versions(git, tips, places)
    return read_log(git, tips, places) if tips and places else EvidenceLog(commits=())


def ask_for_contents(git: GitCommands, folder: str) -> None:
    """Ask it for all that lies in one of them, where that is not much: what looks at it then needs
    no program."""
    places = [folder, incidents_of(folder)]
    oids = dict.fromkeys(each.oid for each in _versions(git, tips_of(git), places))
    if len(oids) <= _AT_ONCE:
        any(objects(git, oids))


def contents(git: GitCommands, committed: Committed) -> Iterator[tuple[str, bytes]]:
    """Every content of the evidence that is in this clone, each once, a few at a time."""
    oids = list(dict.fromkeys(version.oid for version in committed.versions))
    for start in range(0, len(oids), _AT_ONCE):
        yield from objects(git, oids[start : start + _AT_ONCE])


def incidents_of(audit_folder: str) -> str:
    """Where incident reports lie: beside the folder of the audits."""
    return (PurePosixPath(audit_folder).parent / "incidents").as_posix()


def tips_of(git: GitCommands) -> dict[str, list[str]]:
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
