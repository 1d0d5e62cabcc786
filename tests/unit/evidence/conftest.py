"""What the tests of git share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.git_folders import forget_own_git


@pytest.fixture
def isolated_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's git: neither variables nor settings of whoever runs the tests are in force."""
    forget_own_git(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
