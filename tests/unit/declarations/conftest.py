"""What tests of settings share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that has its folders, and no settings yet."""
    (tmp_path / "sql").mkdir()
    (tmp_path / "checks").mkdir()
    return tmp_path
