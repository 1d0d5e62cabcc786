"""In a watch with files pending: the checks as they were when production was promoted last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_housekeeping.config import Config
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.objects import files_below, objects
from pytest_housekeeping.sql.project_files import ProjectFiles


@dataclass(frozen=True, kw_only=True)
class PromotedChecks:
    """The files of a project with the checks of ``commit``.

    ``left_out`` are tests that are not there as they were: what is new or changed since belongs to
    the files that are pending.
    """

    commit: str
    sources: ProjectFiles
    left_out: tuple[str, ...]


def promoted_checks(
    config: Config, sources: ProjectFiles, repository: Repository | None, commit: str
) -> PromotedChecks | None:
    """The checks of the last promotion; None where this clone does not have its commit.

    Declarations and queries are read as the commit has them. Of Python only what is on the disk can
    run, so a test that differs is left out.
    """
    known = repository.commit(commit) if repository is not None and commit else None
    if repository is None or known is None:
        return None
    top = repository.relative(config.root / config.checks)
    (below,) = files_below(repository, [f"{known}:{top}"])
    texts = dict(objects(repository, dict.fromkeys(below.values())))
    then = {f"{config.checks}/{path}": texts[oid] for path, oid in below.items()}
    now = {
        path: content
        for path, content in sources.held.items()
        if path.startswith(f"{config.checks}/")
    }
    changed: Mapping[str, bytes | None] = {
        path: then.get(path) for path in {*then, *now} if then.get(path) != now.get(path)
    }
    tests = tuple(sorted(path for path in changed if path.endswith(".py") and path in now))
    others = {path: text for path, text in changed.items() if not path.endswith(".py")}
    return PromotedChecks(
        commit=known,
        sources=sources.as_if(others | dict.fromkeys(tests)),
        left_out=tests,
    )
