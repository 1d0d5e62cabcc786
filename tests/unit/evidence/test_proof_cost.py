"""What the proof costs beyond reading the evidence: it grows with the audits, not with pairs."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from pytest_housekeeping.evidence.git.committed import Committed, FileVersion
from pytest_housekeeping.evidence.git.evidence_log import FileChange
from pytest_housekeeping.evidence.proof import prove as proof
from pytest_housekeeping.evidence.proof.chain import chain_findings
from pytest_housekeeping.evidence.proof.files import EvidenceFiles
from pytest_housekeeping.evidence.records import Record

MOST = 8
"""A pass over every pair would take 16 times as long."""


def evidence_of(count: int, *, moved: bool) -> tuple[Committed, list[Record]]:
    """Audits of an earlier version and their snapshots; ``moved``: not in the folder of before."""
    records, versions, changes = [], [], []
    for number in range(count):
        run = f"{20_000_000 + number:08}T000000Z"
        names = (f"prod_{run}_{number:x}.json", f"prod_schema_{run}.sql")
        both = [FileVersion(path=f"new/{name}", oid=name, branches=("HEAD",)) for name in names]
        versions += both
        changes += [
            FileChange(path=f"old/{name}", oid=name, commit="c" * 40, deletes=True)
            for name in names
            if moved
        ]
        previous = str(number - 1) if number else None
        records.append(
            Record(
                version=both[0],
                run=f"{number:x}",
                mode="prod",
                previous=previous,
                digest=str(number),
                finished_at=run,
            )
        )
    committed = Committed(
        versions=tuple(versions),
        changes=tuple(changes),
        told=(),
        branches=("HEAD",),
        shallow=False,
    )
    return committed, records


def broken(count: int) -> list[Record]:
    """Audits each of which builds on one that is nowhere."""
    _, records = evidence_of(count, moved=False)
    return [replace(each, previous=f"gone {each.run}") for each in records]


def cost(count: int, *, moved: bool) -> float:
    committed, records = evidence_of(count, moved=moved)
    took = []
    for _ in range(3):
        began = time.process_time()
        found = [
            *EvidenceFiles(committed, records, {}).findings(),
            *chain_findings(records, ()),
        ]
        took.append(time.process_time() - began)
        assert [each.rule for each in found] == ["evidence-unnamed"] * (not moved)
    return min(took)


@pytest.mark.parametrize("moved", [True, False])
def test_it_grows_with_the_number_of_audits_alone(moved: bool) -> None:
    assert cost(4_000, moved=moved) < MOST * cost(1_000, moved=moved)


def cost_of_faults(count: int) -> float:
    records = broken(count)
    took = []
    for _ in range(3):
        began = time.process_time()
        found = [*proof._once(chain_findings(records, ()))]
        took.append(time.process_time() - began)
        assert [each.rule for each in found] == ["audit-missing"] * count
    return min(took)


def test_it_grows_with_the_number_of_faults_alone() -> None:
    assert cost_of_faults(4_000) < MOST * cost_of_faults(1_000)
