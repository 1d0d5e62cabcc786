"""`[tool.housekeeping.fleet.NAME]`: many databases of one schema, promoted in waves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_housekeeping.config import PRODUCTION, Fleet, Target
from pytest_housekeeping.declarations.targets import OTHERWISE, keys_wrong, shapes_wrong, wrong_name
from pytest_housekeeping.declarations.toml import Problems, closest, named_tables_of
from pytest_housekeeping.errors import MisuseError

TABLE = "fleet"
_TEXTS = ("env", "after", "soak", "confirm", "databases", "query", "registry")
_OWN = (*_TEXTS, "command", "canary", "waves", "failures")
_SOURCES = ("databases", "query", "command")
# What a database may be called in the list: it becomes a folder and the name of a branch.
MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")


def read_fleets(
    table: Mapping[str, Any], audit: str, targets: Mapping[str, Target], problems: Problems
) -> tuple[Mapping[str, Fleet], Mapping[str, Mapping[str, Any]]]:
    """The fleets by name, and what each has otherwise than the rest of the settings."""
    given = named_tables_of(table, TABLE, problems)
    fleets: dict[str, Fleet] = {}
    others: dict[str, Mapping[str, Any]] = {}
    for name, keys in given.items():
        errors = [*_invalid(name, keys), *_order(name, keys, targets, given)]
        if name in targets:
            errors.append("a target has this name as well")
        for error in errors:
            problems.add(f"{TABLE}.{name}: {error}")
        if not errors:
            fleets[name] = _fleet(name, keys, audit)
        others[name] = {key: value for key, value in keys.items() if key in OTHERWISE}
    return fleets, others


def chosen_fleet(fleets: Mapping[str, Fleet], name: str) -> Fleet:
    """The fleet of a name. Raises MisuseError for one that the settings do not have."""
    if name not in fleets:
        raise MisuseError(
            f"--hk-fleet={name}: there is no such fleet{closest(name, fleets)}",
            why="its databases are listed, and how many may fail",
            fix=f"declare it in pyproject.toml: [tool.housekeeping.{TABLE}.{name}]",
        )
    return fleets[name]


def member_target(fleet: Fleet, name: str, audit: str) -> Target:
    """A database of a fleet as a target: its own evidence and pin, the fleet's variables."""
    return Target(
        name=f"{fleet.name}/{name}",
        env=fleet.env,
        after=fleet.after,
        soak=fleet.soak,
        confirm=fleet.confirm,
        audit=_below(audit, fleet.name, name),
        fleet=fleet.name,
    )


def _below(audit: str, *names: str) -> str:
    """The folder of the evidence of one of several: ``ops/tenants/acme/audit``."""
    first, _, last = audit.rpartition("/")
    return "/".join(filter(None, (first, *names, last)))


def _fleet(name: str, keys: Mapping[str, Any], audit: str) -> Fleet:
    own = {key: keys[key] for key in _OWN if key in keys}
    for key in ("command", "waves"):
        if key in own:
            own[key] = tuple(own[key])
    env = re.sub(r"\W", "_", name).upper()
    return Fleet(**{"name": name, "env": env, "audit": _below(audit, name), **own})


def _invalid(name: str, keys: Mapping[str, Any]) -> Iterator[str]:
    if wrong_name(name) or name == PRODUCTION:
        yield "that is no name for a fleet: lower-case letters and digits, and no name of a mode"
    yield from keys_wrong(keys, _OWN, _TEXTS)
    yield from shapes_wrong(keys)
    given = [key for key in _SOURCES if keys.get(key)]
    if len(given) != 1:
        said = " and ".join(given) or "none of them"
        yield f"its databases come from a file (databases), a query or a command; given: {said}"
    if bool(keys.get("query")) != bool(keys.get("registry")):
        yield "query and registry belong together: what is asked, and of which variables' database"
    command = keys.get("command", ["x"])
    if not _all(command, str) or not command:
        yield f"command = {command!r} is no array of strings"
    yield from _numbers(keys)


def _order(
    name: str,
    keys: Mapping[str, Any],
    targets: Mapping[str, Target],
    given: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    """What is wrong with what it comes after."""
    after, known = keys.get("after"), (*targets, *given)
    if isinstance(after, str) and after not in known:
        yield f"after = {after!r}: there is no such target or fleet{closest(after, known)}"
    if "soak" in keys and "after" not in keys:
        yield "soak says how long ago the promotion before this one was, and after names none"
    way = [name]
    while (before := str(given[way[-1]].get("after"))) in given and before not in way:
        way.append(before)
    if before == name:
        yield f"after leads back to itself: {' after '.join([*way, name])}"


def _numbers(keys: Mapping[str, Any]) -> Iterator[str]:
    for key, least in (("canary", 1), ("failures", 0)):
        value = keys.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            yield f"{key} = {value!r} is no whole number from {least} on"
    waves = keys.get("waves", [100])
    if not _all(waves, int) or not waves or waves[-1] != 100 or sorted(set(waves)) != waves:
        yield f"waves = {waves!r}: whole numbers of per cent that grow, the last of them 100"
    elif waves[0] < 1:
        yield f"waves = {waves!r}: the first is below 1"


def _all(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, kind) and not isinstance(each, bool) for each in value
    )
