"""By which other name a database was promoted: it has one history, one chain of evidence, one name.

Its address does not tell, for a host has several; nor does its identifier, for servers that are
made from one image share it. Its own history names its runs, and the evidence says of which target
they were.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_housekeeping.config import PRODUCTION, Config, Target
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.objects import audits_of_runs
from pytest_housekeeping.evidence.plain_audit import plain_audit, target_of
from pytest_housekeeping.model import TargetIdentity


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """A database as a target, and the runs that its history names."""

    target: Target
    identity: TargetIdentity
    runs: Collection[str]


def otherwise_named(
    config: Config, repository: Repository, databases: Iterable[Database]
) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Of each target that no pin in the work tree names yet: as what else its database is on
    record, and what to do, a pair for each."""
    new = [each for each in databases if not (config.root / each.target.pin).exists()]
    runs = frozenset(run for each in new for run in each.runs)
    if not runs:
        return {}
    place = PurePosixPath(config.targets[PRODUCTION].audit).parent
    known: dict[tuple[object, tuple[object, object]], dict[str, str]] = defaultdict(dict)
    for path, data in audits_of_runs(repository, runs, repository.relative(config.root / place)):
        if (audit := plain_audit(data)) is not None:
            run = audit["run"]
            known[run.get("id"), target_of(audit)][str(run.get("target") or PRODUCTION)] = path
    found: dict[str, list[tuple[str, str]]] = {}
    for each in new:
        there = each.identity.system_identifier, each.identity.database
        names = {
            name: path for run in sorted(each.runs) for name, path in known[run, there].items()
        }
        found[each.target.name] = [
            _told(each.target, name, path)
            for name, path in sorted(names.items())
            if name != each.target.name
        ]
    return found


def _told(target: Target, name: str, audit: str) -> tuple[str, str]:
    pin, own = Target(name=name).pin, target.pin
    fix = (
        f"check the {target.variables} variables and what lists it; if {target.name} is its name"
        f" from now on: mkdir -p {posixpath.dirname(own)} && git mv {pin} {own}, in a reviewed"
        " commit; if it is a copy that goes on by itself: cp in the place of git mv"
    )
    return f"was promoted as {name}, as {audit} says, and this is {target.name}", fix
