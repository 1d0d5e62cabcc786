"""The examples of docs/testing.md: each library on a database of hk_database and its like."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from support.fresh_copy import ROOT
from support.own_cache import own_cache

EXAMPLES = ROOT / "examples" / "fixtures"
_FOREIGN = ("HK_", "PG", "PYTEST_", "DJANGO_", "DATABASE_URL")


def test_every_example_passes(tmp_path: Path) -> None:
    root = shutil.copytree(EXAMPLES, tmp_path / "fixtures")
    tests = sorted(path.name for path in (root / "tests").glob("test_*.py"))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:randomly"],
        cwd=root,
        env={**kept, **own_cache(tmp_path / "cache")[0]},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = set(re.findall(r"^tests/(\S+\.py)::.* PASSED", done.stdout, re.MULTILINE))
    assert sorted(passed) == tests
    assert "skipped" not in done.stdout


def test_the_page_names_every_example() -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    for path in sorted((EXAMPLES / "tests").glob("test_*.py")):
        assert f"examples/fixtures/tests/{path.name}" in page, path.name
