"""A run on production, put together: connected, what is applied read, the rest planned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from pytest_housekeeping.config import Config
from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.model import CLONE, ROWS, Lock
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plan.plan import Plan, build
from pytest_housekeeping.plan.steps import ACTIVITY, BINDING, CHANGES, IMPACT, RUNNING, SEEDED
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.postgres.locks.requests import ForeseenLocks
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.backup.backup import Backup
from pytest_housekeeping.promotion.production.backup.twin_server import (
    new_replay_server,
    new_restore_server,
    replay_server,
    throwaway_of,
)
from pytest_housekeeping.promotion.production.binding import Binding, unrehearsed
from pytest_housekeeping.promotion.production.clone.measured import new_measurement
from pytest_housekeeping.promotion.production.clone.opening import (
    clone_of,
    clone_url,
    refuse_unfit_clone,
)
from pytest_housekeeping.promotion.production.effects.changes import changes_judged
from pytest_housekeeping.promotion.production.effects.impact import Impact
from pytest_housekeeping.promotion.production.effects.running import new_running_code
from pytest_housekeeping.promotion.production.group.proof import GroupProof
from pytest_housekeeping.promotion.production.group.rehearsal import (
    GroupRehearsal,
    backup_of_group,
    proof_of_group,
    rehearsal_of_group,
    shape_of_group,
)
from pytest_housekeeping.promotion.production.in_place import locks_in_staging
from pytest_housekeeping.promotion.production.of_fleet.handed import shown_connection
from pytest_housekeeping.promotion.production.other_tool.beside import (
    commit_before,
    holds_any,
    pending_paths,
    tools_past,
)
from pytest_housekeeping.promotion.production.other_tool.their_files import (
    baseline_of,
    refuse_not_begun,
    refuse_unrecorded,
)
from pytest_housekeeping.promotion.production.prechecks.activity import LookAround
from pytest_housekeeping.promotion.production.prechecks.promised_roles import promised_roles
from pytest_housekeeping.promotion.production.prechecks.table import (
    begin_backup,
    production_after,
    production_backup,
    production_prechecks,
)
from pytest_housekeeping.promotion.production.promoted import promotion_table
from pytest_housekeeping.promotion.production.promoted.checks import promoted_checks
from pytest_housekeeping.promotion.production.read_project import ReadProject, read_project
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.production.target_address import (
    closed_on_failure,
    open_production,
)
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.promotion.rehearsal.rows import rows_asked
from pytest_housekeeping.promotion.rehearsal.same_dump import dump_of_both
from pytest_housekeeping.promotion.rehearsal.standing_rows import may_touch_rows
from pytest_housekeeping.promotion.rehearsal.twin_target import HistoryRows, TwinTarget
from pytest_housekeeping.promotion.repository.applied import applied_files
from pytest_housekeeping.promotion.run import Run, start_linting
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.snapshot.copies.server import RestoreServer
from pytest_housekeeping.sql.project_files import ProjectFiles


def start_production(options: RunOptions) -> Run:
    """Connect, read what is applied, and make the plan of the rest, or of a look at it.

    Raises MisuseError for what is missing or uncommitted, ServerError and ProofFailed for a
    connection that cannot be had or trusted. Nothing is changed.
    """
    project = read_project(options)
    config, address = project.config, project.address
    connection = shown_connection() or open_production(address, config.session)
    server = linting = restore_server = promised = None
    with closed_on_failure(connection, address):
        identity = identified(connection)
        plan = plan_of(config, options, project.sources, connection)
        if rules_of(options.mode).watches and plan.unapplied:
            plan = _plan_as_promoted(project, options, connection, plan)
        proof = proof_of_group(plan)
        context = project.context(options, plan)
        if not options.look_only:
            refuse_unfit_clone(clone_of(context, address, identity), connection)
            if proof is None:
                restore_server = new_restore_server(options, config, address, identity, connection)
            if restore_server is None or not restore_server.given:
                replay = replay_server(config, connection)
                promised = promised_roles(context, replay)
                if options.records_only or plan.theirs or promised.known is None:
                    server = new_replay_server(config, replay)
            if config.lint and plan.files and not options.records_only:
                linting = start_linting(plan)
    backup = new_backup(context, project, restore_server)
    target = ProductionTarget(context, address, connection, identity, backup)
    checks = Checks(context, throwaway := throwaway_of(restore_server, server, config))
    prechecks = production_prechecks(context, target, throwaway, checks, promised)
    begin_backup(context, target, prechecks)
    target.has_shape = shape_of_group(proof, context, target)
    rehearsal = new_rehearsal(context, target, target.history_rows, proof)
    run = Run(
        context=context,
        target=target,
        checks=checks,
        prechecks=prechecks,
        backup=backup_of_group(context, target, production_backup(context, target), proof),
        rehearsal=rehearsal,
        known=proof.of if proof else lambda _: None,
        after=production_after(target),
        locks=known_locks(context, rehearsal),
        throwaway=throwaway,
        linting=linting,
        secrets=project.secrets,
    )
    return with_rehearsal(run, target)


def with_rehearsal(run: Run, target: ProductionTarget) -> Run:
    """The run, with the work of what is asked behind its rehearsal, where it has one."""
    context, rehearsal = run.context, run.rehearsal
    if not context.rules.rehearsed:
        return run
    look = LookAround(context, target, lambda: all_locks(context, rehearsal))
    if rehearsal is None:
        return replace(
            run,
            prechecks={**run.prechecks, ACTIVITY: look.judge},
            bound=lambda: unrehearsed(context),
            follow=look.follow,
        )
    target.dump_of_both = partial(dump_of_both, rehearsal)
    target.statistics.touched = lambda: {each.relation for each in all_locks(context, rehearsal)}
    impact = Impact(context, target, rehearsal)
    shared = isinstance(rehearsal, GroupRehearsal)
    running = None if shared else new_running_code(context, target, rehearsal)
    clone = new_measurement(context, target, rehearsal)
    binding = Binding(context, target, rehearsal, run.checks)
    return replace(
        run,
        prechecks=running.prechecks(run.prechecks) if running else run.prechecks,
        rehearsed={
            IMPACT: impact.judge,
            CHANGES: lambda: changes_judged(context, target, rehearsal, impact.now.relations),
            SEEDED: lambda: _seeded(context, rehearsal, target),
            ROWS: lambda: rows_asked(context, rehearsal, target.connection),
            ACTIVITY: look.judge,
            BINDING: binding.judge,
        }
        | ({RUNNING: running.judge} if running else {})
        | ({CLONE: lambda: clone.judge(impact.now.relations)} if clone else {}),
        clone=lambda: clone.facts if clone else None,
        bound=lambda: binding.bound,
        production=lambda: impact.now,
        follow=look.follow,
    )


def _seeded(context: RunContext, rehearsal: Rehearsal, target: ProductionTarget) -> Judgement:
    # With it come the proofs of row-level security, which are imported while the run waits.
    from pytest_housekeeping.promotion.rehearsal.seeded import seeded_batch

    return seeded_batch(context, rehearsal, target.connection)


def new_rehearsal(
    context: RunContext,
    target: ProductionTarget,
    rows: HistoryRows,
    proof: GroupProof | None = None,
) -> Rehearsal | None:
    """The batch on a copy of production, where the plan has one; ``rows`` is what its history
    tells of what was applied. With the ``proof`` of a group, what that has shown."""
    if not context.plan.rehearses:
        return None
    copy = TwinTarget(
        context,
        user=context.promoter or target.connection.identity().user,
        copy=lambda: target.backup.twin,
        rows=rows,
        record=partial(promotion_table.record_segment, context),
    )
    if proof is not None:
        promoter = context.promoter or target.connection.identity().user
        return rehearsal_of_group(proof, context, copy, target.fingerprint, promoter)
    return Rehearsal(context=context, target=copy, original=target.fingerprint)


def known_locks(
    context: RunContext, rehearsal: Rehearsal | None
) -> Callable[[int], ForeseenLocks] | None:
    """What a segment locks, as the copy has shown it, or staging where there is none."""
    if not context.rules.changes_production:
        return None
    return rehearsal.locks if rehearsal is not None else partial(locks_in_staging, context)


def all_locks(context: RunContext, rehearsal: Rehearsal | None) -> Iterator[Lock]:
    """What all segments together lock, as far as it is known."""
    for segment in context.plan.segments:
        known = rehearsal.locks if rehearsal is not None else partial(locks_in_staging, context)
        yield from known(segment.number).all


def new_backup(
    context: RunContext, project: ReadProject, restore_server: RestoreServer | None
) -> Backup:
    """A backup that nothing was put into yet."""
    return Backup(
        root=context.config.root,
        audit=context.config.audit,
        started_at=context.run.started_at,
        secrets=Secrets(project.secrets),
        restore_server=restore_server,
        kept=context.rules.changes_production,
        spare=partial(_has_rows_to_try, context),
    )


def _has_rows_to_try(context: RunContext, production: Connection) -> bool:
    """Whether there is a step that tries the batch on made-up rows, and may find any to make."""
    if all(step.name != SEEDED for step in context.plan.steps):
        return False
    files = (file for segment in context.plan.segments for file in segment.files)
    return may_touch_rows(production, [context.files.text(file) for file in files])


def plan_of(
    config: Config, options: RunOptions, sources: ProjectFiles, connection: LentConnection
) -> Plan:
    """The plan of what is not applied yet. Raises MisuseError where none can be made."""
    applied = applied_files(history.applied(connection, config.history_schema))
    theirs = None
    if not applied and options.baseline is None:
        rules = rules_of(options.mode)
        if rules.changes_production:
            refuse_not_begun(config, connection)
        theirs = tools_past(config, sources, connection)
        if rules.plans and theirs is None:
            refuse_unrecorded(config)
        applied = theirs.files if theirs else ()
    plan = build(
        config,
        options.mode,
        tests=options.tests,
        sources=sources,
        inifile=options.inifile,
        rules=options.rules,
        past=applied,
        baseline=baseline_of(config, sources, connection, options.baseline),
        in_place=options.in_place,
        has_clone=bool(clone_url(options, config)),
    )
    return replace(plan, theirs=theirs)


def _plan_as_promoted(
    project: ReadProject, options: RunOptions, connection: LentConnection, plan: Plan
) -> Plan:
    """The same with the checks of the last promotion that stands, or where its commit holds what is
    pending of those before that: those of today ask for what is pending, and those of a rollback
    for what it has taken back."""
    schema = project.config.history_schema
    last = promotion_table.last_promotion(connection, schema)
    commit = last.commit if last else ""
    if standing := history.applied(connection, schema):
        commit = standing[-1].commit
    repository, theirs = project.repository, not commit and plan.theirs is not None
    paths = pending_paths(project, plan, all_kinds=theirs)
    # A baseline has left it out, or a rollback has undone a part of what was promoted together.
    if repository is not None and (theirs or holds_any(repository, commit, paths)):
        commit = commit_before(repository, paths)
    then = promoted_checks(project.config, project.sources, project.repository, commit)
    if then is None:
        return plan
    planned = plan_of(project.config, options, then.sources, connection)
    return replace(planned, checks_of=then.commit, left_out=then.left_out)
