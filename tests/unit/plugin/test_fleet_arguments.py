"""What a promotion of a fleet refuses of pytest, before any database is asked."""

from __future__ import annotations

import pytest

from pytest_housekeeping.config import Fleet
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plugin.fleet.arguments import passed_on, refuse_unfit

_GIVEN = ("--hk-mode=prod", "--hk-fleet=f", "--hk-confirm=PROMOTE")


@pytest.fixture
def given(pytester: pytest.Pytester) -> pytest.Config:
    return bare(pytester, *_GIVEN)


def bare(pytester: pytest.Pytester, *words: str) -> pytest.Config:
    config = pytester.parseconfig(*words)
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


@pytest.mark.parametrize("name", ["pytest-retry", "pytest_forked", "random-order", "run-parallel"])
def test_a_plugin_is_known_however_it_writes_its_own_name(given: pytest.Config, name: str) -> None:
    given.pluginmanager.register(object(), name)
    with pytest.raises(pytest.UsageError, match=f"fix: add -p no:{name}"):
        refuse_unfit(given, Mode.PROD, Fleet(name="f", env="F"))


def test_a_run_of_one_database_knows_the_addopts_of_a_project_with_xdist(
    given: pytest.Config, pytester: pytest.Pytester
) -> None:
    """Each is a process of its own, and spreads nothing further."""
    pytest.importorskip("xdist")
    pytester.makeini("[pytest]\naddopts = -n 2 --dist=loadscope")
    one = pytester.parseconfig("--hk-mode=prod", *passed_on(given))
    assert not one.option.numprocesses


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--hk-target=prod",), "--hk-fleet with --hk-target"),
        (("--hk-twin=postgresql://x",), "--hk-twin with --hk-fleet"),
        (("--hk-in-place",), "--hk-in-place with --hk-fleet"),
        (("--hk-baseline=auto",), "--hk-baseline with --hk-fleet"),
        (("--hk-plan=x",), "--hk-plan with --hk-fleet"),
        (("--hk-confirm=ALL",), "f is changed only on the exact word"),
    ],
)
def test_what_is_of_one_database_or_out_of_its_turn(
    words: tuple[str, ...], said: str, pytester: pytest.Pytester
) -> None:
    with pytest.raises(pytest.UsageError, match=said):
        refuse_unfit(bare(pytester, *_GIVEN, *words), Mode.PROD, Fleet(name="f", env="F"))


def test_what_is_told_to_type_is_the_same_run_with_the_word(pytester: pytest.Pytester) -> None:
    """With the share: without it, it would be another one."""
    words = ("--hk-mode=prod", "--hk-fleet=f", "--hk-shard=3/10", "--hk-segments=2")
    with pytest.raises(pytest.UsageError) as refused:
        refuse_unfit(bare(pytester, *words), Mode.PROD, Fleet(name="f", env="F", confirm="GO"))
    fix = str(refused.value).partition("fix: pytest ")[2].split()
    assert {*fix} >= {*words, "--hk-confirm=GO"}
    refuse_unfit(bare(pytester, *fix), Mode.PROD, Fleet(name="f", env="F", confirm="GO"))


def test_what_would_run_an_item_again(given: pytest.Config) -> None:
    """As the options of pytest-rerunfailures and of pytest-xdist do."""
    for name, said in (("reruns", "an option runs items again"), ("looponfail", "--looponfail")):
        setattr(given.option, name, 2)
        with pytest.raises(pytest.UsageError, match=said):
            refuse_unfit(given, Mode.PROD, Fleet(name="f", env="F"))
        setattr(given.option, name, 0)


@pytest.mark.parametrize("mode", [Mode.PLAN, Mode.PROD, Mode.VERIFY])
@pytest.mark.parametrize("dist", ["each", "loadscope", "loadfile", "loadgroup", "worksteal"])
def test_items_are_given_out_in_their_turn(
    mode: Mode, dist: str, pytester: pytest.Pytester
) -> None:
    """Of work that is stolen an item would wait for one that waits behind it, for ever. What is
    told to add is right, also behind addopts."""
    pytest.importorskip("xdist")
    pytester.makeini(f"[pytest]\naddopts = -n 2 --dist={dist}")
    words = [f"--hk-mode={mode}", "--hk-fleet=f"]
    words += ["--hk-confirm=PROMOTE"] * (mode is Mode.PROD)
    with pytest.raises(pytest.UsageError, match=r"fix: add --dist=load\Z"):
        refuse_unfit(bare(pytester, *words), mode, Fleet(name="f", env="F"))
    refuse_unfit(bare(pytester, *words, "--dist=load"), mode, Fleet(name="f", env="F"))
    refuse_unfit(bare(pytester, *words, "-n0"), mode, Fleet(name="f", env="F"))


def test_what_addopts_select_are_databases(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run of each is whole. It has no cache to know what failed last."""
    pytester.makeini("[pytest]\naddopts = -k acme -m slow -x")
    fleet = Fleet(name="f", env="F")
    given = bare(pytester, *_GIVEN)
    refuse_unfit(given, Mode.PROD, fleet)
    one = pytester.parseconfig("--hk-mode=prod", *passed_on(given)).option
    assert (one.keyword, one.markexpr, one.maxfail) == ("", "", 0)
    for word in ("--lf", "--deselect=x::y"):
        monkeypatch.setenv("PYTEST_ADDOPTS", word)
        with pytest.raises(pytest.UsageError, match=f"{word} stands in addopts or PYTEST_ADDOPTS"):
            refuse_unfit(bare(pytester, *_GIVEN), Mode.PROD, fleet)
    # A plan is refused by no run of a database for what is left out.
    refuse_unfit(bare(pytester, "--hk-mode=plan", "--hk-fleet=f"), Mode.PLAN, fleet)
    monkeypatch.delenv("PYTEST_ADDOPTS")
    refuse_unfit(bare(pytester, *_GIVEN, "--lf", "--deselect=x::y"), Mode.PROD, fleet)


def test_what_holds_for_each_run_is_passed_on(pytester: pytest.Pytester) -> None:
    """And nothing that is the fleet's alone."""
    words = (*_GIVEN, "-p", "no:randomly", "-n", "2", "--hk-segments=2", "-k", "acme")
    passed = list(passed_on(bare(pytester, *words, "--hk-accept-drift=x")))
    held = "-p no:randomly --hk-segments=2 --hk-accept-drift=x"
    assert " ".join(passed).count(held) == 1
    assert not {"-n", "2", "acme", "--hk-fleet=f"} & {*passed}
