"""A whole staging run: the plan in order, the evidence, its commit, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import psycopg
import pytest

import pytest_housekeeping
from pytest_housekeeping.checks.json_cache import default_folder
from pytest_housekeeping.evidence.audit_file import from_json
from pytest_housekeeping.evidence.own_plan import own_plan_faults
from pytest_housekeeping.sql.text import digest
from support.fresh_copy import ROOT, git
from support.ordinary_user import become_ordinary
from support.postgres_service import GIVEN_WORD
from support.staging_project import STAGING, WITHOUT_RLS, Project, Run

BRANCH = "housekeeping/audit/staging"
PHASES = ["precheck", "apply", "seed", "verify", "tripwire", "promote", "after"]
SLOW = {"sql/migrations/0003_slow.sql": "SELECT pg_sleep(60);\n"}


def evidence(project: Project) -> list[str]:
    """The files of evidence that the tip of its branch holds."""
    names = git(project.root, "ls-tree", "-r", "--name-only", BRANCH, "ops/audit/")
    return names.splitlines()


def test_the_sample_is_proved_as_it_reads(tmp_path: Path) -> None:
    project = Project.sample(tmp_path)
    read = project.run("--collect-only", "-q").output.split("\n\n")[0].splitlines()
    run = project.run("-v")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.ran == read
    behind = read[read.index("promote") + 1 :]
    assert (behind.pop(0), behind.pop()) == ("after::schema", "verify::restore")
    assert behind, "the applications' own tests see what is committed"
    assert all(each.startswith("examples/") or "::running: " in each for each in behind)
    planned = [step["id"] for step in run.audit["plan"]["steps"]]
    assert list(dict.fromkeys(each.partition("[")[0] for each in read)) == planned
    assert list(run.steps) == planned
    assert set(run.steps.values()) == {"passed"}
    assert all(step["examined"] > 0 for step in run.audit["steps"])
    assert list(dict.fromkeys(step["phase"] for step in run.audit["steps"])) == PHASES


def test_a_result_that_does_not_restore_is_not_proved(tmp_path: Path) -> None:
    """Promoted, it would have every later promotion refused: its backup does not restore."""
    text = """
        CREATE FUNCTION shop.fold(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)';
        SET search_path = shop;
        CREATE FUNCTION norm(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT fold(t)';
        CREATE INDEX item_norm ON item (norm(name));
    """
    project = Project.make(tmp_path, files={"sql/migrations/0003_norm.sql": text}, repository=True)
    run = project.run()
    assert (run.code, run.outcome) == (1, "promoted"), run.output
    assert [step for step, outcome in run.steps.items() if outcome != "passed"] == [
        "verify::restore"
    ]
    assert "did not restore: index shop.item_norm: " in run.message("verify::restore")
    assert "Not proved: a step after COMMIT failed" in run.output
    assert "Proved in staging" not in run.output


def test_the_record_is_what_is_published(tmp_path: Path) -> None:
    project = Project.make(tmp_path, "tenants")
    run = project.run("--hk-json")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    told = run.told
    assert (told["mode"], told["outcome"], told["exit_code"]) == ("staging", "promoted", 0)
    assert told["next"]["command"] == "pytest --hk-mode=plan"
    schema = json.loads((ROOT / "docs" / "audit.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(run.audit, schema)
    assert run.audit["target"]["user"] == "hk_migrator"
    assert run.audit["target"]["server_version"].startswith("16.")
    source = dict(run.audit["source"])
    assert "psycopg" in [tool["name"] for tool in source.pop("tools")]
    assert source == {
        "commit": None,
        "branch": None,
        "dirty": False,
        "dirty_paths": [],
        "url": "",
        "change_url": "",
        "code": [
            {"path": path, "sha256": digest((project.root / path).read_bytes())}
            for path in ("checks/test_desk.py", "pyproject.toml")
        ],
    }
    assert "not committed: not in a git repository" in run.output
    assert "checks/rls.toml::rls-not-forced" in run.page
    loaded = r"<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)\s*=\s*[\"']?(?:https?:)?//"
    assert re.findall(loaded, run.page) == []
    assert re.findall(r"url\(\s*[\"']?https?:|@import", run.page) == []


def test_the_evidence_is_committed_and_nothing_else_is_touched(tmp_path: Path) -> None:
    project = Project.make(tmp_path, files={"notes.txt": "one\n"}, repository=True)
    project.write({"notes.txt": "staged\n"})
    git(project.root, "add", "notes.txt")
    project.write({"notes.txt": "in work\n"})
    head, index = git(project.root, "rev-parse", "HEAD"), project.root / ".git" / "index"
    before = index.read_bytes()
    run = project.run()
    assert (run.code, run.audit["source"]["commit"]) == (0, head), run.output
    assert run.audit_path is not None
    json_name = run.audit_path.relative_to(project.root).as_posix()
    assert evidence(project) == [json_name.replace(".json", ".html"), json_name]
    shown = git(project.root, "show", f"{BRANCH}:{json_name}")
    assert shown == run.audit_path.read_text(encoding="utf-8").rstrip("\n")
    assert head[:12] in git(project.root, "log", "-1", "--format=%B", BRANCH)
    assert index.read_bytes() == before
    assert git(project.root, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert git(project.root, "rev-parse", "HEAD") == head
    assert (project.root / "notes.txt").read_text(encoding="utf-8") == "in work\n"

    second = project.run()
    assert second.audit["chain"]["previous"] == run.audit["chain"]["digest"]
    assert run.audit["chain"]["previous"] is None
    assert len(evidence(project)) == 4


def test_what_no_commit_holds_is_not_attested(tmp_path: Path) -> None:
    project = Project.make(tmp_path, repository=True)
    project.write({"checks/queries/names.sql": "SELECT id FROM shop.item WHERE name = ''\n"})
    run = project.run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.audit["source"]["dirty"] is True
    assert run.audit["source"]["dirty_paths"] == ["checks/queries/names.sql"]
    assert "not committed: uncommitted changes" in run.output
    assert git(project.root, "branch", "--list", BRANCH) == ""


def test_evidence_that_nobody_wants_committed_is_written(tmp_path: Path) -> None:
    project = Project.make(tmp_path, repository=True)
    run = project.run("--hk-no-commit")
    assert (run.code, run.outcome, run.audit["source"]["dirty"]) == (0, "promoted", False)
    assert "not committed: --hk-no-commit" in run.output
    assert git(project.root, "branch", "--list", BRANCH) == ""


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    git(project.root, "init", "--quiet")
    run = project.run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert "not committed: no commit yet" in run.output


def test_a_failed_run_is_evidence_too(tmp_path: Path) -> None:
    broken = {"sql/migrations/0003_broken.sql": "SELECT 1 / 0;\n"}
    project = Project.make(tmp_path, files=broken, repository=True)
    run = project.run()
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert len(evidence(project)) == 2
    assert run.steps["sql/migrations/0003_broken.sql::apply"] == "failed"


# -- whatever way it ends --------------------------------------------------------------------


def started(project: Project) -> subprocess.Popen[str]:
    """A run that is in the middle of its slow file."""
    process = project.start("-v")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        journals = list(project.root.glob("ops/audit/*.journal.jsonl"))
        if journals and "0003_slow.sql::apply" in journals[0].read_text().partition("\n")[2]:
            time.sleep(0.2)
            return process
        time.sleep(0.02)
    raise AssertionError(project.finish(process).output)


def test_ctrl_c_leaves_a_record_and_nothing_else(tmp_path: Path) -> None:
    project = Project.make(tmp_path, files=SLOW)
    process = started(project)
    process.send_signal(signal.SIGINT)
    run = project.finish(process, patience_s=10)
    assert project.leftovers() == []
    assert run.code == 2
    assert run.outcome == "rolled_back"
    assert run.steps["sql/migrations/0002_prices.sql::apply"] == "passed"
    assert run.steps["sql/migrations/0003_slow.sql::apply"] == "skipped"
    assert run.steps["promote"] == "skipped"
    assert "everything that was required has passed" not in run.output
    assert list(project.root.glob("ops/audit/*.journal.jsonl")) == []


def test_an_audit_that_could_not_be_published_is_kept_as_it_is(tmp_path: Path) -> None:
    """The journal of its run, which knows less, must not take its place."""
    project = Project.make(tmp_path, repository=True)
    project.run()
    git(project.root, "worktree", "add", "-q", "../elsewhere", BRANCH)
    run = project.run()
    assert (run.code, run.outcome) == (1, "promoted"), run.output
    assert "THE EVIDENCE IS NOT COMPLETE" in run.output
    assert run.audit_path is not None
    written = run.audit_path.read_bytes()

    git(project.root, "worktree", "remove", "../elsewhere")
    # A run that commits nothing does not use it up.
    assert project.run("--hk-no-commit").code == 0
    assert f"ops/audit/{run.audit_path.name}" not in evidence(project)
    again = project.run()
    assert again.code == 0, again.output
    assert "which was not published, is added now" in again.output
    assert run.audit_path.read_bytes() == written
    assert f"ops/audit/{run.audit_path.name}" in evidence(project)
    # It comes before the run that has published it: the chain has no fork.
    assert again.audit["chain"]["previous"] == json.loads(written)["chain"]["digest"]
    assert list(project.root.glob("ops/audit/*.journal.jsonl")) == []


def test_what_a_kill_leaves_is_cleared_and_put_on_record_by_the_next_run(tmp_path: Path) -> None:
    project = Project.make(tmp_path, files=SLOW)
    process = started(project)
    process.kill()
    dead = project.finish(process)
    assert dead.audit_path is None
    assert project._processes() != []
    project.write({"sql/migrations/0003_slow.sql": None})
    run = project.run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert "a run that was killed is on record now" in run.output
    (record,) = [path for path in project.audits() if path != run.audit_path]
    audit = json.loads(record.read_text(encoding="utf-8"))
    assert audit["run"]["outcome"] == "rolled_back"
    assert "during sql/migrations/0003_slow.sql::apply" in audit["run"]["message"]
    outcomes = {step["id"]: step["outcome"] for step in audit["steps"]}
    assert outcomes["sql/migrations/0002_prices.sql::apply"] == "passed"
    assert outcomes["promote"] == "skipped"


def test_one_killed_behind_its_end_is_put_on_record_without_a_fault(tmp_path: Path) -> None:
    """It has proved everything, and names the database that it has proved it on."""
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    conftest = f"import os\nimport signal\n\n\ndef pytest_sessionfinish():\n    {kill}\n"
    project = Project.make(tmp_path, files={"conftest.py": conftest}, repository=True)
    dead = project.finish(project.start())
    assert (dead.code, dead.audit_path) == (-signal.SIGKILL, None), dead.output
    project.write({"conftest.py": None})
    git(project.root, "commit", "-qam", "no more")
    run = project.run()
    assert run.code == 0, run.output
    (record,) = [path for path in project.audits() if path != run.audit_path]
    audit = from_json(record.read_bytes(), name=record.name, intact=True)
    assert audit.run.outcome == "promoted"
    assert own_plan_faults(audit) == ()


def test_keep_leaves_the_database_and_says_how_to_connect(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    run = project.finish(project.start("--hk-keep"))
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    data = Path(run.audit["target"]["host"])
    try:
        host = re.search(r"host=(\S+)", run.output) or re.search(r"-h (\S+)", run.output)
        assert host is not None, run.output
        assert host[1] == str(data)
        name = run.audit["target"]["database"]
        assert name in run.output
        with psycopg.connect(host=str(data), dbname=name, user="hk_migrator") as connection:
            assert connection.execute("SELECT count(*) FROM shop.item").fetchone() == (2,)
        removal = re.search(r"remove it: (.*)", run.output)
        assert removal is not None
        subprocess.run(["sh", "-c", removal[1]], check=True)
    finally:
        pid = data / "postmaster.pid"
        if pid.exists():
            os.kill(int(pid.read_text().splitlines()[0]), signal.SIGQUIT)
    assert project.leftovers() == []


# -- where it runs ---------------------------------------------------------------------------


def test_a_given_server_is_used_and_its_password_told_to_nobody(
    tmp_path: Path, given_port: int, given_url: str
) -> None:
    project = Project.make(tmp_path, "tenants", WITHOUT_RLS)
    run = project.run("-vv", f"--hk-staging-url={given_url}")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert (run.audit["target"]["host"], run.audit["target"]["port"]) == ("127.0.0.1", given_port)
    assert run.tells(*GIVEN_WORD) == []


def test_a_wrong_password_is_told_without_it(tmp_path: Path, given_port: int) -> None:
    """The server may be given by a variable as well."""
    url = f"postgresql://postgres:wr0ngword@127.0.0.1:{given_port}/postgres"
    run = Project.make(tmp_path).run(HK_STAGING_URL=url)
    assert run.code == 1
    assert run.outcome == "refused"
    assert "password authentication failed" in run.output
    assert "wr0ngword" not in run.output + json.dumps(run.audit)


@become_ordinary
@pytest.mark.parametrize("template", ["tenants", "sample"])
def test_an_ordinary_user_runs(open_folder: Path, template: str) -> None:
    python, packages = for_everybody()
    # What is worth keeping of a slow start is kept there, and nowhere else.
    home = open_folder / "home"
    home.mkdir()
    if template == "sample":
        project = Project.sample(open_folder)
        _style_is_known(home)
    else:
        project = Project.make(open_folder, template, repository=True)
    subprocess.run(["chown", "-R", "nobody", str(open_folder)], check=True)
    environment = project.environment() | {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "PYTHONPATH": f"{project.root}:{packages}",
    }
    process = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", "--hk-mode=staging", "-q"],
        cwd=project.root,
        env=environment,
        user="nobody",
        group="nogroup",
        extra_groups=[],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    (audit,) = project.audits()
    assert json.loads(audit.read_text(encoding="utf-8"))["run"]["outcome"] == "promoted"
    assert project.leftovers() == []


def _style_is_known(home: Path) -> None:
    """All is empty but for the style of the files, which takes longer than the rest of the run."""
    known = default_folder("lint")
    if known.exists():
        shutil.copytree(known, home / known.parent.name / known.name)


FOR_ALL = ("pytest_housekeeping", "psycopg", "postgast", "pydantic_core", "sqlfluff")


def for_everybody() -> tuple[str, str]:
    """An interpreter that another user can start, and the packages for it; else a skip."""
    ours = Path(pytest_housekeeping.__file__).parents[1]
    packages = f"{Path(pytest.__file__).parents[1]}:{ours}"
    version = ".".join(map(str, sys.version_info[:2]))
    for python in (sys.executable, f"/usr/bin/python{version}"):
        command = [python, "-c", f"import {', '.join(FOR_ALL)}"]
        with contextlib.suppress(OSError):
            tried = subprocess.run(
                command,
                cwd="/",
                env={"PYTHONPATH": packages},
                user="nobody",
                group="nogroup",
                extra_groups=[],
                capture_output=True,
            )
            if tried.returncode == 0:
                return python, packages
    pytest.skip("no interpreter here can be started by another user")


def test_it_may_be_started_from_a_folder_of_the_project(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    for paths in ((), ("../sql", ".")):
        run = project.fork(project.plain_arguments(*STAGING, "-v", *paths), {}, "checks")
        assert run.code == 0, run.output
        assert "promote PASSED" in run.output
    assert len(project.audits()) == 2
    assert project.leftovers() == []


def test_two_runs_side_by_side_do_not_meet(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    both = [project.start(), project.start()]
    assert [project.finish(each).code for each in both] == [0, 0]
    assert len(project.audits()) == 2
    assert project.leftovers() == []


# -- without a mode ----------------------------------------------------------------------------

HEAVY = ("psycopg", "pydantic", "git", "sqlfluff", "pytest_postgresql.janitor")


def imported(project: Project, *arguments: str) -> tuple[Run, set[str]]:
    """A run of plain pytest, and every module that it has imported."""
    tell = "\nimport atexit, sys; atexit.register(lambda: print('HAS', *sorted(sys.modules)))\n"
    project.write({"conftest.py": tell, "test_plain.py": "def test_it() -> None:\n    pass\n"})
    run = project.finish(project.spawn("test_plain.py", *arguments))
    return run, set(run.output.rpartition("HAS ")[2].split())


def test_without_a_mode_nothing_is_imported_or_changed(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    # pytest-postgresql imports psycopg in every suite, and would hide that we do.
    quiet = ("-p", "no:pytest_postgresql")
    run, with_us = imported(project, *quiet)
    other, without = imported(project, *quiet, "-p", "no:housekeeping")
    assert (run.code, other.code) == (0, 0), run.output + other.output
    ours = {name for name in with_us - without if not name.startswith("pytest_housekeeping")}
    assert [name for name in ours if name.split(".")[0] in HEAVY] == []
    package = {name for name in with_us if name.startswith("pytest_housekeeping.")}
    # The names of the options, of the hooks and of the fixtures, and nothing that they stand for.
    plugin = "pytest_housekeeping.plugin"
    named = ("hookspecs", "command_options", "database_fixtures")
    assert package == {plugin, *(f"{plugin}.{each}" for each in named)}
    assert "1 passed" in run.output
    assert not (project.root / "ops").exists()


def test_without_a_mode_a_schema_is_not_collected(tmp_path: Path) -> None:
    project = Project.make(tmp_path, files={"checks/test_shop.py": "def test_it():\n    pass\n"})
    run = project.finish(project.spawn("-v"))
    assert run.code == 0
    assert run.ran == ["checks/test_shop.py::test_it"]
