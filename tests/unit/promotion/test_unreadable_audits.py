"""A file among the audits that cannot be read: the proof names it, and no command ends with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.chain import latest_digest
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.proof.prove import prove_evidence
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.prechecks.own_tables import audits_of
from pytest_housekeeping.promotion.repository.applied import promoted_before
from pytest_housekeeping.promotion.repository.target_pin import read_pin
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.evidence_repository import FOLDER, commit_runs
from support.evidence_samples import TARGET
from support.fresh_copy import commit_all

UNREADABLE = (
    b"",
    b"{",
    b"[]",
    b"{}",
    b"\xff",
    b"[" * 100_000,
    b'{"run": {}, "plan": {}, "chain": {}, "source": {}}',
    b'{"run": {"id": []}, "plan": {}, "chain": {"digest": 1}, "source": {}, "target": []}',
)


def honest(repository: Repository) -> Audit:
    """The audit of a promotion, and beside it, newer, every file that is none."""
    ((audit, _),) = commit_runs(repository, [Mode.PROD])
    for number, data in enumerate(UNREADABLE):
        path = repository.root / FOLDER / f"prod_20990101T00000{number}Z_x.json"
        path.write_bytes(data)
    commit_all(repository.root, "not by a run")
    return audit


def test_what_asks_for_a_field_of_audits_passes_over_it(repository: Repository) -> None:
    audit, root = honest(repository), repository.root
    assert latest_digest(repository, Mode.PROD, root / FOLDER) == audit.chain.digest
    found, runs = audits_of(repository, FOLDER, TARGET)
    assert [each.run.id for each in found] == [audit.run.id]
    assert runs == {audit.run.id}
    assert audits_of(repository, FOLDER, replace(TARGET, database="other")) == ([], frozenset())
    pin = read_pin(Config(root=root), ProjectFiles(root), repository)
    assert pin is not None
    assert (pin.system_identifier, pin.database) == (TARGET.system_identifier, TARGET.database)


def test_the_proof_names_it(repository: Repository) -> None:
    honest(repository)
    named = {each.object for each in prove_evidence(repository).faults}
    expected = {
        f"{FOLDER}/prod_20990101T00000{number}Z_x.json" for number in range(len(UNREADABLE))
    }
    assert expected <= named


@pytest.mark.parametrize("name", ["prod_notes.json", "prod_20270101T000000Z_x.json.orig.json5"])
def test_what_is_not_named_as_an_audit_is_none(repository: Repository, name: str) -> None:
    ((audit, _),) = commit_runs(repository, [Mode.PROD])
    (repository.root / FOLDER / name).write_bytes(b"[]")
    commit_all(repository.root, "notes")
    assert [path for path, _ in repository.evidence(Mode.PROD)] == [
        f"{FOLDER}/prod_20270102T030405Z_{audit.run.id}.json"
    ]
    assert len(promoted_before(repository, repository.root / FOLDER)) == 1
