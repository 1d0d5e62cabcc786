"""Which layout a project has, and where: as the settings say, or as the files themselves do."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError, did_you_mean
from pytest_housekeeping.sql.layouts.detect import (
    FoundLayout,
    found_layouts,
    layouts_in,
    the_one,
)
from pytest_housekeeping.sql.layouts.flyway_conf import flyway_conf
from pytest_housekeeping.sql.layouts.known import LAYOUTS, OWN
from pytest_housekeeping.sql.path_names import on_disk
from pytest_housekeeping.sql.project_files import ProjectFiles

# golang-migrate and sqlx name their files alike, and so does this tool those of sqlx.
_ALIKE = frozenset(("own", "golang-migrate", "sqlx"))


def with_layout(config: Config, files: ProjectFiles) -> Config:
    """The settings with the layout and its folder, where they do not say them, and with what
    Flyway's own configuration says.

    Raises MisuseError where the marks of two tools stand in the folder, or those of several tools
    in a project that does not say which one counts.
    """
    if config.migrations:
        config = replace(config, migrations=posixpath.normpath(config.migrations))
    if config.layout and config.layout not in LAYOUTS:
        return config  # told with everything else that is wrong
    found = _located(config, files)
    return _with_flyway(found, files) if found.layout == "flyway" else found


def _with_flyway(config: Config, files: ProjectFiles) -> Config:
    """Its placeholders are a part of what staging proves, and its table the one to be read."""
    conf = flyway_conf(files, config.migrations_folder.removeprefix("."))
    given = {name.lower() for name in config.placeholders}
    theirs = {k: v for k, v in conf.placeholders.items() if k.lower() not in given}
    return replace(
        config,
        placeholders={**theirs, **config.placeholders},
        tool_history=config.tool_history or conf.table,
    )


def _by_conf(config: Config, files: ProjectFiles) -> Config | None:
    """Where Flyway's configuration, in the root, says that its files are; None without one."""
    if config.layout not in ("", "flyway") or config.migrations:
        return None
    locations = flyway_conf(files, "").locations
    if not locations:
        return None
    folder = posixpath.commonpath(locations) if all(locations) else ""
    return replace(config, layout="flyway", migrations=folder or ".")


def _located(config: Config, files: ProjectFiles) -> Config:
    if (said := _by_conf(config, files)) is not None:
        _refuse_mixed(layouts_in(files, said.migrations_folder), "flyway")
        return said
    folder = config.migrations_folder
    if config.layout and (config.migrations or config.layout == OWN):
        _refuse_mixed(layouts_in(files, folder), config.layout)
        return config
    here = layouts_in(files, folder)
    if not config.layout and here:
        one = the_one(here)
        # Flyway alone scans what lies below.
        return _found(config, one, at=folder if one and one.layout == "flyway" else "")
    if config.migrations:
        return config
    found = found_layouts(files)
    if config.layout:
        found = tuple(each for each in found if _fits(each.layout, config.layout))
    return _found(config, the_one(found))


def wrong_layout(config: Config) -> Iterator[str]:
    """What is wrong with the settings of the layout."""
    if config.layout and config.layout not in LAYOUTS:
        known = ", ".join(LAYOUTS)
        near = did_you_mean(config.layout, LAYOUTS)
        yield f"layout = {config.layout!r} is none of {known}{near}"
    folder = PurePosixPath(config.migrations_folder)
    if folder.is_absolute() or ".." in folder.parts:
        yield f"migrations = {config.migrations!r} does not lie under the rootdir"
    elif config.migrations and not (config.root / folder).is_dir():
        yield f"migrations = {config.migrations!r}: there is no such folder"
    elif config.layout not in ("", OWN) and not config.migrations:
        yield f"layout = {config.layout!r}: no folder of such files was found; migrations names it"
    yield from _no_files(config)
    for key in ("placeholders", "irreversible", "rows_only", "as_superuser"):
        given: dict[str, object] = dict(getattr(config, key))  # as TOML has it
        for name, value in given.items():
            if not isinstance(value, str):
                yield f"{key}.{name} = {value!r} is not a string"


def _no_files(config: Config) -> Iterator[str]:
    for key, paths in (("rows_only", config.rows_only), ("as_superuser", config.as_superuser)):
        for path in paths:
            if not (config.root / on_disk(path)).is_file():
                yield f"{key} names {path!r}, and there is no such file"


def _found(config: Config, found: FoundLayout | None, *, at: str = "") -> Config:
    if found is None:
        return config
    layout = config.layout or (found.layout if found.layout != OWN else "")
    own_place = not layout and found.folder == f"{config.sql}/migrations"
    folder = at or found.folder or "."
    return config if own_place else replace(config, layout=layout, migrations=folder)


def _refuse_mixed(found: tuple[FoundLayout, ...], layout: str) -> None:
    others = [each for each in found if not _fits(each.layout, layout)]
    if others:
        said = "; ".join(f"{each.mark} is one of {each.layout}" for each in others)
        raise MisuseError(
            f"layout = {layout!r}, and {said}",
            why="what another tool's marks mean would be lost, and its files left out or run whole",
            fix="move the files of the other tool away, or name its layout",
        )


def _fits(found: str, layout: str) -> bool:
    """Whether files that look like those of one layout may be those of another."""
    return found in (layout, OWN) or {found, layout} <= _ALIKE
