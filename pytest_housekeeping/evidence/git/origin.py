"""Which commits have brought files of evidence onto their branch, as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.evidence.git.compare import blob_id
from pytest_housekeeping.evidence.git.objects import (
    GitCommands,
    evidence_refs,
    objects,
    standing_at,
)
from pytest_housekeeping.evidence.git.raw_log import logged_changes

Place = tuple[str, str]
"""A path from the root of the repository, and the object that stands there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """A commit that holds a file as it is, which none of its parents does.

    ``whole`` is false where a parent is not in this clone: then nobody knows what it holds.
    """

    commit: str
    whole: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Commit:
    tree: str
    parents: tuple[str, ...]


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
    commits = _read(git, {commit for commit, _ in brought})
    before = _read(git, {parent for each in commits.values() for parent in each.parents})
    known = {**before, **commits}
    asked = {
        (known[each].tree, path)
        for commit, (path, _) in brought
        for each in (commit, *commits[commit].parents)
        if each in known
    }
    held = standing_at(git, asked)
    found: dict[Place, list[Origin]] = {place: [] for place in places}
    for commit, (path, blob) in brought:
        parents = commits[commit].parents
        # In a shallow clone git shows a commit without parents: its own object says more.
        if held[commits[commit].tree, path] == blob and not any(
            held[before[parent].tree, path] == blob for parent in parents if parent in before
        ):
            whole = all(parent in before for parent in parents)
            found[path, blob].append(Origin(commit=commit, whole=whole))
    return {place: tuple(origins) for place, origins in found.items()}


def _brought(
    git: GitCommands, tips: Sequence[str], paths: Sequence[str]
) -> Iterator[tuple[str, Place]]:
    """The commits behind which a path has a content, and before which it had another, or none.

    https://git-scm.com/docs/git-log#_combined_diff_format
    """
    for commit, told, path in logged_changes(git, tips, paths, "-c"):
        yield commit, (path, told[-2])


def _read(git: GitCommands, commits: Collection[str]) -> dict[str, _Commit]:
    """The commits that are here, as their own objects are."""
    found = {}
    for commit, data in objects(git, sorted(commits)):
        lines = data.partition(b"\n\n")[0].decode(errors="replace").splitlines()
        found[commit] = _Commit(
            tree=lines[0].removeprefix("tree "),
            parents=tuple(line[7:] for line in lines if line.startswith("parent ")),
        )
    return found
