"""The evidence in git: how it is committed without an index of the user's, and found again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Protocol

from pytest_housekeeping.errors import EvidenceError

BRANCHES = "housekeeping/audit"
FETCH = f"git fetch origin 'refs/heads/{BRANCHES}/*:refs/heads/{BRANCHES}/*'"
_ATTEMPTS = 12
# The pack is temporary: objects this few are stored one by one.
_IMPORT = ("-c", "pack.compression=0", "fast-import", "--quiet", "--done", "--depth=0")


class Git(Protocol):
    """What is needed of a repository."""

    def commit(self, name: str) -> str | None: ...
    def run(self, *command: str, stdin: bytes | None = None) -> bytes: ...
    def attempt(self, *command: str, stdin: bytes | None = None) -> tuple[int, bytes, str]: ...


def commit(
    git: Git, branch: str, files: Mapping[str, bytes], message: str, attests: str | None
) -> str:
    """See Repository.commit_evidence.

    ``git fast-import`` has an index of its own, knows no filters, hooks or signatures, and moves
    the branch only if nobody else has: https://git-scm.com/docs/git-fast-import
    """
    ref = f"refs/heads/{branch}"
    _refuse(git, branch, ref, files)
    author = _identity(git)
    tree = ""
    if attests is not None:
        tree = git.run("rev-parse", "--verify", f"{attests}^{{tree}}").decode().strip()
    complaint = ""
    for attempt in range(_ATTEMPTS):
        tip = git.commit(ref)
        parents = dict.fromkeys(parent for parent in (tip, attests) if parent)
        kept = _kept(git, tip, attests, files) if tip else []
        stream = _stream(ref, author, message, list(parents), tree, kept, files)
        status, out, complaint = git.attempt(*_IMPORT, stdin=stream)
        if status == 0:
            return out.decode().strip()
        if git.commit(ref) == tip and ".lock" not in complaint:
            break
        # Somebody else has moved the branch or is about to: build upon what is there then.
        time.sleep(0.01 * attempt)
    raise EvidenceError(
        f"the evidence cannot be committed to {branch}: {complaint.strip()}",
        why="until it is committed, nobody else can rely on it",
        fix="commit the files under ops/audit by hand, or repair what git names and run again",
    )


def find(git: Git, mode: str, folder: str) -> Iterator[tuple[str, bytes]]:
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


def contents(git: Git, path: str) -> tuple[bytes, ...]:
    """See Repository.kept."""
    return tuple(dict.fromkeys(data for _, data in _objects(git, _everywhere(git, path))))


def files_in(git: Git, commit: str, folder: str) -> Iterator[tuple[str, bytes]]:
    """See Repository.files_in."""
    for tree_oid, tree in _objects(git, [f"{commit}:{folder}"]):
        for name, oid in _entries(tree, len(tree_oid) // 2):
            for _, data in _objects(git, [oid]):
                yield name, data


def _everywhere(git: Git, path: str) -> list[str]:
    """A path in HEAD and in every branch with evidence, each commit once."""
    patterns = (f"refs/heads/{BRANCHES}", f"refs/remotes/*/{BRANCHES}/**")
    tips = git.run("for-each-ref", "--format=%(objectname)", *patterns).decode().split()
    head = git.commit("HEAD")
    return list(dict.fromkeys(f"{tip}:{path}" for tip in [*([head] if head else []), *tips]))


def _refuse(git: Git, branch: str, ref: str, files: Mapping[str, bytes]) -> None:
    if git.attempt("check-ref-format", ref)[0] != 0:
        raise EvidenceError(
            f"{branch!r} is no name for a branch",
            why="the evidence is committed to a branch",
            fix="`git check-ref-format --help` lists the rules",
        )
    for path in files:
        parts = PurePosixPath(path).parts
        if not parts or parts[0] == "/" or {"..", ".git"} & {part.lower() for part in parts}:
            raise EvidenceError(
                f"{path!r} is no path inside a repository",
                why="evidence is kept beside what it attests",
                fix="name the file from the root of the repository",
            )
    place = ""
    for line in git.run("worktree", "list", "--porcelain").decode(errors="replace").splitlines():
        place = line.removeprefix("worktree ") if line.startswith("worktree ") else place
        if line == f"branch {ref}":
            raise EvidenceError(
                f"the branch {branch} is checked out in {place}",
                why="a commit to it from outside would make the files there look changed",
                fix="check out another branch there; `git worktree prune` if the folder is gone",
            )


def _kept(git: Git, tip: str, attests: str | None, files: Mapping[str, bytes]) -> list[bytes]:
    """Earlier evidence that the attested commit lacks, as ``mode type oid<tab>path`` lines."""
    folders = sorted({str(PurePosixPath(path).parent) for path in files} - {"."})
    if not folders:
        return []
    listing = ("ls-tree", "-r", "-z", "--full-tree")
    names: set[bytes] = set()
    if attests is not None:
        held = git.run(*listing, attests, "--", *folders).split(b"\0")
        names = {line.partition(b"\t")[2] for line in held}
    earlier = git.run(*listing, tip, "--", *folders).split(b"\0")
    return [line for line in earlier if line and line.partition(b"\t")[2] not in names]


def _identity(git: Git) -> str:
    """The user's, as far as git is configured; a name of our own where it is not."""
    _, out, _ = git.attempt("config", "-z", "--get-regexp", r"^(user|author)\.(name|email)$")
    entries = [entry.decode(errors="replace").partition("\n") for entry in out.split(b"\0")]
    config = {key: value for key, _, value in entries}

    def choose(part: str, own: str) -> str:
        given = os.environ.get(f"GIT_AUTHOR_{part.upper()}")
        text = given or config.get(f"author.{part}") or config.get(f"user.{part}") or own
        return "".join(char for char in text if char.isprintable() and char not in "<>").strip()

    name = choose("name", "pytest-housekeeping")
    return f"{name} <{choose('email', 'noreply@pytest-housekeeping.localhost')}>"


def _stream(
    ref: str,
    author: str,
    message: str,
    parents: list[str],
    tree: str,
    kept: Iterable[bytes],
    files: Mapping[str, bytes],
) -> bytes:
    lines = [
        b"feature done",
        f"commit {ref}".encode(),
        b"mark :1",
        f"committer {author} {int(time.time())} +0000".encode(),
        _data(message.encode(errors="replace")),
        *(f"from {parent}".encode() for parent in parents[:1]),
        *(f"merge {parent}".encode() for parent in parents[1:]),
        f'M 040000 {tree} ""'.encode() if tree else b"deleteall",
    ]
    for line in kept:
        meta, _, path = line.partition(b"\t")
        mode, _, oid = meta.split(b" ")
        lines.append(b"M " + mode + b" " + oid + b" " + _quoted(path))
    for name, content in sorted(files.items()):
        lines += [b"M 100644 inline " + _quoted(os.fsencode(name)), _data(content)]
    return b"\n".join([*lines, b"get-mark :1", b"done", b""])


def _data(content: bytes) -> bytes:
    return f"data {len(content)}\n".encode() + content


def _quoted(path: bytes) -> bytes:
    """A path in git's C style, in which every byte may be written as three octal digits."""
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./"
    return b'"' + b"".join(bytes([b]) if b in plain else b"\\%03o" % b for b in path) + b'"'


def _objects(git: Git, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Id and content of each object that is there."""
    request = "".join(f"{name}\n" for name in names).encode()
    answer = git.run("cat-file", "--batch", stdin=request) if request else b""
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        words = answer[at:end].decode().split()
        at = end + 1
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
