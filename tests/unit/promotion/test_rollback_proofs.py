"""Which rollback files count as seen by staging: by an honest audit, and by none that is not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.evidence.plain_audit import plain_audit
from pytest_housekeeping.model import Kind, Mode, RunOutcome, TargetIdentity
from pytest_housekeeping.promotion.repository import rollback_proofs
from pytest_housekeeping.promotion.repository.rollback_proofs import disbelieved, proved_rollbacks
from pytest_housekeeping.sql.file import SqlFile
from support.evidence_samples import TARGET, forged
from support.fresh_copy import git
from support.signing import new_key, signer_line
from support.staged_project import FILES, PRODUCTION, Staged, make_project, staged_copy

UNDOES = "sql/rollback/0002_b.sql"
SIGNED = '[tool.housekeeping]\nevidence_signers = "ops/allowed_signers"\n'


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("undone") / "p"
    make_project(root, {**FILES, UNDOES: "DROP TABLE b;\n"})
    return root


@pytest.fixture
def staged(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    with staged_copy(template, tmp_path / "p", monkeypatch) as copy:
        yield copy


def file_of(staged: Staged) -> SqlFile:
    files = staged.context(Mode.STAGING).plan.rollbacks.files
    return next(file for file in files if file.kind is Kind.ROLLBACK)


def proved(staged: Staged, production: TargetIdentity | None = PRODUCTION) -> list[str]:
    context = staged.context(Mode.PROD)
    sources, file = context.plan.sources, file_of(staged)
    found = proved_rollbacks(staged.repository, context.config, sources, [file], production)
    return [name for name, _ in found.values()]


def reasons(staged: Staged) -> list[str]:
    context = staged.context(Mode.PROD)
    sources, file = context.plan.sources, file_of(staged)
    told = disbelieved(staged.repository, context.config, sources, [file], PRODUCTION)
    return list(told[file.path])


def test_an_honest_audit_counts(staged: Staged) -> None:
    assert proved(staged) == []
    path = staged.keep(staged.audit())
    assert proved(staged) == proved(staged, None) == [path]
    assert reasons(staged) == []


def test_audits_that_prove_nothing_are_named_with_the_reason(staged: Staged) -> None:
    on_production = staged.keep(staged.audit(target=PRODUCTION))
    made_up = forged(staged.audit(), lambda document: document.update(target=None))
    staged.keep(made_up)
    unknown = staged.keep(staged.audit(outcome=RunOutcome.ROLLED_BACK, target=TARGET))
    for data in (b"{}", b"[]", b'{"plan": {}, "run": {}, "chain": {}, "source": {}}'):
        staged.keep_file(f"ops/audit/staging_20270101T0000{len(data):02}Z_x.json", data)
    assert proved(staged) == []
    told = dict(reason.split(": ", 1) for reason in reasons(staged))
    assert told[on_production].startswith("it ran on production itself")
    assert told[unknown] == "it says rolled_back, and that promote has passed"
    assert "it says promoted, and names no database" in told.values()


def test_each_audit_is_parsed_once_and_none_when_all_is_known(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []

    def counted(data: bytes) -> dict[str, Any] | None:
        parsed.append(data)
        return plain_audit(data)

    monkeypatch.setattr(rollback_proofs, "plain_audit", counted)
    files = [replace(file_of(staged), path=f"sql/rollback/{n}.sql") for n in range(5)]
    context = staged.context(Mode.PROD)

    def search(*wanted: SqlFile) -> set[str]:
        parsed.clear()
        sources = context.plan.sources
        found = proved_rollbacks(staged.repository, context.config, sources, wanted, PRODUCTION)
        return set(found)

    staged.keep(staged.audit())
    staged.keep(staged.audit())
    assert search(*files) == set()
    assert len(parsed) == 2
    assert search(file_of(staged)) == {UNDOES}
    assert len(parsed) == 1
    assert search(*files, file_of(staged)) == {UNDOES}
    assert len(parsed) == 2

    staged.keep(staged.audit(target=PRODUCTION))
    parsed.clear()
    refused = [*files, file_of(staged)]
    told = disbelieved(staged.repository, context.config, context.plan.sources, refused, PRODUCTION)
    assert len(parsed) == 3
    assert {path: len(said) for path, said in told.items() if said} == {UNDOES: 1}


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")
def test_signers_count_for_rollback_files_as_well(
    staged: Staged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staging, where nothing can prove a signature, proves the file again."""
    key = new_key(tmp_path, "ada")
    staged.commit({"pyproject.toml": SIGNED, "ops/allowed_signers": signer_line(key, "ada")})
    path = staged.keep(staged.audit())
    assert proved(staged) == []
    assert "it is not signed" in reasons(staged)[0]
    git(staged.root, "config", "gpg.format", "ssh")
    git(staged.root, "config", "user.signingkey", str(key))
    signed = staged.keep(staged.audit(), sign=True)
    assert proved(staged) == [signed] != [path]

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert proved(staged, None) == []


def test_nothing_is_read_where_no_file_is_to_be_proved(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = staged.context(Mode.STAGING)
    monkeypatch.setattr(rollback_proofs, "_terms", None)
    assert proved_rollbacks(staged.repository, context.config, context.plan.sources, ()) == {}
