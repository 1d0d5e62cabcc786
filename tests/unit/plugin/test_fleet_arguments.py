"""What a promotion of a fleet refuses of pytest, before any database is asked."""

from __future__ import annotations

import pytest

from pytest_housekeeping.config import Fleet
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plugin.fleet.arguments import passed_on, refuse_unfit

_GIVEN = ("--hk-mode=prod", "--hk-fleet=f", "--hk-confirm=PROMOTE")


@pytest.fixture
def given(pytester: pytest.Pytester) -> pytest.Config:
    config = pytester.parseconfig(*_GIVEN)
    for name, plugin in config.pluginmanager.list_name_plugin():
        if plugin is not None and name in ("randomly", "repeat", "rerunfailures", "pytest_order"):
            config.pluginmanager.unregister(plugin)
    return config


def test_what_the_run_of_each_database_would_refuse(given: pytest.Config) -> None:
    """All of them would fail by it, the canary first; what to add to the command is told whole."""
    fleet = Fleet(name="f", env="F")
    refuse_unfit(given, Mode.PROD, fleet)
    given.pluginmanager.register(object(), "pytest_order")
    given.pluginmanager.register(object(), "repeat")
    refuse_unfit(given, Mode.PLAN, fleet)
    with pytest.raises(pytest.UsageError) as refused:
        refuse_unfit(given, Mode.PROD, fleet)
    assert "f is not promoted with: pytest-order reorders" in str(refused.value)
    assert "fix: add -p no:pytest_order -p no:repeat" in str(refused.value)


def test_a_run_of_one_database_knows_the_addopts_of_a_project_with_xdist(
    given: pytest.Config, pytester: pytest.Pytester
) -> None:
    """Each is a process of its own, and spreads nothing further."""
    pytest.importorskip("xdist")
    pytester.makeini("[pytest]\naddopts = -n 2 --dist=loadscope")
    one = pytester.parseconfig("--hk-mode=prod", *passed_on(given))
    assert not one.option.numprocesses
