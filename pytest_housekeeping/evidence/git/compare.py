"""What was read from a work tree, compared with a commit: by content, whatever git's index says.

``git status`` believes the index: a file marked assume-unchanged or skip-worktree is never looked
at, and one that a filter or a conversion of line endings has rewritten counts as unchanged.
https://git-scm.com/docs/git-update-index#_using_assume_unchanged_bit
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_housekeeping.evidence.git.objects import GitCommands, object_id

# How many paths are given to one git command.
_AT_ONCE = 200
_CONVERTING = ("text", "eol", "crlf", "ident", "filter", "working-tree-encoding")
_LINK = b"120000"
_SUBMODULE = b"160000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Differences:
    """The paths, from the root of the repository, whose content is not that of the commit.

    Of these, git itself has ``rewritten`` some when it checked them out (line endings, a filter);
    ``by_attribute``: because ``.gitattributes`` says so, and not ``core.autocrlf`` alone. Others
    lie in ``submodules``, of which the commit holds a name and no file.
    """

    paths: tuple[str, ...] = ()
    rewritten: tuple[str, ...] = ()
    by_attribute: bool = False
    submodules: tuple[str, ...] = ()


def compare(
    git: GitCommands,
    root: Path,
    commit: str,
    *,
    folders: Sequence[Path],
    read: Mapping[Path, bytes] | Mapping[str, bytes],
) -> Differences:
    """Compare all that a commit holds below ``folders``, and what was ``read``, with the commit.

    ``read`` is by absolute path; those bytes count, not what the disk holds by now. A path that
    leads out of the repository differs.
    """
    top, real = str(root).rstrip(os.sep), _RealPaths()
    places = {real.of(folder) for folder in folders}
    places |= {f"{real.of(folder.parent)}/{folder.name}" for folder in folders}
    held = {real.of(path): data for path, data in read.items()}
    outside = {path for path in held if not _is_below(path, {top})}
    inside = {path: data for path, data in held.items() if path not in outside}
    wanted = {place for place in places if _is_below(place, {top})}
    wanted |= {path for path in inside if not _is_below(path, wanted)}
    known = dict(_blobs(git, commit, sorted(path[len(top) + 1 :] for path in wanted)))
    differing = set()
    for name, (mode, oid) in known.items():
        path = f"{top}/{name}"
        data = inside.get(path)
        there = _content(Path(path), mode) if data is None else data
        if mode != _SUBMODULE and not _is_blob(there, oid):
            differing.add(name)
    read_names = {path[len(top) + 1 :] for path in inside}
    differing |= read_names - known.keys()
    rewritten = tuple(_rewritten(git, root, sorted(differing & known.keys()), known))
    return Differences(
        paths=tuple(sorted(differing | outside)),
        rewritten=rewritten,
        by_attribute=any(_attributes(git, rewritten)),
        submodules=tuple(_submodules(git, commit, differing)),
    )


def named_below(git: GitCommands, commit: str, folder: str, name: str) -> dict[str, str]:
    """See Repository.named_below."""
    return {
        path: oid
        for path, (mode, oid) in _blobs(git, commit, [folder])
        if path.rpartition("/")[2] == name and mode not in (_LINK, _SUBMODULE)
    }


def blob_id(data: bytes, like: str) -> str:
    """The name that git gives to a blob, by the algorithm that another name was made with."""
    return object_id(data, "blob", like=like)


class _RealPaths:
    """Absolute paths without links in them; each folder is looked at once, for a plan has thousands
    of files in a few of them."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}
        self._links: dict[str, frozenset[str]] = {}

    def of(self, path: Path | str) -> str:
        folder, _, name = str(path).rpartition("/")
        if name in ("", ".", ".."):
            return os.path.realpath(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder or os.sep).rstrip(os.sep)
            self._links[folder] = frozenset(_links_in(self._folders[folder] or os.sep))
        whole = f"{self._folders[folder]}/{name}"
        return os.path.realpath(whole) if name in self._links[folder] else whole


def _links_in(folder: str) -> Iterator[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        yield from (each.name for each in entries if each.is_symlink())


def _is_below(path: str, places: Collection[str]) -> bool:
    """Whether it is one of these places, or lies in one."""
    while path not in places:
        path, separator, _ = path.rpartition("/")
        if not separator:
            return False
    return True


def _blobs(
    git: GitCommands, commit: str, paths: Sequence[str]
) -> Iterator[tuple[str, tuple[bytes, str]]]:
    """Mode and id of everything that a commit holds at or below these paths; "" is all of it."""
    if not paths:
        return
    names = [] if "" in paths else paths
    # An application has thousands of modules, and a command line has an end.
    for start in range(0, max(1, len(names)), _AT_ONCE):
        chunk = names[start : start + _AT_ONCE]
        out = git.run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *chunk)
        for entry in filter(None, out.split(b"\0")):
            facts, _, name = entry.partition(b"\t")
            mode, _, oid = facts.split(b" ")
            yield os.fsdecode(name), (mode, oid.decode())


def _submodules(git: GitCommands, commit: str, names: Collection[str]) -> Iterator[str]:
    """The submodules of a commit that these paths lie in."""
    above = sorted(
        {each.as_posix() for name in names for each in PurePosixPath(name).parents} - {"."}
    )
    for start in range(0, len(above), _AT_ONCE):
        chunk = above[start : start + _AT_ONCE]
        out = git.run("ls-tree", "-z", "--full-tree", commit, "--", *chunk)
        for entry in filter(None, out.split(b"\0")):
            facts, _, name = entry.partition(b"\t")
            if facts.startswith(_SUBMODULE):
                yield os.fsdecode(name)


def _content(path: Path, mode: bytes) -> bytes | None:
    """What the work tree holds at a path, None for nothing, or for something of another kind."""
    try:
        if path.is_symlink() or mode == _LINK:
            return os.fsencode(path.readlink()) if mode == _LINK else None
        return path.read_bytes()
    except OSError:
        return None


def _is_blob(data: bytes | None, oid: str) -> bool:
    return data is not None and blob_id(data, oid) == oid


def _rewritten(
    git: GitCommands, root: Path, names: Sequence[str], known: Mapping[str, tuple[bytes, str]]
) -> Iterator[str]:
    """The files that git would take for those of the commit, after its own conversions."""
    for start in range(0, len(names), _AT_ONCE):
        chunk = names[start : start + _AT_ONCE]
        there = [name for name in chunk if _is_plain_file(root / name)]
        if there:
            made = git.run("hash-object", "--", *there).decode().split()
            yield from (
                name for name, oid in zip(there, made, strict=True) if oid == known[name][1]
            )


def _attributes(git: GitCommands, names: Sequence[str]) -> Iterator[bool]:
    """Whether an attribute of each file changes what is checked out."""
    if names:
        out = git.run("check-attr", "-z", *_CONVERTING, "--", *names[:_AT_ONCE])
        yield from (value not in (b"unspecified", b"unset") for value in out.split(b"\0")[2::3])


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
