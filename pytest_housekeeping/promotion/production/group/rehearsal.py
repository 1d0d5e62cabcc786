"""The rehearsal of a group, in the place of one's own: what it has shown, on this database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Mode, Verdict
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.postgres.batch_facts import BatchFacts
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.group.proof import (
    GroupProof,
    holds_for,
    read_proof,
    refuse_other_group,
)
from pytest_housekeeping.promotion.production.of_fleet.handed import handed
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.promotion.rehearsal.twin_target import TwinTarget
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import listed
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord


@dataclass(kw_only=True)
class GroupRehearsal(Rehearsal):
    """``promoter`` is who connects, as whom the batch was rehearsed."""

    promoter: str

    @property
    def role(self) -> str:
        return self.promoter

    def foreseen(self, segment: int) -> SchemaRecord:
        if segment not in self._expected:
            for number in sorted(self.changes):
                self.foresee(number)
        return super().foreseen(segment)

    def prove_same(self, schema: Fingerprint, segment: int) -> SchemaRecord:
        """What the batch has made here is what it has made where the group was rehearsed.

        Raises ProofFailed with each object that differs, before and after.
        """
        expected = self.foreseen(segment)
        if expected.fingerprint.digest == schema.digest:
            return expected
        may_move = self.context.config.may_move
        others = split_declared(expected.fingerprint, schema, may_move).others
        if others:
            raise ProofFailed(
                "the batch has made something else here than where its group was rehearsed:"
                f" {listed(others)}",
                why="the checks have judged that, and nobody has judged this",
                fix="write down what the files make, so that it does not depend on rows, on names"
                " or on the clock",
            )
        return SchemaRecord(fingerprint=schema)


def proof_of_group(plan: Plan) -> GroupProof | None:
    """What was shown for the group of this database, where it is promoted as one of a fleet.

    A watch that asks something else here than there, for it was promoted with other checks, makes a
    copy of its own.
    """
    given = handed()
    if given is None or given.proof is None or not given.proof.exists():
        return None
    proof = read_proof(given.proof).called(given.target.names)
    asks_else = plan.mode is Mode.VERIFY and plan.digest != proof.plan
    return None if asks_else else proof


def _shown(facts: BatchFacts) -> Future[BatchFacts]:
    shown = Future[BatchFacts]()
    shown.set_result(facts)
    return shown


def rehearsal_of_group(
    proof: GroupProof,
    context: RunContext,
    copy: TwinTarget,
    original: Callable[[], Fingerprint],
    promoter: str,
) -> GroupRehearsal:
    """The rehearsal that was made for the group. There is no ``copy``, and nothing asks it."""
    return GroupRehearsal(
        context=context,
        target=copy,
        original=original,
        promoter=promoter,
        changes=dict(proof.changes),
        _facts={number: _shown(facts) for number, facts in proof.facts.items()},
        questions=proof.questions,
        _seconds=defaultdict(float, proof.seconds),
    )


def shape_of_group(
    proof: GroupProof | None, context: RunContext, target: ProductionTarget
) -> Callable[[], bool]:
    """Whether the tool's own tables are what they have to be, asked once.

    That was shown on the copy, before the batch and behind it, as whoever promotes here: their
    shape is a part of the schema, which is the same.
    """
    if proof is None or context.rules.watches:
        return lambda: False

    identity = target.connection.identity()
    return cache(lambda: holds_for(proof, context, target.fingerprint(), identity))


def backup_of_group(
    context: RunContext,
    target: ProductionTarget,
    backup: Mapping[str, Callable[[], Judgement]],
    proof: GroupProof | None,
) -> Mapping[str, Callable[[], Judgement]]:
    """The steps of the backup; of a group, the database is shown to be one of it before."""
    if proof is None:
        return backup

    def snapshot() -> Judgement:
        database, schema = target.connection.identity().database, target.fingerprint()
        refuse_other_group(proof, context, schema, database)
        if not context.rules.watches:
            return backup["snapshot"]()
        verdict = Verdict(examined=max(1, len(schema.entries)), unit="objects")
        return verdict, f"the schema is that of {proof.shown_on}, of which the copy was made"

    return {**backup, "snapshot": snapshot}
