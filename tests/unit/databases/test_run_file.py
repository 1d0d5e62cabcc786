"""The file by which the processes of a run find each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_housekeeping.databases import run_file
from pytest_housekeeping.databases.run_file import RunFile
from support.fresh_copy import ROOT

# Another process that takes part and then waits to be killed.
_TAKES_PART = """
import sys
from pathlib import Path
from pytest_housekeeping.databases import run_file
run_file.cache_folder = lambda: Path(sys.argv[1])
taking = run_file.RunFile("run")
with taking.alone() as known:
    known["by"] = "another"
print("in", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run_file, "cache_folder", lambda: tmp_path)
    return tmp_path


def test_what_is_known_is_known_to_all_until_the_last_leaves(cache: Path) -> None:
    first, second, other = RunFile("run"), RunFile("run"), RunFile("another run")
    with first.alone() as known:
        known["n"] = {"a": 1}
    with second.alone() as known, other.alone() as unknown:
        assert (known, unknown) == ({"n": {"a": 1}}, {})
        known["n"] = {}
    with first.leaving() as (last, known):
        assert (last, known) == (False, {"n": {}})
    with second.leaving() as (last, known):
        assert (last, known) == (True, {"n": {}})
    with other.leaving() as (last, _):
        assert last
    assert list(cache.iterdir()) == []


def test_what_was_changed_stays_when_the_work_fails() -> None:
    taking = RunFile("run").alone()
    taking.__enter__()["failures"] = ["a"]
    taking.__exit__(ValueError, ValueError("fails"), None)
    with RunFile("run").alone() as known:
        assert known == {"failures": ["a"]}


def test_one_that_was_killed_takes_no_part_any_more(cache: Path) -> None:
    command = [sys.executable, "-c", _TAKES_PART, str(cache)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        ours = RunFile("run")
        with ours.alone() as known:
            assert known == {"by": "another"}
        with ours.leaving() as (last, _):
            assert not last
        other.kill()
    assert len(list(cache.iterdir())) == 2
    RunFile("the next")
    assert list(cache.iterdir()) == []


def test_a_file_that_holds_nonsense_is_as_good_as_empty(cache: Path) -> None:
    taking = RunFile("run")
    with taking.alone():
        (place,) = (path for path in cache.iterdir() if not path.name.endswith(".users"))
        place.write_text("{", encoding="utf-8")
    with RunFile("run").alone() as known:
        assert known == {}
