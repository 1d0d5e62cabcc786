"""What has to be true of the throwaway database, and what production already has made in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.prechecks import shared, stubs
from pytest_housekeeping.promotion.prechecks.own_tables import shape_findings
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.replay import replay_applied, run_bootstrap
from pytest_housekeeping.promotion.repository.target_pin import other_pins, pins_of_fleets
from pytest_housekeeping.promotion.staging.kept_past import WORTH_KEEPING_S, KeptPast
from pytest_housekeeping.promotion.staging.target import StagingTarget
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.sql.bootstrap import has_preset
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.platforms import platform_of


def staging_prechecks(
    context: RunContext,
    target: StagingTarget,
    throwaway: Throwaway,
    checks: Checks,
    kept: KeptPast,
) -> Mapping[str, Callable[[], Judgement]]:
    """The prechecks of a staging run, by name."""
    connection = target.connection
    return {
        "files": lambda: shared.files(context),
        "code": lambda: shared.code(checks.code()),
        "worktree": lambda: shared.worktree(context.source),
        "server": lambda: _server(context, target, throwaway),
        "capacity": lambda: shared.capacity(context.plan, connection.get()),
        "stubs": lambda: stubs.on_a_throwaway_server(context.config.stubs, connection.get()),
        "bootstrap": lambda: _bootstrap(context, target, throwaway, kept),
        "history": lambda: _history(context, target, throwaway, kept),
        "roles": lambda: shared.roles(context, connection.get(), connection.identity().user),
    }


def _server(context: RunContext, target: StagingTarget, throwaway: Throwaway) -> Judgement:
    """The server answers, is recent enough, and the migrating role is shaped like a real one."""
    connection, identity = target.connection.get(), target.connection.identity()
    shared.refuse_old_server(connection, identity, "use PostgreSQL 15 or later")
    _refuse_production(context, target, throwaway)
    said = f"PostgreSQL {identity.server_version}, {identity.database} as {identity.user}"
    findings = (
        *_shape(context, connection, identity.user),
        *shared.session_findings(connection),
    )
    return Verdict(examined=1, unit="server", findings=findings), said


def _bootstrap(
    context: RunContext, target: StagingTarget, throwaway: Throwaway, kept: KeptPast
) -> Judgement:
    """What the real server already has; what it may have made of the migrating role is looked at.

    The batch gets a session that is opened afterwards, as it does in production.
    """
    if kept.begun(throwaway.server):
        files = len(context.plan.bootstrap) + has_preset(context.config, context.plan.bootstrap)
        verdict = Verdict(examined=files, unit="bootstrap files")
        said = f"{files} files, as an earlier run has left them"
    else:
        verdict, said = run_bootstrap(context, throwaway)
    target.connection.close()
    connection, user = target.connection.get(), target.connection.identity().user
    findings = (
        *_shape(context, connection, user),
        *may_become_superuser(connection, user),
        *shared.session_findings(connection),
    )
    return replace(verdict, findings=(*verdict.findings, *findings)), said


def _shape(context: RunContext, connection: Connection, user: str) -> tuple[Finding, ...]:
    """The migrating role is no superuser and obeys row-level security, as in production; that of a
    platform has what it has there."""
    row = connection.execute(
        "SELECT rolsuper OR rolbypassrls AND rolname <> %s FROM pg_catalog.pg_roles"
        " WHERE rolname = current_user",
        (platform_of(context.config.platform).migrator,),
    ).fetchone()
    if row is not None and not row[0]:
        return ()
    return (
        shared.error(
            "migrator-shape",
            user,
            "is superuser or BYPASSRLS, so no row-level security would be seen to hold",
            f"ALTER ROLE {quoted(user)} NOSUPERUSER NOBYPASSRLS;",
        ),
    )


def may_become_superuser(connection: Connection, user: str) -> tuple[Finding, ...]:
    """The superusers that the migrating role is a member of, itself or through another role."""
    rows = connection.execute(
        "SELECT r.rolname FROM pg_catalog.pg_roles AS r, pg_catalog.pg_roles AS u"
        " WHERE u.rolname = current_user AND NOT u.rolsuper AND r.rolsuper"
        " AND pg_catalog.pg_has_role(u.oid, r.oid, 'MEMBER') ORDER BY 1"
    ).fetchall()
    return tuple(
        Finding(
            rule="migrator-may-become-superuser",
            level=Level.WARNING,
            object=quoted(user),
            detail=f"is a member of {quoted(name)}, a superuser of this server: that files may do"
            " something as that role here says nothing of production, where it may be none",
            fix=f"REVOKE {quoted(name)} FROM {quoted(user)}; that is, grant it nowhere in bootstrap"
            " and have the files name a role that is no superuser in production either; where the"
            " platform's migrating role is postgres: its platform in the settings",
        )
        for (name,) in rows
    )


def _refuse_production(context: RunContext, target: StagingTarget, throwaway: Throwaway) -> None:
    """A given server must not be the pinned production: staging makes roles and databases on it."""
    if throwaway.kind != "given":
        return
    config, identity = context.config, target.connection.identity()
    pins = other_pins(config, context.plan.sources) | pins_of_fleets(config)
    if (own := context.read_pin()) is not None:
        pins[config.target.pin] = own
    for path, pin in pins.items():
        if pin.system_identifier != identity.system_identifier:
            continue
        raise ProofFailed(
            f"{identity.host}:{identity.port} is the server that {path} names",
            why="staging makes and drops databases and roles there",
            fix="give --hk-staging-url another server",
        )


def _history(
    context: RunContext, target: StagingTarget, throwaway: Throwaway, kept: KeptPast
) -> Judgement:
    """What was promoted before is as it was, and is replayed, so that the batch runs as in prod."""
    plan, said = context.plan, ["no promotion yet: everything pending"]
    findings = shared.history_findings(context)
    findings += shape_findings(context, target.connection.get())
    if not findings:
        if plan.past:
            said = list(_replay(context, target, throwaway, kept))
        findings += shape_findings(context, target.connection.get())
        target.before_batch()
    verdict = Verdict(examined=len(plan.files) + len(plan.past), findings=tuple(findings))
    return verdict, "; ".join(said)


def _replay(
    context: RunContext, target: StagingTarget, throwaway: Throwaway, kept: KeptPast
) -> Iterator[str]:
    """Replay what does not stand yet, and keep all of it where that took its time."""
    begun, past = kept.begun(throwaway.server), context.plan.past
    yield from (f"replayed anew: {why}" for why in throwaway.server.begun().refused)
    standing = sum(entry.segment <= begun for entry in past)
    started = time.perf_counter()
    connection = target.connection.get()
    target.know_before(kept.before(throwaway.server, context.plan.rollbacks.ends))
    replay_applied(context, connection, throwaway, target.before_file, after=begun)
    if standing:
        yield f"{standing} files as an earlier run has replayed them"
    if len(past) > standing:
        yield f"replayed {len(past) - standing} files"
    if time.perf_counter() - started > WORTH_KEEPING_S and throwaway.kind != "given":
        target.connection.close()
        yield kept.keep(throwaway, target.schemas_before)
