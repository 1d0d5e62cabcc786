"""What the rehearsal on one database of a group has shown, kept for the others of it.

A group is alike in its schema, in what is around it, and in what was applied; not in its rows.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from pytest_housekeeping.checks.rows.question import Question, Unasked
from pytest_housekeeping.errors import ProofFailed, part_of
from pytest_housekeeping.model import (
    ROWS,
    Outcome,
    Phase,
    RunOutcome,
    Step,
    StepResult,
    TargetIdentity,
)
from pytest_housekeeping.plan.steps import ACTIVITY, BINDING, CHANGES, IMPACT
from pytest_housekeeping.postgres.batch_facts import BatchFacts
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.production.of_fleet.handed import handed
from pytest_housekeeping.promotion.run import Run
from pytest_housekeeping.snapshot.compare.batches import SchemaChange
from pytest_housekeeping.snapshot.compare.own_names import as_here, called, exchanged, group_schema
from pytest_housekeeping.snapshot.fingerprint import Fingerprint

# Of the steps that need no files: what is asked of each database by itself.
_OWN = frozenset({ACTIVITY, BINDING, CHANGES, IMPACT, ROWS})
_RESTORED, _AFTER = "backup::proof", "precheck::after"
# How a plan tells that a promotion would be refused.
_REFUSED = "refused-by-"
_EARLY = f"{_REFUSED}after"


@dataclass(frozen=True, kw_only=True)
class GroupProof:
    """``schema`` is the digest of what all databases of the group have before the batch, ``plan``
    that of the batch and its checks; ``results`` are those of the steps that the schema decides.
    ``too_early`` is why what comes before has not had just this, "" where it has, ``refused`` for
    what else a promotion would be refused; ``names`` are those of ``shown_on`` that differ from
    database to database. The batch was rehearsed as the ``promoter``."""

    shown_on: str
    shown_at: datetime
    schema: str
    plan: str
    results: Mapping[str, StepResult]
    changes: Mapping[int, SchemaChange]
    facts: Mapping[int, BatchFacts]
    seconds: Mapping[int, float]
    questions: tuple[Question | Unasked, ...]
    too_early: str = ""
    refused: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    promoter: str = ""

    def called(self, names: Mapping[str, str]) -> GroupProof:
        """As it would have been shown on a database whose own names these are."""
        other = exchanged(self.names, names)
        if not other:
            return self
        return replace(
            self,
            names=names,
            changes={
                number: as_here(change, self.names, names)
                for number, change in self.changes.items()
            },
            facts=called(self.facts, other),
            questions=called(self.questions, other),
            results={
                id_: replace(
                    result,
                    findings=called(result.findings, other),
                    locks=called(result.locks, other),
                )
                for id_, result in self.results.items()
            },
        )

    def of(self, step: Step) -> StepResult | None:
        """What was shown of a step, told as such; None where it was not, and has to be now."""
        result = self.results.get(step.id)
        if result is None:
            return None
        said = f"shown for the group on {self.shown_on}: {result.message}".rstrip(": ")
        at = result.shown_at or self.shown_at.isoformat(timespec="seconds")
        return replace(result, step=step, duration_s=0.0, message=said, shown_at=at)


def keep_for_group(run: Run, results: Mapping[str, StepResult], outcome: RunOutcome) -> None:
    """Write what a plan or a watch has shown, where it was made for other databases as well: into a
    folder that is the owner's alone. What a watch has found on the copy is so for all of them."""
    given, context, rehearsal = handed(), run.context, run.rehearsal
    identity = run.target.connection.known_identity
    if given is None or given.keep is None or rehearsal is None or identity is None:
        return
    if given.keep.exists():
        return
    refused = {
        each.rule: f"{each.detail}\n{part_of('fix', each.fix)}"
        for result in results.values()
        for each in result.findings
        if each.rule.startswith(_REFUSED)
    }
    early = refused.pop(_EARLY, "")
    shown = {
        id_: result
        for id_, result in results.items()
        if id_ == _RESTORED
        or (id_ == _AFTER and not result.findings)
        or (result.step.phase is Phase.REHEARSE and result.step.name not in _OWN)
    }
    whole = all(result.outcome is not Outcome.SKIPPED for result in shown.values())
    planned = outcome is RunOutcome.PLANNED
    if not (whole and _RESTORED in shown if context.rules.watches else planned):
        return
    proof = GroupProof(
        shown_on=context.config.target.name,
        shown_at=context.run.started_at,
        schema=group_schema(rehearsal.original(), identity.database, context.config.target),
        plan=context.plan.digest,
        results=shown,
        changes=dict(rehearsal.changes),
        facts=dict(rehearsal.facts),
        seconds=rehearsal.seconds,
        questions=tuple(rehearsal.questions or ()),
        too_early=early,
        refused=tuple(refused.values()),
        names=context.config.target.names,
        promoter=context.promoter or identity.user,
    )
    half = given.keep.with_suffix(f".{os.getpid()}")
    half.write_bytes(pickle.dumps(proof))
    half.replace(given.keep)


def read_proof(path: Path) -> GroupProof:
    """What this very fleet has kept in its own folder, a moment ago; read once of each."""
    kept = path.stat()
    return _read_proof(path, (kept.st_ino, kept.st_mtime_ns, kept.st_size))


@lru_cache(maxsize=8)
def _read_proof(path: Path, _: tuple[int, ...]) -> GroupProof:
    proof = pickle.loads(path.read_bytes())  # noqa: S301 - written by this run, where nobody else may
    if not isinstance(proof, GroupProof):
        raise ProofFailed(f"{path.name} holds no proof of a group")
    return proof


def holds_for(
    proof: GroupProof, context: RunContext, schema: Fingerprint, identity: TargetIdentity
) -> bool:
    """Whether the very batch was rehearsed on this very schema, as who is connected here."""
    known = proof.plan, proof.schema, proof.promoter
    here = group_schema(schema, identity.database, context.config.target)
    return known == (context.plan.digest, here, identity.user)


def refuse_other_group(
    proof: GroupProof, context: RunContext, schema: Fingerprint, database: str
) -> None:
    """Raises ProofFailed where the database, or the batch, is another one than was rehearsed."""
    if context.plan.digest != proof.plan:
        raise ProofFailed(
            "the batch is another one than was rehearsed for the group",
            why="what is applied here, or a file, has changed since",
            fix="run the fleet again: it groups its databases anew",
        )
    if group_schema(schema, database, context.config.target) != proof.schema:
        raise ProofFailed(
            f"the schema is not the one of {proof.shown_on}, on which the group was rehearsed",
            why="what was shown there holds for databases of the same schema alone",
            fix="run the fleet again: it groups its databases anew; what was changed is in"
            " precheck::drift",
        )
