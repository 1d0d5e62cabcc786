"""docs/python.md is true: its fixtures and markers, and its package at work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_housekeeping.model import Kind, Phase
from pytest_housekeeping.plugin import database_fixtures, fixtures
from support.files import write
from support.fresh_copy import ROOT
from support.reference_pages import files_of, rows, section
from support.staging_project import Project

PAGE = ROOT / "docs/python.md"
FILES = files_of(PAGE)
CHECKS_FILES = files_of(ROOT / "docs/checks.md")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The project of checks.md with the test of this page, and the package beside it."""
    project = Project.make(tmp_path, "tenants", repository=False)
    for path in sorted(project.root.rglob("*")):
        if path.is_file():
            path.unlink()
    project.write({**CHECKS_FILES, **{n: t for n, t in FILES.items() if n.startswith("checks/")}})
    return project


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package of the page is installed, as a user would."""
    place = tmp_path_factory.mktemp("package")
    write(place, FILES)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    pip += ["--no-build-isolation", "--target", str(place / "site"), str(place / "acme-rules")]
    subprocess.run(pip, check=True, capture_output=True)
    return place / "site"


def with_package(project: Project, package: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{project.environment()['PYTHONPATH']}:{package}"}


def test_the_package_of_the_page_brings_its_rule(project: Project, package: Path) -> None:
    run = project.run(**with_package(project, package))

    assert run.code == 0, run.output
    for step in ("checks/rls.toml::acme-no-primary-key", "tripwire::acme-no-primary-key"):
        assert run.steps[step] == "passed"
    assert run.steps["checks/test_context.py::test_the_context_is_gone_behind_the_block"] == (
        "passed"
    )
    assert {step["phase"] for step in run.audit["steps"]} <= documented_markers().keys()
    for step in run.audit["steps"]:
        assert step["kind"] in documented_markers()[step["phase"]], step


def test_the_rule_of_the_page_fires_on_a_table_of_the_project(
    project: Project, package: Path
) -> None:
    migration = "sql/migrations/0001_tickets.sql"
    text = CHECKS_FILES[migration].replace("code text PRIMARY KEY", "code text UNIQUE")
    assert text != CHECKS_FILES[migration]
    project.write({migration: text})

    run = project.run(**with_package(project, package))

    assert run.code == 1
    assert run.findings("acme-no-primary-key") == ["helpdesk.state"]
    assert "fix: ALTER TABLE helpdesk.state ADD PRIMARY KEY (code);" in run.output


@pytest.mark.parametrize("place", ["conftest.py", "checks/conftest.py"])
def test_a_rule_that_is_half_written_ends_the_run_before_anything(
    place: str, project: Project
) -> None:
    hook = (
        "from pytest_housekeeping.declarations import parse_rule\n\n\n"
        "def pytest_housekeeping_rules():\n"
        "    return [parse_rule('SELECT 1', 'half', 'acme')]\n"
    )
    project.write({place: hook})

    run = project.run()

    assert run.code == 4, run.output
    assert "rule 'half' cannot be used: the header has no 'title'" in run.output
    assert "INTERNALERROR" not in run.output


def documented_markers() -> dict[str, set[str]]:
    return {
        phase.strip("`"): set(re.findall(r"`(\w+)`", kinds))
        for phase, kinds in rows(section(PAGE, "## Markers"))
    }


def test_the_markers_are_those_that_are_registered(project: Project) -> None:
    said = project.finish(project.spawn("--hk-mode=staging", "--markers"))
    registered = re.findall(r"^@pytest\.mark\.(\w+): a step of the", said.output, re.MULTILINE)

    documented = documented_markers()
    assert documented.keys() == {str(phase) for phase in Phase}
    assert set().union(*documented.values()) == {str(kind) for kind in Kind}
    assert sorted(registered) == sorted(documented.keys() | set().union(*documented.values()))
    assert not (project.root / "ops").exists()


def test_the_fixtures_are_those_that_are_registered(project: Project) -> None:
    said = project.finish(project.spawn("--hk-mode=staging", "--fixtures"))
    registered = {
        name: scope or "function"
        for name, scope in re.findall(
            r"^(hk_\w+)(?: \[(\w+) scope\])? -- ", said.output, re.MULTILINE
        )
    }
    tests = PAGE.with_name("testing.md")
    documented: dict[str, str] = {}
    for page, module in ((PAGE, fixtures), (tests, database_fixtures)):
        table = rows(section(page, "## Fixtures"))
        on_page = {name.strip("`"): scope for name, scope, _ in table}
        made = {name for name in vars(module) if name.startswith("hk_")}
        # What a promotion lends is on the first page, for ordinary runs as well.
        assert on_page.keys() <= made <= on_page.keys() | documented.keys(), page
        documented |= on_page
    assert documented == registered
    assert not (project.root / "ops").exists()
