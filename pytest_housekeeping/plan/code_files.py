"""What steers a run besides SQL and declarations: Python of the project, settings, the pins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import DECLARATIONS, QUERIES
from pytest_housekeeping.declarations.settings import SETTINGS
from pytest_housekeeping.model import CodeFile
from pytest_housekeeping.sql.folder import all_paths
from pytest_housekeeping.sql.project_files import ProjectFiles

_CONFTEST = "conftest.py"


def code_files(config: Config, files: ProjectFiles, *, checks: bool = True) -> tuple[CodeFile, ...]:
    """The Python that pytest runs for a plan, the pins, and who may sign or approve; without
    ``checks``, that of a rollback.

    Every conftest.py from the root to ``sql/`` and ``checks/`` and below them, and every Python
    file below ``checks/``. What else is imported is seen only when it runs.
    """
    paths = [*_conftests(config)]
    for folder in (config.sql, config.migrations_folder):
        paths += files.find(folder, _CONFTEST, below=True)
    if checks:
        paths += files.find(config.checks, "*.py", below=True)
    return _there(files, [*paths, *config.pins, *_signers(config)])


def settings_files(files: ProjectFiles, inifile: str) -> tuple[CodeFile, ...]:
    """What steers pytest and the plugin: pyproject.toml and ``inifile``, which may be the same."""
    return _there(files, [SETTINGS, *([inifile] if inifile else [])])


def may_be_there(config: Config) -> tuple[str, ...]:
    """Files that count even when they are gone from the disk: they may be in the commit."""
    return (*_conftests(config), *config.pins, SETTINGS, *_signers(config))


def hold_all(config: Config, files: ProjectFiles, inifile: str) -> None:
    """Read all that a plan of production is made of. What cannot be read is said by the plan."""
    paths = [f"{config.checks}/{name}" for name in DECLARATIONS]
    paths += all_paths(config, files)
    paths += files.find(f"{config.checks}/{QUERIES}", "*.sql")
    for path in paths:
        files.has(path)
    code_files(config, files)
    settings_files(files, inifile)


def _signers(config: Config) -> tuple[str, ...]:
    return tuple(filter(None, (config.evidence_signers, config.approvers)))


def _conftests(config: Config) -> Iterator[str]:
    """Those that pytest looks for on the way from the root to the folders that are collected."""
    for folder in (config.sql, config.migrations_folder, config.checks):
        place = PurePosixPath(folder)
        for each in (place, *place.parents):
            yield (each / _CONFTEST).as_posix()


def _there(files: ProjectFiles, paths: Sequence[str]) -> tuple[CodeFile, ...]:
    return tuple(
        CodeFile(path=path, sha256=files.digest(path))
        for path in sorted(set(paths))
        if files.has(path)
    )
