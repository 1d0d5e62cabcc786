"""What is applied by the evidence, and whether a commit would run ahead of it; bad input."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_housekeeping.__main__ import main
from pytest_housekeeping.errors import EvidenceError, MisuseError
from pytest_housekeeping.promotion.commands.status import status
from support.fresh_copy import git
from support.promoted_past import promote
from support.staging_project import Project

FIRST, VIEW = "sql/migrations/0001_items.sql", "sql/views/cheap.sql"
TABLE = "CREATE TABLE shop.label (id integer PRIMARY KEY);\n"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.endswith("_PROD")]:
        monkeypatch.delenv(name)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.make(tmp_path, "shop", repository=True)


def test_what_the_evidence_knows(project: Project) -> None:
    nothing = status(project.root)
    assert not nothing.good
    assert nothing.lines[:2] == (
        "0 files applied, by the evidence of this clone",
        "no promotion is on record there",
    )
    promote(project, "0001aaaa")
    head = git(project.root, "rev-parse", "HEAD~1")
    known = status(project.root)
    assert known.good
    assert known.lines[0] == "3 files applied, by the evidence of this clone"
    assert known.lines[1].startswith("last: run 0001aaaa at 20")
    assert known.lines[1].endswith(f", commit {head[:12]}")
    applied = [FIRST, "sql/migrations/0002_prices.sql", VIEW]
    assert [line.split()[0] for line in known.lines[2:5]] == applied
    assert known.lines[5:] == (
        "0 files pending here",
        "drift: not known: production itself was not asked, or remembers no promotion",
    )


def test_what_the_settings_say_that_production_has(project: Project) -> None:
    (project.root / "pyproject.toml").write_text('[tool.housekeeping]\nbaseline = "2"\n')
    told = next(line for line in status(project.root).lines if "baseline" in line)
    assert told == (
        "  baseline = '2' in the settings says that it has the files up to there; what records them"
        " runs none: pytest --hk-mode=prod --hk-confirm=PROMOTE --hk-baseline=2"
    )


def test_a_commit_may_go_when_all_that_it_needs_is_applied(project: Project) -> None:
    first = project.commit("before")
    assert not status(project.root, needs=first).good
    promote(project, "0001aaaa")
    assert status(project.root, needs=first) == status(project.root, needs=first)
    may = status(project.root, needs="HEAD")
    assert may.good, may.lines
    assert may.lines[-1] == "it may be deployed"
    project.write({"sql/migrations/0003_label.sql": TABLE})
    second = project.commit("a table")
    ahead = status(project.root, needs=second)
    assert not ahead.good
    assert ahead.lines[:3] == (
        f"{second} ({second[:12]}) needs 4 SQL files; applied, by the evidence of this clone: 3",
        "  sql/migrations/0003_label.sql: not applied",
        "it would run ahead of the schema",
    )
    # Code that is older than the schema is not ahead of it, nor is it by an older view.
    promote(project, "0002bbbb")
    text = (project.root / VIEW).read_text()
    project.write({VIEW: f"-- What anybody can pay.\n{text}"})
    newer = project.commit("a view")
    lacking = status(project.root, needs=newer)
    assert lacking.lines[1].startswith(f"  {VIEW}: applied with another text (sha256 ")
    assert not lacking.good
    promote(project, "0003cccc")
    for commit in (first, second, newer):
        assert status(project.root, needs=commit).good


def test_an_edited_migration_is_another_one(project: Project) -> None:
    promote(project, "0001aaaa")
    project.write({FIRST: TABLE})
    edited = status(project.root, needs=project.commit("edited"))
    assert not edited.good
    assert f"{FIRST}: applied with another text" in edited.lines[1]


def test_the_folder_is_the_one_that_the_commit_has_set(project: Project) -> None:
    promote(project, "0001aaaa")
    git(project.root, "mv", "sql", "db")
    project.write({"pyproject.toml": '[tool.housekeeping]\nsql = "db"\nlint = false\n'})
    moved = status(project.root, needs=project.commit("moved"))
    assert not moved.good  # under other paths they are other files
    assert "  db/migrations/0001_items.sql: not applied" in moved.lines


def test_bad_input(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("nowhere", "", "--all", "HEAD:sql", "v1\nv2"):
        with pytest.raises(MisuseError) as wrong:
            status(project.root, needs=name)
        assert "this clone has no such commit" in wrong.value.found
    bare = tmp_path / "bare"
    bare.mkdir()
    with pytest.raises(MisuseError, match="belongs to no git repository"):
        status(bare)
    git(project.root, "rm", "-rq", "sql")
    project.write({"README": "no SQL"})
    empty = project.commit("no SQL")
    git(project.root, "checkout", "-q", "HEAD~1")
    assert (project.root / FIRST).is_file()
    with pytest.raises(MisuseError, match="has no SQL file in sql or sql/migrations"):
        status(project.root, needs=empty)
    # The exit codes are those of the command.
    monkeypatch.chdir(project.root)
    assert main(["status", f"--needs={empty}"]) == 4
    assert main(["status", "--needs=HEAD"]) == 1
    assert "it would run ahead of the schema" in capsys.readouterr().out
    monkeypatch.setenv("PGHOST_PROD", "127.0.0.1")
    assert main(["status"]) == 4
    assert "not set: PGPORT_PROD, PGDATABASE_PROD" in capsys.readouterr().err


def test_evidence_that_was_altered_is_no_ground(project: Project) -> None:
    path = promote(project, "0001aaaa")
    path.write_text(path.read_text().replace("0001_items", "0009_items"))
    project.commit("altered")
    with pytest.raises(EvidenceError):
        status(project.root, needs="HEAD")
