"""What an emergency opens, and who can close it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_housekeeping.errors import EvidenceError, MisuseError, ProofFailed
from pytest_housekeeping.evidence import StartFacts, stem
from pytest_housekeeping.evidence.audit import make_audit, with_artifacts
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.decisions import BRANCH, Deed, decide
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.proof.prove import prove_evidence
from pytest_housekeeping.evidence.report.terminal import terminal_summary
from pytest_housekeeping.model import Mode, Outcome, RunOutcome, StepResult
from pytest_housekeeping.promotion.commands.audit import audit as audit_command
from pytest_housekeeping.promotion.commands.review import review
from pytest_housekeeping.promotion.commands.status import status
from pytest_housekeeping.promotion.prechecks.evidence import audits
from support.fresh_copy import git
from support.signing import needs_ssh_keygen, new_key, signer_line
from support.staged_project import FILES, PRODUCTION, Staged, make_project, staged_copy

REASON = "the shop takes no orders"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("emergencies")
    make_project(place / "plain")
    return place


@pytest.fixture(scope="module")
def signed_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada and Bob count."""
    place = tmp_path_factory.mktemp("signed_emergencies")
    for name in ("ada", "bob", "eve"):
        new_key(place, name)
    approvers = signer_line(place / "ada", "ada@example.org")
    approvers += signer_line(place / "bob", "bob@example.org")
    settings = '[tool.housekeeping]\napprovals = 1\napprovers = "ops/approvers"\n'
    files: dict[str, str | bytes] = {
        **FILES,
        "pyproject.toml": settings,
        "ops/approvers": approvers,
    }
    make_project(place / "plain", files)
    return place


@pytest.fixture
def staged(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    with staged_copy(template / "plain", tmp_path / "p", monkeypatch) as copy:
        yield copy


@pytest.fixture
def signed(
    signed_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Staged]:
    with staged_copy(signed_template / "plain", tmp_path / "p", monkeypatch) as copy:
        yield copy


def emergency(
    staged: Staged,
    outcome: RunOutcome = RunOutcome.PROMOTED,
    actor: str = "somebody",
    reason: str = REASON,
) -> Audit:
    """The evidence of a promotion that waited for nobody, on its branch."""
    context = staged.context(Mode.PROD)
    began = datetime.now(UTC) - timedelta(minutes=2)
    run = replace(context.run, emergency=reason, actor=actor, started_at=began)
    plan = context.plan
    facts = StartFacts(run=run, source=context.source, digest=plan.digest, steps=plan.steps)
    how = Outcome.PASSED if outcome is RunOutcome.PROMOTED else Outcome.SKIPPED
    made = make_audit(
        facts,
        outcome=outcome,
        finished_at=began + timedelta(minutes=1),
        results=[StepResult(step=step, outcome=how, examined=1) for step in plan.steps],
        target=PRODUCTION,
    )
    branch = f"housekeeping/audit/{stem(made.run)}"
    path = f"ops/audit/{stem(made.run)}.json"
    head = staged.repository.head()
    staged.repository.commit_evidence(branch, {path: to_json(made).encode()}, "it", head)
    return made


def opened(staged: Staged) -> list[str]:
    faults = prove_evidence(staged.repository).faults
    return [each.detail for each in faults if each.rule == "emergency-open"]


def names_somebody(staged: Staged, name: str = "grace") -> None:
    git(staged.root, "config", "user.name", name.title())
    git(staged.root, "config", "user.email", f"{name}@example.org")


def test_an_emergency_is_open_until_somebody_has_looked_through_it(staged: Staged) -> None:
    made = emergency(staged)
    assert opened(staged) == [
        f"was made in an emergency ({REASON}), and nobody has looked through it since"
    ]
    report = audit_command(staged.root)
    assert not report.proved
    assert f"review {made.run.id} '…'" in "\n".join(report.lines)
    said_by_status = status(staged.root)
    assert not said_by_status.good
    assert f"run {made.run.id} was made in an emergency ({REASON})" in "\n".join(
        said_by_status.lines
    )
    names_somebody(staged)
    told = list(review(staged.root, made.run.id, "the lock was\n the backup's"))
    said = "Grace <grace@example.org>: the lock was the backup's"
    assert told[-1] == f"the emergency of run {made.run.id} was looked through by {said}"
    assert opened(staged) == []
    assert audit_command(staged.root).proved
    assert status(staged.root).good
    with pytest.raises(MisuseError, match="was looked through by Grace"):
        list(review(staged.root, made.run.id, "again"))


@pytest.mark.parametrize(
    ("mode", "passed"), [(Mode.VERIFY, False), (Mode.PROD, True), (Mode.ROLLBACK, True)]
)
def test_a_watch_fails_for_it_and_a_repair_does_not(
    staged: Staged, mode: Mode, passed: bool
) -> None:
    emergency(staged)
    context = staged.context(Mode.PROD)
    verdict, _ = audits(replace(context, plan=replace(context.plan, mode=mode)))
    assert verdict.passed is passed
    assert [each.rule for each in verdict.findings] == ["emergency-open"]


@pytest.mark.parametrize("outcome", list(RunOutcome))
def test_it_is_opened_by_what_has_or_may_have_changed_production(
    staged: Staged, outcome: RunOutcome
) -> None:
    harmless = (RunOutcome.REFUSED, RunOutcome.ROLLED_BACK, RunOutcome.NOTHING_TO_PROMOTE)
    made = emergency(staged, outcome)
    told = "\n".join(terminal_summary(made))
    assert f"emergency: {REASON}" in told
    assert (f"review {made.run.id}" in told) is (outcome not in harmless)
    assert bool(opened(staged)) is (outcome not in harmless)


def test_without_an_emergency_nothing_is_open(staged: Staged) -> None:
    made = emergency(staged, reason="")
    assert opened(staged) == []
    with pytest.raises(MisuseError, match="there is no emergency of a run"):
        list(review(staged.root, made.run.id, "it"))


def test_it_is_closed_in_a_sentence_and_by_name(staged: Staged) -> None:
    made = emergency(staged)
    with pytest.raises(MisuseError, match="git does not know who you are"):
        list(review(staged.root, made.run.id, "it"))
    names_somebody(staged)
    with pytest.raises(MisuseError, match="nothing is said"):
        list(review(staged.root, made.run.id, " \n"))
    # Of another run, and edited afterwards.
    decide(staged.repository, "ops/audit", Deed.REVIEW, "other", said="it", sign=False)
    assert opened(staged)
    decide(staged.repository, "ops/audit", Deed.REVIEW, made.run.id, said="it", sign=False)
    assert not opened(staged)
    listed = git(staged.root, "ls-tree", "-r", "--name-only", BRANCH).splitlines()
    path = next(p for p in listed if made.run.id in git(staged.root, "show", f"{BRANCH}:{p}"))
    data = staged.repository.show(BRANCH, path)
    staged.repository.commit_evidence(
        BRANCH, {path: data.replace(b'"it"', b'"all fine"')}, "", None
    )
    assert "has edited it, and a record is never changed" in opened(staged)[0]


@needs_ssh_keygen
def test_where_people_sign_one_of_them_closes_it_who_has_not_run_it(
    signed: Staged, signed_template: Path
) -> None:
    made = emergency(signed, actor="ada")
    names_somebody(signed)
    git(signed.root, "config", "gpg.format", "ssh")
    git(signed.root, "config", "user.signingkey", str(signed_template / "eve"))
    with pytest.raises(EvidenceError, match="git signs with a key of nobody who counts"):
        list(review(signed.root, made.run.id, "it"))
    assert signed.repository.commit(BRANCH) is None
    decide(signed.repository, "ops/audit", Deed.REVIEW, made.run.id, said="it", sign=False)
    assert "it is not signed" in opened(signed)[0]
    git(signed.root, "config", "user.signingkey", str(signed_template / "ada"))
    with pytest.raises(ProofFailed, match=r"ada@example\.org has run it"):
        list(review(signed.root, made.run.id, "it"))
    git(signed.root, "config", "user.signingkey", str(signed_template / "bob"))
    told = list(review(signed.root, made.run.id, "it"))
    assert told[-1].endswith("was looked through by bob@example.org: it")
    assert opened(signed) == []


@needs_ssh_keygen
def test_where_the_commit_is_gone_that_was_promoted_the_one_here_says_who(
    signed: Staged, signed_template: Path
) -> None:
    made = emergency(signed)
    gone = made.model_copy(update={"source": made.source.model_copy(update={"commit": "0" * 40})})
    gone = with_artifacts(gone, [])
    path = f"ops/audit/{stem(gone.run)}.json"
    git(signed.root, "branch", "-D", f"housekeeping/audit/{stem(gone.run)}")
    branch = "housekeeping/audit/again"
    files = {path: to_json(gone).encode()}
    signed.repository.commit_evidence(branch, files, "it", signed.repository.head())
    decide(signed.repository, "ops/audit", Deed.REVIEW, made.run.id, said="it", sign=False)
    assert "it is not signed" in opened(signed)[0]
    git(signed.root, "config", "gpg.format", "ssh")
    git(signed.root, "config", "user.signingkey", str(signed_template / "bob"))
    list(review(signed.root, made.run.id, "it"))
    assert opened(signed) == []
