"""Foreign hooks that make of a failure what it is not, or that fail at the end of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.fresh_copy import git
from support.staging_project import Project

# -- a failure is one, whatever becomes of it ----------------------------------------------------

# Registered behind this plugin, so that its wrappers are around those of this plugin.
MEDDLES = """
import pytest


class Meddler:
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if "forged" in item.nodeid and report.failed:
            report.outcome, report.longrepr = "passed", None
        if "exchanged" in item.nodeid and report.failed:
            report = pytest.TestReport(
                report.nodeid, report.location, {}, "passed", None, report.when
            )
        if "leaks" in item.nodeid and report.when == "teardown":
            report.outcome, report.longrepr = "failed", "it leaks"
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        try:
            return (yield)
        except BaseException:
            if "swallowed" not in item.nodeid:
                raise

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem):
        try:
            return (yield)
        except BaseException:
            if "ignored" not in pyfuncitem.nodeid:
                raise
            return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session):
        yield
        session.exitstatus = 0


class Numbers(pytest.File):
    def collect(self):
        yield Number.from_parent(self, name="number")


class Number(pytest.Item):
    def runtest(self):
        assert self.path.read_text() == "1"


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".number":
        return Numbers.from_parent(parent, path=file_path)


def pytest_sessionstart(session):
    session.config.pluginmanager.register(Meddler())
"""
TESTS_OF_IT = '''
def doubled(number):
    """
    >>> doubled(1)
    3
    """
    return 2 * number


def test_forged(): assert 1 == 2
def test_exchanged(): assert 1 == 2
def test_swallowed(): assert 1 == 2
def test_ignored(): assert 1 == 2
def test_leaks(): ...
def test_passes(): ...
'''
FAILED = {
    "checks/one.number::number": "assert",
    "checks/test_no.py::test_no.doubled": "doubled(1)",
    "checks/test_no.py::test_forged": "assert 1 == 2",
    "checks/test_no.py::test_exchanged": "assert 1 == 2",
    "checks/test_no.py::test_swallowed": "it raised AssertionError: assert 1 == 2, whatever",
    "checks/test_no.py::test_ignored": "it raised AssertionError: assert 1 == 2, whatever",
    "checks/test_no.py::test_leaks": "it leaks",
}


def test_no_hook_makes_a_pass_of_a_failure(tmp_path: Path) -> None:
    """And what a plugin collects is a test as well. Each of them alone keeps the COMMIT away."""
    files = {"conftest.py": MEDDLES, "checks/test_no.py": TESTS_OF_IT, "checks/one.number": "2"}
    run = Project.make(tmp_path, files=files).run("--doctest-modules")
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    for test, said in FAILED.items():
        assert run.steps[test] == "failed", test
        assert said in run.message(test)
    assert run.steps["checks/test_no.py::test_passes"] == "passed"


def test_what_a_plugin_collects_and_passes_is_no_obstacle(tmp_path: Path) -> None:
    texts = TESTS_OF_IT.replace("1 == 2", "1 == 1").replace("    3\n", "    2\n")
    texts = texts.replace("test_leaks", "test_tight")
    files = {"conftest.py": MEDDLES, "checks/test_no.py": texts, "checks/one.number": "1"}
    run = Project.make(tmp_path, files=files).run("--doctest-modules")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.steps["checks/test_no.py::test_no.doubled"] == "passed"
    assert run.steps["checks/one.number::number"] == "passed"


# -- how it ended is told, whatever fails behind it ----------------------------------------------

RAISES = """
import pytest


@pytest.hookimpl({marks})
def {hook}({arguments}):
    raise RuntimeError("the host is broken")
    {rest}
"""
PROVED, BEHIND = "Proved in staging.", "Not proved: a step after COMMIT failed."
ENDS = {
    "a summary": ("pytest_terminal_summary", "", "tryfirst=True", "", PROVED),
    "a wrapper of the summary": ("pytest_terminal_summary", "", "wrapper=True", "yield", PROVED),
    "the end of the session": ("pytest_sessionfinish", "", "", "", PROVED),
    "a report": ("pytest_runtest_logreport", "report", "", "", BEHIND),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_promotion_is_told_whoever_fails_behind_it(tmp_path: Path, name: str) -> None:
    hook, arguments, marks, rest, said = ENDS[name]
    text = RAISES.format(hook=hook, arguments=arguments, marks=marks, rest=rest)
    if arguments:
        behind = "if report.nodeid == 'promote' and report.when == 'call':\n        raise"
        text = text.replace("raise", behind)
    project = Project.make(tmp_path, files={"conftest.py": text}, repository=True)
    run = project.run()
    assert run.code in (1, 3), run.output
    assert run.outcome == "promoted"
    assert run.output.count(said) == 1, run.output
    assert "the host is broken" in run.output
    assert git(project.root, "branch", "--list", "housekeeping/*") != ""


@pytest.mark.parametrize(
    ("hook", "marks", "said"),
    [
        ("pytest_sessionfinish", "tryfirst=True, wrapper=True", PROVED),
        ("pytest_sessionstart", "trylast=True", "Refused: nothing was begun."),
    ],
)
def test_where_pytest_does_not_end_the_next_run_has_the_record(
    tmp_path: Path, hook: str, marks: str, said: str
) -> None:
    text = RAISES.format(hook=hook, arguments="", marks=marks, rest="yield" * ("wrap" in marks))
    project = Project.make(tmp_path, files={"conftest.py": text})
    run = project.run()
    assert run.code in (1, 3), run.output
    assert run.output.count(said) == 1, run.output
    assert "THE EVIDENCE IS NOT COMPLETE: somebody else's hook has kept pytest from" in run.output
    assert project.audits() == []
    project.write({"conftest.py": None})
    assert project.run().code == 0
    assert len(project.audits()) == 2
