"""No option, plugin, conftest or interruption of pytest is a way round the plan on disk."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.meddling_conftests import HIDE, MARK, REVERSED
from support.production_project import OFF, UNPROVED, Production
from support.staging_project import Run

OF_SOMETHING_ELSE = True


TEST = "checks/test_desk.py::test_a_tenant_sees_its_own"
REFUSED = "production is not promoted with: "
TEARDOWN = """
import pytest


@pytest.fixture(autouse=True)
def tidy():
    yield
    raise RuntimeError("the broom is broken")
"""
FORGED = """
import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome = "passed"
    return report
"""
# Registered behind this plugin: its wrapper is around those that are there already.
FORGED_LATE = f"""
from types import SimpleNamespace
{FORGED}

def pytest_sessionstart(session):
    forging = SimpleNamespace(pytest_runtest_makereport=pytest_runtest_makereport)
    session.config.pluginmanager.register(forging)
"""
EXIT = """
import pytest


def pytest_runtest_logreport(report):
    if {match!r} in report.nodeid:
        pytest.exit("enough", returncode=0)
"""
SKIP = """
import pytest


def pytest_runtest_setup(item):
    if item.nodeid == {match!r}:
        pytest.skip("later")
"""
SETTINGS = "[tool.pytest.ini_options]\naddopts = '{options}'\n[tool.housekeeping]\nlint = false\n"


@dataclass(frozen=True, kw_only=True)
class Way:
    """What somebody does, and how the run ends: exit code, and words that it says."""

    arguments: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    python: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    """Plugins that are installed and, this once, not switched off."""
    confirm: str | None = "PROMOTE"
    code: int = 4
    said: tuple[str, ...] = (REFUSED,)


def option(*arguments: str, said: str, on: tuple[str, ...] = ()) -> Way:
    return Way(arguments=arguments, said=(REFUSED, said), on=on)


def conftest(text: str, *said: str, code: int = 1) -> Way:
    return Way(files={"conftest.py": text}, said=said, code=code)


CACHE = ("cacheprovider",)
# pytest itself warns, which is an error in these tests.
UNWARNED = ("-W", "ignore::pytest.PytestConfigWarning")
WAYS: dict[str, Way] = {
    "-k": option("-k", "promote", said="-k selects"),
    "-k that matches everything": option("-k", "not elsewhere", said="-k selects"),
    "-m": option("-m", "promote", said="-m selects"),
    "--deselect": option("--deselect", TEST, said="--deselect leaves out"),
    "--ignore": option("--ignore", "checks/queries", said="--ignore leaves out"),
    "--ignore-glob": option("--ignore-glob", "*.toml", said="--ignore-glob leaves out"),
    "a path": option("sql", said="a path or node id selects"),
    "every path": option("sql", "checks", said="a path or node id selects"),
    "a node id": option(TEST, said="a path or node id selects"),
    "a path in addopts": Way(
        files={"pyproject.toml": SETTINGS.format(options="checks")},
        said=(REFUSED, "a path or node id selects"),
    ),
    "--pyargs": option("--pyargs", "checks", said="a path or node id selects"),
    "--lf": option("--lf", said="--lf runs what failed last", on=CACHE),
    "--ff": option("--ff", said="--ff reorders", on=CACHE),
    "--nf": option("--nf", said="--nf reorders", on=CACHE),
    "--sw": option("--sw", said="--sw stops", on=CACHE),
    "-x": option("-x", said="-x and --maxfail stop"),
    "--maxfail": option("--maxfail", "3", said="-x and --maxfail stop"),
    "--exitfirst in addopts": Way(
        files={"pyproject.toml": SETTINGS.format(options="--exitfirst")},
        said=(REFUSED, "-x and --maxfail stop"),
    ),
    "PYTEST_ADDOPTS": Way(
        environment={"PYTEST_ADDOPTS": "-k promote"}, said=(REFUSED, "-k selects")
    ),
    "--collect-only": option("--collect-only", said="--collect-only runs nothing"),
    "--setup-only": option("--setup-only", said="--setup-only runs no call"),
    "--setup-plan": option("--setup-plan", said="--setup-plan runs nothing"),
    "--runxfail": option("--runxfail", said="--runxfail reads"),
    "--pdb": option("--pdb", said="--pdb holds locks"),
    "-n": Way(arguments=("-n", "2"), said=("-n spreads the items over processes",)),
    "-p no:html": Way(arguments=("-p", "no:html"), said=("pytest-html is switched off",)),
    "-p no:terminal": option("-p", "no:terminal", said="the terminal reporter switched off"),
    "-p no:capture": option("-p", "no:capture", said="capturing switched off"),
    "-p no:python": Way(arguments=("-p", "no:python"), said=("python plugin is switched off",)),
    "pytest-randomly": option(said="pytest-randomly shuffles", on=("randomly",)),
    "pytest-randomly, and what was typed": option(
        *("--hk-baseline=auto", "--hk-accept-drift", "a b", "-p", "no:logging", "--hk-in-place"),
        said="run exactly: pytest -p no:randomly --hk-mode=prod --hk-confirm=PROMOTE"
        " --hk-baseline=auto"
        " '--hk-accept-drift=a b' --hk-in-place -p",
        on=("randomly",),
    ),
    "pytest-order": option(said="pytest-order reorders", on=("pytest_order",)),
    "pytest-repeat": option("--count", "2", said="repeats", on=("repeat", "pytest_repeat")),
    "pytest-rerunfailures": option("--reruns", "2", said="repeats", on=("rerunfailures",)),
    "a collection error, gone on with": Way(
        arguments=("--continue-on-collection-errors",),
        files={"checks/test_broken.py": "import no_such_module\n\n\ndef test_it(): ...\n"},
        said=(REFUSED, "--continue-on-collection-errors runs without a part"),
    ),
    "a collection error": Way(
        files={"checks/test_broken.py": "import no_such_module\n\n\ndef test_it(): ...\n"},
        said=("no_such_module",),
        code=2,
    ),
    "python -O": Way(
        python=("-O",),
        arguments=UNWARNED,
        said=("takes the assertions out of what tests call",),
    ),
    "no --hk-confirm": Way(confirm=None, said=("no --hk-confirm", "--hk-confirm=PROMOTE")),
    "a conftest that skips a step and ignores a file": conftest(
        MARK.format(match="no_empty_secret", mark="skip(reason='later')")
        + "\n\ncollect_ignore = ['checks/test_desk.py']\n",
        "checks/queries/no_empty_secret.sql::query (skipped)",
        f"{TEST} (never reported)",
    ),
    "a conftest that skips a migration on the copy": conftest(
        MARK.format(match="0003_urgency", mark="skip(reason='later')"),
        "No recorded pass: sql/migrations/0003_urgency.sql::rehearse (skipped: later)",
        "Refused: nothing was begun",
    ),
    "a conftest that skips a migration": conftest(
        MARK.format(match="0003_urgency.sql::apply", mark="skip(reason='later')"),
        "No recorded pass: sql/migrations/0003_urgency.sql::apply (skipped: later)",
    ),
    "a conftest that skips a precheck": conftest(
        MARK.format(match="precheck::drift", mark="skip(reason='later')"),
        "No recorded pass: precheck::drift (skipped: later)",
    ),
    "a conftest that skips promote": conftest(
        SKIP.format(match="promote"), "No recorded pass: promote (skipped: later)"
    ),
    "a conftest that marks, and a plugin that looks at items": Way(
        files={"conftest.py": MARK.format(match="objects.toml::table", mark="skip(reason='no')")},
        on=("hypothesispytest",),
        said=("checks/objects.toml::table desk.note",),
        code=1,
    ),
    "a conftest that xfails a step, and one that hides a test": Way(
        files={
            "conftest.py": MARK.format(match="no_empty_secret", mark="xfail(strict=False)"),
            "checks/conftest.py": HIDE.format(match="test_desk"),
        },
        said=("checks/queries/no_empty_secret.sql::query (skipped)", f"{TEST} (never reported)"),
        code=1,
    ),
    "a conftest that leaves early": conftest(
        EXIT.format(match="0003_urgency.sql::apply"), "enough", "rolled back"
    ),
    "a plugin that makes a pass of a failing test": Way(
        files={"conftest.py": FORGED_LATE, "checks/test_no.py": "def test_no(): assert 1 == 2\n"},
        said=("failed: checks/test_no.py::test_no", "assert 1 == 2"),
        code=1,
    ),
    "a fixture that fails in teardown": Way(
        files={"checks/conftest.py": TEARDOWN}, said=("the broom is broken",), code=1
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_production_is_as_it_was_and_the_run_says_why(production: Production, name: str) -> None:
    way = WAYS[name]
    for plugin in way.on:
        if plugin.startswith("pytest_") or plugin in ("randomly", "rerunfailures"):
            pytest.importorskip(f"pytest_{plugin.removeprefix('pytest_')}")
    if way.files:
        # What runs as Python belongs to the plan: staging has not proved this one.
        production.change({"pyproject.toml": UNPROVED, **way.files})
    run = production.promote(
        *way.arguments,
        python=way.python,
        without=[plugin for plugin in OFF if plugin not in way.on],
        confirm=way.confirm,
        **way.environment,
    )
    assert production.before.differences(production.state) == []
    assert run.code == way.code, run.output
    for said in way.said:
        assert said in run.output, run.output
    assert "Promoted." not in run.output
    if run.audit_path is not None:
        assert run.outcome in ("refused", "rolled_back")


def test_what_makes_no_difference(production: Production) -> None:
    """The plan's own steps, hidden and reversed, are put back, in the plan's order."""
    hiding = HIDE.format(match="objects.toml")
    files = {"conftest.py": REVERSED, "checks/conftest.py": hiding}
    production.change({"pyproject.toml": UNPROVED, **files})
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert set(run.steps.values()) == {"passed"}
    order = [step["id"] for step in run.audit["plan"]["steps"]]
    assert [step["id"] for step in run.audit["steps"]] == order


def test_a_report_that_lies_is_not_believed(production: Production) -> None:
    """A step that found something wrong has not passed, whatever a conftest makes of its report."""
    production.change({"pyproject.toml": UNPROVED, "conftest.py": FORGED})
    production.execute("INSERT INTO vault.secret VALUES (1, '')")
    before = production.state
    run = production.promote()
    assert production.state == before, run.output
    assert run.code != 0, run.output
    assert run.outcome == "rolled_back"


# -- Ctrl-C ---------------------------------------------------------------------------------------

ITEMS = [
    "precheck::files",
    "precheck::drift",
    "backup::snapshot",
    "backup::proof",
    "sql/migrations/0002_notes.sql::apply",
    "sql/policies/note.sql::apply",
    "checks/objects.toml::table desk.note",
    TEST,
]


@pytest.mark.parametrize("item", ITEMS)
def test_ctrl_c_at_any_item(production: Production, item: str) -> None:
    run = interrupted(production, item)
    assert production.before.differences(production.state) == []
    assert run.code == 2, run.output
    assert "KeyboardInterrupt" in run.output or "interrupted" in run.output
    assert run.outcome in ("refused", "rolled_back")
    assert "was interrupted" in run.audit["run"]["message"]


JUST_BEHIND = """
from pytest_housekeeping.promotion.transaction.commit import Commits

done, times = Commits._done, []


def interrupted(self, *arguments):
    times.append(1)
    if len(times) == 1:
        raise KeyboardInterrupt
    done(self, *arguments)


Commits._done = interrupted
"""


def test_ctrl_c_between_the_commit_and_what_follows_it(production: Production) -> None:
    """The batch is in, and nothing of the run has heard of it: what is said must be true."""
    _with_plugin(production, JUST_BEHIND)
    run = production.project.ended()
    assert run.code == 2, run.output
    assert len(production.state.history) == 7
    assert run.outcome == "promoted"
    assert run.steps["promote"] == "passed"
    again = production.promote()
    assert (again.code, again.outcome) == (0, "nothing_to_promote"), again.output


def interrupted(production: Production, item: str) -> Run:
    """A run that gets SIGINT when its output shows that the item has begun."""
    log = production.root.parent / "progress"
    plugin = (
        "import os, time\n\n\n"
        "def pytest_runtest_logstart(nodeid, location):\n"
        f"    if nodeid == {item!r}:\n"
        f"        os.mkdir({str(log)!r})\n"
        "        time.sleep(0.05)\n"
    )
    process = _with_plugin(production, plugin)
    _wait_for(log, process)
    os.kill(process, signal.SIGINT)
    run = production.project.ended()
    assert production.project.leftovers() == [], run.output
    return run


def _with_plugin(production: Production, text: str) -> int:
    place = production.root.parent
    (place / "run_watch.py").write_text(text, encoding="utf-8")
    environment = production.environment()
    environment["PYTHONPATH"] = f"{place}{os.pathsep}{environment['PYTHONPATH']}"
    return production.project.begin([*production.arguments(), "-p", "run_watch"], environment)


def _wait_for(path: Path, process: int) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        os.kill(process, 0)
        assert time.monotonic() < deadline
        time.sleep(0.002)
