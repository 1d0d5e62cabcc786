"""What was read is what ran, and what ran is in the commit that the audit attests."""

from __future__ import annotations

import hashlib
import os
import py_compile
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_housekeeping.plugin.options import PARTS
from support.fresh_copy import TESTS, commit_all, git
from support.production_project import UNPROVED, Production
from support.signing import new_key, signer_line
from support.staging_project import WITHOUT_RLS, Project

# Run as Python, committed and reviewed: it stands for somebody who edits while the run goes on.
EDITS_WHAT_IT_CAN = """
from pathlib import Path

def pytest_collection_finish(session):
    if session.config.getoption("hk_mode") != "{mode}":
        return
    for name in ("sql", "checks"):
        for path in Path(name).rglob("*"):
            if path.suffix in (".sql", ".toml"):
                path.write_text("SELECT this, is, nonsense", encoding="utf-8")
    Path("checks/queries/late.sql").write_text("SELECT 1", encoding="utf-8")
    Path("sql/migrations/0099_late.sql").write_text("SELECT 1;", encoding="utf-8")
"""


def committed(production: Production, path: str) -> str:
    """The sha256 of a file as HEAD has it."""
    blob = ["git", "cat-file", "blob", f"HEAD:{path}"]
    data = subprocess.run(blob, cwd=production.root, stdout=subprocess.PIPE, check=True).stdout
    return hashlib.sha256(data).hexdigest()


def test_files_edited_while_staging_runs(production: Production) -> None:
    """Bootstrap, history, seeds, rollback files and mutants: all run as they were read."""
    production.change({"conftest.py": EDITS_WHAT_IT_CAN.format(mode="staging")})
    run = production.stage("--hk-mutate")
    assert (run.code, run.outcome) == (0, "promoted"), run.output


def test_files_edited_while_production_is_promoted(production: Production) -> None:
    text = EDITS_WHAT_IT_CAN.format(mode="prod")
    production.change({"conftest.py": text}, proved=True)
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output

    production.execute("SELECT id FROM desk.pressing")
    for step in run.audit["plan"]["steps"]:
        if step["sha256"] and step["kind"] != "boundary":
            assert step["sha256"] == committed(production, step["path"]), step["id"]


# -- what git does not show ------------------------------------------------------------------------

FIX = r"git config core\.autocrlf false; git rm .*; git checkout HEAD [^;\n]*"
QUERY, TEST, FIRST = (
    "checks/queries/no_empty_secret.sql",
    "checks/test_desk.py",
    "sql/migrations/0001_tickets.sql",
)


def assume_unchanged(root: Path) -> str:
    git(root, "update-index", "--assume-unchanged", QUERY)
    (root / QUERY).write_text("SELECT 1 WHERE false\n", encoding="utf-8")
    return QUERY


def skip_worktree(root: Path) -> str:
    git(root, "update-index", "--skip-worktree", "ops/production.json")
    text = (root / "ops/production.json").read_text(encoding="utf-8")
    (root / "ops/production.json").write_text(text.replace("7", "8"), encoding="utf-8")
    return "ops/production.json"


def excluded_conftest(root: Path) -> str:
    (root / ".git/info/exclude").write_text("conftest.py\n", encoding="utf-8")
    (root / "conftest.py").write_text("weaker = True\n", encoding="utf-8")
    return "conftest.py"


def excluded_helper(root: Path) -> str:
    (root / ".git/info/exclude").write_text("helper.py\n", encoding="utf-8")
    (root / "checks/helper.py").write_text("weaker = True\n", encoding="utf-8")
    return "checks/helper.py"


def excluded_settings(root: Path) -> str:
    """pytest.ini comes before pyproject.toml, for pytest."""
    (root / ".git/info/exclude").write_text("pytest.ini\n", encoding="utf-8")
    (root / "pytest.ini").write_text("[pytest]\npython_functions = none\n", encoding="utf-8")
    return "pytest.ini"


def replaced_commit(root: Path) -> str:
    head = git(root, "rev-parse", "HEAD")
    (root / QUERY).write_text("SELECT 1 WHERE false\n", encoding="utf-8")
    git(root, "commit", "-qam", "weaker")
    weaker = git(root, "rev-parse", "HEAD")
    git(root, "reset", "-q", "--soft", head)
    git(root, "replace", head, weaker)
    return QUERY


@pytest.mark.parametrize(
    "hide",
    [
        assume_unchanged,
        skip_worktree,
        excluded_conftest,
        excluded_helper,
        excluded_settings,
        replaced_commit,
    ],
)
def test_what_is_hidden_from_git_is_not_promoted(
    production: Production, hide: Callable[[Path], str]
) -> None:
    path = hide(production.root)
    assert git(production.root, "status", "--porcelain") == ""
    run = production.promote()
    assert run.code == 4, run.output
    assert f"uncommitted changes: {path}\n" in run.output, run.output
    assert (run.outcome, production.unchanged) == ("refused", True)


def test_line_endings_of_a_checkout_and_the_way_out(production: Production) -> None:
    """core.autocrlf: git shows nothing, the fix is followed to the letter, and it helps."""
    root = production.root
    git(root, "config", "core.autocrlf", "true")
    git(root, "rm", "-q", "--cached", "--", QUERY, FIRST)
    git(root, "checkout", "HEAD", "--", QUERY, FIRST)
    assert git(root, "status", "--porcelain") == ""
    assert b"\r\n" in (root / FIRST).read_bytes()

    staged = production.stage()
    assert f"{FIRST}: is not the text that was promoted: git has rewritten" in staged.output
    assert "not committed: git has rewritten files when it checked them out" in staged.output
    run = production.promote()
    assert (run.code, production.unchanged) == (4, True)
    assert "git has rewritten files when it checked them out" in run.output
    fixes = {fix for output in (staged.output, run.output) for fix in re.findall(FIX, output)}
    (fix,) = fixes
    assert fix.endswith(f"':(top,literal){QUERY}' ':(top,literal){FIRST}'")
    subprocess.run(fix, shell=True, cwd=root, check=True)
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output


def test_the_audit_names_the_code_that_ran(production: Production) -> None:
    production.change({"checks/helper.py": "half = 1\n", "conftest.py": "x = 1\n"}, proved=True)
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    named = {file["path"]: file["sha256"] for file in run.audit["source"]["code"]}
    ran = ["checks/helper.py", TEST, "conftest.py", "ops/production.json", "pyproject.toml"]
    assert named == {path: committed(production, path) for path in ran}


def test_another_helper_is_another_plan(production: Production) -> None:
    """What staging has proved was proved with the code that it ran."""
    production.change({**WITHOUT_RLS, "checks/helper.py": "half = 1\n"}, stage=True)
    production.change({"checks/helper.py": "half = 2\n"})
    run = production.promote()
    assert (run.code, run.steps["precheck::evidence"]) == (1, "failed"), run.output
    assert production.unchanged


# -- what ran as Python ----------------------------------------------------------------------------

HELPED = "{imported}\n\ndef test_it():\n    {within}\n    assert helper.half == 1\n"


@pytest.mark.parametrize("place", ["collection", "test"])
def test_a_module_in_no_commit_that_a_test_imports(production: Production, place: str) -> None:
    """Before production is touched where the import stands at the top; else before COMMIT."""
    inside = place == "test"
    text = HELPED.format(
        imported="" if inside else "import helper", within="import helper" if inside else ""
    )
    production.change({"checks/test_half.py": text, "pyproject.toml": UNPROVED})
    (production.root / ".git/info/exclude").write_text("helper.py\nlib/\n", encoding="utf-8")
    production.project.write({"lib/helper.py": "half = 1\n"})
    run = production.promote(PYTHONPATH=f"lib{os.pathsep}{TESTS}")
    assert "ran as Python and is not in the commit: lib/helper.py" in run.output, run.output
    assert production.unchanged
    assert "Traceback" not in run.output
    if inside:
        assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    else:
        assert (run.code, run.outcome) == (4, "refused"), run.output
        assert not [each for each in run.steps.values() if each == "passed"]
        # In the summary of the run, and not only as pytest's own last words.
        assert "\nran as Python and is not in the commit: lib/helper.py" in run.output, run.output
    assert run.audit["source"]["dirty_paths"] == ["lib/helper.py"]


def test_a_generated_file_that_the_settings_name_may_run(production: Production) -> None:
    """The way out, to the letter: named in a reviewed commit, and in the audit with its sha256."""
    generated = '[tool.housekeeping]\nlint = false\ngenerated_code = ["lib/helper.py"]\n'
    ignored = "__pycache__/\n/ops/audit/staging_*\nlib/\n"
    production.project.write({**WITHOUT_RLS, ".gitignore": ignored})
    production.project.write(
        {"lib/helper.py": "half = 1\n", "pyproject.toml": "[tool.housekeeping]\nlint = false\n"}
    )
    production.project.write(
        {"checks/test_half.py": HELPED.format(imported="import helper", within="pass")}
    )
    commit_all(production.root, "a module that a build makes")
    path = f"lib{os.pathsep}{TESTS}"
    run = production.project.run(PYTHONPATH=path)
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert "lib/helper.py ran as Python: commit it; one that a build makes is named" in run.output

    production.project.write({"pyproject.toml": generated})
    commit_all(production.root, "it is generated, and may run")
    run = production.project.run(PYTHONPATH=path)
    assert "committed: " in run.output, run.output
    run = production.promote(PYTHONPATH=path)
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    named = {file["path"]: file["sha256"] for file in run.audit["source"]["code"]}
    assert named["lib/helper.py"] == hashlib.sha256(b"half = 1\n").hexdigest()
    assert not run.audit["source"]["dirty"]


def test_a_test_that_was_edited_after_the_plan_was_made(tmp_path: Path) -> None:
    """Also in staging: the record would name a text that did not run."""
    edit = """
from pathlib import Path

def pytest_collection(session):
    path = Path("checks/test_desk.py")
    path.write_text(path.read_text(encoding="utf-8") + "\\n", encoding="utf-8")
"""
    run = Project.make(tmp_path, "tenants", {"conftest.py": edit}, repository=True).run()
    assert (run.code, run.outcome) == (4, "refused"), run.output
    assert "checks/test_desk.py ran as another text than the plan was made from" in run.output


def test_a_module_of_the_repository_is_named_and_one_of_no_commit_keeps_evidence_away(
    tmp_path: Path,
) -> None:
    """Modules, plugins, and what takes itself out of sys.modules: all ran."""
    files = {
        **WITHOUT_RLS,
        "conftest.py": "import sys\nimport seen\nimport gone\ndel sys.modules['gone']\n",
        "seen.py": "",
        "gone.py": "",
    }
    project = Project.make(tmp_path, "tenants", files, repository=True)
    run = project.run(PYTHONPATH=f".{os.pathsep}{TESTS}")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    named = [file["path"] for file in run.audit["source"]["code"]]
    assert {"conftest.py", "seen.py", "gone.py", "checks/test_desk.py"} <= set(named)
    assert not run.audit["source"]["dirty"]

    project.write({"plugged.py": "", ".git/info/exclude": "plugged.py\n"})
    run = project.run("-p", "plugged", PYTHONPATH=f".{os.pathsep}{TESTS}")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.audit["source"]["dirty_paths"] == ["plugged.py"]
    assert "not committed: uncommitted changes" in run.output


def test_a_cached_form_of_another_text_is_refused(tmp_path: Path) -> None:
    """Python believes __pycache__ by the size and the time of a file."""
    files = {"conftest.py": "import half\n", "half.py": "half = 1\n"}
    project = Project.make(tmp_path, "tenants", files, repository=True)
    place = project.root / "half.py"
    py_compile.compile(str(place))
    before = place.stat()
    place.write_text("half = 2\n", encoding="utf-8")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    project.commit("the other half")
    run = project.run(PYTHONPATH=f".{os.pathsep}{TESTS}")
    assert (run.code, run.outcome) == (4, "refused"), run.output
    assert "half.py ran as another text" in run.output


# -- who has signed what staging has proved -------------------------------------------------------

SIGNERS = "ops/allowed_signers"
SIGNED = f'[tool.housekeeping]\nlint = false\nevidence_signers = "{SIGNERS}"\n'


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")
def test_only_evidence_that_a_signer_has_signed_is_taken(
    production: Production, tmp_path: Path
) -> None:
    """Staging says that production will not take it, and the way out is followed to the letter."""
    key = new_key(tmp_path, "ada")
    root = production.root
    production.change({**WITHOUT_RLS, "pyproject.toml": SIGNED, SIGNERS: ""})
    run = production.promote()
    assert (run.code, run.outcome) == (4, "refused"), run.output
    assert f"evidence_signers = '{SIGNERS}': it names nobody" in run.output

    production.change({SIGNERS: signer_line(key, "ada@example.org")})
    run = production.stage()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert "PRODUCTION WILL NOT TAKE THIS EVIDENCE: git is configured to sign with" in run.output
    fix = re.findall(r"run staging again with: (.*)", run.output)[0]
    run = production.promote()
    assert (run.code, run.steps["precheck::evidence"]) == (1, "failed"), run.output
    assert "is signed by none of the signers: it is not signed" in run.output
    assert production.unchanged

    fix = fix.replace("<path of the .pub file>", f"{key}.pub")
    subprocess.run(fix, shell=True, cwd=root, check=True)
    run = production.stage()
    assert "signed by ada@example.org: production takes it" in run.output, run.output
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert SIGNERS in [file["path"] for file in run.audit["source"]["code"]]


# -- what would end well with nothing done ---------------------------------------------------------

UNREGISTERS = """
def pytest_collection(session):
    session.config.pluginmanager.unregister(name="housekeeping-run")
"""


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_the_run_cannot_be_switched_off(tmp_path: Path, part: str) -> None:
    run = Project.make(tmp_path, "tenants").run("-p", f"no:{part}")
    assert run.code == 4, run.output
    assert f"-p no:{part} switches a part of the run off" in run.output


def test_a_run_that_a_conftest_takes_away_does_not_end_well(tmp_path: Path) -> None:
    files = {"conftest.py": UNREGISTERS, "checks/test_desk.py": "def test_it():\n    pass\n"}
    run = Project.make(tmp_path, "tenants", files).run()
    assert "1 passed" in run.output, run.output
    assert run.code == 4, run.output
    assert "but the run did not finish" in run.output
