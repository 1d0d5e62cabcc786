"""pytest looks through a folder of SQL files only where somebody may have something to say."""

from __future__ import annotations

import pytest

from pytest_housekeeping.plugin.sql_folders import plain_folders
from pytest_housekeeping.plugin.stash import DEFAULT_PATHS

PLAN = ("sql/migrations/0001_a.sql", "sql/views/a.sql", "sql/seeds/a.sql", "checks/test_a.py")
_COLLECTING = """
def pytest_collect_file(file_path, parent):
    pass
"""


def folders(pytester: pytest.Pytester, *options: str, whole: bool = True) -> set[str]:
    for path in (*PLAN, "sql/seeds/test_beside.py", "sql/views/a.sql"):
        file = pytester.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    config = pytester.parseconfigure("-p", "no:django", "-p", "no:anyio", *options)
    config.stash[DEFAULT_PATHS] = whole
    return set(plain_folders(config, None, PLAN))


def test_a_folder_with_anything_else_is_looked_through(pytester: pytest.Pytester) -> None:
    assert folders(pytester) == {"sql/migrations", "sql/views"}


@pytest.mark.parametrize("option", ["-kviews", "--ignore=sql/views", "--lf", "--collect-only"])
def test_so_is_each_where_less_or_a_list_is_asked_for(
    pytester: pytest.Pytester, option: str
) -> None:
    assert folders(pytester, option) == set()


def test_so_is_each_where_paths_are_named(pytester: pytest.Pytester) -> None:
    assert folders(pytester, whole=False) == set()


def test_so_is_each_where_a_conftest_collects(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(_COLLECTING)
    assert folders(pytester) == set()


@pytest.mark.parametrize("place", ["", "sql", "checks"])
def test_so_is_each_that_a_conftest_speaks_for(pytester: pytest.Pytester, place: str) -> None:
    """A conftest that vetoes a step is asked, whatever its hook."""
    conftest = pytester.path / place / "conftest.py"
    conftest.parent.mkdir(exist_ok=True)
    conftest.write_text("def pytest_runtest_logstart(nodeid): ...\n", encoding="utf-8")
    assert folders(pytester) == (set() if place != "checks" else {"sql/migrations", "sql/views"})
