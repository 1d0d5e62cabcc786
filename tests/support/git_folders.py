"""Git repositories for tests: plain git, with nobody's configuration and an identity of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_housekeeping.evidence import Repository, open_repository

_WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


def git(folder: Path, *command: str, stdin: bytes | None = None) -> str:
    """What a git command prints, without the line end. Raises where it fails. Of git's variables
    those count that say when a commit was made."""
    known = os.environ.items()
    given = {k: v for k, v in known if not k.startswith("GIT_") or k.endswith("_DATE")}
    ran = subprocess.run(
        ["git", *_WHO, *command],
        cwd=folder,
        check=True,
        capture_output=True,
        input=stdin,
        env={**given, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
    )
    return ran.stdout.decode(errors="surrogateescape").rstrip("\n")


def forget_own_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither variables nor settings of whoever runs the tests are in force, nor keys of theirs."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "SSH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


def opened(folder: Path) -> Repository:
    """The repository of a folder, in which there is one; to be closed."""
    repository = open_repository(folder)
    assert repository is not None
    return repository


def init(folder: Path) -> Path:
    """A new repository on the branch ``main``, without a commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    return folder


def commit_all(folder: Path, message: str) -> str:
    """Commit whatever the work tree holds; the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")
