"""Folders of SQL files that pytest need not look through: the plan has read all that they hold."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest

from pytest_housekeeping.plugin.fast_runner import nobody_else_has
from pytest_housekeeping.plugin.options import lists_only
from pytest_housekeeping.plugin.other_plugins import plugins_of
from pytest_housekeeping.plugin.stash import DEFAULT_PATHS

# Options that ask for less than the plan.
NARROWING = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise")
_CONFTEST = "conftest.py"
# Whoever has one of these may want to hear of each file.
_WATCHED = ("pytest_collect_directory", "pytest_collect_file", "pytest_ignore_collect")


def plain_folders(config: pytest.Config, ours: object, paths: Collection[str]) -> frozenset[str]:
    """Those of the files at ``paths`` that hold SQL files of these paths and nothing else, where
    all of the plan is to run and only pytest itself and this plugin see how it is collected.

    pytest makes a node of each file and asks about it half a dozen times, which takes longer than
    to read and parse it. Where a conftest speaks for a folder, it is looked through: pytest tells
    the conftests above a folder of its items only once it has.
    """
    if not config.stash.get(DEFAULT_PATHS, False) or lists_only(config):
        return frozenset()
    if any(config.getoption(name, None) for name in NARROWING):
        return frozenset()
    if not nobody_else_has(_WATCHED, config, ours):
        return frozenset()
    root = config.rootpath
    if any(_is_conftest_outside(each, root) for each in plugins_of(config)):
        return frozenset()
    return frozenset(
        folder
        for folder in _holding_nothing_else(str(root), paths)
        if not any((root / each / _CONFTEST).exists() for each in PurePosixPath(folder).parents)
    )


def _is_conftest_outside(plugin: object, root: Path) -> bool:
    """One that is loaded by ``--confcutdir``, for instance."""
    path = Path(getattr(plugin, "__file__", None) or root)
    return path.name == _CONFTEST and not path.is_relative_to(root)


def _holding_nothing_else(root: str, paths: Collection[str]) -> Iterable[str]:
    known = frozenset(path for path in paths if path.endswith(".sql"))
    for folder in {path.rpartition("/")[0] for path in known}:
        with suppress(OSError), os.scandir(f"{root}/{folder}") as entries:
            if all(each.is_file() and f"{folder}/{each.name}" in known for each in entries):
                yield folder
