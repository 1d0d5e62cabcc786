"""docs/checks.md is true: its project passes at the first run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.console_blocks import Block, blocks_of, missing_line
from support.files import write
from support.fresh_copy import ROOT, commit_all, git
from support.reference_pages import files_of

PAGE = ROOT / "docs/checks.md"
FILES = files_of(PAGE)
STAGING, WRITE_BASELINE = blocks_of(PAGE, ROOT)
_FOREIGN = ("HK_", "PG", "GITHUB_", "PYTEST_", "GIT_", "CI")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files of the page, committed, in an empty folder."""
    root = tmp_path / "project"
    write(root, FILES)
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(root))
    commit_all(root, "The files of the page")
    return root


def run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """A block of the page, by somebody whose pytest is that of these tests."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_FOREIGN)}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.script],
        cwd=folder,
        env=kept | {"PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_project_of_the_page_passes_at_its_first_run(project: Path) -> None:
    done = run(STAGING, project)

    assert done.returncode == 0, done.stdout
    assert missing_line(STAGING.shown, done.stdout) is None, done.stdout
    assert "warning:" not in done.stdout


def test_the_baseline_of_the_page_is_what_is_written(project: Path) -> None:
    """For the project of the page, without its exemption."""
    path = project / "checks/boundaries.toml"
    path.write_text(FILES["checks/boundaries.toml"].partition("[[exempt]]")[0], encoding="utf-8")

    done = run(WRITE_BASELINE, project)

    assert done.returncode == 0, done.stdout
    assert missing_line(WRITE_BASELINE.shown, done.stdout) is None, done.stdout
    written = (project / "checks/baseline.toml").read_text(encoding="utf-8")
    assert written.partition("[[instance]]")[2] in PAGE.read_text(encoding="utf-8")
    assert written.count("[[instance]]") == 1
