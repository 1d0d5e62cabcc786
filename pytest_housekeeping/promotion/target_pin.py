"""Which database is production: pinned by the first promotion in a committed file."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.model import Mode, TargetIdentity
from pytest_housekeeping.plan.code_files import PIN_PATH
from pytest_housekeeping.sql.project_files import ProjectFiles

_CHANGED = ("promoted", "promoted_in_part", "promoted_unproved")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """What a server says of itself: the identifier that initdb gave it, and the database."""

    system_identifier: str
    database: str


def read_pin(config: Config, sources: ProjectFiles, repository: Repository | None) -> Pin | None:
    """The pin in the work tree; until its pull request is merged, that of the last audit.

    Raises MisuseError when the file is there and cannot be understood.
    """
    if sources.has(PIN_PATH):
        try:
            content = json.loads(sources.read(PIN_PATH))
            return Pin(system_identifier=content["system_identifier"], database=content["database"])
        except (ValueError, KeyError, TypeError):
            raise MisuseError(
                f"{PIN_PATH} is not what a promotion wrote",
                why="it says which database is production",
                fix=f"git checkout -- {PIN_PATH}",
            ) from None
    if repository is None:
        return None
    pin = None
    for _, data in repository.evidence(Mode.PROD, repository.relative(config.root / config.audit)):
        audit = json.loads(data)
        if audit["run"]["outcome"] in _CHANGED and audit["target"]:
            target = audit["target"]
            pin = Pin(system_identifier=target["system_identifier"], database=target["database"])
    return pin


def pin_content(identity: TargetIdentity) -> bytes:
    """The committed file that says which database is production."""
    content = {"system_identifier": identity.system_identifier, "database": identity.database}
    return (json.dumps(content, indent=2) + "\n").encode()
