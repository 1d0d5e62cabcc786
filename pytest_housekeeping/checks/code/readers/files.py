"""The files of an application: what its globs match, what can be read, what is passed over."""

from __future__ import annotations

import os
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

from pytest_housekeeping.checks.code.facts import SkippedFile, Undecided
from pytest_housekeeping.checks.code.readers.languages import SUFFIXES, is_searched

# In bytes: what is larger was generated, and nobody wrote it by hand.
LARGEST = 1_000_000
# Folders of tools and of installed packages.
_NOT_OURS = frozenset(
    {"node_modules", "__pycache__", ".git", ".venv", "venv", ".tox", ".mypy_cache"}
)
_MINIFIED = re.compile(r"\.(?:min|bundle)\.[cm]?js$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Matched:
    """What the globs of an application match. Paths are relative to the root, in name order.

    ``others``: files that are neither read nor searched.
    """

    files: tuple[str, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    others: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()


def match(root: Path, patterns: Sequence[str]) -> Matched:
    """Find the files. ``**`` stands for any number of folders, ``*`` for a part of one name.

    A symbolic link that leads out of the tree is undecided: what it names is not part of this
    commit. Large and minified files are skipped, with the reason.
    """
    files: dict[str, None] = {}
    skipped: dict[str, SkippedFile] = {}
    undecided: dict[str, Undecided] = {}
    others: set[str] = set()
    unmatched = []
    for pattern in patterns:
        hits = 0
        for path, entry in _walk(root, pattern, undecided, skipped):
            hits += 1
            suffix = Path(path).suffix.lower()
            if suffix not in SUFFIXES and not is_searched(suffix):
                others.add(path)
            elif entry.is_symlink() and not _is_inside(root, path):
                if suffix in SUFFIXES:
                    undecided[path] = _outside(path)
                else:
                    skipped[path] = SkippedFile(file=path, reason="a link out of the tree")
            elif reason := _too_large(path, entry):
                skipped[path] = SkippedFile(file=path, reason=reason)
            else:
                files[path] = None
        if not hits:
            unmatched.append(pattern)
    return Matched(
        files=tuple(sorted(files)),
        skipped=tuple(skipped[path] for path in sorted(skipped)),
        undecided=tuple(undecided[path] for path in sorted(undecided)),
        others=tuple(sorted(others)),
        unmatched=tuple(unmatched),
    )


def decode(data: bytes, suffix: str) -> str:
    """The text of a source file. Raises ValueError that says why there is none."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # a byte order mark
        return data.decode("utf-16")
    if b"\0" in data:
        raise ValueError("it holds a NUL byte")
    encoding = "utf-8-sig"
    if suffix == ".py":
        try:
            # PEP 263: a comment in one of the first two lines says it.
            encoding = tokenize.detect_encoding(BytesIO(data[:500]).readline)[0]
        except SyntaxError:
            said = b"coding" in b"".join(data.splitlines()[:2])
            raise ValueError("its encoding is unknown" if said else "it is not UTF-8") from None
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except (UnicodeDecodeError, LookupError):
        raise ValueError(f"it is not {encoding.removesuffix('-sig').upper()}") from None


def _walk(
    root: Path, pattern: str, undecided: dict[str, Undecided], skipped: dict[str, SkippedFile]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    compiled = expression(pattern)
    # The folders before the first wildcard need no search.
    fixed = re.split(r"[*?\[]", pattern)[0].rpartition("/")[0]
    stack = [fixed]
    while stack:
        folder = stack.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            # A link to a folder is not followed: it may lead around in a circle.
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NOT_OURS:
                    stack.append(path)
                elif entry.name == "node_modules":
                    skipped[path] = SkippedFile(file=path, reason="installed packages")
            elif entry.is_symlink() and entry.is_dir():
                if compiled.match(f"{path}/x"):
                    undecided[path] = _outside(path)
            elif compiled.fullmatch(path):
                yield path, entry


def is_passed_over(path: str) -> bool:
    """Whether a path leads into a folder of a tool, or of installed packages."""
    return not _NOT_OURS.isdisjoint(path.split("/")[:-1])


@cache
def expression(pattern: str) -> re.Pattern[str]:
    """A glob of an application as a regular expression for whole paths."""
    out = ""
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|\[[^]]*\]|[^*?\[]+|\[", pattern):
        out += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece) or (
            piece.replace("[!", "[^", 1)
            if piece.startswith("[") and piece.endswith("]")
            else re.escape(piece)
        )
    return re.compile(out, re.DOTALL)


def _is_inside(root: Path, path: str) -> bool:
    try:
        return (root / path).resolve(strict=True).is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return False


def _outside(path: str) -> Undecided:
    return Undecided(
        file=path,
        line=1,
        column=1,
        symbol="<module>",
        reason="a symbolic link that leads out of the tree, or to a folder: it was not read",
    )


def _too_large(path: str, entry: os.DirEntry[str]) -> str:
    if _MINIFIED.search(path):
        return "a minified bundle"
    try:
        size = entry.stat().st_size
    except OSError:
        return ""
    return f"generated, {size / 1_000_000:.1f} MB" if size > LARGEST else ""
