"""What has to be true of production before its batch is begun; each check says what it examined."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache

import psycopg

from pytest_housekeeping.config import Target
from pytest_housekeeping.errors import HousekeepingError, ProofFailed
from pytest_housekeeping.model import Finding, Level, Phase, TargetIdentity, Verdict
from pytest_housekeeping.plan.steps import STATISTICS
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.prechecks import shared, stubs
from pytest_housekeeping.promotion.prechecks.evidence import audits
from pytest_housekeeping.promotion.prechecks.own_tables import own_table_findings
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.other_tool import beside
from pytest_housekeeping.promotion.production.prechecks import baseline
from pytest_housekeeping.promotion.production.prechecks.activity import check_window
from pytest_housekeeping.promotion.production.prechecks.adoption import verify_adopted
from pytest_housekeeping.promotion.production.prechecks.drift import drift
from pytest_housekeeping.promotion.production.prechecks.not_begun import history_not_begun
from pytest_housekeeping.promotion.production.prechecks.promised_roles import PromisedRoles
from pytest_housekeeping.promotion.production.prechecks.roles import check_privileges, check_roles
from pytest_housekeeping.promotion.production.prechecks.server_guards import server_guards
from pytest_housekeeping.promotion.production.prechecks.staging_proof import proved_in_staging
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.repository.target_pin import Pin, misplaced, other_pins
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump
from pytest_housekeeping.sql.identifiers import quoted


def production_prechecks(
    context: RunContext,
    target: ProductionTarget,
    throwaway: Throwaway,
    checks: Checks,
    promised: PromisedRoles | None = None,
) -> Mapping[str, Callable[[], Judgement]]:
    """The prechecks of a run on production, by name; ``promised`` is what is known of its roles."""
    return {
        "files": lambda: shared.files(context),
        "code": lambda: shared.code(checks.code()),
        "worktree": lambda: shared.worktree(context.source),
        "server": lambda: _server(context, target),
        "identity": cache(lambda: _identity(context, target)),
        "stubs": lambda: stubs.in_production(context.config.stubs, target.connection.get()),
        "window": lambda: check_window(context, target.connection.get()),
        "segments": lambda: _segments(context),
        "history": lambda: _history(context, target),
        "evidence": lambda: proved_in_staging(context, target.connection.identity()),
        "after": lambda: target.earlier.judge(target.fingerprint()),
        "audits": lambda: audits(context),
        "capacity": lambda: shared.capacity(context.plan, target.connection.get()),
        "roles": lambda: throwaway.lent(lambda: check_roles(context, target, throwaway, promised)),
        "privileges": lambda: check_privileges(context, target),
        "drift": lambda: drift(context, target, throwaway, checks),
        "baseline": lambda: (
            verify_adopted(context, target)
            if context.plan.past
            else throwaway.lent(lambda: baseline.verify(context, target, throwaway))
        ),
    }


def begin_backup(
    context: RunContext, target: ProductionTarget, prechecks: Mapping[str, Callable[[], Judgement]]
) -> None:
    """Of the right database the backup is begun with while the run is put together, where a copy
    is made of it, and so is the reading of its schema. What is wrong is left to the steps."""
    backed_up = any(each.phase is Phase.BACKUP for each in context.plan.steps)
    if backed_up and target.backup.restore_server is not None:
        with suppress(HousekeepingError, psycopg.Error):
            if prechecks["identity"]()[0].passed:
                target.backup.begin(target.address.conninfo(), target.major)
                target.first.begin(target.connection.get())


def production_backup(
    context: RunContext, target: ProductionTarget
) -> Mapping[str, Callable[[], Judgement]]:
    """The steps of the backup phase, by name."""

    def snapshot() -> Judgement:
        fingerprint, connection = target.fingerprint(), target.connection.get()
        conninfo = target.address.conninfo()
        return target.backup.snapshot(
            connection, conninfo, fingerprint, target.major, target.absent_kinds
        )

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


def _server(context: RunContext, target: ProductionTarget) -> Judgement:
    """The server answers, how fast, which version; and there is a pg_dump that can read it."""
    connection, identity = target.connection.get(), target.connection.identity()
    started = time.perf_counter()
    connection.execute("SELECT 1")
    latency = (time.perf_counter() - started) * 1000
    shared.refuse_old_server(connection, identity, "upgrade the server to 15 or later")
    find_pg_dump(target.major)
    said = f"PostgreSQL {identity.server_version}, {identity.database} as {identity.user}"
    findings = (
        *shared.session_findings(connection),
        *server_guards(connection, protects=bool(context.plan.contracts.roles)),
    )
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
        shared.error("wrong-target", place, said, fix)
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
            yield shared.error(
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
    findings = beside.history_findings(context)
    identity, has_shape = target.connection.identity(), target.has_shape()
    findings += own_table_findings(context, connection, identity, has_shape=has_shape)
    findings += history_not_begun(context, connection)
    pending = len(plan.unapplied)
    examined = max(1, len(plan.past) + pending)
    by = f" by {plan.theirs.tool}, as {plan.theirs.table} tells" if plan.theirs else ""
    said = f"{len(plan.past)} applied{by}, {pending} pending"
    if plan.checks_of:
        new = "is new or changed since: it is asked once they are promoted"
        findings += [_waiting(path, "is merged and not promoted yet") for path in plan.unapplied]
        findings += [_waiting(path, new) for path in plan.left_out]
        said += f"; the checks are those of {plan.checks_of[:12]}, "
        said += "before these" if plan.theirs else "which was promoted last"
    return Verdict(examined=examined, findings=tuple(findings), unit="files"), said


def _waiting(path: str, detail: str) -> Finding:
    return Finding(rule="pending", level=Level.NOTICE, object=path, detail=detail)
