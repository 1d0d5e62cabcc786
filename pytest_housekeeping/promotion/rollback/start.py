"""A rollback, put together: what is to be undone found, gathered and planned."""

from __future__ import annotations

from dataclasses import replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import ROWS, TargetIdentity
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.plan.rollback_plan import RollbackWork, build_rollback, files_by_step
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.own_tables.shape import SHAPE, misfits
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.promotion.context import PlannedFiles
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.production.backup.twin_server import new_restore_server
from pytest_housekeeping.promotion.production.prechecks.table import (
    begin_backup,
    production_after,
    production_backup,
    production_prechecks,
)
from pytest_housekeeping.promotion.production.read_project import ReadProject, read_project
from pytest_housekeeping.promotion.production.start import known_locks, new_backup, new_rehearsal
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.production.target_address import (
    closed_on_failure,
    open_production,
)
from pytest_housekeeping.promotion.rehearsal.rows import rows_asked
from pytest_housekeeping.promotion.repository.applied import applied_files
from pytest_housekeeping.promotion.repository.rollback_proofs import proved_rollbacks
from pytest_housekeeping.promotion.rollback.prechecks import rollback_prechecks
from pytest_housekeeping.promotion.rollback.selection import Reverted, find_reverted
from pytest_housekeeping.promotion.rollback.target import RollbackTarget
from pytest_housekeeping.promotion.rollback.work import contracts_of, gather_work
from pytest_housekeeping.promotion.run import Run
from pytest_housekeeping.promotion.run_facts import new_run
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.promotion.throwaway import Throwaway


def start_rollback(options: RunOptions) -> Run:
    """Connect, find what is to be undone, and plan it. Nothing is changed.

    Raises MisuseError, and says why, where ``options.to`` names nothing that could be undone, and
    for what is uncommitted; EvidenceError for an audit or a backup that cannot be trusted.
    """
    project = read_project(options)
    config, address, repository = project.config, project.address, project.repository
    connection = open_production(address, config.session)
    with closed_on_failure(connection, address):
        identity = identified(connection)
        reverted, work, texts, plan = _planned(project, options, connection, identity)
        proofs = proved_rollbacks(repository, config, project.sources, work.rollbacks, identity)
        restore_server = (
            None
            if options.look_only
            else new_restore_server(options, config, address, identity, connection)
        )
    steps = files_by_step(plan)
    context = replace(
        project.context(options, plan),
        run=new_run(options.mode, target=config.target.name, reverts=reverted.run),
        files=PlannedFiles(
            config=config, sources=project.sources, by_path={}, by_step=steps, texts=texts
        ),
        today=reverted.promoted_on,
        reverted_audits=tuple(reverted.audits[run] for run in reverted.runs),
    )
    backup = new_backup(context, project, restore_server)
    production = ProductionTarget(context, address, connection, identity, backup)
    target = RollbackTarget(context, production, reverted, work, proofs)
    checks = Checks(context, throwaway := Throwaway(None, config))
    general = production_prechecks(context, production, throwaway, checks)
    begin_backup(context, production, general)
    rehearsal = new_rehearsal(context, production, target.history_rows)
    return Run(
        context=context,
        target=target,
        checks=checks,
        prechecks=rollback_prechecks(context, target, general),
        backup=production_backup(context, production),
        rehearsal=rehearsal,
        rehearsed={ROWS: lambda: rows_asked(context, rehearsal, target.connection)}
        if rehearsal
        else {},
        locks=known_locks(context, rehearsal),
        after=production_after(production),
        throwaway=throwaway,
        secrets=project.secrets,
    )


def _planned(
    project: ReadProject,
    options: RunOptions,
    connection: LentConnection,
    identity: TargetIdentity,
) -> tuple[Reverted, RollbackWork, dict[str, str], Plan]:
    """What is to be undone, the work that this is, texts that are on no disk, and the plan."""
    config, repository = project.config, project.repository
    _refuse_unreadable(config, connection)
    rows = history.recorded(connection, config.history_schema)
    reverted = find_reverted(config, repository, rows, options.to, identity)
    work, texts = gather_work(config, project.sources, repository, connection, reverted)
    contracts, verify = contracts_of(config, repository, reverted, options.tests, options.rules)
    plan = build_rollback(
        config,
        work,
        sources=project.sources,
        inifile=options.inifile,
        past=applied_files(history.in_effect(rows)),
        contracts=contracts,
        verify=verify,
        in_place=options.in_place,
    )
    return reverted, work, texts, plan


def _refuse_unreadable(config: Config, connection: LentConnection) -> None:
    """What is to be undone is read from the history: it has to be there as it was made."""
    wrong = [each for each in misfits(connection, config.history_schema) if each.rule == SHAPE]
    if wrong:
        raise ProofFailed(
            f"{wrong[0].object} {wrong[0].said}",
            why="what is to be undone is read from the history",
            fix=wrong[0].fix,
        )
