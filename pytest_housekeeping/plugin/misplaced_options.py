"""Which option belongs to which mode; the others refuse it instead of ignoring it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass

from pytest_housekeeping.model import CLONE, Mode
from pytest_housekeeping.plan.modes import ModeRules, rules_of
from pytest_housekeeping.plugin.command_options import OPTIONS
from pytest_housekeeping.plugin.refusals import misuse

# These say themselves what is missing.
_SAY_IT = ("--hk-confirm", "--hk-emergency", "--hk-plan", "--hk-to")


@dataclass(frozen=True, kw_only=True, slots=True)
class _OnlyIn:
    """An option that is refused in the modes that it does not belong to; without a ``fix`` it is
    to be left out there, and no more is to be said."""

    option: str
    belongs: Callable[[ModeRules], bool]
    why: str
    fix: str = ""


_ONLY_IN = (
    _OnlyIn(
        option="--hk-confirm",
        belongs=lambda rules: rules.changes_production,
        why="nothing real is changed in this mode, and whoever types the word expects that it is",
        fix="leave it out; to promote: --hk-mode=prod --hk-confirm=PROMOTE",
    ),
    _OnlyIn(
        option="--hk-as",
        belongs=lambda rules: rules.plans,
        why="whoever connects is whom the files run as in this mode",
    ),
    _OnlyIn(
        option="--hk-segments",
        belongs=lambda rules: rules.changes_production,
        why="what is acknowledged is that a failure leaves production changed in part",
    ),
    _OnlyIn(
        option="--hk-accept-drift",
        belongs=lambda rules: rules.changes_production,
        why="what is accepted is the schema of production that is about to be changed",
    ),
    _OnlyIn(
        option="--hk-in-place",
        belongs=lambda rules: rules.rehearses and rules.changes_production,
        why="it is about the locks that a change of production holds, and this mode changes none",
    ),
    _OnlyIn(
        option="--hk-baseline",
        belongs=lambda rules: rules.changes_production and not rules.undoes,
        why="files would be recorded as applied that were never run here",
    ),
    _OnlyIn(
        option="--hk-fleet",
        belongs=lambda rules: rules.rehearses and not rules.undoes,
        why="a fleet is planned, promoted and watched; all else is done with one database",
        fix="leave it out; --hk-target=FLEET/NAME names one of its databases",
    ),
    _OnlyIn(
        option="--hk-shard",
        belongs=lambda rules: rules.rehearses and not rules.undoes,
        why="it is a share of the databases of a fleet, which is planned, promoted and watched",
        fix="leave it out; it belongs to --hk-fleet",
    ),
    _OnlyIn(
        option="--hk-plan",
        belongs=lambda rules: rules.changes_production and not rules.undoes,
        why="it names the promotion that is meant, and this mode promotes nothing",
    ),
    _OnlyIn(
        option="--hk-emergency",
        belongs=lambda rules: rules.changes_production and not rules.undoes,
        why="it says why a promotion waits for nobody, and this mode promotes nothing",
    ),
    _OnlyIn(
        option="--hk-staging-url",
        belongs=lambda rules: rules.throwaway,
        why="the database of this mode is that of PG*_PROD",
    ),
    _OnlyIn(
        option="--hk-twin-server",
        belongs=lambda rules: rules.backs_up,
        why="there is no production in this mode of which a copy would be made",
        fix="leave it out; it belongs to the modes of production, and --hk-staging-url to staging",
    ),
    _OnlyIn(
        option="--hk-twin",
        belongs=lambda rules: CLONE in rules.rehearsed,
        why="the batch of a promotion is tried on that clone, and this mode promotes nothing",
    ),
    _OnlyIn(
        option="--hk-keep",
        belongs=lambda rules: rules.throwaway,
        why="there is no staging database that could be left up",
    ),
    _OnlyIn(
        option="--hk-reuse",
        belongs=lambda rules: rules.throwaway,
        why="no test gets a database of its own in this mode",
        fix="leave it out; it belongs to --hk-mode=staging, and to ordinary runs",
    ),
    _OnlyIn(
        option="--hk-no-canary",
        belongs=lambda rules: rules.watches,
        why="it was meant for a watch, and does nothing any more",
    ),
    _OnlyIn(
        option="--hk-write-baseline",
        belongs=lambda rules: rules.throwaway,
        why="what is let stand is decided on a throwaway database, and committed",
        fix="pytest --hk-mode=staging --hk-write-baseline",
    ),
    _OnlyIn(
        option="--hk-mutate",
        belongs=lambda rules: rules.throwaway,
        why="a slip is planted in a throwaway database and never in a real one",
        fix="pytest --hk-mode=staging --hk-mutate",
    ),
)


def refuse_misplaced(option: Namespace) -> None:
    """Raises pytest.UsageError for an option that the mode does not know, or that holds nothing.

    It would be ignored, and whoever gives it expects that it is not.
    """
    _refuse_empty(option)
    rules = rules_of(Mode(option.hk_mode))
    _refuse_target_of_rollback(option.hk_to, option.hk_mode, rules)
    for each in _ONLY_IN:
        if _value(option, each.option) is not None and not each.belongs(rules):
            found = f"{each.option} with --hk-mode={option.hk_mode}"
            raise misuse(found, why=each.why, fix=each.fix or _belongs_to(each))


def _belongs_to(each: _OnlyIn) -> str:
    modes = [f"--hk-mode={mode}" for mode in Mode if each.belongs(rules_of(mode))]
    return f"leave it out; it belongs to {' and '.join(modes)}"


def _refuse_empty(option: Namespace) -> None:
    for name, _ in OPTIONS:
        if name not in _SAY_IT and _value(option, name) == "":
            raise misuse(
                f"{name}= holds nothing",
                why="a variable that is not set, say; without it the run would be another one",
                fix="give it a value, or leave it out",
            )


def _value(option: Namespace, name: str) -> object:
    return getattr(option, name[2:].replace("-", "_"), None)


def _refuse_target_of_rollback(to: str | None, mode: str, rules: ModeRules) -> None:
    if bool(to) != rules.undoes:
        given = f"--hk-to={to}" if to else "no --hk-to"
        raise misuse(
            f"{given} with --hk-mode={mode}",
            why="what is undone is named, and nothing else is undone",
            fix="pytest --hk-mode=rollback --hk-to=RUN (the id of a promotion; its audit and the"
            " head of its report bear it), or a migration's number; with --collect-only first",
        )
