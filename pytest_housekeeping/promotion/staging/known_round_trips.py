"""Round trips, and files applied again, that an earlier run of this machine has shown: kept by all
that they depend on."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_housekeeping.checks.rollbacks.round_trip_input import RoundTripInput
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.kept_verdicts import (
    KeptVerdicts,
    facts_of_database,
    kept_verdicts,
)
from pytest_housekeeping.snapshot.fingerprint import Fingerprint

_NAME = "round-trips"


def known_round_trips(
    context: RunContext, given: RoundTripInput, schema: Fingerprint
) -> KeptVerdicts:
    """What is known of the round trips of this batch, whose ``schema`` was read in this run.

    They depend on the tool, the server's build, the settings, every text that has made the
    database, and the schemas between which they go.
    """
    before = given.schema_before_batch
    facts = [
        *facts_of_database(context),
        [(each.file.path, each.text, each.older) for each in given.repeatables],
        [
            (link.migration.sha256, link.rollback.path, link.rollback.sha256, link.pending)
            for link in given.links
        ],
        [before.digest if before else "", schema.digest],
        sorted((path, each.digest) for path, each in given.schema_before_migration.items()),
    ]
    return kept_verdicts(context, _NAME, facts)


def known_repeatables(
    context: RunContext, texts: Iterable[tuple[str, str]], schema: Fingerprint
) -> KeptVerdicts:
    """The same of view and policy files that are applied again, by their paths and ``texts``, to
    the ``schema`` that all of them have made."""
    facts = ["again", *facts_of_database(context), list(texts), schema.digest]
    return kept_verdicts(context, _NAME, facts)
