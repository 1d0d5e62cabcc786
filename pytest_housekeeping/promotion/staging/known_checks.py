"""Checks of staging that an earlier run of this machine has shown on just the same schema."""

from __future__ import annotations

from pytest_housekeeping.model import Phase
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.kept_verdicts import facts_of_database
from pytest_housekeeping.promotion.known_checks import KnownChecks
from pytest_housekeeping.promotion.staging.target import StagingTarget
from pytest_housekeeping.promotion.throwaway import Throwaway


def known_checks(context: RunContext, target: StagingTarget, throwaway: Throwaway) -> KnownChecks:
    """They depend on the tool and what it stands on, the server's build, the settings, what a
    superuser has done to the server, every text that has made the schema and its rows, and the
    schema as this run has read it. Of a server that was given, nobody here knows what was done."""

    def facts() -> list[object] | None:
        schema = target.schema_read()
        if schema is None or throwaway.kind == "given":
            return None
        return [
            *facts_of_database(context),
            schema.digest,
        ]

    return KnownChecks(context=context, phase=Phase.VERIFY, facts=facts)
