"""The pytest entry point: options and the names of fixtures, and nothing else until one is used."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from pytest_housekeeping.plugin import hookspecs
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

_JSON = "--hk-json"
_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "--hk-mode",
        {
            "choices": ("staging", "plan", "prod", "verify", "rollback"),
            "help": "staging: try everything on a throwaway PostgreSQL and record the evidence;"
            " plan: what a promotion would do to the database of PG*_PROD, and nothing is changed;"
            " prod: promote to the database of PG*_PROD, in one transaction, if all is proved;"
            " verify: every check on the database of PG*_PROD, and nothing is changed;"
            " rollback: undo a promotion of it, in one transaction, if all is proved",
        },
    ),
    (
        "--hk-target",
        {
            "metavar": "NAME",
            "help": "the database that the run is about, of [tool.housekeeping.targets]: its"
            " variables, evidence and pin; without it prod, that of PG*_PROD",
        },
    ),
    (
        "--hk-confirm",
        {
            "metavar": "WORD",
            "help": "prod: PROMOTE, or the word of the target; rollback: ROLLBACK; in exactly these"
            " letters",
        },
    ),
    (
        "--hk-to",
        {
            "metavar": "RUN|NUMBER",
            "help": "rollback: go back to the state before this promotion (the id of its run) or"
            " this migration (its number): it is undone, and what was applied after it",
        },
    ),
    (
        "--hk-as",
        {
            "metavar": "ROLE",
            "help": "plan: the role that promotes, where the plan connects as another one, and no"
            " promotion has told who it is",
        },
    ),
    (
        "--hk-segments",
        {
            "metavar": "N",
            "type": int,
            "help": "prod, rollback: acknowledge that it takes N transactions and not one",
        },
    ),
    (
        "--hk-plan",
        {
            "metavar": "DIGEST",
            "help": "prod: promote exactly what was planned under this digest, and refuse by name"
            " whatever is otherwise by now",
        },
    ),
    (
        "--hk-emergency",
        {
            "metavar": "REASON",
            "help": "prod: wait for nobody: without evidence of staging and approvals, in any"
            " window; all is proved as ever, and a review is open until somebody has looked"
            " through it",
        },
    ),
    (
        "--hk-baseline",
        {
            "metavar": "VERSION",
            "help": "prod: record the migrations up to this version (auto: those that the history"
            " of another tool has) as applied, after showing that they are what is there, or what"
            " was made by hand since the last promotion",
        },
    ),
    (
        "--hk-accept-drift",
        {
            "metavar": "FINGERPRINT",
            "help": "prod: go on although the schema was changed past the files, to just this;"
            " rollback: leave a schema that differs from the backup in just this",
        },
    ),
    (
        "--hk-in-place",
        {
            "action": "store_true",
            "help": "prod, rollback: prove everything inside production's own transaction, and"
            " nothing on a copy; its locks are held for as long as that takes",
        },
    ),
    (
        "--hk-no-canary",
        {
            "action": "store_true",
            "help": "verify: does nothing any more; made-up rows are written to a copy alone",
        },
    ),
    (
        "--hk-staging-url",
        {
            "metavar": "URL",
            "help": "staging: use this server instead of the embedded one (superuser; its"
            " databases and roles are left as they were); also HK_STAGING_URL",
        },
    ),
    (
        "--hk-twin-server",
        {
            "metavar": "URL",
            "help": "plan, prod, verify, rollback: make the copy of production on this server, an"
            " empty one of production's major version (superuser; it is left empty); also"
            " HK_TWIN_SERVER",
        },
    ),
    (
        "--hk-twin",
        {
            "metavar": "URL",
            "help": "plan, prod: try the batch on this clone of production too, one that has its"
            " rows, in a transaction that is rolled back; also HK_TWIN, and twin in"
            " [tool.housekeeping]",
        },
    ),
    (
        "--hk-keep",
        {
            "action": "store_true",
            "help": "staging: leave the database up and say how to connect",
        },
    ),
    (
        "--hk-mutate",
        {
            "action": "store_true",
            "help": "staging: plant the classical slips in this very schema, one at a time, and"
            " count how many of them a check catches",
        },
    ),
    (
        "--hk-write-baseline",
        {
            "action": "store_true",
            "help": "staging: write checks/baseline.toml, which lets stand what the code does"
            " against its contracts by now; where there is one, only what is gone is taken out",
        },
    ),
    (
        "--hk-no-commit",
        {"action": "store_true", "help": "write the audit, but do not commit it"},
    ),
    (
        "--hk-reports",
        {
            "metavar": "FOLDER",
            "help": "leave what was found there for other machines: housekeeping.sarif,"
            " codequality.json (GitLab) and junit.xml",
        },
    ),
    (
        _JSON,
        {
            "action": "store_true",
            "help": "print how the run ended as one JSON object, in the last line of standard"
            " output: python -m pytest_housekeeping docs agents",
        },
    ),
    (
        "--hk-reuse",
        {
            "choices": ("on", "off"),
            "help": "staging, and without a mode: off makes the template of hk_database and its"
            " like anew, and keeps nothing of it for the next run",
        },
    ),
)
_MARKERS = (
    "hk_seeds(*names): the databases of the test hold the rows of these files under sql/seeds/",
    "hk_at(version): the databases of the test have the migrations up to this one and nothing else",
)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    group = parser.getgroup("housekeeping", "promotion of a PostgreSQL schema")
    for name, attributes in _OPTIONS:
        group.addoption(name, dest=name[2:].replace("-", "_"), default=None, **attributes)
    said = "the seeds of every database that hk_database and its like give, as of the marker"
    parser.addini("hk_seeds", said, type="args", default=[])
    config = pluginmanager.get_plugin("pytestconfig")
    if config is not None and _JSON in config.invocation_params.args:
        from pytest_housekeeping.plugin.last_word import arrange

        arrange(config)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Iterator[None]:
    """Without a path, an active run collects the configured folders, not ``testpaths``."""
    known = early_config.known_args_namespace
    if getattr(known, "hk_mode", None):
        from pytest_housekeeping.model import Mode
        from pytest_housekeeping.plugin.known_code import kept_in
        from pytest_housekeeping.plugin.ran_code import watch
        from pytest_housekeeping.plugin.stash import CODE_WATCH

        kept = kept_in(Mode(known.hk_mode))
        early_config.stash[CODE_WATCH] = watch(early_config.rootpath, early_config, kept=kept)
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
    if config.option.hk_mode:
        from pytest_housekeeping.plugin.session import activate

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
    from pytest_housekeeping.plugin.refusals import refuse_without_end
    from pytest_housekeeping.plugin.stash import HEARD

    config.stash[HEARD] = True
    status, refused = None, None
    try:
        status = yield
        refuse_without_end(config, status)
    except BaseException as error:
        refused = error
        raise
    finally:
        speak(config, status, refused)
    return status
