"""What is shipped: the wheel works in a foreign project, and prints the documentation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from pytest_housekeeping.declarations.rules import shipped_rules
from support.fresh_copy import ROOT
from support.staging_project import WITHOUT_RLS, Project
from support.wheel import Wheel, build_wheel

Docs = Callable[..., subprocess.CompletedProcess[str]]
_FOUND = (*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/from").glob("*.md"))
PAGES = {page.stem for page in _FOUND}
PAGES -= {"README"}
PAGES |= {"rules"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(params=["wheel", "clone"])
def docs(request: pytest.FixtureRequest, tmp_path: Path) -> Docs:
    """The command, installed from the wheel, and out of a clone as an editable install has it."""
    python, path = Path(sys.executable), str(ROOT)
    if request.param == "wheel":
        wheel: Wheel = request.getfixturevalue("wheel")
        python, path = wheel.python, ""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-m", "pytest_housekeeping", "docs", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_wheel_works_in_a_foreign_project(wheel: Wheel, tmp_path: Path) -> None:
    """Installed from the wheel alone; its dependencies are those of this environment."""
    project = Project.make(tmp_path, "tenants", WITHOUT_RLS)
    process = subprocess.run(
        [wheel.python, "-m", "pytest", "-p", "no:cacheprovider", "--hk-mode=staging"],
        cwd=project.root,
        env=project.environment() | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    (audit,) = project.audits()
    assert json.loads(audit.read_text(encoding="utf-8"))["run"]["outcome"] == "promoted"
    where = "import pytest_housekeeping as p; print(p.__file__)"
    found = subprocess.run(
        [wheel.python, "-c", where], cwd=project.root, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()).is_relative_to(wheel.venv)


def test_what_init_writes_for_ci_comes_with_it(wheel: Wheel) -> None:
    folder = ROOT / "pytest_housekeeping/promotion/init/ci_files"
    files = {path for path in folder.rglob("*") if path.suffix in (".yml", ".in")}
    assert len(files) == 8
    with ZipFile(wheel.file) as archive:
        assert {str(path.relative_to(ROOT)) for path in files} <= set(archive.namelist())


def test_the_pages_are_listed(docs: Docs) -> None:
    done = docs()

    assert done.returncode == 0, done.stderr
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert listed == PAGES
    assert f"each of the {len(shipped_rules())} rules" in done.stdout


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("checks", "checks.md"),
        ("docs/ci.md", "ci.md"),
        ("README", "README.md"),
        ("rules", "rules/README.md"),
        ("rls-not-forced", "rules/rls-not-forced.md"),
    ],
)
def test_a_page_is_printed(name: str, page: str, docs: Docs) -> None:
    done = docs(name)

    assert done.returncode == 0, done.stderr
    head, note, rest = (ROOT / "docs" / page).read_text(encoding="utf-8").partition("<!-- Rendered")
    assert bool(note) == page.startswith("rules/")
    assert done.stdout == head + rest.partition("-->\n\n")[2]


def test_a_page_that_is_not_there_is_misuse(docs: Docs) -> None:
    done = docs("rls-not-force")

    assert (done.returncode, done.stdout) == (4, "")
    assert "no page 'rls-not-force' (did you mean 'rls-not-forced'?)" in done.stderr
    assert "fix: list them: python -m pytest_housekeeping docs" in done.stderr


def test_every_rule_has_its_page(wheel: Wheel) -> None:
    (carried,) = wheel.venv.glob("lib/python*/site-packages/pytest_housekeeping/docs/rules")

    assert {path.stem for path in carried.glob("*.md")} - {"README"} == {
        rule.id for rule in shipped_rules()
    }


def test_a_reader_that_has_seen_enough_is_no_error(wheel: Wheel, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{wheel.python} -m pytest_housekeeping docs checks | :"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
