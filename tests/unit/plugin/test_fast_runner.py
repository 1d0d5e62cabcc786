"""A step runs without pytest's protocol only where nobody can have anything to say about it."""

from __future__ import annotations

import pytest

from pytest_housekeeping.plugin.fast_runner import is_unwatched

_WATCHING = """
def pytest_runtest_makereport(item, call):
    pass
"""


@pytest.mark.parametrize(
    ("options", "unwatched"),
    [
        ((), True),
        (("--reruns=2",), False),
        (("-o", "reruns=2"), False),
        (("--setup-show",), False),
    ],
)
def test_plugins_about_test_functions_are_no_watchers(
    pytester: pytest.Pytester, options: tuple[str, ...], unwatched: bool
) -> None:
    config = pytester.parseconfigure("-p", "no:django", "-p", "no:anyio", *options)
    assert config.pluginmanager.hasplugin("hypothesispytest")
    assert config.pluginmanager.hasplugin("randomly")
    assert is_unwatched(config, ours=None) is unwatched


def test_a_conftest_is_one(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(_WATCHING)
    config = pytester.parseconfigure("-p", "no:django", "-p", "no:anyio")
    assert not is_unwatched(config, ours=None)
