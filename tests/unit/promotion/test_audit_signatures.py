"""The command ``audit`` proves who has signed staging's evidence, by the signers of its commit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.evidence.audit import with_artifacts
from pytest_housekeeping.evidence.git.origin import all_origins, origins_of
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.proof.prove import prove_evidence
from pytest_housekeeping.model import Level, Mode
from pytest_housekeeping.promotion.commands.audit import audit
from support.evidence_samples import forged
from support.fresh_copy import git
from support.signing import needs_ssh_keygen, new_key, sign_as, signer_line
from support.staged_project import FILES, LOG, PRODUCTION, Staged, make_project, staged_copy

pytestmark = needs_ssh_keygen
SIGNERS = "ops/allowed_signers"
SETTINGS = f'[tool.housekeeping]\nevidence_signers = "{SIGNERS}"\n'


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has no signers yet, and the keys of Ada and Eve."""
    place = tmp_path_factory.mktemp("signed")
    for name in ("ada", "eve"):
        new_key(place, name)
    make_project(place / "p", FILES)
    return place


@pytest.fixture
def staged(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    with staged_copy(template / "p", tmp_path / "p", monkeypatch) as copy:
        yield copy


def let_sign(staged: Staged, *keys: Path) -> str:
    """A commit from which on these are the signers."""
    lines = b"".join(signer_line(key, key.name) for key in keys)
    return staged.commit({"pyproject.toml": SETTINGS, SIGNERS: lines})


def told(staged: Staged) -> list[tuple[Level, str, str]]:
    found = prove_evidence(staged.repository, signatures=True).findings
    # The audits of this test are made beside one another, with no report.
    return [
        (each.level, each.object, each.detail) for each in found if each.rule == "audit-unsigned"
    ]


def promoted(staged: Staged, *paths: str, mode: Mode = Mode.PROD) -> str:
    """The audit of a run that says what its plan was proved by, on the branch checked out."""
    made = staged.audit(mode, target=PRODUCTION)
    named = replace_message(made, f"proved by {', '.join(paths)}")
    path = f"ops/audit/{mode}_{made.run.started_at:%Y%m%dT%H%M%SZ}_{made.run.id}.json"
    from pytest_housekeeping.evidence.audit_file import to_json

    staged.write({path: to_json(named)})
    git(staged.root, "add", "--force", path)
    git(staged.root, "commit", "-q", "-m", "evidence")
    return made.run.id


def replace_message(made: Audit, message: str) -> Audit:
    def say(document: dict[str, list[dict[str, str]]]) -> None:
        step = next(each for each in document["steps"] if each["kind"] == "precheck")
        step["message"] = message

    return forged(made, say)


def test_what_was_recorded_before_there_were_signers_needs_none(
    staged: Staged, template: Path
) -> None:
    before = staged.keep(staged.audit())
    promoted(staged, before)
    let_sign(staged, template / "ada")
    assert told(staged) == []
    after = staged.keep(staged.audit())
    ((level, path, said),) = told(staged)
    assert (level, path) == (Level.WARNING, after)
    assert "is signed by none of the signers: it is not signed; no promotion" in said
    sign_as(staged.root, template / "ada")
    staged.keep(staged.audit(), sign=True)
    assert [path for _, path, _ in told(staged)] == [after]
    # Nobody has to sign any more; what had to be signed then still had to.
    staged.commit({"pyproject.toml": FILES["pyproject.toml"]})
    staged.keep(staged.audit())
    assert [path for _, path, _ in told(staged)] == [after]


def test_each_audit_is_judged_by_the_signers_of_its_own_commit(
    staged: Staged, template: Path
) -> None:
    let_sign(staged, template / "ada")
    sign_as(staged.root, template / "ada")
    by_ada = staged.keep(staged.audit(), sign=True)
    let_sign(staged, template / "eve")
    late = staged.keep(staged.audit(), sign=True)
    sign_as(staged.root, template / "eve")
    staged.keep(staged.audit(), sign=True)
    ((_, path, said),) = told(staged)
    assert (path, by_ada) == (late, by_ada)
    assert "is none of a signer" in said


def test_a_promotion_upon_what_is_not_signed_is_a_fault(
    staged: Staged, template: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    let_sign(staged, template / "ada")
    path = staged.keep(staged.audit())
    run = promoted(staged, path)
    ((level, named, said),) = told(staged)
    assert (level, named) == (Level.ERROR, path)
    assert f"the prod run {run} says that it was proved by it" in said
    report = audit(staged.root)
    assert not report.proved
    assert any(line.startswith(f"FAULT {path}: commit ") for line in report.lines)
    # A signer brings the very same evidence.
    data = staged.repository.show(LOG, path)
    git(staged.root, "branch", "-q", "-D", LOG)
    sign_as(staged.root, template / "ada")
    staged.keep_file(path, data, sign=True)
    assert told(staged) == []


@pytest.mark.parametrize("mode", [Mode.PROD, Mode.ROLLBACK])
def test_evidence_of_an_older_commit_does_not_go_round_the_signers(
    staged: Staged, template: Path, mode: Mode
) -> None:
    """The commit that was promoted decides, not the one that the evidence says it is of."""
    old = staged.audit()
    let_sign(staged, template / "ada")
    path = staged.keep(old)
    assert told(staged) == []
    promoted(staged, path, mode=mode)
    assert [(level, path) for level, path, _ in told(staged)] == [(Level.ERROR, path)]


def test_evidence_that_a_promotion_names_and_no_branch_has(staged: Staged, template: Path) -> None:
    let_sign(staged, template / "ada")
    sign_as(staged.root, template / "ada")
    kept = staged.keep(staged.audit(), sign=True)
    gone = staged.keep(staged.audit())
    promoted(staged, kept, gone, mode=Mode.ROLLBACK)
    git(staged.root, "update-ref", f"refs/heads/{LOG}", f"{LOG}~1")
    ((level, path, said),) = told(staged)
    assert (level, path) == (Level.ERROR, gone)
    assert "no branch has it" in said


def test_on_the_branch_that_is_checked_out_nobody_has_signed_it(
    staged: Staged, template: Path
) -> None:
    let_sign(staged, template / "ada")
    path = staged.keep(staged.audit(), branch="housekeeping/audit/other")
    ((_, named, said),) = told(staged)
    assert (named, "it is not on housekeeping/audit/staging" in said) == (path, True)


def test_a_commit_that_this_clone_lacks_is_said(staged: Staged, template: Path) -> None:
    def elsewhere(document: dict[str, dict[str, str]]) -> None:
        document["source"]["commit"] = "f" * 40

    path = staged.keep(forged(staged.audit(), elsewhere))
    assert told(staged) == []
    let_sign(staged, template / "ada")
    sign_as(staged.root, template / "ada")
    staged.keep(staged.audit(), sign=True)
    ((level, named, said),) = told(staged)
    assert (level, named) == (Level.NOTICE, path)
    assert "attests a commit that is not in this clone" in said
    # A promotion upon it says which signers counted.
    promoted(staged, path)
    assert [level for level, _, _ in told(staged)] == [Level.ERROR]


def test_a_file_of_signers_that_is_named_and_is_not_there(staged: Staged, template: Path) -> None:
    staged.commit({"pyproject.toml": SETTINGS})
    sign_as(staged.root, template / "ada")
    path = staged.keep(staged.audit(), sign=True)
    assert [named for _, named, _ in told(staged)] == [path]


def test_a_project_in_a_folder_has_signers_of_its_own(staged: Staged, template: Path) -> None:
    lines = signer_line(template / "eve", "eve")
    let_sign(staged, template / "ada")
    settings = '[tool.housekeeping]\naudit = "evidence"\nevidence_signers = "who"\n'
    head = staged.commit({"services/a/pyproject.toml": settings, "services/a/who": lines})
    made = staged.audit()
    assert made.source.commit == head
    sign_as(staged.root, template / "eve")
    name = f"staging_{made.run.started_at:%Y%m%dT%H%M%SZ}_{made.run.id}.json"
    from pytest_housekeeping.evidence.audit_file import to_json

    data = to_json(made).encode()
    staged.keep_file(f"services/a/evidence/{name}", data, sign=True)
    assert told(staged) == []
    # In a folder that no project keeps its evidence in, no project asks for a signature.
    staged.keep_file(f"services/b/evidence/{name}", data)
    assert told(staged) == []
    staged.keep_file(f"ops/audit/{name}", data, sign=True)
    assert [path for _, path, _ in told(staged)] == [f"ops/audit/{name}"]


def test_many_origins_are_those_of_each(staged: Staged) -> None:
    """Also where a merge has brought what none of its parents had."""
    root = staged.root
    for number in range(3):
        staged.keep_file(f"ops/audit/staging_20270101T00000{number}Z_x.json", b"%d" % number)
    git(root, "branch", "other", LOG)
    staged.keep_file("ops/audit/staging_20270101T000009Z_é x.json", b"9", branch="other")
    staged.keep_file("ops/audit/staging_20270101T000003Z_x.json", b"3")
    git(root, "checkout", "-q", LOG)
    git(root, "merge", "-q", "--no-ff", "--no-commit", "other")
    staged.write({"ops/audit/staging_20270101T000004Z_x.json": b"4"})
    git(root, "add", "--force", "ops/audit/staging_20270101T000004Z_x.json")
    git(root, "commit", "-q", "-m", "merge")
    git(root, "checkout", "-q", "main")
    found = dict(staged.repository.evidence(Mode.STAGING))
    assert len(found) == 6
    places = {path: git(root, "rev-parse", f"{LOG}:{path}") for path in found}
    together = all_origins(staged.repository, Mode.STAGING, list(places.items()))
    for path, data in found.items():
        alone = origins_of(staged.repository, Mode.STAGING, path, data)
        assert len(alone) == 1
        assert together[path, places[path]] == alone
    assert len({each.commit for (each,) in together.values()}) == 6


def test_the_number_of_processes_grows_with_what_has_to_be_signed_alone(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    run = staged.repository.attempt

    def counted(*command: str, stdin: bytes | None = None) -> tuple[int, bytes, str]:
        started.append(command[0])
        return run(*command, stdin=stdin)

    counts = []
    for number in (1, 6):
        for _ in range(number):
            staged.keep(with_artifacts(staged.audit(), ()))
        with monkeypatch.context() as patch:
            patch.setattr(staged.repository, "attempt", counted)
            started.clear()
            assert told(staged) == []
            counts.append(len(started))
    # What is told names the remotes, which are asked for then.
    assert counts[0] <= counts[1] <= counts[0] + 2
