"""Approvals: made by a command, and counted for people who neither wrote nor run it, beforehand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import EvidenceError, HousekeepingError, MisuseError, ProofFailed
from pytest_housekeeping.evidence.decisions import BRANCH, Deed, decide, decisions
from pytest_housekeeping.evidence.proof.prove import prove_evidence
from pytest_housekeeping.model import Kind, Mode
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.promotion.commands.approve import approve
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.approvals import (
    Approvals,
    approvals_of,
    refuse_unapproved,
)
from pytest_housekeeping.promotion.repository.signers import approvers_of
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.fresh_copy import commit_all, git
from support.git_folders import opened
from support.signing import needs_ssh_keygen, new_key, sign_as, signer_line
from support.staged_project import FILES, Staged, make_project, staged_copy

pytestmark = needs_ssh_keygen
DIGEST, OTHER = f"{'a' * 64}-{'0' * 60}", f"{'b' * 64}-{'0' * 60}"
APPROVERS = "ops/approvers"
SETTINGS = f'[tool.housekeeping]\napprovals = 2\napprovers = "{APPROVERS}"\n'


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada has two keys, Bob two names, and Dan's key has expired; Eve has a key as well."""
    place = tmp_path_factory.mktemp("approved")
    for name in ("ada", "laptop", "bob", "dan", "eve"):
        new_key(place, name)
    approvers = b"# who may approve\n"
    approvers += signer_line(place / "ada", "ada@example.org,ada-gh", 'namespaces="git"')
    approvers += signer_line(place / "laptop", "ada@example.org")
    approvers += signer_line(place / "bob", "bob@example.org")
    approvers += signer_line(place / "bob", "robert@example.com")
    approvers += signer_line(place / "dan", "dan@example.org", 'valid-before="20200101"')
    make_project(place / "p", {**FILES, "pyproject.toml": SETTINGS, APPROVERS: approvers})
    return place


@pytest.fixture
def staged(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    for name in ("GITHUB_ACTOR", "GITHUB_TRIGGERING_ACTOR"):
        monkeypatch.delenv(name, raising=False)
    with staged_copy(template / "p", tmp_path / "p", monkeypatch) as copy:
        yield copy


def approve_as(staged: Staged, key: Path, digest: str = DIGEST) -> list[str]:
    sign_as(staged.root, key)
    return list(approve(staged.root, digest))


def force(staged: Staged, key: Path | None, digest: str = DIGEST) -> str:
    """The record of somebody who does not use the command."""
    if key is not None:
        sign_as(staged.root, key)
    sign = key is not None
    return decide(staged.repository, "ops/audit", Deed.APPROVAL, digest, sign=sign)[0]


def found(context: RunContext) -> Approvals:
    return approvals_of(context, DIGEST)


def who(context: RunContext) -> list[str]:
    return [each.approver for each in found(context).given]


def why_not(context: RunContext) -> str:
    """Why the one record there is does not count."""
    judged = found(context)
    assert judged.given == ()
    assert len(judged.refused) == 1
    return judged.refused[0]


def test_two_people_approve_and_it_is_enough(staged: Staged, template: Path) -> None:
    told = approve_as(staged, template / "ada")
    assert told[0] in (f"approved by {n}: {DIGEST}" for n in ("ada@example.org", "ada-gh"))
    assert told[2] == "not pushed: there is no remote 'origin'"
    context = staged.context(Mode.PROD)
    with pytest.raises(ProofFailed) as raised:
        refuse_unapproved(context, DIGEST, found(context))
    assert raised.value.found == f"1 of 2 approvals of {DIGEST}"
    assert f"python -m pytest_housekeeping approve {DIGEST}" in raised.value.fix
    approve_as(staged, template / "bob")
    context = staged.context(Mode.PROD)
    judged = found(context)
    refuse_unapproved(context, DIGEST, judged)
    assert len(judged.given) == 2
    assert judged.refused == ()
    tip = staged.repository.commit(BRANCH)
    assert tip in [each.commit for each in judged.given]


def test_of_another_digest(staged: Staged, template: Path) -> None:
    approve_as(staged, template / "ada", OTHER)
    assert found(staged.context(Mode.PROD)) == Approvals(given=(), refused=())
    assert len(approvals_of(staged.context(Mode.PROD), OTHER).given) == 1


def test_after_the_fact(staged: Staged, template: Path) -> None:
    context = staged.context(Mode.PROD)
    began = replace(context.run, started_at=context.run.started_at - timedelta(seconds=2))
    approve_as(staged, template / "ada")
    assert "what is approved has to be approved before it runs" in why_not(
        replace(context, run=began)
    )
    assert len(who(staged.context(Mode.PROD))) == 1


def test_by_the_author(staged: Staged, template: Path) -> None:
    approve_as(staged, template / "ada")
    for author in ("Ada Lovelace <ADA@example.org>", "ada-gh <somebody@example.org>"):
        git(staged.root, "commit", "--amend", "--quiet", "--no-edit", f"--author={author}")
        assert "who wrote a part of it does not approve it" in why_not(staged.context(Mode.PROD))
    text = "it\n\nCo-authored-by: A. L. <ada@example.org>"
    git(staged.root, "commit", "--amend", "--quiet", "-m", text, "--author=X <x@example.org>")
    assert "who wrote a part of it does not approve it" in why_not(staged.context(Mode.PROD))
    git(staged.root, "commit", "--amend", "--quiet", "-m", "it")
    assert len(who(staged.context(Mode.PROD))) == 1


def test_by_who_wrote_a_pending_file_since_the_last_promotion(
    staged: Staged, template: Path
) -> None:
    promoted = staged.repository.head() or ""
    staged.write({"sql/migrations/0003_c.sql": "CREATE TABLE c (id int);\n"})
    commit_all(staged.root, "c")
    git(staged.root, "commit", "--amend", "-q", "--no-edit", "--author=A <ada@example.org>")
    staged.commit({"README.md": "nothing that runs\n"})
    approve_as(staged, template / "ada")
    context = staged.context(Mode.PROD)
    file = AppliedFile(path="x", sha256="0" * 64, kind=Kind.MIGRATION, commit=promoted)
    context = replace(context, plan=replace(context.plan, past=(file,)))
    assert "who wrote a part of it does not approve it" in why_not(context)
    later = replace(file, commit=staged.repository.head() or "")
    assert len(who(replace(context, plan=replace(context.plan, past=(later,))))) == 1


@pytest.mark.parametrize("login", ["ada", "ADA-GH", "ada@example.org"])
def test_by_the_runner(
    staged: Staged, template: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    approve_as(staged, template / "ada")
    assert len(who(staged.context(Mode.PROD))) == 1
    monkeypatch.setenv("GITHUB_ACTOR", login)
    assert "who runs it does not approve it" in why_not(staged.context(Mode.PROD))
    # What one has started, another starts again.
    monkeypatch.setenv("GITHUB_TRIGGERING_ACTOR", "cyd")
    assert len(who(staged.context(Mode.PROD))) == 1
    monkeypatch.setenv("GITHUB_ACTOR", "cyd")
    monkeypatch.setenv("GITHUB_TRIGGERING_ACTOR", login)
    assert "who runs it does not approve it" in why_not(staged.context(Mode.PROD))


def test_by_whom_git_knows_as_the_runner(staged: Staged, template: Path) -> None:
    approve_as(staged, template / "ada")
    git(staged.root, "config", "user.email", "ada@example.org")
    assert "who runs it does not approve it" in why_not(staged.context(Mode.PROD))


@pytest.mark.parametrize("name", ["eve", "dan"])
def test_an_unknown_signer_and_an_expired_key(staged: Staged, template: Path, name: str) -> None:
    with pytest.raises(EvidenceError) as raised:
        approve_as(staged, template / name)
    assert "git signs with a key of nobody who may approve" in raised.value.found
    assert "ops/approvers names who may" in raised.value.why
    assert staged.repository.commit(BRANCH) is None
    force(staged, template / name)
    said = why_not(staged.context(Mode.PROD))
    assert "is none of a signer, or was not valid at the commit's date" in said


def test_one_that_is_not_signed(staged: Staged, template: Path) -> None:
    force(staged, None)
    assert "it is not signed" in why_not(staged.context(Mode.PROD))
    with pytest.raises(EvidenceError, match="not with ssh"):
        list(approve(staged.root, DIGEST))


@pytest.mark.parametrize(("first", "second"), [("ada", "laptop"), ("bob", "bob")])
def test_the_same_person_twice(staged: Staged, template: Path, first: str, second: str) -> None:
    """With another key, and under another name."""
    approve_as(staged, template / first)
    approve_as(staged, template / second)
    judged = found(staged.context(Mode.PROD))
    assert len(judged.given) == 1
    assert "the same person has approved it in" in judged.refused[0]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "it is not signed"),
        ("eve", "is none of a signer"),
        ("bob", "has edited it, and a record is never changed"),
    ],
)
def test_a_record_that_was_edited(
    staged: Staged, template: Path, key: str | None, said: str
) -> None:
    """Of another digest, turned into one of this; by whoever, a person who may approve included."""
    approve_as(staged, template / "ada", OTHER)
    (record,) = decisions(staged.repository, "ops/audit", Deed.APPROVAL)
    text = staged.repository.show(BRANCH, record.path).decode().replace(OTHER, DIGEST)
    if key is not None:
        sign_as(staged.root, template / key)
    branch, files = BRANCH, {record.path: text.encode()}
    staged.repository.commit_evidence(branch, files, "it", None, sign=key is not None)
    assert said in why_not(staged.context(Mode.PROD))


def test_a_record_under_another_name_is_another_record(staged: Staged, template: Path) -> None:
    """Who copies Ada's has not got her signature."""
    approve_as(staged, template / "ada")
    (record,) = decisions(staged.repository, "ops/audit", Deed.APPROVAL)
    data = staged.repository.show(BRANCH, record.path)
    copy = "ops/audit/approval_20260101T000000Z_00000000.json"
    staged.repository.commit_evidence(BRANCH, {copy: data}, "it", None)
    judged = found(staged.context(Mode.PROD))
    assert len(judged.given) == 1
    assert len(judged.refused) == 1
    assert copy in judged.refused[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 1}',
        "\x00",
        '{"format": 2, "kind": "approval", "of": "", "at": 1}',
    ],
)
def test_what_is_no_record_counts_for_nothing(staged: Staged, template: Path, text: str) -> None:
    sign_as(staged.root, template / "ada")
    path = "ops/audit/approval_20260101T000000Z_00000000.json"
    staged.repository.commit_evidence(BRANCH, {path: text.encode()}, "it", None, sign=True)
    assert "it is no record of this kind that can be read" in why_not(staged.context(Mode.PROD))


# -- the branch, and the command -------------------------------------------------------------------


def test_two_clones_approve_at_once_and_nothing_is_lost(
    staged: Staged, template: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(staged.root), "remote.git")
    git(staged.root, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(tmp_path, "clone", "--quiet", str(tmp_path / "remote.git"), "other")
    assert approve_as(staged, template / "ada")[2] == "pushed to origin"
    with opened(tmp_path / "other") as other:
        there = Staged(root=tmp_path / "other", repository=other)
        assert approve_as(there, template / "bob")[2] == "pushed to origin"
        assert len(who(there.context(Mode.PROD))) == 2
    # This clone has not fetched, and adds to what the remote has.
    assert approve_as(staged, template / "laptop")[2] == "pushed to origin"
    assert len(who(staged.context(Mode.PROD))) == 2
    log = git(tmp_path / "remote.git", "rev-list", "--count", BRANCH)
    assert log == "3"


def test_records_are_evidence_that_is_only_added(staged: Staged, template: Path) -> None:
    staged.keep(staged.audit())
    approve_as(staged, template / "ada")
    assert prove_evidence(staged.repository).faults == ()
    (record,) = decisions(staged.repository, "ops/audit", Deed.APPROVAL)
    blank = json.dumps({"format": 1}).encode()
    staged.repository.commit_evidence(BRANCH, {record.path: blank}, "tidy up", None)
    (fault,) = prove_evidence(staged.repository).faults
    assert (fault.rule, fault.object) == ("evidence-removed", record.path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("approvals = -1", "approvals = -1 is below 0"),
        ("approvals = 1", "approvals = 1, and approvers does not say who may approve"),
        ('approvers = "ops/none"', "approvers = 'ops/none' cannot be read"),
        ('approvers = "../x"', "approvers = '../x' does not lie under the rootdir"),
        (f'approvals = 4\napprovers = "{APPROVERS}"', "approvals = 4, and approvers = "),
    ],
)
def test_settings_that_nothing_could_meet(staged: Staged, settings: str, said: str) -> None:
    """Three people stand in the file, in five lines."""
    staged.write({"pyproject.toml": f"[tool.housekeeping]\n{settings}\n"})

    def read() -> None:
        sources = ProjectFiles(staged.root)
        approvers_of(load_config(staged.root, sources), sources)

    with pytest.raises(HousekeepingError) as raised:
        read()
    assert said in raised.value.found
    if "= 4" in settings:
        assert raised.value.found.endswith("names 3")


@pytest.mark.parametrize("name", ["*@example.org", "ada@example.org,!eve", "?da", "cert"])
def test_a_line_that_is_of_no_certain_person(staged: Staged, template: Path, name: str) -> None:
    """Whoever fits it could not be told from the author, or from who runs it."""
    options = "cert-authority" if name == "cert" else ""
    certain = signer_line(template / "ada", "ada@example.org")
    lines = b"# one\n" + certain + signer_line(template / "bob", name, options)
    staged.write({APPROVERS: lines})
    sources = ProjectFiles(staged.root)
    with pytest.raises(MisuseError, match="line 3 names no person"):
        approvers_of(load_config(staged.root, sources), sources)


def test_the_command_says_what_is_misuse(staged: Staged, tmp_path: Path) -> None:
    def run(*words: str, folder: Path = staged.root) -> tuple[int, str]:
        command = [sys.executable, "-m", "pytest_housekeeping", "approve", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    code, said = run("abc")
    assert code == 4
    assert "abc: that is no digest of a plan" in said
    code, said = run(DIGEST, folder=tmp_path)
    assert code == 4
    code, said = run(DIGEST)
    assert code == 1
    assert "git is configured to sign with openpgp" in said
    with pytest.raises(MisuseError, match="no digest"):
        list(approve(staged.root, f"{DIGEST} "))
