"""Ways in which a clone's files and settings make git tell another history than it holds."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from support.fresh_copy import git

Lie = Callable[[Path, str], object]
"""Given the root of a clone and the commit that is to be lied about."""


def configured(*settings: str) -> Lie:
    """Settings of the clone."""

    def lie(root: Path, _commit: str) -> None:
        for setting in settings:
            git(root, "config", *setting.split("=", 1))

    return lie


def commit_graph(*, parent: str = "", tree: str = "", filters: bool = False) -> Lie:
    """A commit-graph in which a commit has no parent, another tree, or has changed no path.

    https://git-scm.com/docs/gitformat-commit-graph
    """

    def lie(root: Path, commit: str) -> None:
        options = ("--changed-paths",) if filters else ()
        git(root, "commit-graph", "write", "--reachable", *options)
        path = root / ".git/objects/info/commit-graph"
        data = bytearray(path.read_bytes()[:-20])
        chunks = _chunks(bytes(data))
        at = chunks[b"OIDL"][0]
        names = [bytes(data[n : n + 20]) for n in range(at, chunks[b"OIDL"][1], 20)]
        entry = chunks[b"CDAT"][0] + 36 * names.index(bytes.fromhex(commit))
        if tree:
            data[entry : entry + 20] = bytes.fromhex(git(root, "rev-parse", f"{tree}^{{tree}}"))
        if parent == "none":
            data[entry + 20 : entry + 28] = bytes.fromhex("7000000070000000")
        if filters:
            start, end = chunks[b"BDAT"]
            data[start + 12 : end] = bytes(end - start - 12)
        path.chmod(0o644)
        path.write_bytes(data + hashlib.sha1(data, usedforsecurity=False).digest())

    return lie


def _chunks(data: bytes) -> dict[bytes, tuple[int, int]]:
    """Where each chunk of a commit-graph begins and ends."""
    table = [data[8 + 12 * n : 20 + 12 * n] for n in range(data[6] + 1)]
    places = [(bytes(row[:4]), int.from_bytes(row[4:], "big")) for row in table]
    return {name: (start, end) for (name, start), (_, end) in pairwise(places)}


def replaced(root: Path, commit: str) -> None:
    """``git replace``: the commit is shown as its first parent is."""
    git(root, "replace", commit, f"{commit}~1")


def grafted(root: Path, commit: str) -> None:
    (root / ".git/info").mkdir(exist_ok=True)
    (root / ".git/info/grafts").write_text(f"{commit}\n", encoding="utf-8")


def with_alternate(root: Path, _commit: str) -> None:
    """The objects of another repository, whose branches and replace references are not ours."""
    other = root.parent / "alternate"
    git(root.parent, "clone", "-q", "--bare", root.as_uri(), str(other))
    for ref in git(other, "for-each-ref", "--format=%(refname)").split():
        git(other, "update-ref", ref, git(root, "rev-list", "--max-parents=0", "HEAD"))
    (root / ".git/objects/info/alternates").write_text(f"{other}/objects\n", encoding="utf-8")
    git(root, "config", "core.alternateRefsCommand", "echo")


def packed_with_other_peels(root: Path, commit: str) -> None:
    """``packed-refs`` that say of each branch that it is peeled to something else."""
    git(root, "pack-refs", "--all")
    path = root / ".git/packed-refs"
    first = git(root, "rev-list", "--max-parents=0", commit).splitlines()[0]
    lines = ["# pack-refs with: peeled fully-peeled sorted "]
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        lines += [line, f"^{first}"] if not line.startswith("^") else []
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def forged_object(name: str, other: str) -> Lie:
    """The loose object that ``name`` of the commit stands for, with the content of ``other``: git
    looks at no hash when it reads one."""

    def lie(root: Path, commit: str) -> None:
        victim, source = git(root, "rev-parse", f"{commit}{name}"), git(root, "rev-parse", other)
        path = root / ".git/objects" / victim[:2] / victim[2:]
        kind = git(root, "cat-file", "-t", source)
        data = _bytes(root, "cat-file", kind, source)
        path.chmod(0o644)
        path.write_bytes(zlib.compress(f"{kind} {len(data)}\0".encode() + data))

    return lie


def _bytes(root: Path, *command: str) -> bytes:
    return subprocess.run(["git", *command], cwd=root, check=True, capture_output=True).stdout


HISTORY: dict[str, Lie] = {
    "a replace reference": replaced,
    "a graft": grafted,
    "a commit-graph without the parent": commit_graph(parent="none"),
    "a commit-graph with another tree": commit_graph(tree="HEAD~1"),
    "a commit-graph that says nothing was changed": commit_graph(filters=True),
    "another repository's objects": with_alternate,
    "packed references with other peels": packed_with_other_peels,
}
SETTINGS: dict[str, Lie] = {
    "merges without a difference": configured("log.diffMerges=none"),
    "merges against their first parent": configured("log.diffMerges=first-parent"),
    "messages in another encoding": configured("i18n.logOutputEncoding=UTF-16"),
    "names that are followed": configured("log.follow=true"),
    "no difference for a root": configured("log.showRoot=false"),
    "differences of a folder": configured("diff.relative=true"),
    "renames": configured("diff.renames=copies", "diff.renameLimit=9999", "status.renames=copies"),
    "colours": configured("color.ui=always", "color.diff=always"),
    "signatures in the log": configured("log.showSignature=true"),
    "names in quotes, links as files": configured("core.quotePath=true", "core.symlinks=false"),
    "a case that does not count": configured("core.ignoreCase=true", "core.precomposeUnicode=true"),
    "an order of files": configured(f"diff.orderFile={os.devnull}"),
    "mail addresses and dates": configured("log.mailmap=true", "log.date=relative"),
}
