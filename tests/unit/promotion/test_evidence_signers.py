"""Evidence that signers have signed, and how a commit of evidence comes to be signed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_housekeeping.errors import EvidenceError, MisuseError, ProofFailed
from pytest_housekeeping.evidence import stem
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.git.signing import SigningFailed, why_unsigned
from pytest_housekeeping.evidence.signatures import signer_of
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.production.prechecks.staging_proof import proved_in_staging
from pytest_housekeeping.promotion.repository.attestation import refuse_unattested
from pytest_housekeeping.promotion.repository.signers import signers_of
from support.fresh_copy import git
from support.git_folders import opened
from support.signing import needs_ssh_keygen, new_key, sign_as, signer_line
from support.staged_project import FILES, LOG, PRODUCTION, Staged, make_project, staged_copy

pytestmark = needs_ssh_keygen
SIGNERS = "ops/allowed_signers"
SETTINGS = f'[tool.housekeeping]\nevidence_signers = "{SIGNERS}"\n'


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose one signer is Ada; Eve has a key as well."""
    place = tmp_path_factory.mktemp("signed")
    for name in ("ada", "eve"):
        new_key(place, name)
    signers = b"# the team\n" + signer_line(place / "ada", "ada@example.org")
    make_project(place / "p", {**FILES, "pyproject.toml": SETTINGS, SIGNERS: signers})
    return place


@pytest.fixture
def staged(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    with staged_copy(template / "p", tmp_path / "p", monkeypatch) as copy:
        yield copy


def proved(staged: Staged) -> str:
    return proved_in_staging(staged.context(Mode.PROD), PRODUCTION)[1]


def refused(staged: Staged) -> str:
    with pytest.raises(ProofFailed) as caught:
        proved(staged)
    assert "fix: run pytest --hk-mode=staging on this commit, as a signer" in str(caught.value)
    return caught.value.found


def test_only_what_a_signer_has_signed_proves(staged: Staged, template: Path) -> None:
    path = staged.keep(staged.audit())
    assert f"{path}: commit " in refused(staged)
    assert "is signed by none of the signers: it is not signed" in refused(staged)
    sign_as(staged.root, template / "eve")
    staged.keep(staged.audit(), sign=True)
    assert "is none of a signer" in refused(staged)
    sign_as(staged.root, template / "ada")
    path = staged.keep(staged.audit(), sign=True)
    assert proved(staged) == f"proved by {path}"


def test_a_signer_who_adds_to_the_log_has_not_signed_what_was_there(
    staged: Staged, template: Path
) -> None:
    """Every commit of the log holds what was there before: the one that brought it counts."""
    path = staged.keep(staged.audit())
    sign_as(staged.root, template / "ada")
    staged.keep_file("ops/audit/staging_20270101T000000Z_later.json", b"{}", sign=True)
    assert f"{path}: commit " in refused(staged)
    # Taken away and brought again by a signer: now one has signed it.
    data = staged.repository.show(LOG, path)
    git(staged.root, "checkout", "-q", LOG)
    git(staged.root, "rm", "-q", path)
    git(staged.root, "commit", "-qm", "gone")
    git(staged.root, "checkout", "-q", "main")
    assert "none of 1 committed staging audits" in refused(staged)
    staged.keep_file(path, data, sign=True)
    assert proved(staged) == f"proved by {path}"


def test_what_was_edited_after_it_was_signed(staged: Staged, template: Path) -> None:
    """A signed commit has brought another text of this name."""
    sign_as(staged.root, template / "ada")
    audit = staged.audit()
    path = f"ops/audit/{stem(audit.run)}.json"
    staged.keep_file(path, b"{}", sign=True)
    staged.keep_file(path, to_json(audit).encode())
    assert "it is not signed" in refused(staged)


@pytest.mark.parametrize("evil", [False, True])
def test_a_merge_of_two_logs(staged: Staged, template: Path, evil: bool) -> None:
    """It has brought nothing of what its parents had; what it alone has, it must answer for."""
    root = staged.root
    sign_as(staged.root, template / "ada")
    audit = staged.audit()
    path = f"ops/audit/{stem(audit.run)}.json"
    staged.keep_file("ops/audit/staging_20270101T000000Z_base.json", b"{}", sign=True)
    git(root, "branch", "other", LOG)
    first = path if not evil else "ops/audit/staging_20270101T000000Z_first.json"
    staged.keep_file(first, to_json(audit).encode(), branch="other", sign=True)
    staged.keep_file("ops/audit/staging_20270101T000000Z_side.json", b"{}", sign=True)
    git(root, "checkout", "-q", LOG)
    git(root, "merge", "-q", "--no-ff", "--no-commit", "other")
    if evil:
        staged.write({path: to_json(audit)})
        git(root, "add", "--force", path)
    git(root, "commit", "-q", "--no-gpg-sign", "-m", "merge")
    git(root, "checkout", "-q", "main")
    if evil:
        assert "it is not signed" in refused(staged)
    else:
        assert proved(staged) == f"proved by {path}"


def test_a_clone_that_is_made_to_forget_what_was_before(staged: Staged, template: Path) -> None:
    """Git shows the signed commit as if it had brought everything; its own object says more."""
    staged.keep(staged.audit())
    sign_as(staged.root, template / "ada")
    later = staged.keep_file("ops/audit/staging_20270101T000000Z_later.json", b"{}", sign=True)
    (staged.root / ".git" / "shallow").write_text(f"{later}\n", encoding="utf-8")
    assert git(staged.root, "log", "--format=%H", LOG) == later
    assert "it is not on housekeeping/audit/staging" in refused(staged)


def test_a_shallow_clone_does_not_know_who_brought_it(
    staged: Staged, template: Path, tmp_path: Path
) -> None:
    staged.keep(staged.audit())
    sign_as(staged.root, template / "ada")
    staged.keep_file("ops/audit/staging_20270101T000000Z_later.json", b"{}", sign=True)
    place = tmp_path / "clone"
    git(
        tmp_path, "clone", "-q", "--no-single-branch", "--depth=1", f"file://{staged.root}", "clone"
    )
    with opened(place) as repository:
        clone = Staged(root=place, repository=repository)
        assert "not known in a shallow clone (git fetch --unshallow)" in refused(clone)
        git(place, "fetch", "-q", "--unshallow")
        assert "it is not signed" in refused(clone)


# -- the file of signers ---------------------------------------------------------------------------


def test_a_signer_who_is_in_the_work_tree_alone(staged: Staged, template: Path) -> None:
    """The file is compared with the commit, and it belongs to the digest of the plan."""
    sign_as(staged.root, template / "eve")
    before = staged.context(Mode.PROD).plan.digest
    staged.keep(staged.audit(), sign=True)
    staged.write({SIGNERS: signer_line(template / "eve", "eve")})
    git(staged.root, "update-index", "--assume-unchanged", SIGNERS)
    context = staged.context(Mode.PROD)
    assert context.source.dirty == (SIGNERS,)
    with pytest.raises(MisuseError, match=f"uncommitted changes: {SIGNERS}"):
        refuse_unattested(context.source)
    assert context.plan.digest != before
    assert "none of 1 committed staging audits proves this plan" in refused(staged)


@pytest.mark.parametrize("text", [None, "", "# nobody\n", "ada\n", "\0\xff"])
def test_a_file_that_is_missing_or_names_nobody(staged: Staged, text: str | None) -> None:
    (staged.root / SIGNERS).unlink()
    if text is not None:
        staged.write({SIGNERS: text})
    context = staged.context(Mode.PROD)
    with pytest.raises(MisuseError, match=f"evidence_signers = '{SIGNERS}'") as caught:
        signers_of(context.config, context.plan.sources)
    assert "why:" in str(caught.value)
    assert "fix:" in str(caught.value)


def test_no_program_to_prove_signatures_with(
    staged: Staged, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(EvidenceError, match="there is no ssh-keygen on PATH"):
        proved(staged)


# -- how evidence is signed ------------------------------------------------------------------------


def test_a_signed_commit_is_as_an_unsigned_one(staged: Staged, template: Path) -> None:
    """Tree, parents, message, author; nothing of the making is left behind."""
    sign_as(staged.root, template / "ada")
    head = git(staged.root, "rev-parse", "HEAD")
    made = [
        staged.repository.commit_evidence(
            f"housekeeping/audit/{name}", {"ops/audit/x.json": b"x"}, "said\n\nmore\n", head, sign=s
        )
        for name, s in (("one", True), ("two", False))
    ]
    signed, plain = ([git(staged.root, "show", "-s", f"--format={look}", each) for look in (
        "%T", "%P", "%B", "%an %ae", "%cn %ce",
    )] for each in made)  # fmt: skip
    assert signed == plain
    allowed = (staged.root / SIGNERS).read_bytes()
    assert signer_of(staged.repository, made[0], allowed) == "ada@example.org"
    assert "housekeeping-unsigned" not in git(staged.root, "for-each-ref")


def test_signed_evidence_committed_at_once_all_stays(staged: Staged, template: Path) -> None:
    sign_as(staged.root, template / "ada")

    def keep(number: int) -> str:
        with opened(staged.root) as repository:
            path = f"ops/audit/staging_{number}.json"
            return repository.commit_evidence(LOG, {path: b"{}"}, "it", None, sign=True)

    with ThreadPoolExecutor(4) as pool:
        commits = list(pool.map(keep, range(6)))
    names = git(staged.root, "ls-tree", "-r", "--name-only", LOG).split()
    assert names == [f"ops/audit/staging_{number}.json" for number in range(6)]
    log = git(staged.root, "log", "--format=%H", LOG).split()
    assert sorted(log) == sorted(commits)
    for commit in log:
        signer_of(staged.repository, commit, (staged.root / SIGNERS).read_bytes())


def test_what_cannot_be_signed_is_not_committed(staged: Staged, tmp_path: Path) -> None:
    sign_as(staged.root, tmp_path / "no-such-key")
    before = git(staged.root, "for-each-ref")
    with pytest.raises(SigningFailed, match=r"git cannot sign the evidence: .*no-such-key"):
        staged.keep(staged.audit(), sign=True)
    assert git(staged.root, "for-each-ref") == before


def test_why_git_would_not_sign(staged: Staged, template: Path) -> None:
    assert why_unsigned(staged.repository) == (
        "git is configured to sign with openpgp, as it is by default, and not with ssh"
    )
    git(staged.root, "config", "gpg.format", "ssh")
    assert why_unsigned(staged.repository) == "git is configured with no user.signingkey"
    git(staged.root, "config", "gpg.ssh.defaultKeyCommand", "ssh-add -L")
    assert why_unsigned(staged.repository) == ""
    git(staged.root, "config", "gpg.format", "x509")
    assert "to sign with x509" in why_unsigned(staged.repository)
