"""Which commits have brought files of evidence onto their branch, as they are."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.evidence.git_compare import blob_id
from pytest_housekeeping.evidence.git_objects import (
    GitCommands,
    evidence_refs,
    looked_up,
    objects,
)

Place = tuple[str, str]
"""A path from the root of the repository, and the object that stands there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """A commit that holds a file as it is, which none of its parents does.

    ``whole`` is false where a parent is not in this clone: then nobody knows what it holds.
    """

    commit: str
    whole: bool


def origins_of(git: GitCommands, log: str, path: str, data: bytes) -> tuple[Origin, ...]:
    """The commits of the log ``housekeeping/audit/<log>``, of this clone and as fetched from its
    remotes, that have brought ``path`` with just this content; none where the log lacks it.

    A merge has brought what none of its parents had. Replace references and grafts do not count.
    """
    tips = _tips(git, log)
    place = (path, blob_id(data, tips[0])) if tips else (path, "")
    return _origins(git, tips, [place], [path])[place]


def all_origins(
    git: GitCommands, log: str, places: Collection[Place]
) -> Mapping[Place, tuple[Origin, ...]]:
    """The same for many files at once: a handful of processes reads all of it."""
    folders = sorted({path.rpartition("/")[0] or "." for path, _ in places})
    return _origins(git, _tips(git, log), places, folders)


def _tips(git: GitCommands, log: str) -> list[str]:
    return git.run("for-each-ref", "--format=%(objectname)", *evidence_refs(log)).decode().split()


def _origins(
    git: GitCommands, tips: Sequence[str], places: Collection[Place], paths: Sequence[str]
) -> Mapping[Place, tuple[Origin, ...]]:
    wanted = frozenset(places)
    brought = list(dict.fromkeys(_brought(git, tips, paths))) if tips and wanted else []
    brought = [(commit, place) for commit, place in brought if place in wanted]
    parents = _parents(git, dict.fromkeys(commit for commit, _ in brought))
    here = _here(git, {parent for each in parents.values() for parent in each})
    held = _held(git, brought, parents)
    found: dict[Place, list[Origin]] = {place: [] for place in places}
    for commit, place in brought:
        path, blob = place
        # In a shallow clone git shows a commit without parents: its own object says more.
        if held[commit, path] == blob and not any(
            held[parent, path] == blob for parent in parents[commit]
        ):
            found[place].append(Origin(commit=commit, whole=here.issuperset(parents[commit])))
    return {place: tuple(origins) for place, origins in found.items()}


def _brought(
    git: GitCommands, tips: Sequence[str], paths: Sequence[str]
) -> Iterator[tuple[str, Place]]:
    """The commits behind which a path has a content, and before which it had another, or none.

    https://git-scm.com/docs/git-log#_combined_diff_format
    """
    log = ("-c", "log.showRoot=true", "log", "--stdin", "--no-show-signature", "--full-history")
    raw = ("-c", "--raw", "--no-abbrev", "--no-renames", "--no-color", "-z", "--format=%x01%H")
    revisions = "".join(f"{tip}\n" for tip in tips).encode()
    fields = iter(git.run(*log, *raw, "--", *paths, stdin=revisions).split(b"\0"))
    commit = ""
    for field in fields:
        text = field.lstrip(b"\n")
        if text.startswith(b"\x01"):
            commit = text[1:].decode()
        elif text.startswith(b":"):
            *_, blob, _status = text.decode().split(" ")
            yield commit, (os.fsdecode(next(fields)), blob)


def _parents(git: GitCommands, commits: Collection[str]) -> dict[str, list[str]]:
    """The parents of each commit, as its own object names them."""
    found = {}
    for commit, data in objects(git, commits):
        lines = data.partition(b"\n\n")[0].decode(errors="replace").splitlines()
        found[commit] = [line[7:] for line in lines if line.startswith("parent ")]
    return found


def _here(git: GitCommands, commits: Collection[str]) -> set[str]:
    asked = sorted(commits)
    return {
        name
        for name, (_, kind) in zip(asked, looked_up(git, asked), strict=True)
        if kind == "commit"
    }


def _held(
    git: GitCommands, brought: Sequence[tuple[str, Place]], parents: Mapping[str, Sequence[str]]
) -> Mapping[tuple[str, str], str]:
    """What each of these commits and its parents has under the paths that it has brought."""
    asked = list(
        dict.fromkeys(
            (each, path) for commit, (path, _) in brought for each in (commit, *parents[commit])
        )
    )
    found = looked_up(git, [f"{commit}:{path}" for commit, path in asked])
    return {place: oid for place, (oid, _) in zip(asked, found, strict=True)}
