"""`[tool.housekeeping.targets.NAME]`: the databases that a project is promoted to, in a row.

Without the table there is one, `prod`, whose variables end with `_PROD`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pytest_housekeeping.config import PRODUCTION, Target
from pytest_housekeeping.declarations.toml import Problems, closest, named_tables_of
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Mode

TABLE = "targets"
# Keys of [tool.housekeeping] that a target may have otherwise: how long it may be kept waiting, who
# has to approve, on which server its copy is made. What the files mean is the same for all.
OTHERWISE = frozenset(
    {
        *("lock_timeout", "lock_attempts", "statement_timeout", "idle_timeout", "lock_wait"),
        *("question_timeout", "question_role", "max_locks_held", "long_transaction"),
        *("max_replica_lag", "activity_wait", "window", "small_table_mb", "large_table_mb"),
        *("hot_table_writes", "lock_window_statements", "require_staging_evidence"),
        *("evidence_signers", "approvals", "approvers", "incident_on_failure", "may_move"),
        *("accepted_evidence_faults", "running", "server", "server_version", "twin"),
    }
)
_TEXTS = ("env", "after", "soak", "confirm")
_OWN = (*_TEXTS, "seeds")
# What is called so gets no made-up rows, whatever the settings say.
_PRODUCTIONS = (PRODUCTION, "production")
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_ENV = re.compile(r"[A-Z][A-Z0-9_]*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SOAK = re.compile(r"[1-9]\d*(s|min|h)")
# Names of branches and folders beside which a target has its own.
_TAKEN = {*map(str, Mode), "decisions", "refused", "audit", "incidents", "fleet"} - {PRODUCTION}


def read_targets(
    table: Mapping[str, Any], audit: str, problems: Problems
) -> tuple[Mapping[str, Target], Mapping[str, Mapping[str, Any]]]:
    """The targets by name, `prod` always among them, and what each has otherwise than the rest of
    the settings; ``audit`` is the folder of production's evidence."""
    given = named_tables_of(table, TABLE, problems)
    targets = {PRODUCTION: Target(audit=audit)}
    others: dict[str, Mapping[str, Any]] = {PRODUCTION: {}}
    for name, keys in given.items():
        for error in _invalid(name, keys, given):
            problems.add(f"{TABLE}.{name}: {error}")
        own = {key: keys[key] for key in _TEXTS if isinstance(keys.get(key), str)}
        own |= {"seeds": True} if keys.get("seeds") is True else {}
        env = "PROD" if name == PRODUCTION else re.sub(r"\W", "_", name).upper()
        folder = PurePosixPath(audit)
        place = folder if name == PRODUCTION else folder.parent / name / folder.name
        targets[name] = Target(**{"name": name, "env": env, "audit": place.as_posix(), **own})
        others[name] = {key: value for key, value in keys.items() if key in OTHERWISE}
    for error in (*_twice(targets), *_circles(targets)):
        problems.add(error)
    return targets, others


def chosen(targets: Mapping[str, Target], name: str) -> Target:
    """The target of a name. Raises MisuseError for one that the settings do not have."""
    if name not in targets:
        raise MisuseError(
            f"--hk-target={name}: there is no such target{closest(name, targets)}",
            why="each target has its own variables, its own evidence and its own pin",
            fix=f"declare it in pyproject.toml: [tool.housekeeping.{TABLE}.{name}]",
        )
    return targets[name]


def _invalid(
    name: str, keys: Mapping[str, Any], given: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    if wrong_name(name):
        yield "that is no name for a target: lower-case letters and digits, and no name of a mode"
    yield from keys_wrong(keys, _OWN, _TEXTS)
    seeds = keys.get("seeds", False)
    if not isinstance(seeds, bool):
        yield f"seeds = {seeds!r} is not true or false"
    elif seeds and name in _PRODUCTIONS:
        yield f"seeds = true: what is called {name} gets no rows that were made up"
    yield from shapes_wrong(keys)
    after = keys.get("after")
    if isinstance(after, str) and after not in {PRODUCTION, *given}:
        yield f"after = {after!r}: there is no such target{closest(after, given)}"
    if "soak" in keys and "after" not in keys:
        yield "soak says how long ago the promotion to another target was, and after names none"


def keys_wrong(
    keys: Mapping[str, Any], own: Collection[str], texts: Collection[str]
) -> Iterator[str]:
    """Keys that are neither its ``own`` nor may be otherwise; those of ``texts`` are strings."""
    for key, value in keys.items():
        if key not in own and key not in OTHERWISE:
            yield f"unknown key {key!r}{closest(key, {*own, *OTHERWISE})}"
        elif key in texts and not isinstance(value, str):
            yield f"{key} = {value!r} is not a string"


def wrong_name(name: str) -> bool:
    """Whether a folder and a branch cannot be called so, beside those that there are."""
    return not _NAME.fullmatch(name) or name in _TAKEN


def shapes_wrong(keys: Mapping[str, Any]) -> Iterator[str]:
    """What is said of texts that cannot be what their keys mean."""
    shapes = (
        ("env", _ENV, 'no part of a variable\'s name, such as "PREPROD" for PGHOST_PREPROD'),
        ("confirm", _WORD, "no word that can be typed: letters, digits, - and _"),
        ("soak", _SOAK, 'no duration above zero, such as "2h"'),
    )
    for key, shape, what in shapes:
        value = keys.get(key)
        if isinstance(value, str) and not shape.fullmatch(value):
            yield f"{key} = {value!r} is {what}"


def _twice(targets: Mapping[str, Target]) -> Iterator[str]:
    """Two names for one set of variables would be two records of one database."""
    seen: dict[str, str] = {}
    for name, target in targets.items():
        first = seen.setdefault(target.variables, name)
        if first != name:
            yield f"{TABLE}.{name}: env: {target.variables} are the variables of {first} as well"


def _circles(targets: Mapping[str, Target]) -> Iterator[str]:
    for name in targets:
        way = [name]
        while (before := targets[way[-1]].after) in targets and before not in way:
            way.append(before)
        if before == name:
            yield f"{TABLE}.{name}: after leads back to itself: {' after '.join([*way, name])}"
