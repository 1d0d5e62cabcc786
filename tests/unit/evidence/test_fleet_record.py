"""The record of a fleet: sealed, counted, and told to people and machines in every form alike."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.evidence.finished import finished
from pytest_housekeeping.evidence.fleet_record import (
    FleetRecord,
    GroupRecord,
    MemberRecord,
    ToldRecord,
    WaveRecord,
    fleet_json,
    read_fleet_record,
)
from pytest_housekeeping.evidence.fleet_standing import outcome_of_fleet, troubles
from pytest_housekeeping.evidence.production_now import ProductionNow
from pytest_housekeeping.evidence.remarks import Remarks
from pytest_housekeeping.evidence.report.fleet import fleet_page, fleet_text
from pytest_housekeeping.evidence.report.fleet_summary import fleet_summary
from pytest_housekeeping.evidence.report.wording import outcome_text
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.promotion.fleet.record import Kept
from pytest_housekeeping.promotion.fleet.remarks import told_of_fleet, write_reports_of_fleet
from pytest_housekeeping.promotion.fleet.told import finished_by, tell_github
from support.evidence_samples import START, forged, sample

NASTY = "<script>alert(1)</script> @everybody"


def member(name: str, how: str = "passed", detail: str = "") -> MemberRecord:
    audit = f"ops/tenants/{name}/audit/prod_20270102T030405Z_{name}.json"
    run = f"run of {name}"
    return MemberRecord(name=name, how=how, detail=detail, run=run, audit=audit, seconds=1.5)


def record(
    *members: MemberRecord,
    mode: Mode = Mode.PROD,
    complete: bool = False,
    away: tuple[ToldRecord, ...] = (),
    pending: tuple[str, ...] = ("sql/migrations/0002_x.sql",),
    confirm: str = "PROMOTE",
    shard: str = "",
) -> FleetRecord:
    return FleetRecord(
        fleet="tenants",
        mode=mode,
        id="abcd1234",
        confirm=confirm,
        shard=shard,
        started_at=START,
        finished_at=START + timedelta(minutes=3),
        tool_version="1",
        complete=complete,
        groups=(
            GroupRecord(
                name="group-1",
                databases=tuple(each.name for each in members) or ("t1",),
                pending=pending,
            ),
        ),
        away=away,
        archived=("old",),
        waves=(WaveRecord(name="canary", databases=members),) if members else (),
    ).sealed(None)


def test_it_is_read_as_it_was_sealed_and_no_other_way() -> None:
    made = record(member("t1"), complete=True)
    text = fleet_json(made)
    assert read_fleet_record(text) == made
    assert read_fleet_record(text.replace('"passed"', '"failed"')) is None
    assert read_fleet_record("{}") is None
    assert made.counts == {"archived": 1, "passed": 1}


@pytest.mark.parametrize(
    ("made", "outcome", "tone"),
    [
        (record(member("t1"), complete=True), RunOutcome.PROMOTED, "good"),
        (record(complete=True, pending=()), RunOutcome.NOTHING_TO_PROMOTE, "good"),
        (record(member("t1"), member("t2", "failed")), RunOutcome.PROMOTED_IN_PART, "bad"),
        (record(member("t1"), member("t2", "away")), RunOutcome.PROMOTED_IN_PART, "unsure"),
        (record(member("t1", "failed")), RunOutcome.REFUSED, "bad"),
        (record(member("t1"), mode=Mode.VERIFY, complete=True), "nothing_to_promote", "good"),
        (record(member("t1", "away"), mode=Mode.VERIFY), RunOutcome.ROLLED_BACK, "bad"),
        (record(mode=Mode.PLAN, complete=True), RunOutcome.PLANNED, "good"),
        (record(mode=Mode.PLAN), RunOutcome.ROLLED_BACK, "bad"),
    ],
)
def test_the_outcome_is_that_of_all(made: FleetRecord, outcome: str, tone: str) -> None:
    assert outcome_of_fleet(made) == outcome
    assert fleet_text(made).tone == tone


def test_a_run_without_a_record_is_not_told_as_one_that_promoted_nothing() -> None:
    """It was killed, or had no room to hand its record back, and may have committed."""
    told = member("t2", "failed")
    assert fleet_text(record(member("t1"), told)).headline == "1 of 2 databases not promoted"
    made = record(member("t1"), told.model_copy(update={"run": ""}))
    text = fleet_text(made)
    assert outcome_of_fleet(made) == RunOutcome.UNKNOWN
    assert text.headline == "1 of 2 databases not known to be promoted"
    assert "The run of t2 began and left no record" in text.meaning


def test_what_is_wrong_is_told_by_name_in_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = (ToldRecord(name="t3", detail="no connection"),)
    made = record(member("t1"), member("t2", "failed", NASTY), away=gone)
    assert [(each.name, each.how) for each in troubles(made)] == [("t2", "failed"), ("t3", "away")]
    page = fleet_page(made)
    assert "<script>alert" not in page
    assert '<a href="../t1/audit/prod_20270102T030405Z_t1.html"' in page
    summary = fleet_summary(made)
    assert f"```text\n{NASTY}\n```" in summary

    for name in ("OUTPUT", "STEP_SUMMARY"):
        monkeypatch.setenv(f"GITHUB_{name}", str(tmp_path / name))
    kept = Kept(branch="housekeeping/audit/tenants/x", told=("record: x",), page=True)
    tell_github(made, kept, "ops/tenants/audit/x")
    lines = (tmp_path / "OUTPUT").read_text(encoding="utf-8").splitlines()
    told = dict(line.split("=", 1) for line in lines)
    assert (told["fleet"], told["failed"], told["errors"]) == ("tenants", "1", "2")
    assert told["audit"] == "ops/tenants/audit/x.json"
    listed = '[\n  {"name": "t1"},\n  {"name": "t2"}, {"name": "t2.old"}\n]'
    (tmp_path / "tenants.json").write_text(listed, encoding="utf-8")
    fleet = Fleet(name="tenants", env="X", databases="tenants.json")
    (tmp_path / "pyproject.toml").write_text("[a]\n[tool.housekeeping.fleet.tenants]\n")
    about = told_of_fleet(Config(root=tmp_path), fleet, made)
    write_reports_of_fleet(tmp_path, made, about, exit_code=1)
    (run,) = json.loads((tmp_path / "housekeeping.sarif").read_bytes())["runs"]
    assert run["automationDetails"]["id"] == "housekeeping/prod/tenants/"
    assert (run["properties"]["run"], run["properties"]["outcome"]) == (made.id, "promoted_in_part")
    physical = [each["locations"][0]["physicalLocation"] for each in run["results"]]
    # What no line of the list names is told where the fleet is declared.
    assert [each["artifactLocation"]["uri"] for each in physical] == [
        *("tenants.json", "pyproject.toml"),
    ]
    assert [each["region"]["startLine"] for each in physical] == [3, 2]
    quality = json.loads((tmp_path / "codequality.json").read_bytes())
    assert [each["description"] for each in quality] == [
        f"t2: failed: {NASTY}",
        "t3: away: no connection",
    ]
    done = finished_by(made, kept, about.remarks, "ops/tenants/audit/x", exit_code=1, said=())
    assert (done.fleet, done.databases) == ("tenants", made.counts)
    assert [each.object for each in done.findings] == ["t2", "t3"]
    assert [each.place and each.place.line for each in done.findings] == [3, 2]
    assert done.next.needs_person


@pytest.mark.parametrize("shard", ["", "3/10"])
def test_a_command_that_is_told_is_the_one_to_run(shard: str) -> None:
    """With the word of the fleet, and with the share: run to the letter it does what it says."""
    begins = f"--hk-fleet=tenants{f' --hk-shard={shard}' * bool(shard)}"
    again = f"pytest --hk-mode=prod {begins} --hk-confirm=GO"
    planned = record(mode=Mode.PLAN, complete=True, confirm="GO", shard=shard)
    assert fleet_text(planned).next_steps == (f"Promote: {again}",)
    detail = "1 database, rehearsed on t1: 9 steps\na promotion would be refused: nobody approved"
    (group,) = planned.groups
    group = group.model_copy(update={"how": "passed", "detail": detail})
    refused = planned.model_copy(update={"groups": (group,)})
    (step,) = fleet_text(refused).next_steps
    assert step == f"Repair what a promotion would be refused for, then promote: {again}"
    failed = record(member("t1", "failed"), confirm="GO", shard=shard)
    assert fleet_text(failed).next_steps[0].endswith(f": {again}")
    for made, code in ((planned, 0), (failed, 1)):
        kept = Kept(branch="", told=())
        told = finished_by(made, kept, Remarks(told=()), "x", exit_code=code, said=())
        assert told.next.command == again
    watch = fleet_text(record(member("t1", "failed"), mode=Mode.VERIFY))
    assert watch.next_steps[0].endswith("pytest --hk-mode=verify --hk-target=tenants/t1")


def test_a_watch_says_of_the_others_what_was_shown() -> None:
    some = record(member("t1"), member("t2", "failed"), mode=Mode.VERIFY)
    assert fleet_text(some).headline == "1 of 2 databases not verified"
    assert "Every check of the others passed" in fleet_text(some).meaning
    none = record(member("t1", "failed"), mode=Mode.VERIFY)
    assert "others" not in fleet_text(none).meaning


def test_what_was_not_begun_is_told_together() -> None:
    waiting = [member(f"t{n}", "not begun", "a canary failed") for n in range(20)]
    first, others = troubles(record(member("x", "failed", "why"), *waiting))
    assert (first.name, others.how) == ("x", "not begun")
    assert others.name == "t0, t1, t2, t3, t4, t5, t6, t7 and 12 more"


def test_a_large_fleet_is_soon_loaded() -> None:
    """Also where each of its databases has failed with many lines."""
    many = [member(f"t{n:03}", "failed", "a line of what was found\n" * 200) for n in range(200)]
    made = record(*many)
    assert len(fleet_page(made).encode()) < 400_000
    assert len(fleet_summary(made)) < 65_536
    well = record(*(member(f"t{n:03}") for n in range(200)), complete=True)
    assert len(fleet_page(well).encode()) < 100_000


def test_what_staging_has_proved_for_one_is_promoted_to_all() -> None:
    """The word is the fleet's, and what comes next is done with the whole of it."""
    known = sample(mode=Mode.STAGING, production=ProductionNow(confirm="TENANTS"))
    audit = forged(known, lambda document: document["run"].update(target="tenants/acme"))
    text = outcome_text(audit)
    command = "pytest --hk-mode=prod --hk-fleet=tenants --hk-confirm=TENANTS"
    assert text.next_steps[0] == f"Merge, then promote: {command}"
    done = finished(audit, Remarks(told=()), exit_code=0, evidence=None)
    assert (done.fleet, done.next.command) == (
        "tenants",
        "pytest --hk-mode=plan --hk-fleet=tenants",
    )
