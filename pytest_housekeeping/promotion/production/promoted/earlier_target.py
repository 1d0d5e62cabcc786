"""`after` of a target or a fleet: it takes only what was promoted to another one first, just so.

What has to be the same is the transition: the files, the checks, the schema before and after. What
belongs to the databases themselves (roles, settings, rows, versions) may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_housekeeping.config import PRODUCTION, Config, Target, milliseconds
from pytest_housekeeping.declarations.fleets import member_target
from pytest_housekeeping.errors import ProofFailed, named
from pytest_housekeeping.model import Finding, Kind, Level, Mode, Phase, RunOutcome, Step, Verdict
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.of_fleet.databases import State, read_databases
from pytest_housekeeping.promotion.production.promoted.transition import (
    Texts,
    Transition,
    audits_of,
    files_of,
    in_force,
    made_up_of,
)
from pytest_housekeeping.snapshot.compare.own_names import with_marks
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.fingerprint import Fingerprint

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.steps import PlannedStep

_WHY = "what is tried first is worth something only where the same is done then"


def schema_alone(context: RunContext, schema: Fingerprint) -> str:
    """The digest of what a promotion changes: the schema, without what is around it and without
    this tool's own tables, which say of each database what was applied there and when."""
    own = context.config.history_schema
    bare = with_marks(schema.with_no_more(Around.NOTHING), context.config.target)
    names = {entry.name for entry in bare.entries if entry.name == f"schema {own}"}
    while more := {entry.name for entry in bare.entries if entry.parent in names} - names:
        names |= more
    kept = tuple(entry for entry in bare.entries if entry.name not in names)
    return replace(bare, entries=kept).digest


class EarlierTarget:
    """The step ``precheck::after``, and the half of it that only the rehearsal can tell."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._found: Transition | None = None

    def judge(self, before: Fingerprint) -> Judgement:
        """The same files and checks were promoted there, to the schema that is found here as well.

        Raises ProofFailed that says what differs, or how long is still to be waited.
        """
        context, one = self._context, Verdict(examined=1, unit="target")
        first = context.config.target.after
        if context.options.records_only:
            return one, "a baseline runs nothing: it is shown to be there"
        if not _wanted(context):
            return one, f"nothing is pending, so nothing is asked of {first}"
        try:
            there = self._there()
            found = self._transition(there, before)
            self._refuse_too_soon(there)
        except ProofFailed as error:
            if not context.options.emergency:
                raise
            waived = Finding(
                rule="emergency",
                level=Level.WARNING,
                object=f"promotion to {first}",
                detail=f"was not waited for: {error.found}",
                fix=f"promote the same to {first}, as soon as there is time for it",
            )
            return replace(one, findings=(waived,)), "waived by --hk-emergency"
        self._found = found
        return one, f"promoted to {first} {found.told}"

    def compare_after(self, after: Fingerprint) -> str:
        """What the rehearsal has shown to come of it here came of it there. What to tell of it.

        Raises ProofFailed where it is something else.
        """
        if self._found is None:
            return ""
        first, there = self._context.config.target.after, self._found.runs[-1]
        if there.bound.schema_after != schema_alone(self._context, after):
            raise ProofFailed(
                f"the schema after the batch is not the one that run {there.run.id} has left in"
                f" {first}",
                why=_WHY,
                fix="the same files make something else here, so they depend on something that is"
                f" no part of them: compare the changes of this plan with those of {first}'s audit",
            )
        return f"; the same as in {first}"

    def _there(self) -> list[tuple[Target, Transition]]:
        """What was promoted there and makes up this batch, the newest that does: in the target, or
        in each database of the fleet."""
        config, wanted = self._context.config, _wanted(self._context)
        runs = [(place, self._runs_at(place)) for place in self._places()]
        found = [(place, next(made_up_of(wanted, done), None)) for place, done in runs]
        lacking = [place.name for place, made in found if made is None]
        if lacking:
            for place, done in runs:
                if place.name in lacking:
                    self._refuse_edited(place, done)
                    self._refuse_larger(place, wanted, done)
            files = ", ".join(path for path, _ in wanted)
            has = "has" if len(lacking) == 1 else "have"
            raise ProofFailed(
                f"{named(lacking, 5)} {has} had no promotion of just this batch: {files}",
                why=f"{config.target.name} takes only what was promoted to {config.target.after}"
                " before, and just that",
                fix=_promote_there(config),
            )
        return [(place, made) for place, made in found if made is not None]

    def _transition(
        self, there: Sequence[tuple[Target, Transition]], before: Fingerprint
    ) -> Transition:
        """One of them that has found the schema that is here."""
        context, first = self._context, self._context.config.target.after
        # A plan applies nothing, and asks rows nothing: the promotion that it is of does.
        checks = {*_checks(context.plan.steps), *_checks(context.plan.verify)}
        for place, made in there:
            last = made.runs[-1]
            if other := {*_checks(last.plan.steps)} ^ checks:
                names = sorted({name for name, _ in other})
                raise ProofFailed(
                    f"run {last.run.id} in {first} had other checks: {named(names, 5)}",
                    why=_WHY,
                    fix=f"promote from the commit that was promoted there, {last.source.commit}; or"
                    f" {_anew(place, made.runs[0].run.id)}",
                )
        schema = schema_alone(context, before)
        runs = [made for _, made in there]
        made_here = next((m for m in runs if m.runs[0].bound.schema_before == schema), None)
        if made_here is None:
            raise ProofFailed(
                f"the schema here is not the one that run {runs[0].runs[0].run.id} has found in"
                f" {first}",
                why=_WHY,
                fix="bring both to the same schema first: what one has and the other lacks is in"
                " their snapshots, beside the audits",
            )
        return made_here

    def _places(self) -> Iterator[Target]:
        """The target that comes first, or each database of the fleet that does: all have to have
        it, but for those that stay as they are."""
        config = self._context.config
        fleet = config.fleets.get(config.target.after)
        if fleet is None:
            yield config.targets[config.target.after]
            return
        for database in read_databases(config, fleet):
            if database.state is not State.ARCHIVED:
                yield member_target(fleet, database.name, config.targets[PRODUCTION].audit)

    def _refuse_edited(self, place: Target, done: Sequence[Audit]) -> None:
        """Raises ProofFailed for a file that would be refused there: it has another text now."""
        files = [file for segment in self._context.plan.segments for file in segment.files]
        pending = {file.path: file.sha256 for file in files if file.kind is Kind.MIGRATION}
        for audit in done:
            for path, digest in files_of(audit.plan.steps):
                if pending.get(path, digest) != digest:
                    raise ProofFailed(
                        f"{path} has another text than {place.name} has had in run {audit.run.id}",
                        why=f"{place.name} applies no file again, so this text cannot come there",
                        fix=f"git checkout {audit.source.commit} -- {path}, and what it is to do"
                        f" besides in a new file; or {_anew(place, audit.run.id)}",
                    )

    def _refuse_larger(self, place: Target, wanted: Texts, done: Sequence[Audit]) -> None:
        """Raises ProofFailed for a batch that came there behind other files, in the same run:
        nothing is pending there, so to promote once more would change nothing."""
        files = (file for segment in self._context.plan.segments for file in segment.files)
        first = [file.version for file in files if file.kind is Kind.MIGRATION][:1]
        for audit in reversed(done):
            there = files_of(audit.plan.steps)
            if first and len(there) > len(wanted) and there[-len(wanted) :] == wanted:
                raise ProofFailed(
                    f"run {audit.run.id} in {place.name} had {wanted[0][0]} in one batch with"
                    f" {named([path for path, _ in there[: -len(wanted)]], 5)}",
                    why=_WHY,
                    fix=_anew(place, first[0]),
                )

    def _runs_at(self, place: Target) -> list[Audit]:
        repository = self._context.required_repository(_WHY)
        folder = repository.relative(self._context.config.root / place.audit)
        return in_force(repository.changes_on_record(folder), place.name)

    def _refuse_too_soon(self, there: Sequence[tuple[Target, Transition]]) -> None:
        """It stands there as long as it has to, and was looked at since: in each of them."""
        soak = self._context.config.target.soak
        if not soak:
            return
        for place, made in there:
            age = datetime.now(UTC) - made.runs[-1].run.finished_at
            if age < timedelta(milliseconds=milliseconds(soak)):
                minutes, fix = int(age.total_seconds() // 60), "wait, and promote then"
                if minutes < 0:
                    fix = f"set the clocks of this machine and of {place.name}'s right, {fix}"
                raise ProofFailed(
                    f"it stands in {place.name} for {minutes} minutes, and has to for {soak}",
                    why="what goes wrong with time is to be seen there, and not here",
                    fix=fix,
                )
        unseen = [place for place, made in there if not self._looked_at(place, made)]
        if unseen:
            config = self._context.config
            there_again = config.called(config.target.after).everywhere
            was = "was" if len(unseen) == 1 else "were"
            raise ProofFailed(
                f"{named([each.name for each in unseen], 5)} {was} not looked at since, with"
                " nothing to find",
                why=f"soak = {soak} asks for a verify that ends well in between",
                fix=f"pytest --hk-mode=verify{there_again}, then promote",
            )

    def _looked_at(self, place: Target, made: Transition) -> bool:
        """Whether a watch that began since has found nothing."""
        context, since = self._context, made.runs[-1].run.finished_at
        if context.repository is None:
            return False
        folder = context.repository.relative(context.config.root / place.audit)
        watches = audits_of(context.repository.evidence(Mode.VERIFY, folder), place.name)
        well = RunOutcome.NOTHING_TO_PROMOTE
        return any(each.run.outcome is well and each.run.started_at > since for each in watches)


def _wanted(context: RunContext) -> Texts:
    """What is pending; seeds are each target's own."""
    files = (file for segment in context.plan.segments for file in segment.files)
    return tuple((file.path, file.sha256) for file in files if file.kind is not Kind.SEED)


def _anew(place: Target, to: str) -> str:
    """How what it had is taken back there, so that it can be promoted as it is now."""
    word = rules_of(Mode.ROLLBACK).confirm
    undo = f"pytest --hk-mode=rollback{place.option} --hk-confirm={word} --hk-to={to}"
    return f"take it back there, {undo}, and promote it anew: {place.promotion}"


def _promote_there(config: Config) -> str:
    """How what comes first gets it."""
    command = config.called(config.target.after).promotion
    found = "where that was done in another clone, fetch its evidence"
    return f"promote it there first: {command}; {found}"


def _checks(steps: Sequence[Step] | Sequence[PlannedStep]) -> Texts:
    """What is asked of the result, wherever it is asked: on the copy, or in the transaction."""
    asked = (
        (step.id, step.sha256)
        for step in steps
        if step.phase in (Phase.REHEARSE, Phase.VERIFY)
        and step.kind not in (Kind.REHEARSAL, Kind.LINT)
        and step.sha256
    )
    return tuple(sorted(asked))
