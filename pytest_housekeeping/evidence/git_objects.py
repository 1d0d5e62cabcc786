"""Evidence read out of git, from HEAD and from every branch that holds evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

BRANCHES = "housekeeping/audit"
FETCH = f"git fetch origin 'refs/heads/{BRANCHES}/*:refs/heads/{BRANCHES}/*'"


class GitCommands(Protocol):
    """What is needed of a repository; see Repository for what each method does."""

    def commit(self, name: str) -> str | None: ...
    def run(self, *command: str, stdin: bytes | None = None) -> bytes: ...
    def attempt(self, *command: str, stdin: bytes | None = None) -> tuple[int, bytes, str]: ...


def audits_of_mode(git: GitCommands, mode: str, folder: str) -> Iterator[tuple[str, bytes]]:
    """See Repository.evidence."""
    wanted = {
        (name, oid)
        for tree_oid, data in _objects(git, _everywhere(git, folder))
        for name, oid in _entries(data, len(tree_oid) // 2)
        if name.startswith(f"{mode}_") and name.endswith(".json")
    }
    ordered = sorted(wanted)
    contents = dict(_objects(git, dict.fromkeys(oid for _, oid in ordered)))
    for name, oid in ordered:
        if oid in contents:
            yield f"{folder}/{name}", contents[oid]


def contents_of(git: GitCommands, path: str) -> tuple[bytes, ...]:
    """See Repository.kept."""
    return tuple(dict.fromkeys(data for _, data in _objects(git, _everywhere(git, path))))


def files_in(git: GitCommands, commit: str, folder: str) -> Iterator[tuple[str, bytes]]:
    """See Repository.files_in."""
    for tree_oid, tree in _objects(git, [f"{commit}:{folder}"]):
        for name, oid in _entries(tree, len(tree_oid) // 2):
            for _, data in _objects(git, [oid]):
                yield name, data


def _everywhere(git: GitCommands, path: str) -> list[str]:
    """A path in HEAD and in every branch with evidence, each commit once."""
    patterns = (f"refs/heads/{BRANCHES}", f"refs/remotes/*/{BRANCHES}/**")
    tips = git.run("for-each-ref", "--format=%(objectname)", *patterns).decode().split()
    head = git.commit("HEAD")
    return list(dict.fromkeys(f"{tip}:{path}" for tip in [*([head] if head else []), *tips]))


def _objects(git: GitCommands, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Id and content of each object that is there, all read by one process.

    https://git-scm.com/docs/git-cat-file#_batch_output
    """
    request = "".join(f"{name}\n" for name in names).encode()
    answer = git.run("cat-file", "--batch", stdin=request) if request else b""
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        words = answer[at:end].decode().split()
        at = end + 1
        # "<id> <type> <size>", or "<name> missing" for what is not there.
        if words[-1].isdigit() and len(words) == 3:
            size = int(words[2])
            yield words[0], answer[at : at + size]
            at += size + 1


def _entries(tree: bytes, width: int) -> Iterator[tuple[str, str]]:
    """Name and object id of each entry of a tree object: ``mode name NUL id``."""
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        name = tree[at:end].partition(b" ")[2].decode(errors="replace")
        yield name, tree[end + 1 : end + 1 + width].hex()
        at = end + 1 + width
