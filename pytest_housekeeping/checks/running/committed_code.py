"""The code of a commit as git has it: read from objects, whatever the work tree holds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_housekeeping.checks.code.readers.extract import Extraction, extract
from pytest_housekeeping.checks.code.readers.files import expression, is_passed_over
from pytest_housekeeping.declarations.boundaries import App, Boundaries, parse_boundaries
from pytest_housekeeping.errors import MisuseError, ProofFailed
from pytest_housekeeping.evidence.git.objects import objects
from pytest_housekeeping.evidence.git.repository import Repository

_LINK, _SUBMODULE = "120000", "160000"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningCommit:
    """A commit whose code runs, and how it is known: by a ref, or as the last promotion's."""

    commit: str
    known_as: str

    def __str__(self) -> str:
        return f"{self.commit[:12]} ({self.known_as})"


@dataclass(frozen=True, kw_only=True)
class RunningApp:
    """The code of one application in one commit; ``texts`` are its files, as they stand there.

    ``searched``: among how many files they were looked for.
    """

    commit: RunningCommit
    app: App
    extraction: Extraction
    texts: Mapping[str, bytes] = field(repr=False)
    searched: int


def running_code(
    repository: Repository,
    root: Path,
    commit: RunningCommit,
    boundaries: Boundaries,
    *,
    declared_in: str,
    cache_folder: Path | None = None,
) -> tuple[RunningApp, ...]:
    """The code of the applications in a commit, in the folder that the project has there.

    An application is read by what the commit itself declares of it in ``declared_in``; where it
    does not, by what is declared now. Raises ProofFailed where this clone lacks the commit.
    """
    if repository.commit(commit.commit) is None:
        raise ProofFailed(
            f"the code that runs now is not here: commit {commit}",
            why="whether the batch breaks it would be known by nobody",
            fix="fetch it (git fetch --unshallow in a shallow clone), or say which code runs:"
            ' running = ["ref"] under [tool.housekeeping] in pyproject.toml',
        )
    prefix = repository.relative(root)
    held = dict(_held(repository, commit.commit, "" if prefix == "." else f"{prefix}/"))
    apps = _apps_of(repository, boundaries, held.get(declared_in))
    return tuple(
        _read(repository, commit, app, held, root, cache_folder) for app in apps if app.code
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """A file of a commit: the id of its content, and whether that is where a link leads to."""

    oid: str
    is_link: bool


def _held(repository: Repository, commit: str, prefix: str) -> Iterator[tuple[str, _Held]]:
    """https://git-scm.com/docs/git-ls-tree#_output_format"""
    places = ["--", prefix] if prefix else []
    listing = repository.run("ls-tree", "-r", "-z", "--full-tree", commit, *places)
    for entry in listing.split(b"\0"):
        about, _, path = entry.partition(b"\t")
        if path and (words := about.decode().split())[0] != _SUBMODULE:
            name = os.fsdecode(path).removeprefix(prefix)
            yield name, _Held(oid=words[2], is_link=words[0] == _LINK)


def _apps_of(
    repository: Repository, boundaries: Boundaries, declared: _Held | None
) -> Sequence[App]:
    """Today's applications, each as the commit declares it, where it declares code of it."""
    if declared is None:
        return boundaries.apps
    ((_, text),) = objects(repository, [declared.oid])
    try:
        then = {app.name: app for app in parse_boundaries(text.decode()).apps if app.code}
    except (MisuseError, ValueError):
        return boundaries.apps  # of another version: what is declared now is read there
    now = {app.name for app in boundaries.apps}
    return [
        *(then.get(app.name, app) for app in boundaries.apps),
        *(app for name, app in then.items() if name not in now),
    ]


def _read(
    repository: Repository,
    commit: RunningCommit,
    app: App,
    held: Mapping[str, _Held],
    project: Path,
    cache_folder: Path | None,
) -> RunningApp:
    patterns = [expression(pattern) for pattern in app.code]
    wanted = {
        path: each
        for path, each in held.items()
        if any(pattern.fullmatch(path) for pattern in patterns)
        and not is_passed_over(path)
        and ".." not in path.split("/")
    }
    contents = dict(objects(repository, dict.fromkeys(each.oid for each in wanted.values())))
    texts = {path: contents[each.oid] for path, each in wanted.items() if each.oid in contents}
    with tempfile.TemporaryDirectory(prefix="hk-running-") as scratch:
        root = Path(scratch)
        for path, data in texts.items():
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if wanted[path].is_link:
                place.symlink_to(os.fsdecode(data))
            else:
                place.write_bytes(data)
        extraction = extract(root, app.code, cache_folder=cache_folder, project=project)
    return RunningApp(
        commit=commit, app=app, extraction=extraction, texts=texts, searched=len(held)
    )
