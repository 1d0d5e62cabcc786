"""The pytest entry point: options and the names of fixtures, and nothing else until one is used."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from pytest_housekeeping.plugin import hookspecs
from pytest_housekeeping.plugin.command_options import JSON, OPTIONS
from pytest_housekeeping.plugin.database_fixtures import (
    hk_app_url,
    hk_connection,
    hk_database,
    hk_database_module,
    hk_database_session,
    hk_empty_database,
    hk_migrate,
    hk_mode,
    hk_plan,
    hk_role,
    hk_transaction,
)

__all__ = [
    "hk_app_url",
    "hk_connection",
    "hk_database",
    "hk_database_module",
    "hk_database_session",
    "hk_empty_database",
    "hk_migrate",
    "hk_mode",
    "hk_plan",
    "hk_role",
    "hk_transaction",
]

_MARKERS = (
    "hk_seeds(*names): the databases of the test hold the rows of these files under sql/seeds/",
    "hk_at(version): the databases of the test have the migrations up to this one and nothing else",
)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    group = parser.getgroup("housekeeping", "promotion of a PostgreSQL schema")
    for name, attributes in OPTIONS:
        group.addoption(name, dest=name[2:].replace("-", "_"), default=None, **attributes)
    said = "the seeds of every database that hk_database and its like give, as of the marker"
    parser.addini("hk_seeds", said, type="args", default=[])
    config = pluginmanager.get_plugin("pytestconfig")
    if config is not None and JSON in config.invocation_params.args:
        from pytest_housekeeping.plugin.last_word import arrange

        arrange(config)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Iterator[None]:
    """Without a path, an active run collects the configured folders, not ``testpaths``."""
    known = early_config.known_args_namespace
    if getattr(known, "hk_mode", None):
        from pytest_housekeeping.plugin.garbage import collect_seldom
        from pytest_housekeeping.plugin.plain_imports import import_plainly

        collect_seldom(early_config)
        import_plainly(early_config)
    if getattr(known, "hk_mode", None) and getattr(known, "hk_fleet", None):
        # Its items are databases, and no files.
        args.append(str(early_config.rootpath))
        return (yield)
    if getattr(known, "hk_mode", None):
        from pytest_housekeeping.plugin.ran_code import watch
        from pytest_housekeeping.plugin.stash import CODE_WATCH

        early_config.stash[CODE_WATCH] = watch(early_config.rootpath, early_config)
    if getattr(known, "hk_mode", None) and not known.file_or_dir:
        from pytest_housekeeping.plugin.options import default_paths
        from pytest_housekeeping.plugin.stash import DEFAULT_PATHS

        paths = default_paths(early_config.rootpath, known.hk_mode)
        args.extend(paths)
        known.file_or_dir = paths
        early_config.stash[DEFAULT_PATHS] = True
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.option.hk_mode and config.option.hk_fleet:
        from pytest_housekeeping.plugin.fleet.session import activate as activate_fleet

        activate_fleet(config)
    elif config.option.hk_mode:
        from pytest_housekeeping.plugin.beginning import activate

        activate(config)
    elif config.option.hk_json:
        from pytest_housekeeping.plugin.refusals import refuse_without_mode

        refuse_without_mode()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """With a mode, exit code 0 means that there was a run and that it came to its end."""
    if not (config.option.hk_mode or config.option.hk_json):
        return (yield)
    from pytest_housekeeping.plugin.last_word import speak
    from pytest_housekeeping.plugin.refusals import status_of_end
    from pytest_housekeeping.plugin.stash import HEARD

    config.stash[HEARD] = True
    status, refused = None, None
    try:
        status = status_of_end(config, (yield))
    except BaseException as error:
        refused = error
        raise
    finally:
        speak(config, status, refused)
    return status
