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
        why="this mode changes nothing real, and the word says that it should",
        fix="leave it out; to promote: --hk-mode=prod --hk-confirm=PROMOTE",
    ),
    _OnlyIn(
        option="--hk-as",
        belongs=lambda rules: rules.plans,
        why="in this mode the files run as the role that connects",
    ),
    _OnlyIn(
        option="--hk-segments",
        belongs=lambda rules: rules.changes_production,
        why="it acknowledges that a failure can leave production changed in part",
    ),
    _OnlyIn(
        option="--hk-accept-drift",
        belongs=lambda rules: rules.changes_production,
        why="it accepts the present schema of a production that is about to be changed",
    ),
    _OnlyIn(
        option="--hk-in-place",
        belongs=lambda rules: rules.rehearses and rules.changes_production,
        why="it holds the locks of a change of production for longer, and this mode changes none",
    ),
    _OnlyIn(
        option="--hk-baseline",
        belongs=lambda rules: rules.changes_production and not rules.undoes,
        why="it would record files as applied that were never run here",
    ),
    _OnlyIn(
        option="--hk-fleet",
        belongs=lambda rules: rules.rehearses and not rules.undoes,
        why="a fleet can only be planned, promoted and verified; other modes take one database",
        fix="leave it out; --hk-target=FLEET/NAME names one of its databases",
    ),
    _OnlyIn(
        option="--hk-shard",
        belongs=lambda rules: rules.rehearses and not rules.undoes,
        why="it selects a share of a fleet, which can only be planned, promoted and verified",
        fix="leave it out; it belongs to --hk-fleet",
    ),
    _OnlyIn(
        option="--hk-plan",
        belongs=lambda rules: rules.changes_production and not rules.undoes,
        why="it binds a promotion to a plan, and this mode promotes nothing",
    ),
    _OnlyIn(
        option="--hk-emergency",
        belongs=lambda rules: rules.changes_production and not rules.undoes,
        why="it is the reason why a promotion does not wait, and this mode promotes nothing",
    ),
    _OnlyIn(
        option="--hk-staging-url",
        belongs=lambda rules: rules.throwaway,
        why="this mode uses the database of PG*_PROD",
    ),
    _OnlyIn(
        option="--hk-twin-server",
        belongs=lambda rules: rules.backs_up,
        why="this mode makes no copy of production",
        fix="leave it out; it belongs to the modes of production, and --hk-staging-url to staging",
    ),
    _OnlyIn(
        option="--hk-twin",
        belongs=lambda rules: CLONE in rules.rehearsed,
        why="the batch of a promotion is tried on that clone, and this mode has none",
    ),
    _OnlyIn(
        option="--hk-keep",
        belongs=lambda rules: rules.throwaway,
        why="this mode has no staging database to keep running",
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
        why="it was meant for verify, and has no effect any more",
    ),
    _OnlyIn(
        option="--hk-write-baseline",
        belongs=lambda rules: rules.throwaway,
        why="the baseline is written from a run on a throwaway database, and committed",
        fix="pytest --hk-mode=staging --hk-write-baseline",
    ),
    _OnlyIn(
        option="--hk-mutate",
        belongs=lambda rules: rules.throwaway,
        why="mistakes are planted in a throwaway database and never in a real one",
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
                f"{name}= is empty",
                why="perhaps a variable is not set; without a value it would be a different run",
                fix="give it a value, or leave it out",
            )


def _value(option: Namespace, name: str) -> object:
    return getattr(option, name[2:].replace("-", "_"), None)


def _refuse_target_of_rollback(to: str | None, mode: str, rules: ModeRules) -> None:
    if bool(to) != rules.undoes:
        given = f"--hk-to={to}" if to else "no --hk-to"
        raise misuse(
            f"{given} with --hk-mode={mode}",
            why="a rollback undoes only what you name, and everything after it",
            fix="pytest --hk-mode=rollback --hk-to=RUN (the id of a promotion; its audit and the"
            " head of its report bear it), or a migration's number; with --collect-only first",
        )
