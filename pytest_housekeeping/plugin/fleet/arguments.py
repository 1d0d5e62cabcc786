"""What a run on a fleet takes of the command line, and what it refuses."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

import pytest

from pytest_housekeeping.config import Fleet, Target
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plugin.misplaced_options import refuse_misplaced
from pytest_housekeeping.plugin.refusals import misuse, shuffling, typed_again
from pytest_housekeeping.promotion.fleet.waves import CANARY

# What else of the command line holds for the run of each database: a name and its value in one
# word, or in two.
_PASSED_ON = (
    *("--hk-segments", "--hk-emergency", "--hk-accept-drift", "--hk-twin-server"),
    *("-p", "-W", "-o", "-c"),
)
# Options of pytest's cache, which the run of a database has none of.
_OF_CACHE = (
    *("--lf", "--last-failed", "--ff", "--failed-first", "--nf", "--new-first"),
    *("--sw", "--stepwise", "--sw-skip", "--stepwise-skip", "--sw-reset", "--stepwise-reset"),
    *("--lfnf", "--last-failed-no-failures", "--cache-show", "--cache-clear"),
)
# What a promotion of one database is refused with. What -k, -m and -x select is switched off.
_NOT_WHOLE = (
    *("--deselect", "--ignore", "--ignore-glob", "--setup-only", "--setup-plan", "--runxfail"),
    *("--continue-on-collection-errors", "--pdb", "--trace"),
)


def refuse_unfit(config: pytest.Config, mode: Mode, fleet: Fleet) -> None:
    option = config.option
    refuse_misplaced(option)
    _refuse_out_of_turn(config, fleet)
    if option.hk_target:
        why = "it is all of them, or one"
        raise misuse("--hk-fleet with --hk-target", why=why, fix="leave one of them out")
    for name in ("hk_plan", "hk_baseline", "hk_in_place", "hk_twin", "hk_to"):
        if getattr(option, name):
            given = f"--{name.replace('_', '-')}"
            raise misuse(
                f"{given} with --hk-fleet",
                why="it says something of one database, and they are many",
                fix=f"{given} --hk-target={fleet.name}/NAME, for one of them",
            )
    if mode is Mode.PROD and option.hk_confirm != fleet.confirm and not option.collectonly:
        raise misuse(
            f"--hk-confirm={option.hk_confirm!r}: {fleet.name} is changed only on the exact word",
            why="nobody changes it by accident",
            fix=typed_again(
                option, Target(), fleet.confirm, off=tuple(name for name, _ in shuffling(config))
            ),
        )
    if mode is Mode.PROD:
        _refuse_again(config, fleet)


def _refuse_out_of_turn(config: pytest.Config, fleet: Fleet) -> None:
    """In no mode: an item waits for those of the stages before its own, which would be waiting
    behind it, or would be run twice; and what no run of a database could take of addopts."""
    option, why = config.option, "an item waits for those before it, and is run once"
    spreads = getattr(option, "numprocesses", None) or getattr(option, "tx", None)
    if spreads and option.dist not in ("no", "load"):
        found = f"--dist={option.dist} runs items of {fleet.name} elsewhere than in their turn"
        raise misuse(found, why=why, fix="add --dist=load")
    if getattr(option, "looponfail", False):
        raise misuse("--looponfail with --hk-fleet", why=why, fix="leave it out")
    unfit = (*_OF_CACHE, *(_NOT_WHOLE if option.hk_mode == Mode.PROD else ()))
    standing = (*shlex.split(os.environ.get("PYTEST_ADDOPTS", "")), *config.getini("addopts"))
    if kept := [word for word in standing if word.partition("=")[0] in unfit]:
        raise misuse(
            f"{' '.join(kept)} stands in addopts or PYTEST_ADDOPTS",
            why="the run of each database would take it as well, and is refused or ends with it",
            fix="switch it off with -o addopts=, or by unsetting PYTEST_ADDOPTS",
        )


def _refuse_again(config: pytest.Config, fleet: Fleet) -> None:
    """What would run an item again, and the plugins that the run of each database would refuse."""
    option, plugins = config.option, tuple(shuffling(config))
    given = []
    if getattr(option, "reruns", None):
        given.append("an option runs items again")
    off = f"add {' '.join(f'-p no:{name}' for name, _ in plugins)}" if plugins else ""
    if given or off:
        raise misuse(
            f"{fleet.name} is not promoted with: {'; '.join((*given, *(s for _, s in plugins)))}",
            why="each database is begun once and in its wave",
            fix=" and ".join(filter(None, ("leave the option out" * bool(given), off))),
        )


def shard_of(given: str | None, mode: Mode) -> tuple[int, int]:
    """``3/10``, and the whole for the canaries of a promotion: they are looked for among all.

    Raises MisuseError for anything else.
    """
    if given is None or (given == CANARY and mode is Mode.PROD):
        return 1, 1
    first, _, last = given.partition("/")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= 256):
        raise MisuseError(
            f"--hk-shard={given} is no share of a fleet",
            why="every database is in one of the shares, and in one only",
            fix="--hk-shard=1/10 to --hk-shard=10/10, 256 shares at most; of a promotion"
            f" --hk-shard={CANARY} as well",
        )
    return int(first), int(last)


def passed_on(config: pytest.Config) -> Iterator[str]:
    """The words of the command line that hold for each run."""
    words = iter(config.invocation_params.args)
    for word in map(str, words):
        name, joined, _ = word.partition("=")
        if name in _PASSED_ON:
            yield word
            if not joined:
                yield str(next(words, ""))
        elif word.startswith("-p") and len(word) > 2:
            yield word
    # What addopts select are databases: a run is of one, and whole.
    yield from ("-k", "", "-m", "", "--maxfail=0")
    if hasattr(config.option, "numprocesses"):
        # Switched off it would not know the -n of addopts.
        yield "-n0"
    # What a run prints is read where it has failed, and is a line for each step otherwise.
    yield from ("-p", "no:cacheprovider", "--no-header", "-q")
    # What is imported already cannot be rewritten any more; every run would say so.
    yield from ("-W", "ignore::pytest.PytestAssertRewriteWarning")
