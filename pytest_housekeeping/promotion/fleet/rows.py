"""The questions that a batch raises, asked of the rows of each database before the first is begun.

A group is alike in its schema, and not in its rows.
"""

from __future__ import annotations

from functools import partial

from pytest_housekeeping.checks.rows.verdict import rows_verdict
from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.promotion.fleet.survey import reach
from pytest_housekeeping.promotion.production.group.proof import GroupProof
from pytest_housekeeping.promotion.production.of_fleet.databases import FleetDatabase
from pytest_housekeeping.promotion.rehearsal.rows import answers_of
from pytest_housekeeping.promotion.target_connection import TargetConnection


def rows_of(config: Config, fleet: Fleet, database: FleetDatabase, proof: GroupProof) -> Verdict:
    """What the rows of one database would refuse; where the batch asks nothing, nobody connects.

    Raises ServerError where it is away, ProofFailed where it cannot be asked.
    """
    connection = TargetConnection(partial(reach, config, fleet, database))
    try:
        proof = proof.called(database.names)
        changes = sum(len(facts.changes) for facts in proof.facts.values())
        verdict, _ = rows_verdict(answers_of(config, connection, proof.questions), changes)
    finally:
        connection.close()
    return verdict
