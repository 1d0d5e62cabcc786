"""The index has the runs on fleets, and index and population those of each of its databases."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from pytest_housekeeping.evidence.fleet_record import (
    FleetRecord,
    MemberRecord,
    WaveRecord,
    fleet_json,
)
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.commands.index import Asked, index
from support.evidence_repository import commit_run, evidence_of, new_repository
from support.evidence_samples import START

AUDIT = "ops/tenants/acme/audit"


def test_a_fleet_is_in_the_index_and_its_databases_in_the_population(tmp_path: Path) -> None:
    members = (MemberRecord(name="acme", how="passed"), MemberRecord(name="zeta", how="away"))
    record = FleetRecord(
        fleet="tenants",
        mode=Mode.PROD,
        id="abcd1234",
        started_at=START,
        finished_at=START + timedelta(minutes=1),
        tool_version="1",
        complete=False,
        waves=(WaveRecord(name="canary", databases=members),),
    ).sealed(None)
    place = f"ops/tenants/audit/{record.stem}.json"
    with new_repository(tmp_path / "p") as repository:
        audit, files = evidence_of(1, Mode.PROD, None, folder=AUDIT)
        commit_run(repository, audit, files)
        branch = f"housekeeping/audit/tenants/{record.stem}"
        head = repository.head()
        repository.commit_evidence(branch, {place: fleet_json(record).encode()}, "it", head)
    runs = json.loads(index(tmp_path / "p", Asked(json=True)).out)["runs"]
    told = {each["kind"]: each for each in runs}
    assert told["run"]["path"].startswith(AUDIT)
    fleet = told["fleet"]
    assert (fleet["outcome"], fleet["target"]) == ("promoted_in_part", "tenants")
    assert fleet["facts"]["result"].splitlines() == ["1 away, 1 passed", "zeta: away"]
    assert (fleet["path"], fleet["branches"]) == (place, [branch])
    population = index(tmp_path / "p", Asked(population=True))
    assert population.said[0].startswith("1 row")
