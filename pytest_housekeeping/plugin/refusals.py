"""What in pytest itself would be a way round a promotion: refused before production is touched."""

from __future__ import annotations

import re
import shlex
from argparse import Namespace
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import entry_points
from typing import Any

import pytest

from pytest_housekeeping.config import PRODUCTION, Target
from pytest_housekeeping.declarations.connection_url import passwords_in
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plugin.command_options import OPTIONS
from pytest_housekeeping.plugin.stash import DEFAULT_PATHS, ENDED

# Options that run less than everything, or otherwise than once in the plan's order.
_OPTIONS: tuple[tuple[str, str], ...] = (
    ("keyword", "-k selects"),
    ("markexpr", "-m selects"),
    ("deselect", "--deselect leaves out"),
    ("ignore", "--ignore leaves out"),
    ("ignore_glob", "--ignore-glob leaves out"),
    ("lf", "--lf runs what failed last"),
    ("failedfirst", "--ff reorders"),
    ("newfirst", "--nf reorders"),
    ("stepwise", "--sw stops and goes on elsewhere"),
    ("stepwise_skip", "--sw-skip leaves out"),
    ("maxfail", "-x and --maxfail stop before everything is known"),
    ("setuponly", "--setup-only runs no call"),
    ("setupplan", "--setup-plan runs nothing"),
    ("runxfail", "--runxfail reads expected failures otherwise"),
    ("continue_on_collection_errors", "--continue-on-collection-errors runs without a part"),
    ("usepdb", "--pdb holds locks while somebody types"),
    ("trace", "--trace holds locks while somebody types"),
    ("numprocesses", "-n spreads the items over processes"),
    ("reruns", "--reruns repeats what failed until it passes"),
    ("count", "--count repeats"),
    ("collectonly", "--collect-only runs nothing"),
)
# By the names that they register themselves by, without what most begin with.
_PLUGINS: dict[str, str] = {
    "randomly": "pytest-randomly shuffles",
    "random_order": "pytest-random-order shuffles",
    "order": "pytest-order reorders",
    "orderingplugin": "pytest-order reorders",
    "ordering": "pytest-ordering reorders",
    "reverse": "pytest-reverse reorders",
    "rerunfailures": "pytest-rerunfailures repeats what failed until it passes",
    "flaky": "flaky repeats what failed until it passes",
    "retry": "pytest-retry repeats what failed until it passes",
    "repeat": "pytest-repeat repeats",
    "flakefinder": "pytest-flakefinder repeats",
    "forked": "pytest-forked runs each item in a process of its own",
    "isolate": "pytest-isolate runs each item in a process of its own",
    "parallel": "pytest-parallel spreads the items over threads",
    "run_parallel": "pytest-run-parallel runs an item in several threads",
}
# The commands whose run is refused with one of them; one that switches something off by itself is
# left as it is.
_CHANGING = re.compile(r"\bpytest (?=--hk-mode=(?:prod|rollback)\b)")
# Options with which pytest runs nothing and says something instead.
_NO_RUN = (
    *("collectonly", "help", "version", "markers", "cacheshow"),
    *("showfixtures", "show_fixtures_per_test"),
)
# What pytest itself is set up by, and a run on production may be as well.
_SET_UP_BY = (
    *(("-c", "inifilename"), ("--rootdir", "rootdir"), ("-o", "override_ini")),
    *(("-p", "plugins"), ("-W", "pythonwarnings")),
)
_NEEDED = {"html": "pytest-html", "terminal": "the terminal reporter", "capture": "capturing"}


def misuse(found: str, *, why: str, fix: str) -> pytest.UsageError:
    """What ends a run before it begins, with exit code 4."""
    return pytest.UsageError(str(MisuseError(found, why=why, fix=fix)))


def refuse(config: pytest.Config, target: Target) -> None:
    """Refuse a run on a real database that would prove less, or prove it otherwise, than the plan
    asks.

    Raises pytest.UsageError, exit code 4, that names everything found.
    """
    confirm, mode = config.option.hk_confirm, Mode(config.option.hk_mode)
    rules = rules_of(mode)
    word = rules.confirm if rules.undoes else target.confirm
    plugins = tuple(shuffling(config))
    command = typed_again(config.option, target, word, off=tuple(name for name, _ in plugins))
    if confirm != word:
        given = f"--hk-confirm={confirm!r}" if confirm else "no --hk-confirm"
        raise misuse(
            f"{given}: {_called(target)} is changed only on the exact word",
            why="so that nobody changes it by accident",
            fix=command,
        )
    found = [*_options(config), *(said for _, said in plugins), *_needed(config)]
    if found:
        done = "rolled back" if rules.undoes else "promoted"
        raise misuse(
            f"{_called(target)} is not {done} with: {'; '.join(found)}",
            why="the plan on disk has to run completely and in its order",
            fix=f"run exactly: {command} (what stands in addopts is switched off with -o addopts=,"
            " what stands in PYTEST_ADDOPTS by unsetting it)",
        )


def typed_again(option: Namespace, target: Target, word: str, *, off: Collection[str]) -> str:
    """The command with what was typed of this plugin's options and of what pytest is set up by,
    the word, and these plugins switched off; no password of a URL is in it."""
    words = [
        "pytest",
        *(part for name in off for part in ("-p", f"no:{name}")),
        f"--hk-mode={option.hk_mode}",
        *target.option.split(),
        f"--hk-confirm={word}",
    ]
    for name, about in OPTIONS:
        value = getattr(option, name[2:].replace("-", "_"), None)
        if value is None or value is False or name in ("--hk-mode", "--hk-target", "--hk-confirm"):
            continue
        text = str(value)
        for password in passwords_in(text) if about.get("metavar") == "URL" else ():
            text = text.replace(password, "***")
        words.append(name if value is True else f"{name}={text}")
    for flag, name in _SET_UP_BY:
        given = getattr(option, name, None) or ()
        for each in (given,) if isinstance(given, str) else given:
            if each.removeprefix("no:") not in (*_NEEDED, *off):
                words += [flag, each]
    return shlex.join(words)


def as_run_here(text: str, config: pytest.Config | None = None) -> str:
    """The text, and in its commands that change a database the plugins switched off with which they
    would be refused: those of this run, or without one all that are installed."""
    if not _CHANGING.search(text):
        return text
    names = (
        (each.name for each in entry_points(group="pytest11") if _in_the_way(each.name))
        if config is None
        else (name for name, _ in shuffling(config))
    )
    return switched_off(text, names)


def switched_off(text: str, names: Iterable[str]) -> str:
    """The same for plugins of these names."""
    off = "".join(f"-p no:{name} " for name in sorted(set(names)))
    return _CHANGING.sub(f"pytest {off}", text)


def _called(target: Target) -> str:
    return "production" if target.name == PRODUCTION else target.name


def refuse_without_mode() -> None:
    """Raises pytest.UsageError for --hk-json where nothing of this plugin runs."""
    raise misuse(
        "--hk-json without --hk-mode",
        why="it prints how a run of a mode ended, and there is none",
        fix="add --hk-mode, or leave it out",
    )


def status_of_end(config: pytest.Config, status: int | None) -> int:
    """The exit code of a run with a mode: 0 only where pytest and the run itself say so.

    Raises pytest.UsageError where pytest ends well and the run has not come to its end.
    """
    option = config.option
    runs = option.hk_mode and not any(getattr(option, each, 0) for each in _NO_RUN)
    if runs and status == 0 and ENDED not in config.stash:
        raise misuse(
            f"--hk-mode={option.hk_mode} was given, but the run did not finish",
            why="something switched it off, and nothing of the plan is known to have run",
            fix="look for a conftest.py or a plugin that unregisters housekeeping-run",
        )
    return int(status or 0) or config.stash.get(ENDED, 0)


def _options(config: pytest.Config) -> Iterator[str]:
    for name, meaning in _OPTIONS:
        value: Any = getattr(config.option, name, None)
        if value and not (name == "count" and value == 1):
            yield meaning
    if not config.stash.get(DEFAULT_PATHS, False):
        yield "a path or node id selects"


def shuffling(config: pytest.Config) -> Iterator[tuple[str, str]]:
    """The plugins that are in the way, by the names that switch them off."""
    for name, plugin in config.pluginmanager.list_name_plugin():
        if plugin is not None and (does := _in_the_way(name)):
            yield name, f"{does} (-p no:{name})"


def _in_the_way(name: str) -> str:
    """What a plugin of this name does to the order or the number of the items; "" for nothing."""
    return _PLUGINS.get(name.lower().replace("-", "_").removeprefix("pytest_"), "")


def _needed(config: pytest.Config) -> Iterator[str]:
    for name, label in _NEEDED.items():
        if not config.pluginmanager.hasplugin(name):
            yield f"{label} switched off"
