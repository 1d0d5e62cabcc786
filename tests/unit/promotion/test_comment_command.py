"""Which comment is written and where it belongs: one of a pull request, of its newest commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.__main__ import main
from pytest_housekeeping.errors import EvidenceError, MisuseError
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.promotion.commands.comment import (
    AUTHOR,
    PullRequest,
    planned_comment,
    read_request,
    superseded_comment,
    without_production,
)
from support.evidence_samples import sample
from support.github_api import GitHub
from support.promoted_past import promote
from support.staging_project import Project

OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    made = GitHub.make(tmp_path / "programs", repository="some/where", number=5, token="x")
    made.at(NEW)
    return made


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    file = tmp_path / "plan_20270102T030405Z_r1.json"
    file.write_text(to_json(sample(RunOutcome.PLANNED, Mode.PLAN)), encoding="utf-8")
    return file


def asked(github: GitHub, folder: Path) -> PullRequest:
    return read_request(*github.files(folder))


def of(commit: str) -> str:
    return f"<!-- pytest-housekeeping: plan of {commit} -->"


def test_the_first_comment_is_posted_and_later_ones_take_its_place(
    github: GitHub, audit: Path, tmp_path: Path
) -> None:
    first = planned_comment(NEW, audit, asked(github, tmp_path), private=True)
    assert first.place == "POST 5/comments"
    assert first.body.startswith(f"{of(NEW)}\n")
    github.say(AUTHOR, first.body)
    later = planned_comment(NEW, audit, asked(github, tmp_path), private=True)
    assert later.place == "PATCH comments/502"
    github.at("c" * 40)
    marked = superseded_comment(asked(github, tmp_path))
    assert marked.place == "PATCH comments/502"
    assert "**Superseded.** This is the plan of `bbbbbbbbbbbb`" in marked.body


def test_each_project_of_a_repository_has_a_comment_of_its_own(
    github: GitHub, audit: Path, tmp_path: Path
) -> None:
    places = []
    for project in ("services/shop", "services/a desk -->", ""):
        request = read_request(*github.files(tmp_path), project=project)
        made = planned_comment(NEW, audit, request, private=True, project=project)
        places.append(made.place)
        github.say(AUTHOR, made.body)
        assert (f": `{project}`" in made.body.splitlines()[2]) is bool(project)
        again = read_request(*github.files(tmp_path), project=project)
        assert again.posted is not None
        assert (again.posted.body, again.posted.commit) == (made.body, NEW)
    assert places == ["POST 5/comments"] * 3
    github.at("c" * 40)
    marked = superseded_comment(read_request(*github.files(tmp_path), project="services/shop"))
    assert "`services/shop`" in marked.body
    request = read_request(*github.files(tmp_path), project="services/shop")
    made = planned_comment("c" * 40, None, request, private=False, project="services/shop")
    assert "## ❌ No plan could be made: `services/shop`" in made.body


def test_nothing_is_marked_where_nothing_is_older(github: GitHub, tmp_path: Path) -> None:
    assert superseded_comment(asked(github, tmp_path)).place == ""
    github.say(AUTHOR, f"{of(NEW)}\nof this very commit")
    assert superseded_comment(asked(github, tmp_path)).place == ""


def test_a_run_that_comes_late_says_so_and_takes_no_newer_place(
    github: GitHub, audit: Path, tmp_path: Path
) -> None:
    late = planned_comment(OLD, audit, asked(github, tmp_path), private=True)
    assert late.place == "POST 5/comments"
    assert "**Superseded.** This is the plan of `aaaaaaaaaaaa`" in late.body
    github.say(AUTHOR, f"{of(NEW)}\nof the newest")
    late = planned_comment(OLD, audit, asked(github, tmp_path), private=True)
    assert (late.place, "**Superseded.**" in late.body) == ("", True)


def test_no_comment_of_anybody_else_is_touched(github: GitHub, audit: Path, tmp_path: Path) -> None:
    github.say("mallory", f"{of(OLD)}\nedit me")
    github.say(AUTHOR, f"as I said:\n{of(OLD)}")
    request = asked(github, tmp_path)
    assert request.posted is None
    assert superseded_comment(request).place == ""
    assert planned_comment(NEW, audit, request, private=False).place == "POST 5/comments"


def test_without_a_record_there_is_a_comment_all_the_same(tmp_path: Path) -> None:
    made = planned_comment(NEW, None, None, private=False)
    assert "No plan could be made" in made.body
    assert made.place == ""
    with pytest.raises(FileNotFoundError):
        planned_comment(NEW, tmp_path / "plan_*_r1.json", None, private=False)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"number": 5}', '{"message": "Not Found"}', "5"])
def test_what_is_no_answer_of_the_api_is_misuse(text: str, github: GitHub, tmp_path: Path) -> None:
    for at in (0, 1):
        files = github.files(tmp_path)
        files[at].write_text(text, encoding="utf-8")
        if (at, text) == (1, "[]"):
            assert read_request(*files).posted is None
            continue
        with pytest.raises(MisuseError, match=r"are no answers of GitHub's API"):
            read_request(*files)


def test_bad_input(audit: Path, tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match=r"'HEAD' is no commit"):
        planned_comment("HEAD", audit, None, private=False)
    with pytest.raises(MisuseError, match=r"--superseded, and no pull request"):
        superseded_comment(None)
    other = tmp_path / "prod.json"
    other.write_text(to_json(sample()), encoding="utf-8")
    with pytest.raises(MisuseError, match=r"is the audit of prod, and no plan"):
        planned_comment(NEW, other, None, private=False)
    text = audit.read_text(encoding="utf-8").replace("ada", "eve")
    audit.write_text(text, encoding="utf-8")
    with pytest.raises(EvidenceError, match=r"was edited"):
        planned_comment(NEW, audit, None, private=False)


def test_on_the_command_line(
    github: GitHub, audit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into, files = tmp_path / "comment.md", github.files(tmp_path)
    pulls = ["--pull-request", *map(str, files)]
    given = ["comment", "--of", NEW, "--audit", str(audit), "--into", str(into)]
    for more, private in ((pulls, False), ([*pulls, "--private"], True)):
        assert main([*given, *more]) == 0
        assert capsys.readouterr().out == "POST 5/comments\n"
        assert ("db.example.org" in into.read_text(encoding="utf-8")) is private
    assert main(given) == 0
    assert capsys.readouterr().out == ""
    assert main(["comment", "--superseded", *pulls, "--into", str(tmp_path / "none.md")]) == 0
    assert (capsys.readouterr().out, (tmp_path / "none.md").exists()) == ("", False)


def test_without_production_the_evidence_says_what_is_pending(tmp_path: Path) -> None:
    project = Project.make(tmp_path, "shop", repository=True)
    project.commit("all of it")
    nothing = without_production(project.root)
    assert "No promotion is on record in this repository" in nothing.body
    assert "- `sql/migrations/0001_items.sql: not applied`\n" in nothing.body
    promote(project, "0001aaaa")
    project.write({"sql/migrations/0003_@team.sql": "CREATE TABLE shop.x (id integer);\n"})
    project.commit("a table")
    later = without_production(project.root)
    assert later.place == ""
    assert "by the evidence of this repository: 1 file\n" in later.body
    assert "- `sql/migrations/0003_@team.sql: not applied`\n" in later.body
    (tmp_path / "empty").mkdir()
    with pytest.raises(MisuseError, match=r"belongs to no git repository"):
        without_production(tmp_path / "empty")
