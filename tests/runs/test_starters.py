"""The shapes in which well-known starters come: each is green, and what is let stand is known."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from support.init_command import command
from support.staging_project import Project

STARTERS = Path(__file__).parents[1] / "support/starters"
FIRST = "20260101000000_first.sql"
# Whatever stands in public there is granted to the roles of the API, wholly, and its owner is
# bound by no policy.
GRANTED = {
    "privilege-on-whole-table",
    "privilege-references",
    "privilege-sequence",
    "privilege-trigger",
    "rls-not-forced",
}
# Products and prices are everybody's, which nobody has declared yet, and customers the server's
# alone; who receives what is published is nobody's to know here. Whether a member is one, a
# function decides past the policies.
FOUND: dict[str, set[str]] = {
    "todo": set(),
    "subscriptions": {
        "context-required",
        "identity-isolated",
        "policy-always-true",
        "publication-of-rows",
        "rls-no-policy",
    },
    "chat": {"context-required", "publication-of-rows", "trigger-as-owner"},
    "pictures": set(),
    "vectors": set(),
}


def taken_in(place: Path, files: dict[str, str]) -> tuple[Project, str]:
    project = Project(root=place / "project", scratch=place / "tmp")
    project.scratch.mkdir()
    project.write(files)
    code, said = command(project.root, "init")
    assert (code, "taken back" in said) == (0, False), said
    assert "staging is green" in said
    return project, said


def let_stand(project: Project) -> set[tuple[str, str]]:
    rls = tomllib.loads((project.root / "checks/rls.toml").read_text())
    return {(each["rule"], each["object"]) for each in rls.get("exempt", [])}


@pytest.mark.parametrize("name", FOUND)
def test_of_supabase(tmp_path: Path, name: str) -> None:
    files = {f"supabase/migrations/{FIRST}": (STARTERS / f"{name}.sql").read_text()}
    if (seed := STARTERS / f"{name}_seed.sql").exists():
        files["supabase/seed.sql"] = seed.read_text()
    project, _ = taken_in(tmp_path, files)
    assert {rule for rule, _ in let_stand(project)} - GRANTED == FOUND[name]


def test_of_postgrest(tmp_path: Path) -> None:
    text = (STARTERS / "postgrest.sql").read_text()
    project, _ = taken_in(tmp_path, {"sql/migrations/0001_first.sql": text})
    assert let_stand(project) == set()
    rls = tomllib.loads((project.root / "checks/rls.toml").read_text())
    assert rls["context"] == [{"setting": "request.jwt.claims", "path": ["sub"]}]
