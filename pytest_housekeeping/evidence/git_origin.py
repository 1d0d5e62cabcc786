"""Which commits have brought a file of evidence onto its branch, as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_housekeeping.evidence.git_compare import blob_id
from pytest_housekeeping.evidence.git_objects import GitCommands, evidence_refs


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
    tips = git.run("for-each-ref", "--format=%(objectname)", *evidence_refs(log)).decode().split()
    if not tips:
        return ()
    blob = blob_id(data, tips[0])
    found = dict.fromkeys(_changing(git, tips, path, blob))
    return tuple(origin for commit in found for origin in _origin(git, commit, path, blob))


def _changing(git: GitCommands, tips: Sequence[str], path: str, blob: str) -> Iterator[str]:
    """The commits behind which the path has this content, and before which it had not.

    https://git-scm.com/docs/git-log#_combined_diff_format
    """
    listed = git.run(
        *("-c", "log.showRoot=true", "-c", "log.showSignature=false", "log", "--full-history"),
        *("-c", "--raw", "--no-abbrev", "--no-renames", "--no-color", "--format=commit %H"),
        *(*tips, "--", path),
    )
    commit = ""
    for line in listed.decode(errors="replace").splitlines():
        if line.startswith("commit "):
            commit = line.removeprefix("commit ")
        elif line.startswith(":") and blob in line.partition("\t")[0].split():
            yield commit


def _origin(git: GitCommands, commit: str, path: str, blob: str) -> Iterator[Origin]:
    """The commit as its own object has it: in a shallow clone git shows it without parents."""
    if _held(git, commit, path) != blob:
        return
    header = git.run("cat-file", "commit", commit).partition(b"\n\n")[0].decode(errors="replace")
    lines = header.splitlines()
    parents = [line.removeprefix("parent ") for line in lines if line.startswith("parent ")]
    whole = all(git.commit(parent) for parent in parents)
    if not any(_held(git, parent, path) == blob for parent in parents):
        yield Origin(commit=commit, whole=whole)


def _held(git: GitCommands, commit: str, path: str) -> str:
    status, out, _ = git.attempt("rev-parse", "--quiet", "--verify", f"{commit}:{path}")
    return out.decode().strip() if status == 0 else ""
