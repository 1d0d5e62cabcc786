"""From the options of a run to its parts: each mode puts its own together."""

from __future__ import annotations

from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.run import Run
from pytest_housekeeping.promotion.run_options import RunOptions


def start_run(options: RunOptions) -> Run:
    """Read the settings, make the plan, connect, and start what runs beside the collection.

    Raises MisuseError for what makes a plan impossible, ServerError and ProofFailed for a server
    that cannot be had or trusted; nothing is changed, and nothing is left running then.
    """
    match options.mode:
        case Mode.STAGING:
            from pytest_housekeeping.promotion.staging.start import start_staging

            return start_staging(options)
        case Mode.PLAN:
            from pytest_housekeeping.promotion.production.planning import start_plan

            return start_plan(options)
        case Mode.ROLLBACK:
            from pytest_housekeeping.promotion.rollback.start import start_rollback

            return start_rollback(options)
        case Mode.PROD | Mode.VERIFY:
            from pytest_housekeeping.promotion.production.start import start_production

            return start_production(options)
