"""Which database is production: pinned by the first promotion in a committed file."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pytest_housekeeping.config import PIN, Config, Target
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.plain_audit import plain_audit, target_of
from pytest_housekeeping.evidence.run_outcomes import CHANGED
from pytest_housekeeping.model import Mode, TargetIdentity
from pytest_housekeeping.sql.project_files import ProjectFiles


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """What a server says of itself: the identifier that initdb gave it, the database, and the
    timeline that it writes; None in a pin of an earlier version, or of a server that does not
    tell."""

    system_identifier: str
    database: str
    timeline: int | None = None


def read_pin(config: Config, sources: ProjectFiles, repository: Repository | None) -> Pin | None:
    """The pin in the work tree; until its pull request is merged, that of the last audit.

    Raises MisuseError when the file is there and cannot be understood.
    """
    if (kept := _kept(config.target, sources)) is not None:
        return kept
    if repository is None:
        return None
    pin = None
    for _, data in repository.evidence(Mode.PROD, repository.relative(config.root / config.audit)):
        audit = plain_audit(data)
        if audit is not None and audit["run"].get("outcome") in CHANGED:
            system, database = target_of(audit)
            if isinstance(system, str) and isinstance(database, str):
                pin = Pin(system_identifier=system, database=database)
    return pin


def other_pins(config: Config, sources: ProjectFiles) -> dict[str, Pin]:
    """The pins in the work tree of all other targets, by the path of each."""
    others = (each for each in config.targets.values() if each.name != config.target.name)
    kept = ((each.pin, _kept(each, sources)) for each in others)
    return {path: pin for path, pin in kept if pin is not None}


def pins_of_fleets(config: Config) -> dict[str, Pin]:
    """The same of all databases of fleets: no part of what runs, and so many that they are read
    where they are asked for."""
    disk = ProjectFiles(config.root)
    found = {}
    for fleet in config.fleets:
        for path in disk.find(f"ops/{fleet}", f"*/{PIN}"):
            name = path.removeprefix("ops/").removesuffix(f"/{PIN}")
            if (pin := _kept(Target(name=name), disk)) is not None:
                found[path] = pin
    return found


def _kept(target: Target, sources: ProjectFiles) -> Pin | None:
    if not sources.has(target.pin):
        return None
    try:
        content = json.loads(sources.read(target.pin))
        timeline = content.get("timeline")
        return Pin(
            system_identifier=content["system_identifier"],
            database=content["database"],
            timeline=None if timeline is None else int(timeline),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MisuseError(
            f"{target.pin} is not what a promotion wrote",
            why=f"it says which database is {target.name}",
            fix=f"git checkout -- {target.pin}",
        ) from None


def pin_content(identity: TargetIdentity, timeline: int | None) -> bytes:
    """The committed file that says which database is production."""
    content: dict[str, str | int] = {
        "system_identifier": identity.system_identifier,
        "database": identity.database,
    }
    if timeline is not None:
        content["timeline"] = timeline
    return (json.dumps(content, indent=2) + "\n").encode()


def misplaced(
    pin: Pin, identity: TargetIdentity, timeline: int | None, target: Target
) -> list[tuple[str, str]]:
    """In what a target is not the pinned one, and what to do: a pair for each.

    A physical copy of production bears its identifier. One that was recovered, or a standby that
    was promoted, writes another timeline; that of a copy which was started as it is, is the same.
    A timeline of which either does not know is not compared.
    """
    moved = f"if production has moved, change {target.pin} in a reviewed commit"
    over = (
        f'if production was failed over to this server, write "timeline": {timeline} into'
        f" {target.pin} in a reviewed commit"
    )
    facts = (
        ("the system identifier", identity.system_identifier, pin.system_identifier, moved),
        ("the database", identity.database, pin.database, moved),
        ("the timeline", timeline, pin.timeline, over),
    )
    return [
        (
            f"{name} is {actual}, and the last promotion went to {pinned}"
            + (": a standby that was promoted, or a copy" if fix is over else ""),
            f"check the {target.variables} variables; {fix}",
        )
        for name, actual, pinned, fix in facts
        if None not in (actual, pinned) and actual != pinned
    ]
