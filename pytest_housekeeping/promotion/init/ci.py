"""Which CI a project has, and what `init` writes for it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pytest_housekeeping.config import Config
from pytest_housekeeping.evidence import Repository, open_repository
from pytest_housekeeping.promotion.init.ci_files import GITHUB, GITLAB, Place, ci_files
from pytest_housekeeping.sql.named_extensions import named_extensions
from pytest_housekeeping.sql.platforms import platform_of
from pytest_housekeeping.sql.project_files import ProjectFiles

NONE = "none"
_MAIN = "main"
# A name for files, environments and groups of workflows.
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")
# Of the stubs, what the service container has itself.
_IN_THE_IMAGE = {"uuid-ossp"}
_MARKS = {GITHUB: ".github", GITLAB: ".gitlab-ci.yml"}


def ci_of(config: Config, chosen: str | None) -> tuple[dict[str, str], str]:
    """The files of the project's CI by their paths from its folder, or none and why there are none.

    ``chosen`` is what somebody has said; otherwise the repository tells. Workflows stand in the
    root of the repository, whatever folder of it the project is.
    """
    if chosen == NONE:
        return {}, ""
    repository = open_repository(config.root)
    if repository is None:
        return {}, "the project is in no git repository"
    with repository:
        root = Path(os.path.realpath(config.root))
        folder = root.relative_to(repository.root).as_posix()
        kind = chosen or _known(repository)
        if kind is None:
            return {}, "nothing here says which CI it has: init --ci=github or --ci=gitlab"
        project = "" if folder == "." else folder
        if project and not _PLAIN.fullmatch(project):
            return {}, f"the folder {folder} has more in its name than letters, digits, . _ - and /"
        made = ci_files(kind, _place(config, repository, project))
        return {os.path.relpath(path, folder): text for path, text in made.items()}, ""


def _known(repository: Repository) -> str | None:
    """By the name of the remote, or by what other workflows have left."""
    url = _asked(repository, "config", "--get", "remote.origin.url")
    named = [kind for kind in _MARKS if kind in url]
    marked = [kind for kind, mark in _MARKS.items() if (repository.root / mark).exists()]
    found = named or marked
    return found[0] if len(found) == 1 else None


def _place(config: Config, repository: Repository, project: str) -> Place:
    folders = dict.fromkeys((config.sql, config.migrations_folder, config.checks))
    inside = [each for each in folders if each == config.sql or not _within(each, config.sql)]
    default = _asked(repository, "symbolic-ref", "--short", "refs/remotes/origin/HEAD")
    return Place(
        paths=tuple(f"{project}/{each}/**".lstrip("/") for each in inside),
        branch=default.removeprefix("origin/") or repository.branch() or _MAIN,
        postgres=config.server_version,
        fleet=bool(config.fleets),
        superuser=_superuser(config),
        embedded=_needs_embedded(config),
        project=project,
    )


def _superuser(config: Config) -> str:
    """No namesake of the role that migrations run as, which is no superuser."""
    platform = platform_of(config.platform)
    return platform.superuser or ("postgres" if config.migrator != "postgres" else "supabase_admin")


def _needs_embedded(config: Config) -> bool:
    """Whether the files make what the settings give to the embedded server alone: a plain container
    lets no stub stand in it, and a superuser alone make these extensions."""
    given = {stub.name for stub in config.stubs} - _IN_THE_IMAGE | {*config.trusted_extensions}
    return not given.isdisjoint(named_extensions(config, ProjectFiles(config.root)))


def _within(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _asked(repository: Repository, *command: str) -> str:
    status, out, _ = repository.attempt(*command)
    return out.decode(errors="replace").strip() if status == 0 else ""
