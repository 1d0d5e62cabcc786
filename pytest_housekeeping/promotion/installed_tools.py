"""The versions that a run is made with: Python, this tool, and all that it depends on.

https://packaging.python.org/en/latest/specifications/core-metadata/
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pytest_housekeeping.model import Tool

_OWN = Requirement("pytest-housekeeping")
_EXTRA = "extra"


@cache
def installed_tools() -> tuple[Tool, ...]:
    """In the order of their names. What lies beside them in the environment is not looked at: it
    differs between a laptop and a runner, and the tool uses none of it."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    waiting, seen = [_OWN], set[tuple[str, frozenset[str]]]()
    while waiting:
        wanted = waiting.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            there = distribution(wanted.name)
        except PackageNotFoundError:
            continue  # pip has complained of it
        found[name], required = _headers(there)
        waiting += _required(required, extras)
    return tuple(Tool(name=name, version=found[name]) for name in sorted(found))


def _headers(found: Distribution) -> tuple[str, list[str]]:
    """Its version, and the lines of what it requires; to parse the whole text takes long."""
    version, required = "", []
    for line in (found.read_text("METADATA") or found.read_text("PKG-INFO") or "").splitlines():
        if not line:
            break
        name, _, value = line.partition(": ")
        if name == "Version":
            version = value
        elif name == "Requires-Dist":
            required.append(value)
    return version, required


def _required(lines: Iterable[str], extras: frozenset[str]) -> Iterator[Requirement]:
    for line in lines:
        if extras or _EXTRA not in line:
            wanted = Requirement(line)
            if _holds(wanted, extras):
                yield wanted


def _holds(wanted: Requirement, extras: frozenset[str]) -> bool:
    marker = wanted.marker
    return marker is None or any(marker.evaluate({_EXTRA: each}) for each in ("", *extras))
