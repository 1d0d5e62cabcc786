"""What has to be true of production before its batch is begun; each check says what it examined."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from pytest_housekeeping.config import Target
from pytest_housekeeping.errors import HousekeepingError, ProofFailed
from pytest_housekeeping.model import Finding, Level, TargetIdentity, Verdict
from pytest_housekeeping.plan.steps import STATISTICS
from pytest_housekeeping.postgres import history
from pytest_housekeeping.promotion import prechecks, stubs
from pytest_housekeeping.promotion.autocommit import unfinished_indexes
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.evidence_precheck import audits
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.own_tables import own_table_findings
from pytest_housekeeping.promotion.prechecks import Judgement
from pytest_housekeeping.promotion.production import baseline, promotion_table
from pytest_housekeeping.promotion.production.activity import check_window
from pytest_housekeeping.promotion.production.adoption import verify_adopted
from pytest_housekeeping.promotion.production.not_begun import history_not_begun
from pytest_housekeeping.promotion.production.promised_roles import PromisedRoles
from pytest_housekeeping.promotion.production.roles import check_privileges, check_roles
from pytest_housekeeping.promotion.production.staging_proof import proved_in_staging
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.target_pin import Pin, misplaced, other_pins
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.snapshot.coverage import Around, beyond
from pytest_housekeeping.snapshot.declared_moves import split_declared
from pytest_housekeeping.snapshot.difference import Difference, in_common
from pytest_housekeeping.snapshot.programs import find_pg_dump
from pytest_housekeeping.sql.identifiers import quoted, split_name


def production_prechecks(
    context: RunContext,
    target: ProductionTarget,
    throwaway: Throwaway,
    checks: Checks,
    promised: PromisedRoles | None = None,
) -> Mapping[str, Callable[[], Judgement]]:
    """The prechecks of a run on production, by name; ``promised`` is what is known of its roles."""
    return {
        "files": lambda: prechecks.files(context),
        "code": lambda: prechecks.code(checks.code()),
        "worktree": lambda: prechecks.worktree(context.source),
        "server": lambda: _server(target),
        "identity": lambda: _identity(context, target),
        "stubs": lambda: stubs.in_production(context.config.stubs, target.connection.get()),
        "window": lambda: check_window(context, target.connection.get()),
        "segments": lambda: _segments(context),
        "history": lambda: _history(context, target),
        "evidence": lambda: proved_in_staging(context, target.connection.identity()),
        "after": lambda: target.earlier.judge(target.fingerprint()),
        "audits": lambda: audits(context),
        "capacity": lambda: prechecks.capacity(context.plan, target.connection.get()),
        "roles": lambda: throwaway.lent(lambda: check_roles(context, target, throwaway, promised)),
        "privileges": lambda: check_privileges(context, target),
        "drift": lambda: _watched(context, checks, target, _drift(context, target)),
        "baseline": lambda: (
            verify_adopted(context, target)
            if context.plan.past
            else throwaway.lent(lambda: baseline.verify(context, target, throwaway))
        ),
    }


def production_backup(
    context: RunContext, target: ProductionTarget
) -> Mapping[str, Callable[[], Judgement]]:
    """The steps of the backup phase, by name."""

    def snapshot() -> Judgement:
        fingerprint, connection = target.fingerprint(), target.connection.get()
        conninfo = target.address.conninfo()
        return target.backup.snapshot(connection, conninfo, fingerprint, target.major)

    def proof() -> Judgement:
        if context.plan.rehearses:
            connection = target.connection
            return target.backup.rehearsal_proof(
                connection.get(),
                target.address.conninfo(),
                target.fingerprint(),
                connection.identity(),
            )
        return target.backup.proof(target.fingerprint(), target.major)

    def named(step: Callable[[], Judgement]) -> Judgement:
        try:
            return step()
        except HousekeepingError as error:
            raise target.named(error) from None

    return {"snapshot": lambda: named(snapshot), "proof": lambda: named(proof)}


def production_after(target: ProductionTarget) -> Mapping[str, Callable[[], Judgement]]:
    """What is done behind each COMMIT, by name."""
    return {STATISTICS: lambda: target.statistics.renew(target.connection)}


def _server(target: ProductionTarget) -> Judgement:
    """The server answers, how fast, which version; and there is a pg_dump that can read it."""
    connection, identity = target.connection.get(), target.connection.identity()
    started = time.perf_counter()
    connection.execute("SELECT 1")
    latency = (time.perf_counter() - started) * 1000
    prechecks.refuse_old_server(connection, identity, "upgrade the server to 15 or later")
    find_pg_dump(target.major)
    said = f"PostgreSQL {identity.server_version}, {identity.database} as {identity.user}"
    findings = prechecks.session_findings(connection)
    verdict = Verdict(examined=1, unit="server", findings=findings)
    return verdict, f"{said}, {latency:.1f} ms away"


def _identity(context: RunContext, target: ProductionTarget) -> Judgement:
    """The target is the one that was promoted before, as the committed pin says."""
    identity, timeline = target.connection.identity(), target.timeline
    pin, named = context.read_pin(), context.config.target
    place = f"{identity.host}:{identity.port}/{identity.database}"
    findings = list(_of_others(context, identity, place))
    if pin is None:
        verdict = Verdict(examined=1, unit="identity", findings=tuple(findings))
        return verdict, "no pin yet: it is written by this promotion"
    findings += [
        prechecks.error("wrong-target", place, said, fix)
        for said, fix in misplaced(pin, identity, timeline, named)
    ]
    findings += _not_compared(pin, identity, timeline, named)
    verdict = Verdict(examined=1, unit="identity", findings=tuple(findings))
    said = f"system identifier {identity.system_identifier}, timeline {timeline or 'not told'}"
    return verdict, said


def _of_others(context: RunContext, identity: TargetIdentity, place: str) -> Iterator[Finding]:
    """The database of another target, which the variables of this one lead to."""
    target = context.config.target
    for path, pin in other_pins(context.config, context.plan.sources).items():
        if (pin.system_identifier, pin.database) == (identity.system_identifier, identity.database):
            yield prechecks.error(
                "wrong-target",
                place,
                f"is the database that {path} names, and not {target.name}",
                f"check the {target.variables} variables",
            )


def _not_compared(
    pin: Pin, identity: TargetIdentity, timeline: int | None, target: Target
) -> Iterator[Finding]:
    """A notice where the timeline of the pin or of the server is not known."""
    if timeline is not None and pin.timeline is not None:
        return
    if timeline is None:
        detail = "the server does not tell its timeline, which is not compared"
        fix = (
            "GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_checkpoint()"
            f" TO {quoted(identity.user)};"
        )
    else:
        detail = "names no timeline"
        fix = f'add "timeline": {timeline} to it in a reviewed commit'
    yield Finding(
        rule="pin-timeline",
        level=Level.NOTICE,
        object=target.pin,
        detail=f"{detail}, so that a standby that was promoted beside production would be taken"
        " for it",
        fix=fix,
    )


def _segments(context: RunContext) -> Judgement:
    """A batch of several transactions is not all or nothing, so it has to be acknowledged."""
    plan = context.plan
    count = len(plan.segments)
    if count > 1 and context.options.segments != count:
        files = ", ".join(
            file.path
            for segment in plan.segments
            for file in segment.files
            if file.transaction != "batch"
        )
        raise ProofFailed(
            f"the batch is {count} transactions, because of {files or 'how it was promoted'}",
            why="a failure between them leaves the first ones committed and the rest not",
            fix=f"acknowledge it with --hk-segments={count}, or promote those files apart",
        )
    return Verdict(examined=count, unit="segments"), f"{count} transaction" + "s" * (count > 1)


def _history(context: RunContext, target: ProductionTarget) -> Judgement:
    """What is applied is on disk as it was applied, and nothing pending comes before it.

    The tables that say so are this tool's alone, whole, and agree with the evidence.
    """
    plan, connection = context.plan, target.connection.get()
    findings = prechecks.history_findings(context)
    findings += own_table_findings(context, connection, target.connection.identity())
    findings += history_not_begun(context, connection)
    pending = len(plan.unapplied)
    examined = max(1, len(plan.past) + pending)
    said = f"{len(plan.past)} applied, {pending} pending"
    if plan.checks_of:
        findings += [_waiting(path, "is merged and not promoted yet") for path in plan.unapplied]
        findings += [
            _waiting(path, "is new or changed since: it is asked once they are promoted")
            for path in plan.left_out
        ]
        said += f"; the checks are those of {plan.checks_of[:12]}, which was promoted last"
    return Verdict(examined=examined, findings=tuple(findings), unit="files"), said


def _waiting(path: str, detail: str) -> Finding:
    return Finding(rule="pending", level=Level.NOTICE, object=path, detail=detail)


def _drift(context: RunContext, target: ProductionTarget) -> Judgement:
    """The schema is as the last promotion left it: nobody has changed it past the files."""
    connection, schema = target.connection.get(), context.config.history_schema
    now = target.fingerprint()
    recorded = promotion_table.last_fingerprint(connection, schema)
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
        left = f"; what an interrupted run has left, invalid: {names}" * bool(unfinished)
        said = f"as recorded, but for what may move{moves.told}{left}{unread}"
        return Verdict(examined=1, unit="fingerprint"), said
    accepted = context.options.accepted_drift == now.digest
    quiet = context.rules.undoes or accepted
    target.drift = "" if accepted else now.digest
    adopts = context.options.records_only
    around = tuple(f"{kind} " for kind in beyond(Around.NOTHING))
    findings = tuple(
        Finding(
            rule="drift",
            # What a rollback leaves is compared with the backup, drift and all; whether the files
            # that are recorded make it is what precheck::baseline shows.
            level=Level.NOTICE
            if quiet or (adopts and not f"{difference.name} ".startswith(around))
            else Level.ERROR,
            object=difference.name,
            detail=f"was {difference.change} since the last promotion, by no file"
            + f": {difference.told}" * bool(difference.told),
            fix=""
            if quiet
            else "bring the change into a migration (python -m pytest_housekeeping adopt-drift"
            " writes it), or undo it; to accept all of it:"
            f" --hk-accept-drift={now.digest}",
        )
        for difference in differences
    )
    verdict = Verdict(examined=max(1, len(differences)), unit="fingerprint", findings=findings)
    said = f"{len(differences)} objects differ"
    if accepted:
        said = f"drift of {len(differences)} objects accepted by --hk-accept-drift"
    return verdict, f"{said}{moves.told}{unread}"


def _watched(
    context: RunContext, checks: Checks, target: ProductionTarget, drift: Judgement
) -> Judgement:
    """In a watch, which has no promote, what no contract judges is told with the drift."""
    if not context.rules.watches:
        return drift
    verdict, said = drift
    unjudged = checks.unjudged(target.connection.get())
    return replace(verdict, findings=(*verdict.findings, *unjudged)), said


def _without_unfinished(
    context: RunContext, differences: Sequence[Difference]
) -> tuple[list[Difference], list[Difference]]:
    """Invalid indexes that a pending file makes outside of a transaction, and what else differs.

    Such a file drops what an interrupted build has left before it builds again.
    """
    pending = (file for segment in context.plan.segments for file in segment.files)
    texts = (context.files.text(file) for file in pending if file.transaction == "none")
    names = unfinished_indexes(texts)
    unfinished: list[Difference] = []
    others: list[Difference] = []
    for each in differences:
        index = each.name.startswith("index ") and "\ninvalid" in each.after
        ours = split_name(each.name.removeprefix("index "))[-1] in names if index else False
        (unfinished if ours else others).append(each)
    return unfinished, others


def _refuse_overtaken(context: RunContext, target: ProductionTarget) -> None:
    """A promotion that went in since the plan was made is no drift."""
    rows = history.applied(target.connection.get(), context.config.history_schema)
    if [row.path for row in rows] != [past.path for past in context.plan.past]:
        raise ProofFailed(
            "another promotion went in after this plan was made",
            why="the schema is not the one that this plan starts from",
            fix="run again: what is applied by now is found in the history",
        )
