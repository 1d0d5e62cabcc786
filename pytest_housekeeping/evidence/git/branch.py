"""Commit evidence onto a branch that is only ever added to, beside whatever the user is doing.

Why nothing is lost or slipped in: ``git fast-import`` builds the commit from its own stream, with
an index of its own and without the user's index, files, filters or hooks. All
evidence that the branch has ever held is in the new tree as well, in whatever folder and of
whichever project, and each run's files have names of their own. Without ``--force`` git moves the
branch only to a commit that descends from its tip, so what several runs commit at once all stays;
the push is never forced either. fast-import does not sign: where a signature is asked for, its
commit is made beside the branch, ``git commit-tree -S`` makes the signed one of the same tree,
message and parents, and the branch is moved to it only from the very tip that it was built upon.
https://git-scm.com/docs/git-fast-import
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from secrets import token_hex
from types import MappingProxyType

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence.git.objects import GitCommands
from pytest_housekeeping.evidence.git.signing import signed

_ATTEMPTS = 12
# A command line holds so many paths of files.
_AT_ONCE = 500
_ATTESTS = "Attests: "
_FILE = b"100644 "
# The pack is temporary: objects this few are stored one by one.
_IMPORT = ("-c", "pack.compression=0", "fast-import", "--quiet", "--done", "--depth=0")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    """A commit of evidence, behind which ``ref`` is moved from ``tip`` to it: ``kept`` and
    ``files`` are put into ``tree``."""

    ref: str
    tip: str | None
    author: str
    message: str
    parents: tuple[str, ...]
    tree: str
    kept: Mapping[bytes, bytes]
    files: Mapping[str, bytes]


def commit_files(
    git: GitCommands,
    branch: str,
    files: Mapping[str, bytes],
    message: str,
    attests: str | None,
    *,
    sign: bool,
    prove: Callable[[str], None] = lambda _: None,
    stored: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """See Repository.commit_evidence. ``prove`` sees what was signed before the branch is moved."""
    ref = f"refs/heads/{branch}"
    _refuse_unusable(git, branch, ref, [*files, *stored])
    author = identity_of(git)
    if attests is not None:
        attests = git.run("rev-parse", "--verify", f"{attests}^{{commit}}").decode().strip()
        message = f"{message.rstrip()}\n\n{_ATTESTS}{attests}\n"
    complaint = ""
    for attempt in range(_ATTEMPTS):
        tip = git.commit(ref)
        parents = dict.fromkeys(parent for parent in (tip, attests) if parent)
        # A log holds nothing but evidence: everything of its tip stays.
        base = attests or tip
        tree = git.run("rev-parse", f"{base}^{{tree}}").decode().strip() if base else ""
        kept = _earlier_evidence(git, tip, attests) if tip and attests else {}
        change = _Change(
            ref=ref,
            tip=tip,
            author=author,
            message=message,
            parents=tuple(parents),
            tree=tree,
            kept=kept | {os.fsencode(name): _FILE + oid.encode() for name, oid in stored.items()},
            files=files,
        )
        made, complaint = _move_signed(git, change, prove) if sign else _move(git, change)
        if made:
            return made
        if git.commit(ref) == tip and ".lock" not in complaint:
            break
        # Somebody else has moved the branch or is about to: build upon what is there then.
        time.sleep(0.01 * attempt)
    raise EvidenceError(
        f"the evidence cannot be committed to {branch}: {complaint.strip()}",
        why="until it is committed, nobody else can rely on it",
        fix="repair what git names and run again; of a promotion, commit what it has written under"
        " ops/audit by hand",
    )


def store_files(git: GitCommands, paths: Sequence[Path]) -> list[str]:
    """See Repository.store."""
    oids: list[str] = []
    for start in range(0, len(paths), _AT_ONCE):
        some = [str(path) for path in paths[start : start + _AT_ONCE]]
        oids += git.run("hash-object", "-w", "--no-filters", "--", *some).decode().split()
    return oids


def _move(git: GitCommands, change: _Change) -> tuple[str, str]:
    """The commit to which the branch was moved, or "" and why it was not."""
    status, out, complaint = git.attempt(*_IMPORT, stdin=_stream(change))
    return (out.decode().strip() if status == 0 else ""), complaint


def _move_signed(
    git: GitCommands, change: _Change, prove: Callable[[str], None]
) -> tuple[str, str]:
    """The same with a signed commit. Raises SigningFailed where it cannot be signed, and what
    ``prove`` raises of it."""
    beside = f"refs/housekeeping-unsigned/{token_hex(8)}"
    plain, complaint = _move(git, replace(change, ref=beside))
    if not plain:
        return "", complaint
    try:
        made = signed(git, plain, change.author, change.parents)
    finally:
        git.attempt("update-ref", "-d", beside, plain)
    prove(made)
    status, _, complaint = git.attempt(
        "update-ref", change.ref, made, change.tip or "0" * len(made)
    )
    return (made if status == 0 else ""), complaint


def refuse_symbolic(git: GitCommands, *refs: str) -> None:
    """Raises EvidenceError for one that stands for another one: git would move that."""
    for ref in refs:
        status, out, _ = git.attempt("symbolic-ref", "--quiet", ref)
        if status == 0:
            raise EvidenceError(
                f"{ref} is a symbolic reference to {out.decode(errors='replace').strip()}",
                why="evidence that is committed to it would move that one",
                fix=f"git symbolic-ref --delete {ref}",
            )


def refuse_moving(git: GitCommands, ref: str) -> None:
    """Raises EvidenceError for a branch that cannot be moved without moving something of the
    user's."""
    refuse_symbolic(git, ref)
    place = ""
    for line in git.run("worktree", "list", "--porcelain").decode(errors="replace").splitlines():
        place = line.removeprefix("worktree ") if line.startswith("worktree ") else place
        if line == f"branch {ref}":
            raise EvidenceError(
                f"the branch {ref.removeprefix('refs/heads/')} is checked out in {place}",
                why="a commit to it from outside would make the files there look changed",
                fix="check out another branch there; `git worktree prune` if the folder is gone",
            )


def _refuse_unusable(git: GitCommands, branch: str, ref: str, files: Sequence[str]) -> None:
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
    refuse_moving(git, ref)


def _earlier_evidence(git: GitCommands, tip: str, attests: str) -> dict[bytes, bytes]:
    """What the attested commit lacks of the branch's evidence: ``mode oid`` by path.

    The evidence is what the commits of the branch have added, each to the commit that it attests.
    """
    listed = git.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", attests)
    held, kept = set(listed.split(b"\0")), dict[bytes, bytes]()
    for commit, attested in _evidence_commits(git, tip):
        names = ("diff-tree", "-r", "-z", "--no-renames", "--diff-filter=d", attested, commit)
        fields = git.run(*names).split(b"\0")
        for facts, path in zip(fields[::2], fields[1::2], strict=False):
            _, mode, _, oid, _ = facts.split(b" ")
            if path not in held:
                kept.setdefault(path, mode + b" " + oid)
    return kept


def _evidence_commits(git: GitCommands, tip: str) -> Iterator[tuple[str, str]]:
    """The commits of a branch to merge, the newest first, each with the one that it attests.

    Of a commit made before its message named that one, it is the last parent.
    """
    commit = tip
    while True:
        text = git.run("cat-file", "commit", commit).decode(errors="replace")
        header, _, message = text.partition("\n\n")
        parents = [line[7:] for line in header.splitlines() if line.startswith("parent ")]
        named = [each for each in parents if f"\n{_ATTESTS}{each}" in f"\n{message}"]
        if not named and commit == tip:
            named = parents[-1:]
        if not named:
            return
        yield commit, named[0]
        commit = parents[0]


def identity_of(git: GitCommands) -> str:
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


def _stream(change: _Change) -> bytes:
    """The commands of git fast-import that make the commit."""
    lines = [
        b"feature done",
        f"commit {change.ref}".encode(),
        b"mark :1",
        f"committer {change.author} {int(time.time())} +0000".encode(),
        _data(change.message.encode(errors="replace")),
        *(f"from {parent}".encode() for parent in change.parents[:1]),
        *(f"merge {parent}".encode() for parent in change.parents[1:]),
        f'M 040000 {change.tree} ""'.encode() if change.tree else b"deleteall",
    ]
    for path, entry in change.kept.items():
        lines.append(b"M " + entry + b" " + _quoted(path))
    for name, content in sorted(change.files.items()):
        lines += [b"M " + _FILE + b"inline " + _quoted(os.fsencode(name)), _data(content)]
    return b"\n".join([*lines, b"get-mark :1", b"done", b""])


def _data(content: bytes) -> bytes:
    return f"data {len(content)}\n".encode() + content


def _quoted(path: bytes) -> bytes:
    """A path in git's C style, in which every byte may be written as three octal digits."""
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./"
    return b'"' + b"".join(bytes([b]) if b in plain else b"\\%03o" % b for b in path) + b'"'
