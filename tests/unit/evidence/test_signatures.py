"""Commits signed with SSH keys: by whom, and every way in which one counts as not signed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.errors import EvidenceError, MisuseError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.signatures import refuse_unusable_signers, signer_of
from support.git_folders import git, opened
from support.signing import needs_ssh_keygen, new_key, signer_line, signing

pytestmark = pytest.mark.usefixtures("isolated_git")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the keys of Ada, who is a signer, and of Eve, who is none."""
    place = tmp_path_factory.mktemp("keys")
    for name in ("ada", "eve"):
        new_key(place, name)
    return place


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    git(tmp_path, "init", "-q", "-b", "main", "p")
    git(tmp_path / "p", "commit", "-q", "--allow-empty", "-m", "first")
    with opened(tmp_path / "p") as found:
        yield found


def signed(repository: Repository, key: Path, *options: str) -> str:
    git(repository.root, *signing(key), "commit", "-qS", "--allow-empty", "-m", "it", *options)
    return git(repository.root, "rev-parse", "HEAD")


def refused(repository: Repository, commit: str, allowed: bytes) -> str:
    with pytest.raises(EvidenceError) as caught:
        signer_of(repository, commit, allowed)
    assert "why:" in str(caught.value)
    assert "fix:" in str(caught.value)
    return caught.value.found


@needs_ssh_keygen
def test_a_signer_is_named(repository: Repository, keys: Path) -> None:
    commit = signed(repository, keys / "ada")
    assert signer_of(repository, commit, signer_line(keys / "ada", "ada@example.org")) == (
        "ada@example.org"
    )
    both = b"# the team\n\n" + signer_line(keys / "eve", "eve") + signer_line(keys / "ada", "ada")
    assert signer_of(repository, commit, both) == "ada"


@needs_ssh_keygen
def test_no_signature_and_that_of_somebody_else(repository: Repository, keys: Path) -> None:
    allowed = signer_line(keys / "ada", "ada")
    assert "it is not signed" in refused(repository, "HEAD", allowed)
    assert "there is no such commit" in refused(repository, "f" * 40, allowed)
    commit = signed(repository, keys / "eve")
    assert "its key SHA256:" in refused(repository, commit, allowed)
    assert "is none of a signer" in refused(repository, commit, allowed)


@needs_ssh_keygen
@pytest.mark.parametrize(
    ("options", "day"),
    [
        ('valid-before="20200101"', "2026-06-01T00:00:00Z"),
        ('valid-after="20990101"', "2026-06-01T00:00:00Z"),
        ('namespaces="file"', "2026-06-01T00:00:00Z"),
    ],
)
def test_a_key_that_is_not_valid_for_it(
    repository: Repository, keys: Path, options: str, day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", day)
    commit = signed(repository, keys / "ada")
    allowed = signer_line(keys / "ada", "ada", options)
    refuse_unusable_signers(allowed, "signers")
    assert "signed by none of the signers" in refused(repository, commit, allowed)


@needs_ssh_keygen
def test_a_key_that_was_valid_on_the_day_of_the_commit(
    repository: Repository, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2019-06-01T00:00:00Z")
    commit = signed(repository, keys / "ada")
    allowed = signer_line(keys / "ada", "ada", 'namespaces="git",valid-before="20200101"')
    assert signer_of(repository, commit, allowed) == "ada"


@needs_ssh_keygen
@pytest.mark.parametrize("part", [b"tree ", b"parent ", b"committer ", b"\n\nit"])
def test_a_signed_commit_in_which_something_was_replaced(
    repository: Repository, keys: Path, part: bytes
) -> None:
    """The tree, a parent, the committer, the message: all of the commit is signed."""
    root = repository.root
    commit = signed(repository, keys / "ada")
    (root / "forged").write_text("x")
    git(root, "add", "forged")
    tree = git(root, "write-tree").encode()
    data = repository.run("cat-file", "commit", commit)
    old = data[data.index(part) :].split(b"\n")[0] if part.strip() != b"it" else b"\n\nit"
    new = {
        b"tree ": b"tree " + tree,
        b"parent ": b"parent " + commit.encode(),
        b"committer ": old.replace(b"Ada", b"Eve"),
        b"\n\nit": b"\n\nit was not so",
    }[part]
    assert old != new
    made = git(
        root, "hash-object", "-t", "commit", "-w", "--stdin", stdin=data.replace(old, new, 1)
    )
    allowed = signer_line(keys / "ada", "ada")
    assert "its signature does not fit it" in refused(repository, made, allowed)
    # `git replace` shows the honest commit in its place: nothing of that is believed.
    git(root, "replace", made, commit)
    assert "its signature does not fit it" in refused(repository, made, allowed)


@needs_ssh_keygen
def test_two_signatures_and_one_of_another_kind(repository: Repository, keys: Path) -> None:
    root = repository.root
    data = repository.run("cat-file", "commit", signed(repository, keys / "ada"))
    header, _, message = data.partition(b"\n\n")
    signature = header[header.index(b"gpgsig ") :]
    pgp = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    for forged in (
        header + b"\n" + signature + b"\n\n" + message,
        header.replace(signature, pgp) + b"\n\n" + message,
    ):
        commit = git(root, "hash-object", "-t", "commit", "-w", "--stdin", stdin=forged)
        found = refused(repository, commit, signer_line(keys / "ada", "ada"))
        assert "none that was made with an SSH key" in found


@needs_ssh_keygen
def test_what_git_is_configured_with_makes_nobody_a_signer(
    repository: Repository, keys: Path, tmp_path: Path
) -> None:
    """A file of signers of one's own, and a program that says that all is well."""
    root = repository.root
    commit = signed(repository, keys / "eve")
    (tmp_path / "mine").write_bytes(signer_line(keys / "eve", "ada"))
    liar = tmp_path / "liar"
    liar.write_text("#!/bin/sh\necho 'Good \"git\" signature for ada with ED25519 key SHA256:x'\n")
    liar.chmod(0o755)
    git(root, "config", "gpg.ssh.allowedSignersFile", str(tmp_path / "mine"))
    git(root, "config", "gpg.ssh.program", str(liar))
    git(root, "config", "gpg.program", str(liar))
    assert "is none of a signer" in refused(repository, commit, signer_line(keys / "ada", "ada"))


@needs_ssh_keygen
def test_a_merge_counts_for_itself(repository: Repository, keys: Path) -> None:
    """What a signed branch has brought in does not make its merge a signed one, nor the reverse."""
    root = repository.root
    git(root, "checkout", "-q", "-b", "side")
    signed(repository, keys / "ada")
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "--no-ff", "-m", "merge", "side")
    allowed = signer_line(keys / "ada", "ada")
    assert "it is not signed" in refused(repository, "HEAD", allowed)
    git(root, "reset", "-q", "--hard", "HEAD~1")
    git(root, *signing(keys / "ada"), "merge", "-qS", "--no-ff", "-m", "merge", "side")
    assert signer_of(repository, "HEAD", allowed) == "ada"


@needs_ssh_keygen
def test_no_program_to_prove_it_with(
    repository: Repository, keys: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = signed(repository, keys / "ada")
    only_git = tmp_path / "bin"
    only_git.mkdir()
    (only_git / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", str(only_git))
    with pytest.raises(EvidenceError) as caught:
        signer_of(repository, commit, signer_line(keys / "ada", "ada"))
    assert "there is no ssh-keygen on PATH" in str(caught.value)
    assert "apt-get install openssh-client" in str(caught.value)


KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIPVx7yT3oRmZ1yGmkDVZ0PHrB2wLr1mpgTTh4xG0k2cX"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it names nobody"),
        ("# nobody yet\n\n", "it names nobody"),
        ("ada\n", "line 1 names no signer"),
        (f"# team\nssh-ed25519 {KEY}\n", "line 2 names no signer"),
        (f"ada ssh-ed25519 {KEY[:-9]}!\n", "line 1 names no signer"),
        (f"ada ssh-rsa {KEY}\n", "line 1 names no signer"),
        (f"ada valid-till=2020 ssh-ed25519 {KEY}\n", "line 1 names no signer"),
        (f"ada valid-before=yesterday ssh-ed25519 {KEY}\n", "line 1 names no signer"),
        (f"ada ssh-ed25519 {KEY}\nnonsense\n<html>\n", "line 2, 3 names no signer"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "line 1 names no signer"),
    ],
)
def test_a_file_that_names_nobody(text: str, words: str) -> None:
    with pytest.raises(MisuseError, match="evidence_signers = 'ops/signers'") as caught:
        refuse_unusable_signers(text.encode(), "ops/signers")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"ada ssh-ed25519 {KEY}",
        f"ada@example.org,*@example.com ssh-ed25519 {KEY} ada's laptop\r\n",
        f'ada cert-authority,namespaces="git,file" ssh-ed25519 {KEY}',
        f'"ada lovelace" valid-after=20200101,valid-before="20300101000000Z" ssh-ed25519 {KEY}',
        f"\n# team\n  ada\tssh-ed25519\t{KEY}",
    ],
)
def test_a_file_as_it_may_be(text: str) -> None:
    refuse_unusable_signers(text.encode(), "ops/signers")
