"""What the programs that a run starts see of its environment, and that all are started with it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_housekeeping
from pytest_housekeeping.child_environment import (
    bare_environment,
    usual_environment,
    without_ways_elsewhere,
)

PACKAGE = Path(pytest_housekeeping.__file__).parent
GIVEN = {"bare_environment", "usual_environment"}
# Of each module what starts a program; of ``os`` by the beginning of the name.
STARTERS = {
    "subprocess": (
        "run",
        "Popen",
        "call",
        "check_call",
        "check_output",
        "getoutput",
        "getstatusoutput",
    ),
    "os": ("system", "popen", "exec", "spawn", "posix_spawn", "fork"),
    "pty": ("spawn", "fork"),
    "asyncio": ("create_subprocess_exec", "create_subprocess_shell"),
}
# A module without any of these starts nothing, and need not be parsed.
_MENTIONED = re.compile(rf"\b(?:{'|'.join(STARTERS)}|multiprocessing|concurrent|git)\b")
# They fork in a process that was itself started with the usual environment.
FORKS_THERE = {
    "checks/style/worker.py",
    "plugin/fleet/collected.py",
    "plugin/fleet/forks.py",
}


def test_every_program_is_started_with_one_of_the_environments() -> None:
    found = [call for path in sorted(PACKAGE.rglob("*.py")) for call in starts(path)]
    assert [place for place, is_given in found if not is_given] == []
    assert len(found) >= 8, "the reading of the source finds no starts any more"


@pytest.mark.parametrize(
    "line",
    [
        "subprocess.run(['git'])",
        "subprocess.run(['git'], env=os.environ)",
        "subprocess.Popen(['git'], env={**os.environ, 'A': 'b'})",
        "subprocess.Popen(['git'], env=environment)",
        "subprocess.check_output('git')",
        "subprocess.getstatusoutput('git')",
        "os.system('git')",
        "os.popen('git')",
        "os.execvp('git', ['git'])",
        "os.posix_spawnp('git', ['git'], os.environ)",
        "os.spawnl(0, 'git')",
        "pty.spawn('git')",
        "asyncio.create_subprocess_exec('git')",
        "from subprocess import run",
        "from subprocess import Popen as start",
        "from os import system",
        "import subprocess as sp",
        "import multiprocessing",
        "import concurrent.futures",
        "from concurrent.futures import ProcessPoolExecutor",
        "from multiprocessing.pool import Pool",
        "repo.git.execute(['git'])",
        "repo.git.status()",
    ],
)
def test_a_start_without_one_is_seen(tmp_path: Path, line: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(line)
    assert [is_given for _, is_given in starts(path)] == [False]


def test_a_start_with_one_is_let_through(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("subprocess.run(['git'], env=usual_environment() | {'LC_ALL': 'C'})")
    assert [is_given for _, is_given in starts(path)] == [True]


@pytest.mark.parametrize("name", ["PGPASSWORD", "PGPASSWORD_PROD", "PGHOST_PREPROD", "PGOPTIONS"])
def test_nothing_that_leads_to_a_database_is_handed_on(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "what-nobody-may-know")
    for url in ("HK_STAGING_URL", "HK_TWIN_SERVER", "HK_TWIN"):
        monkeypatch.setenv(url, "postgresql://u:what-nobody-may-know@h/d")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    for environment in (usual_environment(), bare_environment()):
        assert "what-nobody-may-know" not in str(environment)
        assert environment["PATH"] == os.environ["PATH"]
    assert usual_environment()["SSH_AUTH_SOCK"] == "/agent"


def test_it_is_gone_for_a_moment_and_back_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD_PROD", "what-nobody-may-know")
    with pytest.raises(KeyError), without_ways_elsewhere():
        os.environ["PGPASSWORD_PROD"]
    assert os.environ["PGPASSWORD_PROD"] == "what-nobody-may-know"


def starts(path: Path) -> Iterator[tuple[str, bool]]:
    """Every place of a module that starts a program, or could under another name, and whether it
    is given one of the environments."""
    name = path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name
    source = path.read_text(encoding="utf-8")
    if not _MENTIONED.search(source):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (called := _called(node)):
            forks = called == "os.fork" and name in FORKS_THERE
            yield f"{name}:{node.lineno} {called}", forks or _is_given(node)
        elif isinstance(node, ast.Import | ast.ImportFrom) and name not in FORKS_THERE:
            yield from ((f"{name}:{node.lineno} {what}", False) for what in _hidden(node))


def _called(call: ast.Call) -> str:
    """The start that a call is; "" when it is none."""
    dotted = ast.unparse(call.func)
    module, _, function = dotted.rpartition(".")
    known = STARTERS.get(module, ())
    # GitPython makes a git command of any attribute of ``repo.git``.
    if module.endswith(".git"):
        return "" if function in ("environment", "update_environment") else dotted
    return dotted if function.startswith(known) else ""


def _is_given(call: ast.Call) -> bool:
    for keyword in call.keywords:
        if keyword.arg == "env":
            used = {
                ast.unparse(node.func)
                for node in ast.walk(keyword.value)
                if isinstance(node, ast.Call)
            }
            return bool(used & GIVEN) and "os.environ" not in ast.unparse(keyword.value)
    return False


def _hidden(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Imports by which a program could be started under a name that nobody looks for."""
    if isinstance(node, ast.Import):
        for each in node.names:
            top = each.name.split(".")[0]
            if top == "multiprocessing" or each.name == "concurrent.futures":
                yield each.name
            elif each.asname and top in STARTERS:
                yield f"{each.name} as {each.asname}"
        return
    module = (node.module or "").split(".")[0]
    for each in node.names:
        if module == "multiprocessing" or each.name == "ProcessPoolExecutor":
            yield each.name
        elif each.name.startswith(STARTERS.get(module, ())):
            yield f"from {module} import {each.name}"
