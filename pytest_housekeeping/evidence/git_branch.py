"""Commit evidence onto a branch that is only ever added to, beside whatever the user is doing.

Why nothing is lost or slipped in: ``git fast-import`` builds the commit from its own stream, with
an index of its own and without the user's index, files, filters, hooks or signatures. What the
branch held in the folders of the evidence is in the new tree as well, and each run's files have
names of their own. Without ``--force`` git moves the branch only to a commit that descends from its
tip, so what several runs commit at once all stays; the push is never forced either.
https://git-scm.com/docs/git-fast-import
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence.git_objects import GitCommands

_ATTEMPTS = 12
# The pack is temporary: objects this few are stored one by one.
_IMPORT = ("-c", "pack.compression=0", "fast-import", "--quiet", "--done", "--depth=0")


def commit_files(
    git: GitCommands, branch: str, files: Mapping[str, bytes], message: str, attests: str | None
) -> str:
    """See Repository.commit_evidence."""
    ref = f"refs/heads/{branch}"
    _refuse_unusable(git, branch, ref, files)
    author = _identity(git)
    tree = ""
    if attests is not None:
        tree = git.run("rev-parse", "--verify", f"{attests}^{{tree}}").decode().strip()
    complaint = ""
    for attempt in range(_ATTEMPTS):
        tip = git.commit(ref)
        parents = dict.fromkeys(parent for parent in (tip, attests) if parent)
        kept = _earlier_evidence(git, tip, attests, files) if tip else []
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


def _refuse_unusable(git: GitCommands, branch: str, ref: str, files: Mapping[str, bytes]) -> None:
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


def _earlier_evidence(
    git: GitCommands, tip: str, attests: str | None, files: Mapping[str, bytes]
) -> list[bytes]:
    """What the attested commit lacks of the evidence, as ``mode type oid<tab>path`` lines."""
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


def _identity(git: GitCommands) -> str:
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
    """The commands of git fast-import that make the commit."""
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
