"""Evidence read out of git, from HEAD and from every branch that holds evidence."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.model import Mode

BRANCHES = "housekeeping/audit"
STAGING_LOG = f"{BRANCHES}/staging"
# The last part of the log of what was to change a database, and has not.
REFUSED = "refused"
# At a remote staging's log is no branch: whoever clones the repository does not fetch it.
REMOTE_LOGS = f"refs/{BRANCHES}"
FETCH = (
    f"git fetch origin 'refs/heads/{BRANCHES}/*:refs/heads/{BRANCHES}/*'"
    f" '+{REMOTE_LOGS}/*:refs/remotes/origin/{BRANCHES}/*'"
)
PUSH = "git push origin"
_PUSH_ALL = f"{PUSH} 'refs/heads/{BRANCHES}/*:{REMOTE_LOGS}/*'"
# How the file of an audit is called: ``<mode>_<UTC>_<run>.json``.
AUDIT_NAME = re.compile(rf"(?:{'|'.join(Mode)})_\d{{8}}T\d{{6}}Z_[^/]+\.json")
# And that of a record of what somebody has decided: ``approval_<UTC>_<id>.json``.
DECISION_NAME = re.compile(r"(?:approval|review)_\d{8}T\d{6}Z_[^/]+\.json")
# And that of the record of a run on a fleet: ``fleet_<UTC>_<id>.json``.
FLEET_NAME = re.compile(r"fleet_\d{8}T\d{6}Z_[^/]+\.json")
# What is made from the evidence, stands beside it, and is none.
INDEX = "index.html"
_FOUND = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) (blob|tree|commit|tag) \d+")
_FOLDER, _SUBMODULE = "40000", "160000"
# The name of an object, by sha1 or by sha256.
OBJECT_NAME = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class GitCommands(Protocol):
    """What is needed of a repository; see Repository for what each method does."""

    def commit(self, name: str) -> str | None: ...
    def run(self, *command: str, stdin: bytes | None = None) -> bytes: ...
    def attempt(self, *command: str, stdin: bytes | None = None) -> tuple[int, bytes, str]: ...


def audits_of_modes(
    git: GitCommands, modes: Sequence[str], folder: str
) -> Iterator[tuple[str, bytes]]:
    """See Repository.evidence."""
    ordered = sorted(named_audits(git, modes, folder))
    contents = dict(objects(git, dict.fromkeys(oid for _, oid in ordered)))
    for name, oid in ordered:
        if oid in contents:
            yield f"{folder}/{name}", contents[oid]


def audits_of_runs(
    git: GitCommands, runs: Collection[str], folder: str
) -> Iterator[tuple[str, bytes]]:
    """Path and content of the committed audits of these runs in or below a folder."""
    inside = "" if folder == "." else f"{folder}/"
    found = {
        f"{inside}{path}": oid
        for below in files_below(git, _everywhere(git, inside.rstrip("/")))
        for path, oid in below.items()
        if AUDIT_NAME.fullmatch(name := path.rpartition("/")[2])
        and name.removesuffix(".json").rpartition("_")[2] in runs
    }
    contents = dict(objects(git, dict.fromkeys(found.values())))
    yield from ((path, contents[oid]) for path, oid in sorted(found.items()) if oid in contents)


def newest_audits(git: GitCommands, modes: Sequence[str], folder: str) -> Iterator[bytes]:
    """The same contents, the newest first: read as far as somebody asks, twice as many each time,
    for of a log that grows with each run one or a few are looked at."""
    named = named_audits(git, modes, folder)
    newest = sorted(named, key=lambda each: (each[0].partition("_")[2], each[1]), reverse=True)
    at = 0
    while at < len(newest):
        part = [oid for _, oid in newest[at : 2 * at + 1]]
        contents = dict(objects(git, dict.fromkeys(part)))
        yield from (contents[oid] for oid in part if oid in contents)
        at += len(part)


def fleet_records(git: GitCommands, folder: str) -> Iterator[bytes]:
    """Every committed record of the fleet whose evidence is in a folder, the newest first."""
    trees = objects(git, _everywhere(git, folder))
    entries = {each for oid, data in trees for each in _entries(data, len(oid) // 2)}
    named = sorted({(name, oid) for _, name, oid in entries if FLEET_NAME.fullmatch(name)})
    for _, oid in reversed(named):
        yield from (data for _, data in objects(git, [oid]))


def named_audits(git: GitCommands, modes: Sequence[str], folder: str) -> set[tuple[str, str]]:
    """Name and object of each of them, unread."""
    starts = tuple(f"{mode}_" for mode in modes)
    return {
        (name, oid)
        for tree_oid, data in objects(git, _everywhere(git, folder))
        for _, name, oid in _entries(data, len(tree_oid) // 2)
        if name.startswith(starts) and AUDIT_NAME.fullmatch(name)
    }


def evidence_refs(log: str = "") -> tuple[str, ...]:
    """What ``git for-each-ref`` finds the branches with evidence by, of this clone and as fetched
    from its remotes: all of them, or those of one log."""
    if log:
        return f"refs/heads/{BRANCHES}/{log}", f"refs/remotes/*/{BRANCHES}/{log}"
    return f"refs/heads/{BRANCHES}", f"refs/remotes/*/{BRANCHES}/**"


def fetch_fix(git: GitCommands) -> str:
    """How all evidence comes into this clone, also where there is nothing to fetch it from yet."""
    if has_origin(git):
        return f"{FETCH} (what only the clone has that made it is pushed there first: {_PUSH_ALL})"
    return f"this clone has no remote origin: git remote add origin URL && {FETCH}"


def has_origin(git: GitCommands) -> bool:
    """Whether there is a remote that evidence is fetched from and pushed to."""
    return b"origin" in git.run("remote").splitlines()


def contents_of(git: GitCommands, path: str) -> tuple[bytes, ...]:
    """See Repository.kept."""
    return tuple(dict.fromkeys(data for _, data in objects(git, _everywhere(git, path))))


def files_in(git: GitCommands, commit: str, folder: str) -> Iterator[tuple[str, bytes]]:
    """See Repository.files_in."""
    for tree_oid, tree in objects(git, [f"{commit}:{folder}"]):
        for _, name, oid in _entries(tree, len(tree_oid) // 2):
            for _, data in objects(git, [oid]):
                yield name, data


def files_below(git: GitCommands, places: Sequence[str]) -> list[dict[str, str]]:
    """Of each ``commit:folder`` the files in and below it: their objects by path from there.

    Every tree is read once, however many commits hold it. A folder that is not there has none.
    """
    roots = [oid if kind == "tree" else "" for oid, kind in looked_up(git, places)]
    trees: dict[str, list[tuple[str, str, str]]] = {}
    unread = set(filter(None, roots))
    while unread:
        read = {oid: list(_entries(data, len(oid) // 2)) for oid, data in objects(git, unread)}
        trees |= read
        inner = {oid for each in read.values() for mode, _, oid in each if mode == _FOLDER}
        unread = inner - trees.keys()
    return [dict(_below(trees, root, "")) for root in roots]


def _below(
    trees: Mapping[str, list[tuple[str, str, str]]], root: str, prefix: str
) -> Iterator[tuple[str, str]]:
    for mode, name, oid in trees.get(root, ()):
        if mode == _FOLDER:
            yield from _below(trees, oid, f"{prefix}{name}/")
        elif mode != _SUBMODULE:
            yield f"{prefix}{name}", oid


def standing_at(
    git: GitCommands, places: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """By tree and path from there, what stands under it; "" for nothing, and for a folder.

    Of every tree on the way there the hash is looked at.
    """
    at = {place: place[0] for place in places}
    left = {place: place[1].split("/") for place in places}
    while moving := [place for place in places if at[place] and left[place]]:
        wanted = {at[place] for place in moving}
        trees = {
            oid: {name: (mode, inner) for mode, name, inner in _entries(data, len(oid) // 2)}
            for oid, data in objects(git, wanted)
        }
        for place in moving:
            mode, oid = trees.get(at[place], {}).get(left[place].pop(0), ("", ""))
            at[place] = oid if (mode == _FOLDER) is bool(left[place]) else ""
    return at


def contents_at(git: GitCommands, commit: str, paths: Iterable[str]) -> Mapping[str, bytes]:
    """What a commit holds under paths from the root; a path without a file is left out."""
    # Of a path that begins with "../" git would say that it leads out, and end.
    asked = [path for path in dict.fromkeys(paths) if not path.startswith(("..", "/"))]
    held = files_at(git, [(commit, path) for path in asked])
    return {path: data for (_, path), data in held.items()}


def files_at(
    git: GitCommands, places: Iterable[tuple[str, str]]
) -> Mapping[tuple[str, str], bytes]:
    """What commits hold under paths; a commit that is not here, or holds none there, is left out.

    Two processes read all of it.
    """
    asked = list(dict.fromkeys(places))
    found = looked_up(git, [f"{commit}:{path}" for commit, path in asked])
    blobs = {place: oid for place, (oid, kind) in zip(asked, found, strict=True) if kind == "blob"}
    held = dict(objects(git, dict.fromkeys(blobs.values())))
    return {place: held[oid] for place, oid in blobs.items()}


def looked_up(git: GitCommands, names: Sequence[str]) -> list[tuple[str, str]]:
    """Id and type of what each name stands for; two empty texts where there is nothing.

    https://git-scm.com/docs/git-cat-file#_batch_output
    """
    # A name ends with its line: what has more than one is nothing that git could have.
    whole = [name if "\n" not in name else "no-such-thing" for name in names]
    request = os.fsencode("".join(f"{name}\n" for name in whole))
    answer = git.run("cat-file", "--batch-check", stdin=request).splitlines() if names else []
    found = [_FOUND.fullmatch(line) for line in answer]
    return [(each[1].decode(), each[2].decode()) if each else ("", "") for each in found]


def _everywhere(git: GitCommands, path: str) -> list[str]:
    """A path in HEAD and in every branch with evidence, each commit once."""
    branches = [f"--glob={pattern}" for pattern in evidence_refs()]
    status, tips, _ = git.attempt("rev-parse", "HEAD^{commit}", *branches)
    if status != 0:  # before the first commit
        tips = git.run("rev-parse", *branches)
    return list(dict.fromkeys(f"{tip}:{path}" for tip in tips.decode().split()))


def objects(git: GitCommands, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Id and content of each object that is there; one process reads them all.

    Raises EvidenceError for one whose content is not what its id says: git does not look.
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
            data = answer[at : at + size]
            if object_id(data, words[1], like=words[0]) != words[0]:
                raise EvidenceError(
                    f"object {words[0][:12]} of this clone is not what its id says",
                    why="the history that git tells of it is another one than was committed",
                    fix="git fsck --full names what is damaged; clone the repository again",
                )
            yield words[0], data
            at += size + 1


def object_id(data: bytes, kind: str, *, like: str) -> str:
    """The id that git gives to an object, by the algorithm that another id was made with."""
    algorithm = "sha256" if len(like) == hashlib.sha256().digest_size * 2 else "sha1"
    made = hashlib.new(algorithm, usedforsecurity=False)
    made.update(f"{kind} {len(data)}\0".encode())
    made.update(data)
    return made.hexdigest()


def _entries(tree: bytes, width: int) -> Iterator[tuple[str, str, str]]:
    """Mode, name and object id of each entry of a tree object: ``mode name NUL id``."""
    for entry in re.finditer(rb"(\d+) ([^\0]+)\0(.{%d})" % width, tree, re.DOTALL):
        mode, name, oid = entry.groups()
        yield mode.decode(), os.fsdecode(name), oid.hex()
