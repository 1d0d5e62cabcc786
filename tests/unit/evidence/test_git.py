"""Git repositories as people have them: what is seen, and that nothing of theirs changes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import Repository, open_repository
from pytest_housekeeping.evidence.git.compare import blob_id
from pytest_housekeeping.evidence.git.shared_branch import take_over
from support.files import write
from support.git_folders import git, opened

BRANCH = "housekeeping/audit/staging"
AUDIT = "ops/audit/staging_20270101T000000Z_a.json"

pytestmark = pytest.mark.usefixtures("isolated_git")


def project(folder: Path, *options: str) -> Path:
    """A repository with one commit, a staged change, a changed and an untracked file."""
    git(folder.parent, "init", "-q", "-b", "main", *options, folder.name)
    names = ("sql/migrations/0001_a.sql", "checks/objects.toml", "README.md")
    write(folder, {name: f"{name}\n" for name in names})
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def state(folder: Path) -> dict[str, object]:
    """All of a person's that must be as it was, the bytes of the index included."""
    index = folder / git(folder, "rev-parse", "--git-path", "index")
    return {
        "index": hashlib.sha256(index.read_bytes()).hexdigest() if index.exists() else None,
        "head": git(folder, "rev-parse", "--symbolic-full-name", "HEAD"),
        "commit": git(folder, "rev-parse", "HEAD"),
        "main": git(folder, "for-each-ref", "refs/heads/main", "refs/tags", "refs/remotes"),
        "status": git(folder, "--no-optional-locks", "status", "--porcelain"),
        "stash": git(folder, "stash", "list"),
        "config": git(folder, "config", "--local", "--list"),
        "files": sorted(
            (str(path), path.read_bytes(), path.stat().st_mtime_ns)
            for path in folder.rglob("*")
            if path.is_file() and ".git" not in path.parts
        ),
    }


def record(repository: Repository, text: str = "{}", path: str = AUDIT) -> str:
    head = repository.head()
    assert head is not None
    return repository.commit_evidence(BRANCH, {path: text.encode()}, "audit: promoted", head)


def unsettle(folder: Path) -> None:
    """Work in progress: staged, changed, removed and untracked files, and a stale index."""
    write(folder, {"staged": "s", "untracked": "u", "sql/migrations/0001_a": "changed"})
    (folder / "README.md").write_text("changed\n")
    git(folder, "add", "staged")
    (folder / "checks/objects.toml").touch()


# --- opening


def test_a_folder_outside_of_any_repository_is_none_and_git_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from pytest_housekeeping.evidence.git.repository import open_repository\n"
        "print(open_repository(Path('.')), 'git' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "None False\n"


@pytest.mark.parametrize("place", [".", "refs", "objects"])
def test_a_bare_repository_is_refused(tmp_path: Path, place: str) -> None:
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    with pytest.raises(EvidenceError, match="bare repository"):
        open_repository(tmp_path / "bare.git" / place)


def test_the_inside_of_a_git_folder_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    with pytest.raises(EvidenceError, match="a bare repository, or the inside of one"):
        open_repository(folder / ".git")


@pytest.mark.parametrize("kind", ["empty folder", "gitfile", "dangling link", "no HEAD"])
def test_a_broken_repository_is_refused_even_inside_a_sound_one(tmp_path: Path, kind: str) -> None:
    inner = project(tmp_path / "outer") / "inner"
    inner.mkdir()
    marker = inner / ".git"
    if kind == "empty folder":
        marker.mkdir()
    elif kind == "gitfile":
        marker.write_text("gitdir: /nowhere/at/all\n")
    elif kind == "dangling link":
        marker.symlink_to("/nowhere/at/all")
    else:
        git(inner, "init", "-q")
        (marker / "HEAD").unlink()
    with pytest.raises(EvidenceError, match="no repository"):
        open_repository(inner)


def test_dubious_ownership_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project(tmp_path / "p")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(EvidenceError, match="does not trust it") as caught:
        open_repository(folder)
    assert f"git config --global --add safe.directory {folder}" in caught.value.fix


def test_no_git_program_names_the_remedy(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    code = (
        "from pathlib import Path\n"
        "from pytest_housekeeping.evidence.git.repository import open_repository\n"
        "from pytest_housekeeping.errors import EvidenceError\n"
        "try: open_repository(Path('.'))\n"
        "except EvidenceError as error: print(error.fix)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "install the git program" in run.stdout


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GIT_DIR", ".git"),
        ("GIT_COMMON_DIR", ".git"),
        ("GIT_INDEX_FILE", ".git/index"),
        ("GIT_OBJECT_DIRECTORY", ".git/objects"),
        ("GIT_WORK_TREE", "sql"),
    ],
)
def test_git_variables_of_a_hook_do_not_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    other = project(tmp_path / "other")
    folder = project(tmp_path / "p")
    write(folder, {"sql/new": "x"})
    commit = git(folder, "rev-parse", "HEAD")
    monkeypatch.setenv(variable, str(other / value))
    with opened(folder) as repository:
        assert repository.root == folder
        assert repository.head() == commit
        assert repository.dirty([folder / "sql"]) == ("sql/new",)
        made = record(repository)
    monkeypatch.delenv(variable)
    assert git(folder, "log", "-1", "--format=%H", BRANCH) == made
    assert git(other, "branch", "--list", BRANCH) == ""


# --- facts


def test_before_the_first_commit_there_is_no_head(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk", "p")
    write(tmp_path / "p", {"sql/a": "x"})
    with opened(tmp_path / "p") as repository:
        assert repository.head() is None
        assert repository.branch() == "trunk"
        assert repository.dirty([tmp_path / "p" / "sql"]) == ("sql/a",)
        assert list(repository.evidence("staging")) == []


def test_head_and_branch_also_when_detached(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    commit = git(folder, "rev-parse", "HEAD")
    with opened(folder) as repository:
        assert (repository.head(), repository.branch()) == (commit, "main")
        git(folder, "checkout", "-q", "--detach")
        assert (repository.head(), repository.branch()) == (commit, None)


def test_a_project_in_a_subfolder_sees_its_own_paths_only(tmp_path: Path) -> None:
    top = project(tmp_path / "p")
    sub = top / "services/my db"
    write(sub, {"sql/a": "x"})
    with opened(sub) as repository:
        assert repository.root == top
        assert repository.relative(sub / "ops/audit") == "services/my db/ops/audit"
        assert repository.dirty([sub / "sql", sub / "checks"]) == ("services/my db/sql/a",)
        with pytest.raises(EvidenceError, match="outside of the repository"):
            repository.relative(tmp_path / "elsewhere")


def test_every_kind_of_uncommitted_change_is_seen(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    sql = folder / "sql"
    names = ["changed.sql", "staged.sql", "gone.sql", "moved.sql", "reverted.sql"]
    for name in names:
        (sql / name).write_text("1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "second")
    (sql / "changed.sql").write_text("2\n")
    (sql / "staged.sql").write_text("2\n")
    git(folder, "add", "sql/staged.sql")
    (sql / "gone.sql").unlink()
    git(folder, "mv", "sql/moved.sql", "sql/to.sql")
    (sql / "reverted.sql").write_text("2\n")
    git(folder, "add", "sql/reverted.sql")
    (sql / "reverted.sql").write_text("1\n")
    (sql / 'neu ä\n"x".sql').write_text("1\n")
    (sql / "*").write_text("a name that is a pattern\n")
    (folder / "README.md").write_text("not below sql/\n")
    with opened(folder) as repository:
        assert repository.dirty([sql, folder / "checks"]) == (
            "sql/*",
            "sql/changed.sql",
            "sql/gone.sql",
            "sql/moved.sql",
            'sql/neu ä\n"x".sql',
            "sql/reverted.sql",
            "sql/staged.sql",
            "sql/to.sql",
        )
        assert repository.dirty([]) == ()
        assert repository.dirty([sql / "*"]) == ("sql/*",)


def test_an_ignored_sql_file_is_uncommitted_and_other_ignored_files_are_not(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    (folder / ".git/info/exclude").write_text("__pycache__/\n*.sql\nlocal/\n*.log\n")
    names = ("checks/__pycache__/test_a.pyc", "sql/x.log", "sql/dump.sql", "sql/local/a.sql")
    write(folder, dict.fromkeys(names, "x"))
    with opened(folder) as repository:
        dirty = repository.dirty([folder / "sql", folder / "checks"])
    assert dirty == ("sql/dump.sql", "sql/local/a.sql")


def test_what_python_has_kept_of_a_module_is_no_change(tmp_path: Path) -> None:
    """Untracked and where it keeps it, that is: what runs is compared with its source."""
    folder = project(tmp_path / "p")
    kept = folder / "checks/__pycache__/test_a.cpython-311.pyc"
    kept.parent.mkdir(parents=True)
    for path in (kept, kept.with_name("a.so"), folder / "checks/a.pyc"):
        path.write_text("x")
    with opened(folder) as repository:
        there = ("checks/__pycache__/a.so", "checks/a.pyc")
        assert repository.dirty([folder / "checks"]) == there
        git(folder, "add", "-f", str(kept))
        assert str(kept.relative_to(folder)) in repository.dirty([folder / "checks"])


def test_a_removed_folder_and_one_that_is_a_link_are_seen(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    (folder / "shared").mkdir()
    (folder / "linked").symlink_to("shared")
    (folder / "outside").symlink_to(tmp_path)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "links")
    with opened(folder) as repository:
        assert repository.dirty([folder / "linked", folder / "checks"]) == ()
        (folder / "shared/a.sql").write_text("x")
        (folder / "checks/objects.toml").unlink()
        (folder / "checks").rmdir()
        dirty = repository.dirty([folder / "linked", folder / "checks", folder / "never"])
        assert dirty == ("checks/objects.toml", "shared/a.sql")
        assert repository.dirty([folder / "outside"]) == (str(tmp_path),)


def test_asking_does_not_write_the_index(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    os.utime(folder / "sql/migrations/0001_a.sql", (1, 1))
    before = state(folder)
    with opened(folder) as repository:
        assert repository.dirty([folder]) == ()
    assert state(folder) == before


def test_show_gives_the_bytes_as_committed(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    (folder / ".gitattributes").write_text("* text eol=crlf\n")
    with opened(folder) as repository:
        head = repository.head()
        assert head is not None
        assert repository.show(head, "sql/migrations/0001_a.sql") == b"sql/migrations/0001_a.sql\n"
        with pytest.raises(EvidenceError, match="does not exist"):
            repository.show(head, "sql/none.sql")


# --- committing


def test_the_commit_adds_the_evidence_to_the_attested_tree(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    head = git(folder, "rev-parse", "HEAD")
    with opened(folder) as repository:
        first = record(repository, "one")
        second = record(repository, "two", "ops/audit/staging_2.json")
    assert git(folder, "rev-parse", f"{first}^@") == head
    assert git(folder, "rev-parse", f"{second}^@").split() == [first, head]
    assert git(folder, "rev-parse", BRANCH) == second
    # Merged, it adds evidence and takes nothing away.
    changes = git(folder, "diff", "--name-status", head, second).splitlines()
    assert changes == ["A\tops/audit/staging_2.json", f"A\t{AUDIT}"]
    assert git(folder, "log", "-1", "--format=%s", second) == "audit: promoted"
    assert git(folder, "fsck", "--strict", "--no-dangling") == ""


def test_the_tree_follows_the_attested_commit(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    with opened(folder) as repository:
        record(repository, "one")
        git(folder, "rm", "-q", "README.md")
        write(folder, {"NEW": "n"})
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "second")
        head = repository.head()
        commit = record(repository, "two", "ops/audit/staging_2.json")
    changes = git(folder, "diff", "--name-status", str(head), commit).splitlines()
    assert changes == ["A\tops/audit/staging_2.json", f"A\t{AUDIT}"]
    git(folder, "merge", "-q", BRANCH)
    assert not (folder / "README.md").exists()
    assert (folder / AUDIT).read_text() == "one"


def test_evidence_that_was_merged_and_then_built_upon(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    with opened(folder) as repository:
        first = record(repository, "one")
        git(folder, "merge", "-q", "--ff-only", BRANCH)
        again = record(repository, "two", "ops/audit/staging_2.json")
    assert git(folder, "rev-parse", f"{again}^@") == first


def test_nothing_of_the_users_changes(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    unsettle(folder)
    before = state(folder)
    with opened(folder) as repository:
        record(repository, "one")
        record(repository, "two")
        list(repository.evidence("staging"))
    assert state(folder) == before


@pytest.mark.parametrize("kind", ["worktree", "shallow", "detached", "sha256", "subfolder"])
def test_it_works_in_every_kind_of_work_tree(tmp_path: Path, kind: str) -> None:
    folder = project(tmp_path / "p", *(["--object-format=sha256"] if kind == "sha256" else []))
    path = AUDIT
    if kind == "worktree":
        git(folder, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side wörk"))
        folder = tmp_path / "side wörk"
    elif kind == "shallow":
        write(folder, {"more": "m"})
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "second")
        git(tmp_path, "clone", "-q", "--depth=1", folder.as_uri(), "shallow")
        folder = tmp_path / "shallow"
    elif kind == "detached":
        git(folder, "checkout", "-q", "--detach")
    root = folder
    if kind == "subfolder":
        root = folder / "sub/project"
        root.mkdir(parents=True)
        path = f"sub/project/{AUDIT}"
    unsettle(folder)
    before = state(folder)
    with opened(root) as repository:
        commit = record(repository, "one", path)
        place = path.rpartition("/")[0]
        assert list(repository.evidence("staging", place)) == [(path, b"one")]
        assert repository.show(commit, path) == b"one"
    assert state(folder) == before
    assert git(folder, "fsck", "--strict", "--no-dangling") == ""


def test_the_branch_is_pushed_and_found_again_in_another_clone(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    folder = project(tmp_path / "p")
    git(folder, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(folder, "push", "-q", "origin", "main")
    with opened(folder) as repository:
        record(repository, "one")
    git(folder, "push", "-q", "origin", BRANCH)
    git(tmp_path, "clone", "-q", "-b", "main", str(tmp_path / "remote.git"), "clone")
    with opened(tmp_path / "clone") as repository:
        assert list(repository.evidence("staging")) == [(AUDIT, b"one")]


def test_evidence_is_found_once_from_everywhere(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    write(folder, {"ops/audit/prod_20270101T000000Z_1.json": "head"})
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "evidence in HEAD")
    head = git(folder, "rev-parse", "HEAD")
    files = {
        "ops/audit/prod_20270101T000000Z_1.json": b"edited",
        "ops/audit/prod_schema.sql": b"-- not json",
    }
    with opened(folder) as repository:
        repository.commit_evidence("housekeeping/audit/x", files, "m", head)
        repository.commit_evidence(
            "housekeeping/audit/y", {"ops/audit/prod_20270101T000000Z_2.json": b"two"}, "m", head
        )
        repository.commit_evidence(
            "elsewhere",
            {"ops/audit/prod_20270101T000000Z_3.json": b"not an evidence branch"},
            "m",
            head,
        )
        found = list(repository.evidence("prod"))
        assert list(repository.evidence("staging")) == []
        assert list(repository.evidence("prod", "no/such folder")) == []
    assert sorted(found) == [
        ("ops/audit/prod_20270101T000000Z_1.json", b"edited"),
        ("ops/audit/prod_20270101T000000Z_1.json", b"head"),
        ("ops/audit/prod_20270101T000000Z_2.json", b"two"),
    ]


@pytest.mark.parametrize("before", [False, True], ids=["at once", "before"])
def test_bytes_are_stored_as_they_are(tmp_path: Path, before: bool) -> None:
    folder = project(tmp_path / "p")
    (folder / ".gitattributes").write_text(
        "*.json text eol=crlf filter=shout ident\n*.bin filter=lfs diff=lfs merge=lfs\n"
    )
    git(folder, "config", "core.autocrlf", "true")
    git(folder, "config", "filter.shout.clean", "tr a-z A-Z")
    git(folder, "config", "filter.shout.required", "true")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "attributes")
    files = {
        "ops/audit/a.json": b'{"a": "$Id$"}\r\nb\n\r\x00\xff',
        "ops/audit/b.bin": bytes(range(256)) * 1000,
        "ops/audit/leer.json": b"",
        'ops/audit/mit "ä\t\n\\ blank.json': b"x\ndone\nM 100644 inline y\n",
    }
    with opened(folder) as repository:
        head = repository.head()
        assert head is not None
        named = stored_in(repository, folder, files) if before else {}
        commit = repository.commit_evidence(
            BRANCH, {} if before else files, "m\ndone\n", head, stored=named
        )
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "-z", commit, "ops"], cwd=folder, check=True, capture_output=True
    ).stdout
    stored = {}
    for line in listed.split(b"\0")[:-1]:
        meta, _, name = line.partition(b"\t")
        blob = ["git", "cat-file", "blob", meta.split()[2].decode()]
        stored[name.decode()] = subprocess.run(
            blob, cwd=folder, check=True, capture_output=True
        ).stdout
    assert stored == files


def stored_in(repository: Repository, folder: Path, files: dict[str, bytes]) -> dict[str, str]:
    write(folder, files)
    oids = repository.store([folder / name for name in files])
    assert oids == [blob_id(content, oids[0]) for content in files.values()]
    return dict(zip(files, oids, strict=True))


def test_no_hook_runs_and_nothing_is_signed(tmp_path: Path) -> None:
    """Nor any other program that a clone names for what is asked here of git."""
    folder = project(tmp_path / "p")
    trace = tmp_path / "hook ran"
    hooks = (
        *("pre-commit", "commit-msg", "post-commit", "post-checkout", "prepare-commit-msg"),
        *("reference-transaction", "post-index-change", "pre-push", "fsmonitor"),
    )
    elsewhere = tmp_path / "hooks"
    for name in hooks:
        hook = elsewhere / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{trace}'\nexit 1\n")
        hook.chmod(0o755)
        shutil.copy(hook, folder / ".git/hooks" / name)
    bare = tmp_path / "bare"
    git(tmp_path, "clone", "-q", "--bare", str(folder), str(bare))
    git(folder, "remote", "add", "origin", str(bare))
    git(folder, "config", "commit.gpgSign", "true")
    git(folder, "config", "gpg.program", "/bin/false")
    git(folder, "config", "core.fsmonitor", str(elsewhere / "fsmonitor"))
    for place in ("", str(elsewhere)):
        if place:
            git(folder, "config", "core.hooksPath", place)
            (bare / "hooks/update").write_text("#!/bin/sh\nexit 1\n")
            (bare / "hooks/update").chmod(0o755)
        with opened(folder) as repository:
            repository.dirty([folder / "sql"])
            commit = record(repository)
            # What the other side has to say of a push counts.
            with pytest.raises(EvidenceError, match="hook declined") if place else nullcontext():
                repository.push("origin", BRANCH)
        assert not trace.exists()
        assert "gpgsig" not in git(folder, "cat-file", "commit", commit)


@pytest.mark.parametrize(
    ("config", "environment", "author"),
    [
        ({}, {}, "pytest-housekeeping <noreply@pytest-housekeeping.localhost>"),
        ({"user.name": "Ada <ä>", "user.email": "a@b"}, {}, "Ada ä <a@b>"),
        (
            {"user.name": "Ada", "user.useConfigOnly": "true"},
            {"GIT_AUTHOR_EMAIL": "e@f"},
            "Ada <e@f>",
        ),
    ],
    ids=["nobody", "configured", "environment"],
)
def test_the_author_is_the_configured_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, str],
    environment: dict[str, str],
    author: str,
) -> None:
    folder = project(tmp_path / "p")
    for key, value in config.items():
        git(folder, "config", key, value)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    with opened(folder) as repository:
        commit = record(repository)
    assert git(folder, "log", "-1", "--format=%an <%ae>", commit) == author


@pytest.mark.parametrize("where", ["here", "linked", "unborn"])
def test_a_branch_that_is_checked_out_is_refused(tmp_path: Path, where: str) -> None:
    folder = project(tmp_path / "p")
    head = git(folder, "rev-parse", "HEAD")
    if where == "here":
        git(folder, "checkout", "-qb", BRANCH)
    elif where == "linked":
        git(folder, "worktree", "add", "-q", "-b", BRANCH, str(tmp_path / "side"))
    else:
        git(folder, "checkout", "-q", "--orphan", BRANCH)
    with opened(folder) as repository, pytest.raises(EvidenceError, match="is checked out in"):
        repository.commit_evidence(BRANCH, {AUDIT: b"x"}, "m", head)


def test_a_branch_that_stands_for_another_one_moves_nothing(tmp_path: Path) -> None:
    """Neither by a commit nor by what the remote has by then."""
    folder = project(tmp_path / "p")
    git(tmp_path, "clone", "-q", "--bare", "p", "remote.git")
    git(folder, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(folder, "checkout", "-qb", "side")
    with opened(folder) as repository:
        record(repository)
        git(folder, "push", "-q", "origin", BRANCH)
        git(folder, "branch", "-qD", BRANCH)
        git(folder, "fetch", "-q", "origin")
        main = git(folder, "rev-parse", "main")
        git(folder, "symbolic-ref", f"refs/heads/{BRANCH}", "refs/heads/main")
        for move in (record, lambda repository: take_over(repository, BRANCH)):
            with pytest.raises(EvidenceError, match="symbolic reference to refs/heads/main"):
                move(repository)
        git(folder, "symbolic-ref", "--delete", f"refs/heads/{BRANCH}")
        git(folder, "symbolic-ref", f"refs/remotes/origin/{BRANCH}", "refs/heads/main")
        with pytest.raises(EvidenceError, match="symbolic reference to refs/heads/main"):
            take_over(repository, BRANCH)
    assert git(folder, "rev-parse", "main") == main


def test_what_the_remote_has_moves_no_branch_that_is_checked_out(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    with opened(folder) as repository:
        made = record(repository)
        git(folder, "update-ref", f"refs/remotes/origin/{BRANCH}", record(repository, "more"))
        git(folder, "branch", "-qf", BRANCH, made)
        git(folder, "stash", "-q", "--include-untracked")
        git(folder, "checkout", "-q", BRANCH)
        with pytest.raises(EvidenceError, match="is checked out in"):
            take_over(repository, BRANCH)
    assert git(folder, "rev-parse", "HEAD") == made


@pytest.mark.parametrize(
    ("branch", "path", "attests", "message"),
    [
        ("bad..name", AUDIT, "HEAD", "no name for a branch"),
        (BRANCH, "../x", "HEAD", "no path inside"),
        (BRANCH, "/etc/x", "HEAD", "no path inside"),
        (BRANCH, ".git/config", "HEAD", "no path inside"),
        (BRANCH, "", "HEAD", "no path inside"),
        (BRANCH, AUDIT, "0" * 40, "rev-parse failed"),
        ("main/audit", AUDIT, "HEAD", "cannot be committed to main/audit"),
    ],
)
def test_what_cannot_be_committed_changes_nothing(
    tmp_path: Path, branch: str, path: str, attests: str, message: str
) -> None:
    folder = project(tmp_path / "p")
    before = state(folder), git(folder, "for-each-ref")
    with opened(folder) as repository, pytest.raises(EvidenceError, match=message):
        repository.commit_evidence(branch, {path: b"x"}, "m", attests)
    assert (state(folder), git(folder, "for-each-ref")) == before
    assert not list((folder / ".git").glob("fast_import_crash*"))


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")

    def one(number: int) -> str:
        with opened(folder) as repository:
            return record(
                repository, str(number), f"ops/audit/staging_20270101T000000Z_{number}.json"
            )

    with ThreadPoolExecutor(6) as pool:
        commits = list(pool.map(one, range(12)))
    assert len(set(commits)) == 12
    with opened(folder) as repository:
        found = dict(repository.evidence("staging"))
    assert found == {
        f"ops/audit/staging_20270101T000000Z_{n}.json": str(n).encode() for n in range(12)
    }
    assert git(folder, "rev-list", "--count", "--first-parent", BRANCH) == "13"
