"""docs/checks.md is true: its project passes at the first run, its tables are what is parsed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import load_contracts
from pytest_housekeeping.errors import MisuseError
from support.console_blocks import Block, blocks_of, missing_line
from support.fresh_copy import ROOT, commit_all, git
from support.reference_pages import files_of, rows, section

PAGE = ROOT / "docs/checks.md"
FILES = files_of(PAGE)
STAGING, WRITE_BASELINE = blocks_of(PAGE, ROOT)
# Each level of each file: the file, the headings of its section, and what opens it in TOML.
LEVELS = [
    ("objects.toml", ("## `objects.toml`",), ""),
    ("rls.toml", ("## `rls.toml`",), ""),
    ("rls.toml", ("## `rls.toml`", "### `[[policy]]`"), "[[policy]]"),
    ("rls.toml", ("## `rls.toml`", "### `[[exempt]]`"), "[[exempt]]"),
    ("boundaries.toml", ("## `boundaries.toml`",), ""),
    ("boundaries.toml", ("## `boundaries.toml`", "### `[apps.NAME]`"), "[apps.x]"),
    ("boundaries.toml", ("## `boundaries.toml`", "### `[zones.NAME]`"), "[zones.x]"),
    ("boundaries.toml", ("## `boundaries.toml`", "### `[[contract]]`"), "[[contract]]"),
    ("boundaries.toml", ("## `boundaries.toml`", "### `[[exempt]]`"), "[[exempt]]"),
    ("baseline.toml", ("## `baseline.toml`",), ""),
    ("baseline.toml", ("## `baseline.toml`", "### `[[instance]]`"), "[[instance]]"),
]
_FOREIGN = ("HK_", "PG", "GITHUB_", "PYTEST_", "GIT_", "CI")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files of the page, committed, in an empty folder."""
    root = tmp_path / "project"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
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


def refusal(folder: Path, name: str, text: str) -> str:
    """What is said of a declaration that cannot be used."""
    (folder / "checks").mkdir()
    (folder / "checks" / name).write_text(text, encoding="utf-8")
    with pytest.raises(MisuseError) as caught:
        load_contracts(Config(root=folder))
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "headings", "opening"), LEVELS, ids=[f"{n}-{o or 'top'}" for n, _, o in LEVELS]
)
def test_the_keys_of_a_table_are_those_that_are_read(
    name: str, headings: tuple[str, ...], opening: str, tmp_path: Path
) -> None:
    """The reader itself says which keys there are, and which one misses."""
    documented = {key.strip("`"): needed for key, needed, _ in rows(section(PAGE, *headings))}

    said = refusal(tmp_path, name, f"{opening}\nqqqqqqqq = 1\n")

    where = r"\[.*\]{1,2}(?: \d+)?" if opening else "the file"
    known = re.search(rf"- {where} has an unknown key 'qqqqqqqq' \(known: (.*)\)", said)
    assert known is not None, said
    assert set(documented) == set(known[1].split(", "))
    missing = (
        set(re.findall(rf"- {where} has no '(\w+)'", said)) if opening or documented else set()
    )
    assert {key for key, needed in documented.items() if needed == "yes"} == missing
    assert set(documented.values()) <= {"yes", "no"}


@pytest.mark.parametrize(
    ("name", "text", "headings", "key"),
    [
        (
            "rls.toml",
            "[[policy]]\ncommand = 'q'\n",
            ("## `rls.toml`", "### `[[policy]]`"),
            "command",
        ),
        (
            "boundaries.toml",
            "[[contract]]\ntype = 'q'\n",
            ("## `boundaries.toml`", "### `[[contract]]`"),
            "type",
        ),
    ],
)
def test_the_values_of_a_key_are_those_that_are_read(
    name: str, text: str, headings: tuple[str, ...], key: str, tmp_path: Path
) -> None:
    (meaning,) = (m for k, _, m in rows(section(PAGE, *headings)) if k == f"`{key}`")
    known = re.search(r"'q' \(known: (.*)\)", refusal(tmp_path, name, text))

    assert known is not None
    assert set(re.findall(r'`"(\w+)"`', meaning)) == set(known[1].split(", "))
