"""Where reports are written, and that their places are in the project and nowhere else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_housekeeping.errors import EvidenceError, MisuseError
from pytest_housekeeping.evidence.audit import make_audit
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.model import Mode, Place, RunOutcome
from pytest_housekeeping.promotion.recording.reports import (
    CODE_QUALITY,
    JUNIT,
    SARIF,
    finished_by,
    make_room,
    told_by_refusal,
    write_reports,
)
from support.evidence_samples import START, facts
from support.fresh_copy import commit_all, git


def refused(message: str) -> Audit:
    known = replace(facts(Mode.STAGING), steps=(), segments=0)
    return make_audit(
        known, outcome=RunOutcome.REFUSED, finished_at=START, results=(), message=message
    )


def place(root: Path, message: str) -> Place | None:
    (remark,) = told_by_refusal(refused(message), root).remarks.told
    return remark.place


def test_a_place_is_in_the_project(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "sql").mkdir(parents=True)
    for path in (root / "sql/a.sql", tmp_path / "outside.sql"):
        path.write_text("SELECT 1;\n", encoding="utf-8")
    (root / "sql/linked.sql").symlink_to(tmp_path / "outside.sql")
    assert place(root, "sql/a.sql:1:3: no") == Place(path="sql/a.sql", line=1, column=3)
    for none in ("../outside.sql", str(tmp_path / "outside.sql"), "sql/linked.sql", "sql/b.sql"):
        assert place(root, f"{none}:1:1: no") is None
    assert place(root, "a" * 100_000 + ".sql: no") is None


def test_paths_are_those_of_the_repository(tmp_path: Path) -> None:
    root = tmp_path / "a place" / "project"
    (root / "sql").mkdir(parents=True)
    (root / "sql/a.sql").write_text("SELECT 1;\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "a place")
    commit_all(tmp_path / "a place", "it")
    audit = refused("sql/a.sql: no")
    told = told_by_refusal(audit, root)
    out = tmp_path / "out"
    make_room(out)
    write_reports(out, audit, told, exit_code=4)
    (result,) = json.loads((out / SARIF).read_text(encoding="utf-8"))["runs"][0]["results"]
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location["uri"] == "project/sql/a.sql"
    (one,) = json.loads((out / CODE_QUALITY).read_text(encoding="utf-8"))
    assert one["location"]["path"] == "project/sql/a.sql"
    # Without a record there is none to point at.
    assert finished_by(audit, root, "ops/audit", told, exit_code=4).evidence is None


def test_nothing_of_an_earlier_run_stays(tmp_path: Path) -> None:
    for name in (SARIF, CODE_QUALITY, JUNIT, "kept.txt"):
        (tmp_path / name).write_text("old", encoding="utf-8")
    make_room(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_folder_that_is_none_is_refused_and_one_that_is_gone_is_told(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("", encoding="utf-8")
    with pytest.raises(MisuseError, match="--hk-reports="):
        make_room(taken)
    audit = refused("no")
    with pytest.raises(EvidenceError, match="cannot be written"):
        write_reports(taken, audit, told_by_refusal(audit, tmp_path), exit_code=4)
