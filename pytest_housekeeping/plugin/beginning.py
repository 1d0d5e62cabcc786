"""The beginning of an active run: its parts put together and its hooks registered."""

from __future__ import annotations

import gc

import pytest

from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.model import Kind, Phase
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plugin import fixtures, machines
from pytest_housekeeping.plugin.ending import Ending
from pytest_housekeeping.plugin.garbage import pass_over_what_is_there
from pytest_housekeeping.plugin.html import HtmlHooks, OwnPage
from pytest_housekeeping.plugin.interruption import Interruption
from pytest_housekeeping.plugin.options import PARTS, lists_only, refuse_unusable, run_options
from pytest_housekeeping.plugin.redaction import given_passwords
from pytest_housekeeping.plugin.refusals import as_run_here, refuse
from pytest_housekeeping.plugin.session import ActiveRun
from pytest_housekeeping.plugin.signs_of_life import SignsOfLifeHooks
from pytest_housekeeping.plugin.stash import COLLECTS_AHEAD, PROMOTION
from pytest_housekeeping.promotion.engine import Promotion
from pytest_housekeeping.promotion.production.of_fleet.handed import handed
from pytest_housekeeping.promotion.progress import Progress
from pytest_housekeeping.promotion.run import Run
from pytest_housekeeping.promotion.start import start_run

_INTERRUPTED = "The run was interrupted before it had a plan: nothing was changed."
_RUN, _FIXTURES = "housekeeping-run", "housekeeping-fixtures"


class AnotherPlan(Exception):
    """What was collected ahead is not what this database needs. Nothing was begun."""


def activate(config: pytest.Config) -> None:
    """Compute the plan, start what runs beside collection, and register the active hooks.

    Raises pytest.UsageError (exit code 4) for whatever makes a plan impossible.
    """
    refuse_unusable(config)
    machines.prepare(config)
    _begin(config, None)


def begin_behind_collection(session: pytest.Session) -> None:
    """A run of its own, in a fork of a process that has collected ahead, on the items of that.

    Of that process's own parts none is left. Raises AnotherPlan, and what ``activate`` raises.
    """
    config, manager = session.config, session.config.pluginmanager
    collected = manager.get_plugin(_RUN)
    if not isinstance(collected, ActiveRun):
        raise AnotherPlan
    config.stash[COLLECTS_AHEAD] = False
    for name in PARTS:
        if name != _FIXTURES and manager.has_plugin(name):
            manager.unregister(name=name)
    manager.register(_Ended(), "housekeeping-ended")
    _begin(config, collected)
    active = manager.get_plugin(_RUN)
    if isinstance(active, ActiveRun):
        active.pass_over_known(session)


class _Ended:
    """At its end pytest looks for what cannot be finalised, among all that a run has made. Where no
    code of the project has run that is nobody's, and goes with the process."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        gc.freeze()


def _begin(config: pytest.Config, collected: ActiveRun | None) -> None:
    interruption = Interruption()
    if not config.stash.get(COLLECTS_AHEAD, False):
        interruption.install()
        config.add_cleanup(interruption.remove)
    try:
        _register(config, interruption, collected)
    except KeyboardInterrupt:
        interruption.finishing()
        machines.record_refusal(config, _INTERRUPTED, pytest.ExitCode.INTERRUPTED)
        pytest.exit(_INTERRUPTED, returncode=pytest.ExitCode.INTERRUPTED)


def _register(
    config: pytest.Config, interruption: Interruption, collected: ActiveRun | None
) -> None:
    pass_over_what_is_there(config)
    progress = Progress()
    signs = None if lists_only(config) else SignsOfLifeHooks(config, progress)
    with progress.doing("reading the project and connecting"):
        run = _started(config)
    config.add_cleanup(run.close)
    if collected is not None and not collected.is_of(run.context.plan):
        run.close()
        raise AnotherPlan
    promotion = Promotion(run=run, progress=progress)
    run.follow(progress)
    config.stash[PROMOTION] = promotion
    if collected is None:
        config.pluginmanager.register(fixtures, _FIXTURES)
    try:
        active = ActiveRun(config, promotion, collected)
    except HousekeepingError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(active, _RUN)
    of_fleet = handed() is not None
    pages = OwnPage(active.recorder) if of_fleet else HtmlHooks(active.recorder)
    config.pluginmanager.register(pages, "housekeeping-html")
    if not lists_only(config):
        ending = Ending(
            active,
            recorder=active.recorder,
            selection=active.selection,
            last_look=active.attest_code,
            interruption=interruption,
        )
        config.pluginmanager.register(ending, "housekeeping-ending")
    if signs is not None:
        signs.follow(active.recorder)
        config.pluginmanager.register(signs, "housekeeping-signs-of-life")
    if collected is None:
        for name in dict.fromkeys(map(str, (*Phase, *Kind))):
            config.addinivalue_line("markers", f"{name}: a step of the promotion's plan")
    if not lists_only(config):
        config.option.htmlpath = None if of_fleet else str(run.context.html_path)
        config.option.self_contained_html = True


def _started(config: pytest.Config) -> Run:
    """The parts of the run. What makes it impossible is on record before it is told."""
    try:
        options = run_options(config)
        rules = rules_of(options.mode)
        # --collect-only of a rollback shows what would be undone, and needs no --hk-confirm.
        if rules.changes_production and not (rules.undoes and options.look_only):
            given = handed()
            target = (
                given.target
                if given
                else load_config(config.rootpath, target=options.target).target
            )
            refuse(config, target)
        return start_run(options)
    except (HousekeepingError, pytest.UsageError) as error:
        # libpq's words may quote what was given to it.
        said = as_run_here(Secrets(given_passwords(config)).redact(str(error)), config)
        machines.record_refusal(config, said, pytest.ExitCode.USAGE_ERROR)
        raise pytest.UsageError(said) from None
