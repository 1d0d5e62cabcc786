"""What the documents say is so: their commands run, their tables agree with the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from support.console_blocks import Block, blocks_of, missing_line
from support.fresh_copy import ROOT, fresh_repository

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
# Its blocks follow on each other: tests/runs/test_production_page.py runs them in one shell.
STORIES = (ROOT / "docs/production.md", ROOT / "docs/recovery.md")
# Their blocks run in the projects that they show: test_checks_page.py and test_python_page.py.
PROJECTS = (ROOT / "docs/checks.md", ROOT / "docs/python.md")
BLOCKS = [
    block
    for document in DOCUMENTS
    if document not in (*STORIES, *PROJECTS)
    for block in blocks_of(document, ROOT)
]
STAGING = (
    "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/pytest --hk-mode=staging"
)
SUITE = "python3 -m venv .venv && .venv/bin/pip install -q tox && .venv/bin/tox"
# Of this run, not of somebody who types the command.
_OURS = ("PYTEST_", "COV_", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONWARNINGS", "TOX_", "GITHUB_", "HK_")


@pytest.mark.parametrize(
    ("script", "blocks"),
    [
        (script, [block for block in BLOCKS if block.no_run is None and block.script == script])
        for script in dict.fromkeys(block.script for block in BLOCKS if block.no_run is None)
    ],
    ids=lambda value: value[0].place if isinstance(value, list) else "",
)
def test_a_command_does_what_the_document_shows(
    script: str, blocks: list[Block], tmp_path: Path
) -> None:
    """A command that several documents give is run once, and compared with what each shows."""
    folder = fresh_repository(tmp_path / "clone")

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=_somebody_elses_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    for block in blocks:
        assert missing_line(block.shown, done.stdout) is None, f"{block.place}\n{done.stdout}"


def _somebody_elses_environment(folder: Path) -> dict[str, str]:
    """This one without the traces of the suite; `python3` is the Python that runs it."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(Path(sys.executable).resolve())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return kept | {"PATH": f"{programs}:{kept['PATH']}"}


def test_the_two_commands_of_the_readme_are_those_of_everything_else() -> None:
    """What the README promises is what the contributor reads, CI runs and this suite has run."""
    scripts = {Path(block.place.split(":")[0]).name: set[str]() for block in BLOCKS}
    for block in BLOCKS:
        scripts[Path(block.place.split(":")[0]).name].add(block.script)
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")

    for document in ("README.md", "CONTRIBUTING.md"):
        assert {STAGING, SUITE} <= scripts.get(document, set()), document
    for part in SUITE.split(" && "):
        assert part.removeprefix("python3 ") in ci


def test_every_setting_is_documented_with_its_default() -> None:
    documented = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", _configuration(), re.MULTILINE))
    settings = {f.name: _toml(f.default) for f in fields(Config) if f.name != "root"}

    assert documented == settings


def test_every_option_is_documented() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    offered = set(re.findall(r"^\s+(--hk-[a-z-]+)", helped, re.MULTILINE))
    documented = set(re.findall(r"^\| `(--hk-[a-z-]+)", _configuration(), re.MULTILINE))

    assert documented == offered != set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_leads_to_a_file(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", text):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize(
    ("shown", "output", "missing"),
    [
        (("5 passed in 1.20s",), "== 27 passed in 3s ==", None),
        (("a … c", "d"), "a bb c\nx\nd", None),
        (("one", "two"), "two\none", "two"),
        (("==== 3 passed ====",), "======== 14 passed ========", None),
        (("3 passed",), "3 failed", "3 passed"),
    ],
)
def test_shown_lines_are_compared_loosely_and_in_order(
    shown: tuple[str, ...], output: str, missing: str | None
) -> None:
    assert missing_line(shown, output) == missing


def test_blocks_are_read_with_commands_output_and_reason(tmp_path: Path) -> None:
    document = tmp_path / "x.md"
    document.write_text(
        "# x\n```console\n$ a \\\n  b\nout\n…\n```\n```console no-run: it is slow\n$ c\n```\n"
        "```bash\nd\ne\n```\n```sql\nSELECT 1\n```\n"
    )

    first, second, third = blocks_of(document, tmp_path)

    assert (first.place, first.script, first.shown) == ("x.md:2", "a \\\n  b", ("out",))
    assert (first.no_run, second.no_run) == (None, "it is slow")
    assert third.script == "d\ne"


@pytest.mark.parametrize(
    "block", ["```console no-run\n$ a\n```\n", "```console\nonly output\n```\n"]
)
def test_a_block_that_would_silently_not_run_is_an_error(tmp_path: Path, block: str) -> None:
    (tmp_path / "x.md").write_text(block)

    with pytest.raises(ValueError, match=r"x\.md:1"):
        list(blocks_of(tmp_path / "x.md", tmp_path))


def _configuration() -> str:
    return (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
