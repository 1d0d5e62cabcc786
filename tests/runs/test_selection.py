"""What runs, in which order, and what counts as a pass: evidence, never absence of failure."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from support.fresh_copy import TESTS, git
from support.meddling_conftests import HIDE, MARK, REVERSED
from support.staging_project import Project, Run

PLAN = [
    "precheck::files",
    "precheck::worktree",
    "precheck::server",
    "precheck::capacity",
    "precheck::history",
    "sql/migrations/0001_items.sql::apply",
    "sql/migrations/0002_prices.sql::apply",
    "sql/views/cheap.sql::apply",
    "checks/objects.toml::schema shop",
    "checks/objects.toml::table shop.item",
    "checks/objects.toml::view shop.cheap",
    "checks/queries/prices.sql::query",
    "checks/test_shop.py::test_the_lamp_is_cheap",
    "checks/test_shop.py::test_two_items",
    "sql/views/cheap.sql::again",
    "promote",
    "after::schema",
    "verify::restore",
]
BEFORE = PLAN[:8]


# -- order -------------------------------------------------------------------------------------


def test_the_plan_is_what_is_collected_and_nothing_is_started(tmp_path: Path) -> None:
    project = Project.make(tmp_path, files={"conftest.py": REVERSED})
    run = project.run("--collect-only", "-q")
    assert run.code == 0
    assert run.output.split("\n\n")[0].splitlines() == PLAN
    assert "hk_staging" not in (tmp_path / "folders").read_text(encoding="utf-8")
    assert not (project.root / "ops").exists()


def test_no_plugin_and_no_command_line_changes_the_order(tmp_path: Path) -> None:
    """Neither does a random order, nor an option that leaves nothing out."""
    project = Project.make(tmp_path, files={"conftest.py": REVERSED})
    seed = ["--randomly-seed=7"] * bool(importlib.util.find_spec("pytest_randomly"))
    for arguments in (("-k", "not elsewhere", *seed), ("checks", "sql/views", "sql/migrations")):
        run = project.run("-v", *arguments)
        assert (run.code, run.outcome, run.ran) == (0, "promoted", PLAN), run.output


@pytest.mark.parametrize(
    ("arguments", "found", "fix"),
    [
        (("-n", "2"), "-n spreads the items over processes", "run it without -n"),
        (("--dist", "each", "--tx", "popen"), "over processes", "run it without -n"),
        (("-p", "no:html"), "pytest-html is switched off", "install pytest-html"),
    ],
)
def test_what_would_break_the_run_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], found: str, fix: str
) -> None:
    run = Project.make(tmp_path).run(*arguments)
    assert run.code == 4, run.output
    assert found in run.output
    assert "why: " in run.output
    assert fix in run.output
    assert "Traceback" not in run.output


def test_assertions_that_are_not_compiled_prove_nothing(tmp_path: Path) -> None:
    """Of what tests import, that is: pytest puts those of the tests themselves back."""
    run = Project.make(tmp_path).run("-W", "ignore::pytest.PytestConfigWarning", PYTHONOPTIMIZE="1")
    assert run.code == 4, run.output
    assert "takes the assertions out of what tests call" in run.output


# -- a part of the plan ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "ran", "pulled_in"),
    [
        pytest.param(("-k", "lamp"), [*BEFORE, PLAN[12]], 8, id="keyword"),
        pytest.param(("-m", "query"), [*BEFORE, PLAN[11]], 8, id="kind"),
        pytest.param(("-m", "verify and not object"), [*BEFORE, *PLAN[11:15]], 8, id="phase"),
        pytest.param(("checks/test_shop.py",), [*BEFORE, *PLAN[12:14]], 8, id="path"),
        pytest.param((PLAN[10],), [*BEFORE, PLAN[10]], 8, id="node id"),
        pytest.param(("sql/migrations/0002_prices.sql",), PLAN[:7], 6, id="migration"),
        pytest.param(("-m", "precheck"), PLAN[:5], 0, id="what belongs to no file"),
        pytest.param(("-k", "promote"), [], 0, id="promote cannot be selected"),
    ],
)
def test_a_selection_brings_what_it_needs(
    tmp_path: Path, arguments: tuple[str, ...], ran: list[str], pulled_in: int
) -> None:
    project = Project.make(tmp_path, repository=True)
    run = project.run("-v", *arguments)
    assert run.ran == ran, run.output
    assert (run.code, run.outcome) == ((0 if ran else 5), "rolled_back")
    left_out = len(PLAN) - len(ran)
    assert f"{left_out} steps of the plan left out, {pulled_in} pulled in" in run.output
    assert run.steps["promote"] == "skipped"
    assert "not committed: only part of the plan was run" in run.output
    assert git(project.root, "branch", "--list", "housekeeping/*") == ""


def test_what_failed_last_runs_on_all_that_it_stands_on(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    query = project.root / "checks/queries/prices.sql"
    right = query.read_text(encoding="utf-8")
    query.write_text("SELECT 'a price' AS wrong;\n", encoding="utf-8")
    cache = ("-p", "cacheprovider")
    assert project.run(*cache).code == 1
    query.write_text(right, encoding="utf-8")
    last = project.run("-v", *cache, "--lf")
    assert (last.code, last.outcome, last.ran) == (0, "rolled_back", [*BEFORE, PLAN[11]])
    first = project.run("-v", *cache, "--ff")
    assert (first.code, first.outcome, first.ran) == (0, "promoted", PLAN), first.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("--deselect", "checks/test_shop.py::test_two_items"),
        ("--ignore", "checks/queries"),
        ("--ignore-glob", "*.toml"),
        ("-k", "not two"),
    ],
)
def test_leaving_one_check_out_promotes_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    run = Project.make(tmp_path).run("-v", *arguments)
    assert (run.code, run.outcome) == (0, "rolled_back"), run.output
    assert "promote" not in run.ran
    assert run.steps["promote"] == "skipped"


# -- only evidence of passing counts -------------------------------------------------------------

TWO = PLAN[13]


MARKED = {
    "checks/queries/prices.sql::query": "skip",
    "checks/objects.toml::table shop.item": "xfail",
    # It passes.
    TWO: "xfail(strict=False)",
}
# The text of a file of tests, and the test in it that does not pass.
UNPASSED = {
    "behind a condition": (
        "if False:\n    def test_it() -> None: ...\n",
        "test_it (never reported)",
    ),
    "deleted": ("def test_it() -> None: ...\n\n\ndel test_it\n", "test_it (never reported)"),
    "in a class that is no test": (
        (
            "class TestIt:\n    __test__ = False\n\n"
            "    class TestInner:\n        def test_it(self) -> None: ...\n"
        ),
        "TestIt::TestInner::test_it (never reported)",
    ),
    "that skips": (
        "import pytest\n\n\ndef test_it(): pytest.skip('later')\n",
        "test_it (skipped)",
    ),
    "that is expected to fail": (
        "import pytest\n\n\ndef test_it(): pytest.xfail('known')\n",
        "test_it (skipped)",
    ),
    "of which one case is skipped": (
        (
            "import pytest\n\n\n"
            "@pytest.mark.parametrize('n', [1, pytest.param(2, marks=pytest.mark.skip)])\n"
            "def test_it(n): ...\n"
        ),
        "test_it (skipped)",
    ),
    "without a case": (
        "import pytest\n\n\n@pytest.mark.parametrize('n', [])\ndef test_it(n): ...\n",
        "test_it (skipped)",
    ),
}


def missing(run: Run, *steps: str) -> None:
    """It promoted nothing, and says that of these no pass was recorded."""
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert run.steps["promote"] == "failed"
    assert "Traceback" not in run.output
    for step in steps:
        assert step in run.output
        assert step in run.message("promote")


def test_what_has_not_passed_stops_the_promotion(tmp_path: Path) -> None:
    """Each is named: one alone is enough, as the tests that follow show."""
    tests = {f"checks/test_no{n}.py": each for n, each in enumerate(UNPASSED.values())}
    files = {name: text for name, (text, _) in tests.items()}
    marks = [MARK.format(match=step, mark=mark) for step, mark in MARKED.items()]
    files |= {f"marks{n}.py": text for n, text in enumerate(marks)}
    files["conftest.py"] = f"pytest_plugins = {[f'marks{n}' for n in range(len(marks))]}\n"
    run = Project.make(tmp_path, files=files).run(PYTHONPATH=f".{os.pathsep}{TESTS}")
    missing(run, *(f"{step} (skipped)" for step in MARKED))
    missing(run, *(f"{name}::{step}" for name, (_, step) in tests.items()))


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"conftest.py": HIDE.format(match="test_two")}, id="hidden by a conftest"),
        pytest.param(
            {"checks/conftest.py": "collect_ignore = ['test_shop.py']\n"}, id="its file ignored"
        ),
    ],
)
def test_a_test_that_is_hidden_stops_the_promotion(tmp_path: Path, files: dict[str, str]) -> None:
    missing(Project.make(tmp_path, files=files).run(), f"{TWO} (never reported)")


def test_a_step_that_is_skipped_stops_the_promotion(tmp_path: Path) -> None:
    step = next(iter(MARKED))
    files = {"conftest.py": MARK.format(match=step, mark="skip")}
    missing(Project.make(tmp_path, files=files).run(), f"{step} (skipped)")


def test_a_step_that_is_hidden_is_put_back(tmp_path: Path) -> None:
    files = {"conftest.py": HIDE.format(match="view shop.cheap")}
    run = Project.make(tmp_path, files=files).run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output


@pytest.mark.parametrize("mark", ["skip", "xfail", "xfail(strict=False, raises=Exception)"])
def test_promote_itself_is_not_waved_through(tmp_path: Path, mark: str) -> None:
    """Whoever marks it may have it, but no run that promotes nothing ends well."""
    files = {
        "conftest.py": MARK.format(match="promote", mark=mark),
        "checks/test_no.py": "if False:\n    def test_it() -> None: ...\n",
    }
    run = Project.make(tmp_path, files=files).run()
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output


FAILING = {
    "it fails": ("def test_it(): assert 1 == 2\n", "assert 1 == 2"),
    "its teardown fails": (
        (
            "import pytest\n\n\n@pytest.fixture\ndef it():\n    yield\n"
            "    raise OSError('late')\n\n\ndef test_it(it): ...\n"
        ),
        "late",
    ),
    "its fixture fails": (
        (
            "import pytest\n\n\n@pytest.fixture\ndef it():\n    raise OSError('early')\n"
            "\n\ndef test_it(it): ...\n"
        ),
        "early",
    ),
    "it returns what it should assert": (
        "def test_it(): return 1 == 2\n",
        "PytestReturnNotNoneWarning",
    ),
    "it asserts in a thread": (
        (
            "from threading import Thread\n\n\ndef fails(): assert 1 == 3\n\n\n"
            "def test_it():\n    one = Thread(target=fails)\n    one.start()\n    one.join()\n"
        ),
        "Exception in thread",
    ),
    "nobody awaits it": ("async def test_it(): ...\n", "async"),
}


def test_a_test_that_fails_blocks_the_promotion(tmp_path: Path) -> None:
    tests = {f"checks/test_no{n}.py": each for n, each in enumerate(FAILING.values())}
    files = {name: text for name, (text, _) in tests.items()}
    run = Project.make(tmp_path, files=files).run("-v")
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    for name, (_, said) in tests.items():
        assert run.steps[f"{name}::test_it"] == "failed"
        assert said in run.message(f"{name}::test_it")
    assert run.message("promote") == f"blocked by {next(iter(tests))}::test_it"
    assert run.steps[PLAN[13]] == "passed"


@pytest.mark.skipif(not importlib.util.find_spec("pytest_rerunfailures"), reason="not installed")
def test_a_test_that_passes_at_the_second_try_has_failed_at_the_first(tmp_path: Path) -> None:
    text = (
        "import pytest\n\ntries = []\n\n\n@pytest.mark.flaky(reruns=2)\ndef test_it():\n"
        "    tries.append(1)\n    assert len(tries) > 1\n"
    )
    run = Project.make(tmp_path, files={"checks/test_no.py": text}).run("-v")
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert run.steps["checks/test_no.py::test_it"] == "failed"


@pytest.mark.skipif(not importlib.util.find_spec("pytest_order"), reason="not installed")
def test_a_test_that_wants_to_be_last_is_before_promote(tmp_path: Path) -> None:
    text = "import pytest\n\n\n@pytest.mark.order(-1)\ndef test_it(): ...\n"
    text += "\n\n@pytest.mark.order(1)\ndef test_first(): ...\n"
    run = Project.make(tmp_path, files={"checks/test_z.py": text}).run("-v")
    more = ["checks/test_z.py::test_it", "checks/test_z.py::test_first"]
    assert (run.code, run.ran) == (0, [*PLAN[:-4], *more, *PLAN[-4:]]), run.output


@pytest.mark.skipif(not importlib.util.find_spec("pytest_repeat"), reason="not installed")
def test_what_is_repeated_has_to_pass_every_time(tmp_path: Path) -> None:
    text = "tries = []\n\n\ndef test_it():\n    tries.append(1)\n    assert len(tries) < 2\n"
    run = Project.make(tmp_path, files={"checks/test_no.py": text}).run("-v", "--count=2")
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert run.steps["checks/test_no.py::test_it"] == "failed"


def test_a_file_that_cannot_be_imported_promotes_nothing(tmp_path: Path) -> None:
    text = "import no_such_module\n\n\ndef test_it(): ...\n"
    run = Project.make(tmp_path, files={"checks/test_no.py": text}).run()
    assert run.code == 2, run.output
    assert "no_such_module" in run.output
    assert run.audit["run"]["outcome"] in ("refused", "rolled_back")
    assert run.steps["promote"] == "skipped"


def test_tests_that_only_python_knows_count_as_well(tmp_path: Path) -> None:
    """Inherited, imported or generated: no syntax tree tells of them, and they must pass too."""
    text = (
        "import unittest\n\n\nclass TestOne:\n    value = 1\n\n"
        "    def test_it(self):\n        assert self.value == 1\n\n\n"
        "class TestTwo(TestOne):\n    value = 2\n\n\n"
        "class Old(unittest.TestCase):\n    def test_old(self):\n        pass\n"
    )
    run = Project.make(tmp_path, files={"checks/test_more.py": text}).run("-v")
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert run.steps["checks/test_more.py::TestTwo::test_it"] == "failed"
    assert run.steps["checks/test_more.py::Old::test_old"] == "passed"


# -- a test may do what it likes -----------------------------------------------------------------

ENDS = "def test_it(hk_connection):\n    {0}\n"


ENDINGS = {
    "hk_connection.commit()": "commit()",
    "hk_connection.rollback()": "rollback()",
    "hk_connection.close()": "close()",
    "hk_connection.execute('COMMIT')": "COMMIT",
    "hk_connection.execute('SELECT 1; ROLLBACK; SELECT 2')": "ROLLBACK",
    "hk_connection.cursor().execute('/* */ end')": "COMMIT",
}


def test_no_test_ends_the_transaction(tmp_path: Path) -> None:
    tests = {f"checks/test_a{n}.py": each for n, each in enumerate(ENDINGS)}
    files = {name: ENDS.format(statement) for name, statement in tests.items()}
    run = Project.make(tmp_path, files=files).run()
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    for name, statement in tests.items():
        assert run.steps[f"{name}::test_it"] == "failed"
        assert f"a check called {ENDINGS[statement]}" in run.message(f"{name}::test_it")
    assert run.steps[TWO] == "passed"


@pytest.mark.parametrize(
    "goes_on",
    [
        "",
        "BEGIN",
        "BEGIN; SELECT 1/0",
        "BEGIN; SAVEPOINT hk_check; CREATE TABLE shop.more (id int)",
    ],
)
def test_a_commit_by_force_is_called_what_it_is(tmp_path: Path, goes_on: str) -> None:
    """The level below psycopg cannot be guarded; what is said of the run must be true then."""
    text = "def test_it(hk_connection):\n    hk_connection.pgconn.exec_(b'COMMIT')\n"
    text += f"    hk_connection.pgconn.exec_(b'{goes_on}')\n" if goes_on else ""
    run = Project.make(tmp_path, files={"checks/test_a.py": text}).run()
    assert (run.code, run.outcome) == (1, "promoted_unproved"), run.output
    assert "nothing was changed" not in run.output


LEFT = """
import threading
import time


def work(connection):
    time.sleep(0.2)
    while True:
        try:
            connection.execute("CREATE TABLE shop.behind (id int)")
        except Exception:
            time.sleep(0.2)


def test_it(hk_connection):
    thread = threading.Thread(target=work, args=[hk_connection], name="left", daemon=True)
    thread.start()


def test_ends(hk_connection):
    thread = threading.Thread(target=time.sleep, args=[0.1])
    thread.start()
"""


def test_a_thread_that_a_test_leaves_stops_the_promotion_and_cannot_use_the_connection(
    tmp_path: Path,
) -> None:
    run = Project.make(tmp_path, files={"checks/test_a.py": LEFT}).run()
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert "has left a thread running: 'left'" in run.message("checks/test_a.py::test_it")
    assert run.steps["checks/test_a.py::test_ends"] == "passed"


def test_the_savepoint_around_a_test_has_a_name_that_nobody_guesses(tmp_path: Path) -> None:
    text = "def test_it(hk_connection):\n    hk_connection.execute('RELEASE SAVEPOINT hk_check')\n"
    run = Project.make(tmp_path, files={"checks/test_a.py": text}).run()
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert 'savepoint "hk_check" does not exist' in run.message("checks/test_a.py::test_it")


DIRTY = """
import pytest


def test_a(hk_connection):
    hk_connection.execute("INSERT INTO shop.item (id, name) VALUES (3, 'sofa')")
    hk_connection.execute("CREATE TEMPORARY TABLE mine ()")
    hk_connection.execute("SET ROLE somebody")
    hk_connection.execute("SET search_path = nowhere")
    with hk_connection.transaction(force_rollback=True):
        hk_connection.execute("RESET ROLE")


def test_b(hk_connection):
    with pytest.raises(Exception, match="nothing"):
        hk_connection.execute("SELECT * FROM nothing")


def test_c(hk_connection):
    row = hk_connection.execute(
        "SELECT (SELECT count(*) FROM shop.item), current_user::text,"
        " current_setting('search_path'), to_regclass('pg_temp.mine')"
    ).fetchone()
    assert row == (2, "hk_migrator", '"$user", public', None)


@pytest.mark.parametrize("n", [1, 2])
def test_d(hk_connection, n):
    with hk_connection.transaction():
        hk_connection.execute("INSERT INTO shop.item (id, name) VALUES (9, 'desk')")


def test_e(hk_mode, hk_plan):
    assert hk_mode == "staging"
    assert [file.name for file in hk_plan.files][0] == "0001_items.sql"
"""


def test_a_test_leaves_nothing_to_the_next_one(tmp_path: Path) -> None:
    role = "CREATE ROLE somebody;\nGRANT somebody TO hk_migrator;\n"
    files = {"checks/test_a.py": DIRTY, "sql/bootstrap/role.sql": role}
    run = Project.make(tmp_path, files=files).run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output


def test_a_test_that_loses_the_connection_is_named(tmp_path: Path) -> None:
    text = "hk_connection.execute('SELECT pg_terminate_backend(pg_backend_pid())')"
    run = Project.make(tmp_path, files={"checks/test_a.py": ENDS.format(text)}).run()
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert run.steps["checks/test_a.py::test_it"] == "failed"
    assert run.steps["promote"] == "skipped"
    assert "pytest_housekeeping/" not in run.output.partition("short test summary")[2]


def test_an_unknown_setting_of_a_role_is_named(tmp_path: Path) -> None:
    text = "def test_it(hk_role):\n    with hk_role('desk_app', team_id=1): ...\n"
    run = Project.make(tmp_path, "tenants", {"checks/test_a.py": text}).run()
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    message = run.message("checks/test_a.py::test_it")
    assert "hk_role: the setting 'team_id' is unknown" in message
    assert "context of rls.toml is app.tenant_id" in message


# -- a conftest is heard of what nobody asked for -------------------------------------------------

HEARS = """
def pytest_collection_modifyitems(items):
    print(*(f'{0} marks {{each.nodeid}}' for each in items), sep='\\n')


def pytest_itemcollected(item):
    print(f'{0} hears of {{item.nodeid}}')


def pytest_runtest_setup(item): ...


def pytest_collection_finish(session):
    for item in session.items:
        asked = item.ihook.pytest_runtest_setup.get_hookimpls()
        if __file__ in [getattr(each.plugin, '__file__', '') for each in asked]:
            print(f'{0} watches {{item.nodeid}}')
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("checks/test_shop.py",),
        (PLAN[10],),
        ("--pyargs", "checks", "-k", "lamp"),
        ("--ignore=sql",),
        ("--deselect", PLAN[6], "--override-ini=norecursedirs=migrations"),
    ],
    ids=["path", "node id", "package", "ignored", "not recursed"],
)
def test_a_conftest_is_asked_about_what_is_pulled_in(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    said = {"root": BEFORE, "sql": BEFORE[5:], "checks": []}
    files = {f"{each}/conftest.py": HEARS.format(each) for each in ("sql", "checks")}
    files["conftest.py"] = HEARS.format("root")
    run = Project.make(tmp_path, files=files).run("--collect-only", "-q", "-s", *arguments)
    lines = run.output.splitlines()
    for name, steps in said.items():
        for verb in ("marks", "hears of", "watches"):
            heard = [step for step in BEFORE if f"{name} {verb} {step}" in lines]
            assert verb == "marks" or heard == steps, (name, verb, run.output)
            assert set(heard) >= set(steps), (name, verb, run.output)
