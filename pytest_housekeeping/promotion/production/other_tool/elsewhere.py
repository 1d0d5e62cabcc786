"""A version that production has and no file here: in which other commit of this clone it is."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.config import Config
from pytest_housekeeping.evidence import Repository, open_repository
from pytest_housekeeping.model import Kind
from pytest_housekeeping.postgres.tool_history.match import Elsewhere, is_of
from pytest_housekeeping.postgres.tool_history.table import TheirRow
from pytest_housekeeping.sql.layouts.read import as_recorded, listing
from pytest_housekeeping.sql.path_names import on_disk
from pytest_housekeeping.sql.project_files import ProjectFiles, named_bytes


def elsewhere(config: Config, sources: ProjectFiles, row: TheirRow) -> Elsewhere | None:
    """The file of that version in whatever branch of this clone, the newest text of it; None where
    there is none, or no repository. Raises EvidenceError where git cannot be used."""
    repository = open_repository(config.root)
    if repository is None:
        return None
    with repository:
        for path, commit in _once_there(config, sources, repository, row):
            held = repository.show(commit, repository.relative(config.root / on_disk(path)))
            text = named_bytes(path, held)
            here = listing(config, sources).of(Kind.MIGRATION)
            now = next((each.path for each in here if sources.read(each.path) == text), "")
            return Elsewhere(
                path=path, commit=commit[:12], branch=_branch(repository, commit), now=now
            )
    return None


def _once_there(
    config: Config, sources: ProjectFiles, repository: Repository, row: TheirRow
) -> Iterator[tuple[str, str]]:
    """Paths, as the layout reads them, that bore the version, and the last commit with each."""
    top = repository.relative(config.root)
    folder = repository.relative(config.root / config.migrations_folder)
    asked = ("log", "--all", "--no-renames", "--diff-filter=AM", "--format=%x00%H", "--name-only")
    _, found, _ = repository.attempt(*asked, "-z", "--", folder)
    last: dict[str, str] = {}
    commit = ""
    for word in found.decode(errors="replace").replace("\n", "\0").split("\0"):
        if len(word) in (40, 64) and not word.strip("0123456789abcdef"):
            commit = word
        elif word:
            path = word if top == "." else word.removeprefix(f"{top}/")
            last.setdefault(path, commit)
    gone = {path: b"" for path in last if not sources.has(path)}
    then = sources.as_if(gone)
    for entry in as_recorded(config, then, listing(config, then).of(Kind.MIGRATION)):
        path = on_disk(entry.path)
        if path in gone and is_of(entry, row):
            yield entry.path, last[path]


def _branch(repository: Repository, commit: str) -> str:
    """A branch that holds the commit; "" where the one that is checked out does."""
    if repository.attempt("merge-base", "--is-ancestor", commit, "HEAD")[0] == 0:
        return ""
    asked = ("for-each-ref", f"--contains={commit}", "--format=%(refname:short)")
    _, found, _ = repository.attempt(*asked, "refs/heads", "refs/remotes")
    return next(iter(found.decode().split()), "no branch")
