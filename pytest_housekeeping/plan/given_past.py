"""What production has before this tool has promoted anything, as the settings say: `baseline`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError, did_you_mean
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.sql.layouts.layout import Entry
from pytest_housekeeping.sql.layouts.numbered import same_version
from pytest_housekeeping.sql.layouts.read import listing
from pytest_housekeeping.sql.project_files import ProjectFiles


def given_paths(config: Config, sources: ProjectFiles) -> frozenset[str]:
    """The paths of the files that the `baseline` of the settings says production has."""
    return frozenset(entry.path for entry in _entries(config, sources))


def given_past(config: Config, sources: ProjectFiles) -> Sequence[AppliedFile]:
    """The migrations up to the `baseline`, and what the tool repeats, each as it was run: by
    itself. Nothing without such a setting.

    Raises MisuseError where no migration has that version.
    """
    return [
        AppliedFile(
            path=entry.path,
            sha256=sources.digest(entry.path),
            kind=entry.kind,
            commit="",
            segment=number,
            recorded=True,
        )
        for number, entry in enumerate(_entries(config, sources), start=1)
    ]


def _entries(config: Config, sources: ProjectFiles) -> Iterator[Entry]:
    if not config.baseline:
        return
    found = listing(config, sources)
    migrations = found.of(Kind.MIGRATION)
    places = [n for n, e in enumerate(migrations) if same_version(e.version, config.baseline)]
    if not places:
        near = did_you_mean(config.baseline, [entry.version for entry in migrations])
        raise MisuseError(
            f"baseline = {config.baseline!r}, and no migration has this version{near}",
            why="it says up to which one production has them",
            fix="write the version of that migration, or take the line out",
        )
    yield from migrations[: places[-1] + 1]
    yield from (entry for entry in found.of(Kind.VIEW) if entry.of_tool)
