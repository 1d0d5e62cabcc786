"""What differs by mode, in one table: what a run may do, must show first, and leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_housekeeping.model import CLONE, ROWS, Mode
from pytest_housekeeping.plan.steps import ACTIVITY, BINDING, CHANGES, IMPACT, RUNNING, SEEDED

ALWAYS, ON_FAILURE, NEVER = "always", "on_failure", "never"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModeRules:
    """The rules of one mode.

    ``prechecks`` are the names of its prechecks, in order, ``rehearsed`` of what is asked when the
    whole batch is on the copy and production has seen nothing of it; ``confirm`` is the word that
    ``--hk-confirm`` has to hold, "" where nothing real is changed. The database of a ``throwaway``
    mode is made for the run: seeds, tripwires, mutants, round trips and the applications' own
    tests belong to it. A mode that ``watches`` applies nothing and reports everything that is
    wrong instead of stopping at the first. One that ``backs_up`` proves a backup before it changes
    anything, which a watch does not keep. One that ``rehearses`` does to the restored copy first
    what it will do, and proves there what the schema decides. The evidence of a ``logged`` mode is
    appended to one branch; otherwise each run has a branch of its own, to be merged. A mode that
    ``plans`` ends with what it has rehearsed: it changes nothing, reads in a session that cannot
    write, and leaves a report that is committed nowhere.
    """

    prechecks: tuple[str, ...]
    rehearsed: tuple[str, ...] = ()
    confirm: str = ""
    throwaway: bool = False
    watches: bool = False
    plans: bool = False
    backs_up: bool = False
    rehearses: bool = False
    logged: bool = False
    undoes: bool = False
    incident: str = NEVER

    @property
    def changes_production(self) -> bool:
        return bool(self.confirm)

    @property
    def promotes(self) -> bool:
        """Whether there is a COMMIT, of a throwaway database or of the real one."""
        return not (self.watches or self.plans)


_RULES: Mapping[Mode, ModeRules] = {
    Mode.STAGING: ModeRules(
        prechecks=(
            "files",
            "code",
            "worktree",
            "server",
            "capacity",
            "stubs",
            "bootstrap",
            "history",
            "roles",
        ),
        throwaway=True,
        logged=True,
    ),
    Mode.PLAN: ModeRules(
        prechecks=(
            "files",
            "code",
            "server",
            "identity",
            "stubs",
            "history",
            "worktree",
            "segments",
            "evidence",
            "after",
            "audits",
            "capacity",
            "drift",
        ),
        rehearsed=(IMPACT, CHANGES, ROWS, SEEDED, RUNNING, CLONE, ACTIVITY, BINDING),
        plans=True,
        backs_up=True,
        rehearses=True,
    ),
    Mode.PROD: ModeRules(
        prechecks=(
            "files",
            "code",
            "worktree",
            "server",
            "identity",
            "stubs",
            "window",
            "segments",
            "history",
            "evidence",
            "after",
            "audits",
            "capacity",
            "roles",
            "privileges",
            "drift",
        ),
        rehearsed=(IMPACT, CHANGES, ROWS, SEEDED, RUNNING, CLONE, ACTIVITY, BINDING),
        confirm="PROMOTE",
        backs_up=True,
        rehearses=True,
        incident=ON_FAILURE,
    ),
    Mode.VERIFY: ModeRules(
        prechecks=(
            "code",
            "worktree",
            "server",
            "identity",
            "stubs",
            "history",
            "audits",
            "roles",
            "drift",
        ),
        watches=True,
        backs_up=True,
        rehearses=True,
        logged=True,
    ),
    Mode.ROLLBACK: ModeRules(
        prechecks=(
            "files",
            "worktree",
            "server",
            "identity",
            "promotion",
            "segments",
            "history",
            "evidence",
            "audits",
            "privileges",
            "drift",
        ),
        rehearsed=(ROWS,),
        confirm="ROLLBACK",
        backs_up=True,
        rehearses=True,
        undoes=True,
        incident=ALWAYS,
    ),
}


def rules_of(mode: Mode) -> ModeRules:
    """The rules of a mode; every mode has its own."""
    return _RULES[mode]
