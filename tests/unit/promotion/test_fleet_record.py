"""The record of a fleet that cannot be written is told, and so is that nothing commits it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.fleet.record import Waves, keep, record_of
from pytest_housekeeping.promotion.fleet.survey import Survey
from pytest_housekeeping.promotion.fleet.work import Work
from pytest_housekeeping.promotion.recording.killed_runs import dead_journals


@pytest.fixture
def waves(tmp_path: Path) -> Waves:
    fleet = Fleet(name="tenants", env="TENANTS", audit="ops/tenants/audit")
    nothing = Survey(groups=(), away=(), wrong=(), archived=())
    return Waves(
        config=Config(root=tmp_path),
        work=Work(folder=tmp_path / "work", fleet=fleet, survey=nothing, waves=()),
        mode=Mode.PROD,
        id="1a2b3c4d",
        started_at=datetime.now(UTC),
        backs={},
        whole=False,
    )


def test_where_there_is_no_room(waves: Waves) -> None:
    """A file in the place of its folder does not depend on who the tests run as."""
    place = waves.config.root / "ops/tenants"
    place.mkdir(parents=True)
    (place / "audit").touch()
    record = record_of(waves)
    with pytest.raises(EvidenceError) as found:
        keep(waves, record, None)
    assert "the record of the fleet cannot be written" in found.value.found
    assert "what is applied is not applied twice" in found.value.fix


def test_each_record_names_the_one_before(waves: Waves) -> None:
    kept = keep(waves, record_of(waves), None)
    assert kept.told[-1] == "not committed: there is no repository"
    later = replace(waves, id="5e6f7a8b")
    keep(later, record_of(later), None)
    records = [
        json.loads(each.read_bytes())
        for each in (waves.config.root / "ops/tenants/audit").glob("fleet_*.json")
    ]
    previous = {each["chain"]["previous"] for each in records}
    assert previous & {each["chain"]["digest"] for each in records}
    assert None in previous


def test_nothing_is_asked_of_a_run_that_has_handed_its_evidence_back(tmp_path: Path) -> None:
    """Its journal stays until its evidence is committed, and its database would be asked for it."""
    for name in ("prod_a", "prod_b"):
        (tmp_path / f"{name}.journal.jsonl").write_text("")
    assert [each.name[:6] for each in dead_journals(tmp_path)] == ["prod_a", "prod_b"]
    left = dead_journals(tmp_path, but={tmp_path / "prod_a.json"})
    assert [each.name[:6] for each in left] == ["prod_b"]
