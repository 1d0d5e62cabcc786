"""Whether production was changed past the files: since the last promotion, or by another tool's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.other_tool.beside import applied_now
from pytest_housekeeping.promotion.production.prechecks import baseline
from pytest_housekeeping.promotion.production.promoted import promotion_table
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.promotion.transaction.interrupted import left_by
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import Difference, in_common
from pytest_housekeeping.snapshot.compare.own_names import group_schema
from pytest_housekeeping.snapshot.coverage import Around, beyond
from pytest_housekeeping.snapshot.fingerprint import Fingerprint


def drift(
    context: RunContext, target: ProductionTarget, throwaway: Throwaway, checks: Checks
) -> Judgement:
    """What was changed past the files. In a watch, which has no promote, what no contract judges is
    told with it; and where another tool applies the files, they are what it is compared with."""
    if not context.rules.watches:
        return _since_the_last(context, target)
    if context.plan.theirs:
        found = throwaway.lent(lambda: baseline.verify_theirs(context, target, throwaway))
    else:
        found = _since_the_last(context, target)
    verdict, said = found
    unjudged = checks.unjudged(target.connection.get())
    return replace(verdict, findings=(*verdict.findings, *unjudged)), said


def _since_the_last(context: RunContext, target: ProductionTarget) -> Judgement:
    """The schema is as the last promotion left it: nobody has changed it past the files."""
    connection, schema = target.connection.get(), context.config.history_schema
    now = whole = target.fingerprint()
    recorded = promotion_table.last_fingerprint(connection, schema, now)
    if recorded is None:
        return Verdict(examined=1, unit="fingerprint"), "no promotion on record yet"
    # An earlier version recorded the schema without that of its own tables.
    if schema in recorded.excluded:
        now = target.read_without_history(connection)
    recorded, now, uncovered = in_common(recorded, now)
    unread = f"; not compared: {uncovered}" * bool(uncovered)
    if recorded.digest == now.digest:
        return Verdict(examined=1, unit="fingerprint"), f"as recorded: {now.digest[:12]}{unread}"
    _refuse_overtaken(context, target)
    moves = split_declared(recorded, now, context.config.may_move)
    unfinished, differences = _without_unfinished(context, moves.others)
    if not differences:
        names = ", ".join(each.name for each in unfinished)
        left = f"; what an interrupted run has left: {names}" * bool(unfinished)
        said = f"as recorded, but for what may move{moves.told}{left}{unread}"
        return Verdict(examined=1, unit="fingerprint"), said
    wanted = context.options.accepted_drift
    accepted = bool(wanted) and wanted in (now.digest, _of_fleet(context, target, whole))
    quiet = context.rules.undoes or accepted
    ways = (
        "bring the change into a migration (python -m pytest_housekeeping"
        f" adopt-drift{context.config.target.option} writes it), or undo it; to accept all of it:"
        f" --hk-accept-drift={now.digest}"
    )
    target.drift = "" if accepted else now.digest
    # Whether the files that are recorded make it is what precheck::baseline shows.
    adopts = context.options.records_only
    findings = tuple(
        _finding(each, "" if quiet else ways, notes=quiet or (adopts and not _is_around(each)))
        for each in differences
    )
    verdict = Verdict(examined=max(1, len(differences)), unit="fingerprint", findings=findings)
    said = f"{len(differences)} objects differ"
    if accepted:
        said = f"drift of {len(differences)} objects accepted by --hk-accept-drift"
    return verdict, f"{said}{moves.told}{unread}"


def _finding(difference: Difference, fix: str, *, notes: bool) -> Finding:
    """``fix`` is "" for what a rollback leaves: it is compared with the backup, drift and all."""
    return Finding(
        rule="drift",
        level=Level.NOTICE if notes else Level.ERROR,
        object=difference.name,
        detail=f"was {difference.change} since the last promotion, by no file"
        + f": {difference.told}" * bool(difference.told),
        fix=fix,
    )


def _is_around(difference: Difference) -> bool:
    return f"{difference.name} ".startswith(tuple(f"{kind} " for kind in beyond(Around.NOTHING)))


def _of_fleet(context: RunContext, target: ProductionTarget, schema: Fingerprint) -> str:
    """What a schema is called for all of a fleet that have it; "" outside of one."""
    if not context.config.target.fleet:
        return ""
    return group_schema(schema, target.connection.identity().database, context.config.target)


def _without_unfinished(
    context: RunContext, differences: Sequence[Difference]
) -> tuple[list[Difference], list[Difference]]:
    """Indexes that an interrupted run of a pending file has left or made outside of a transaction,
    and what else differs. Such a file goes on from there.
    """
    pending = (file for segment in context.plan.segments for file in segment.files)
    texts = [context.files.text(file) for file in pending if file.transaction == "none"]
    unfinished: list[Difference] = []
    others: list[Difference] = []
    for each in differences:
        (unfinished if left_by(texts, each) else others).append(each)
    return unfinished, others


def _refuse_overtaken(context: RunContext, target: ProductionTarget) -> None:
    """A promotion that went in since the plan was made is no drift."""
    there = applied_now(context, target.connection.get())
    if there != [past.path for past in context.plan.past]:
        raise ProofFailed(
            "another promotion went in after this plan was made",
            why="the schema is not the one that this plan starts from",
            fix="run again: what is applied by now is found in the history",
        )
