"""The command line, checked: whether a mode can run with it, and what the run is asked to do."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from pytest_housekeeping.config import PRODUCTION, Config
from pytest_housekeeping.declarations.boundaries import parse_boundaries
from pytest_housekeeping.declarations.settings import has_settings, load_config
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.binding import refuse_malformed
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.plugin.misplaced_options import refuse_misplaced
from pytest_housekeeping.plugin.refusals import misuse
from pytest_housekeeping.plugin.stash import COLLECTS_AHEAD
from pytest_housekeeping.promotion.run_options import RunOptions

# The plugins that an active run registers.
PARTS = (
    "housekeeping-run",
    "housekeeping-html",
    "housekeeping-fixtures",
    "housekeeping-ending",
    "housekeeping-signs-of-life",
)


def run_options(config: pytest.Config) -> RunOptions:
    """What the command line asks for, and how pytest finds tests."""
    option = config.option
    return RunOptions(
        root=config.rootpath,
        mode=Mode(option.hk_mode),
        inifile=os.path.relpath(config.inipath, config.rootpath) if config.inipath else "",
        tests=TestNames(
            files=tuple(config.getini("python_files")),
            functions=tuple(config.getini("python_functions")),
            classes=tuple(config.getini("python_classes")),
        ),
        rules=tuple(r for rules in config.hook.pytest_housekeeping_rules() for r in rules),
        commit=not option.hk_no_commit,
        look_only=lists_only(config),
        target=target_of(option),
        staging_url=option.hk_staging_url,
        twin_server=option.hk_twin_server,
        twin=option.hk_twin,
        keep=bool(option.hk_keep),
        write_baseline=bool(option.hk_write_baseline),
        mutate=bool(option.hk_mutate),
        segments=option.hk_segments,
        accepted_drift=option.hk_accept_drift,
        baseline=option.hk_baseline,
        no_canary=bool(option.hk_no_canary),
        in_place=bool(option.hk_in_place),
        to=option.hk_to or "",
        promoter=option.hk_as or "",
        plan=_bound_to(option),
        emergency=_emergency(option),
    )


def target_of(option: Namespace) -> str:
    """The name of the database that the run is about."""
    return PRODUCTION if option.hk_target is None else str(option.hk_target)


def refuse_share_of_nothing(option: Namespace) -> None:
    """Raises pytest.UsageError for a share of a fleet, and no fleet."""
    if option.hk_shard is not None:
        raise misuse(
            f"--hk-shard={option.hk_shard} without --hk-fleet",
            why="it selects a share of the databases of a fleet",
            fix="leave it out, or name the fleet",
        )


def _bound_to(option: Namespace) -> str:
    """The digest of ``--hk-plan``, "" without one. Raises MisuseError for one that is none."""
    if option.hk_plan is None:
        return ""
    refuse_malformed(option.hk_plan, f"--hk-plan={option.hk_plan}")
    if option.hk_in_place:
        raise misuse(
            "--hk-plan with --hk-in-place",
            why="without a rehearsal nobody knows, before the batch runs, whether it makes what was"
            " planned",
            fix="leave one of them out",
        )
    return str(option.hk_plan)


def _emergency(option: Namespace) -> str:
    """The reason, on one line. Raises pytest.UsageError where none is given, and for one that would
    be in no commit."""
    reason = " ".join((option.hk_emergency or "").split())
    if option.hk_emergency is not None and not reason:
        raise misuse(
            "--hk-emergency without a reason",
            why="the audit records the reason, and somebody has to review what was done",
            fix="--hk-emergency='what is on fire'",
        )
    if reason and option.hk_no_commit:
        raise misuse(
            "--hk-emergency with --hk-no-commit",
            why="only the committed audit says that the emergency has to be reviewed",
            fix="leave one of them out",
        )
    return reason


def lists_only(config: pytest.Config) -> bool:
    """Whether no item is run, as where pytest is asked for a list: nothing is started or recorded
    then."""
    option = config.option
    return bool(
        config.stash.get(COLLECTS_AHEAD, False)
        or option.collectonly
        or option.markers
        or option.showfixtures
        or option.show_fixtures_per_test
    )


def default_paths(root: Path, mode: str) -> list[str]:
    """What an active run collects when no path is given: the configured folders that are there.

    In staging the applications' tests as well. What is wrong with the settings is said later.
    """
    settings, rules = settings_of(root), rules_of(Mode(mode))
    found = [root / settings.sql]
    if not rules.undoes:
        # In a rollback, the checks on disk are those of the schema that is undone.
        found.append(root / settings.checks)
    if rules.throwaway:
        found += [root / path for path in _tests_of_applications(root, settings)]
    return [str(path) for path in found if path.exists()]


def settings_of(root: Path, target: str = PRODUCTION) -> Config:
    """The settings of a target, or the defaults where they cannot be read."""
    try:
        return load_config(root, target=target)
    except HousekeepingError:
        return Config(root=root)


def refuse_unusable(config: pytest.Config) -> None:
    """Raises pytest.UsageError for options and plugins with which no mode can run."""
    option = config.option
    if not config.pluginmanager.hasplugin("python"):
        raise misuse(
            "pytest's own python plugin is switched off",
            why="the tests under checks/ could not be collected",
            fix="remove -p no:python",
        )
    for name in PARTS:
        if config.pluginmanager.is_blocked(name):
            raise misuse(
                f"-p no:{name} switches a part of the run off",
                why="it would end well, with nothing done, or without its report",
                fix=f"remove -p no:{name} (it may stand in addopts, or in PYTEST_ADDOPTS)",
            )
    if getattr(option, "numprocesses", None) or getattr(option, "tx", None):
        raise misuse(
            "-n spreads the items over processes",
            why="a promotion is one transaction, and a transaction belongs to one process",
            fix="run it without -n (where it stands in addopts or PYTEST_ADDOPTS: add -n 0)",
        )
    if sys.flags.optimize:
        raise misuse(
            "python -O, or PYTHONOPTIMIZE, takes the assertions out of what tests call",
            why="they would pass whatever they find",
            fix="run it without",
        )
    refuse_misplaced(option)
    refuse_share_of_nothing(option)
    refuse_outer_project(config.invocation_params.dir, config.rootpath)
    if not config.pluginmanager.hasplugin("html"):
        raise misuse(
            "pytest-html is switched off or not installed",
            why="the report is part of the evidence of a run",
            fix="remove -p no:html, or install pytest-html",
        )


def refuse_outer_project(here: Path, root: Path) -> None:
    """Raises pytest.UsageError inside a project that pytest takes for a part of an outer one.

    pytest looks upwards for a file with settings of its own, and goes past a pyproject.toml that
    has none (https://docs.pytest.org/en/stable/reference/customize.html#finding-the-rootdir).
    """
    inside = [folder for folder in (here, *here.parents) if root in folder.parents]
    for folder in filter(has_settings, inside):
        raise misuse(
            f"the settings of {folder / 'pyproject.toml'} would not be read: pytest's rootdir is"
            f" {root}",
            why="the files of another project would be run on the database that is meant for this",
            fix="add an empty table [tool.pytest.ini_options] to it; to run the outer project,"
            f" cd {root}",
        )


def _tests_of_applications(root: Path, settings: Config) -> list[str]:
    declared = root / settings.checks / "boundaries.toml"
    try:
        boundaries = parse_boundaries(declared.read_text(encoding="utf-8"))
    except (HousekeepingError, OSError, UnicodeDecodeError):
        return []
    return [path for app in boundaries.apps for path in app.tests]
