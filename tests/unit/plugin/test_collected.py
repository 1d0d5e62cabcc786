"""Forks behind a collection: only where nothing is shared by them, and never a pass for nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import pytest

from pytest_housekeeping.plugin.fleet.collected import Collections

# An installed package, as far as the watch is concerned: it lies beside the project.
ASKS = """import importlib, socket, threading, time
import pytest
from pytest_housekeeping.plugin.fleet.collected import is_fit
from pytest_housekeeping.plugin.import_ahead import import_ahead
from pytest_housekeeping.plugin.ran_code import watch
from pytest_housekeeping.plugin.stash import CODE_WATCH

@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    early_config.stash[CODE_WATCH] = watch(early_config.rootpath, early_config)

def pytest_collection_finish(session):
    # What is imported ahead is waited for, however long it takes.
    importlib.import_module = lambda name: time.sleep(0.1)
    import_ahead(session.config.stash[CODE_WATCH], ())
    found = [is_fit(session)]
    with socket.socket():
        found.append(is_fit(session))
    session.testsfailed = 1
    found.append(is_fit(session))
    session.testsfailed = 0
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    print("is fit:", *found, is_fit(session))
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [("nothing.txt", "True False False False"), ("conftest.py", "False False False False")],
    ids=["connection-failure-thread", "code"],
)
def test_nothing_is_forked_behind_what_would_be_shared(
    pytester: pytest.Pytester,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    said: str,
) -> None:
    """A connection, a thread, an error in collecting, or a module of the project, which may keep
    what it has seen."""
    (tmp_path / "asks.py").write_text(ASKS, encoding="utf-8")
    (pytester.path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (pytester.path / name).write_text("KNOWN = []\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = pytester.runpytest_subprocess("-p", "asks", "-p", "no:xdist", "-s")
    assert f"is fit: {said}" in done.outlines, done.outlines


def test_one_is_made_for_some_groups_alone() -> None:
    made = Collections()
    assert not made.is_due("")
    assert made.is_due("one")
    assert made.run("one", "{}\n") is None
    for group in ("two", "three", "four", "five"):
        if made.begin(group):
            os._exit(114)
    assert not made.is_due("one")


@pytest.mark.parametrize(("code", "due"), [(114, [False, False]), (4, [True, False])])
def test_it_is_tried_again_only_where_a_database_was_away(code: int, due: list[bool]) -> None:
    """What may not be shared for one of a group may not be for any."""
    made, found = Collections(), list[bool]()
    for _ in range(2):
        if made.begin("one"):
            os._exit(code)
        found.append(made.is_due("one"))
    assert found == due


def begun(made: Collections) -> tuple[IO[str], IO[str]] | None:
    """In the process that is made for the group, which says that it is ready: its pipes."""
    pipes = made.begin("one")
    if pipes is not None:
        pipes[1].write("ready\n")
        pipes[1].flush()
    return pipes


def test_a_process_that_is_gone_is_no_pass(capfd: pytest.CaptureFixture[str]) -> None:
    """A run of which nobody tells how it ended has failed, and the next one is forked alone."""
    made = Collections()
    if pipes := begun(made):
        pipes[0].readline()
        os._exit(0)
    assert made.run("one", "a job\n") == 1
    assert made.run("one", "another\n") is None
    made.end()


def test_a_database_with_another_plan_is_run_alone() -> None:
    """And so are those behind it: in vain it is tried once."""
    made = Collections()
    if pipes := begun(made):
        jobs, ends = pipes
        for answer, _ in zip(("0", "113", "0"), jobs, strict=False):
            ends.write(f"{answer}\n")
            ends.flush()
        os._exit(0)
    assert [made.run("one", "a job\n") for _ in range(3)] == [0, None, None]
    made.end()
