"""Round trips that an earlier run of this machine has shown, kept by all that they depend on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest_housekeeping
from pytest_housekeeping.checks.json_cache import default_folder, read_entries, write_entries
from pytest_housekeeping.checks.rollbacks import RoundTripInput
from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.server import build_facts
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.sql.text import digest


@dataclass(frozen=True, kw_only=True)
class KnownRoundTrips:
    """What is known of the round trips of one batch; ``key`` is the digest of all that they are
    made of."""

    folder: Path
    key: str

    @property
    def _file(self) -> Path:
        return self.folder / f"{self.key}.json"

    def read(self) -> Mapping[str, Verdict]:
        """The verdicts by step, and in each when it was shown; none where nothing is known.

        What is not as it was written down is not known.
        """
        entry = read_entries(self._file).get(self.key, {})
        try:
            if entry["sha256"] != _digest([entry["at"], entry["verdicts"]]):
                return {}
            when = datetime.fromisoformat(entry["at"])
            found = {step: _verdict(fields) for step, fields in entry["verdicts"].items()}
        except (KeyError, TypeError, ValueError):
            return {}
        said = f"shown at {when:%Y-%m-%d %H:%M} UTC by a run of the same files on the same schema"
        return {
            step: replace(verdict, evidence=(*verdict.evidence, said))
            for step, verdict in found.items()
            if verdict.passed
        }

    def keep(self, verdicts: Mapping[str, Verdict]) -> None:
        """Keep them if all have passed: what has failed is tried again."""
        if not all(verdict.passed for verdict in verdicts.values()):
            return
        at = datetime.now(UTC).isoformat()
        fields = {step: asdict(verdict) for step, verdict in verdicts.items()}
        entry = {"at": at, "verdicts": fields, "sha256": _digest([at, fields])}
        write_entries(self._file, {}, {self.key: entry})


def known_round_trips(
    config: Config, plan: Plan, given: RoundTripInput, schema: Fingerprint
) -> KnownRoundTrips:
    """What is known of the round trips of this batch, whose ``schema`` was read in this run.

    They depend on the tool, the server's build, the settings, every text that has made the
    database, and the schemas between which they go.
    """
    before = given.schema_before_batch
    facts = [
        _tool(),
        build_facts(config.server, config.server_version),
        asdict(replace(config, root=Path())),
        sorted(plan.contracts.roles),
        [(path, digest(plan.sources.read(path))) for path in plan.bootstrap],
        [asdict(applied) | {"commit": ""} for applied in plan.past],
        [(s.number, [(f.path, f.sha256) for f in s.files]) for s in plan.segments],
        [(file.path, file.sha256) for file in plan.seeds],
        [(each.file.path, each.text, each.older) for each in given.repeatables],
        [
            (link.migration.sha256, link.rollback.path, link.rollback.sha256, link.pending)
            for link in given.links
        ],
        [before.digest if before else "", schema.digest],
        sorted((path, each.digest) for path, each in given.schema_before_migration.items()),
    ]
    return KnownRoundTrips(folder=default_folder("round-trips"), key=_digest(facts))


@cache
def _tool() -> str:
    """Names this very installation: another size or time of a module is another tool."""
    return _digest(sorted(_modules(Path(pytest_housekeeping.__file__).parent)))


def _modules(folder: Path) -> Iterator[tuple[str, int, int]]:
    for path in folder.rglob("*.py"):
        status = path.stat()
        yield path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns


def _verdict(fields: Mapping[str, Any]) -> Verdict:
    return Verdict(
        examined=int(fields["examined"]),
        unit=str(fields["unit"]),
        evidence=tuple(fields["evidence"]),
        findings=tuple(
            Finding(**(each | {"level": Level(each["level"])})) for each in fields["findings"]
        ),
    )


def _digest(facts: object) -> str:
    return sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
