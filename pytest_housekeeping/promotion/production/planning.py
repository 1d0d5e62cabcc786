"""A plan of a promotion, put together: production read in a session that can change nothing.

What would keep a promotion from beginning is told and ends no plan, as long as the batch can be
rehearsed: that no staging run has proved it yet, say, or that the schema was changed past the
files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_housekeeping.errors import HousekeepingError, MisuseError, named
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plan.plan import ToolsPast
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.backup.known_proofs import KnownProofs
from pytest_housekeeping.promotion.production.backup.twin_server import new_restore_server
from pytest_housekeeping.promotion.production.clone.opening import clone_of, refuse_unfit_clone
from pytest_housekeeping.promotion.production.prechecks.table import (
    begin_backup,
    production_backup,
    production_prechecks,
)
from pytest_housekeeping.promotion.production.read_project import read_project
from pytest_housekeeping.promotion.production.start import (
    new_backup,
    new_rehearsal,
    plan_of,
    with_rehearsal,
)
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.production.target_address import (
    closed_on_failure,
    open_production,
    session_of,
)
from pytest_housekeeping.promotion.run import Run
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.sql.identifiers import quoted

# What is refused by these makes a rehearsal tell nothing of a promotion of this batch.
_NEEDED = ("files", "code", "server", "identity", "history")
_SHOWN = 10


def start_plan(options: RunOptions) -> Run:
    """Connect, read what is applied, and plan the rest.

    Raises MisuseError for what is missing, for what this role cannot read, and where nobody tells
    as whom the files would run; ServerError and ProofFailed as a promotion does.
    """
    project = read_project(options)
    config, address = project.config, project.address
    rules = rules_of(options.mode)
    connection = open_production(address, session_of(config, rules))
    restore_server = None
    with closed_on_failure(connection, address):
        _refuse_blind(connection)
        identity = identified(connection)
        plan = plan_of(config, options, project.sources, connection)
        promoter = _promoter(connection, config.history_schema, options.promoter, plan.theirs)
        context = replace(project.context(options, plan), promoter=promoter)
        if not options.look_only:
            refuse_unfit_clone(clone_of(context, address, identity), connection)
            restore_server = new_restore_server(options, config, address, identity, connection)
    target = ProductionTarget(
        context, address, connection, identity, new_backup(context, project, restore_server)
    )
    throwaway = Throwaway(None, config)
    checks = Checks(context, throwaway)
    known = production_prechecks(context, target, throwaway, checks)
    begin_backup(context, target, known)
    rehearsal = new_rehearsal(context, target, target.history_rows)
    if rehearsal is not None:
        proofs = KnownProofs(context=context, backup=target.backup, rehearsal=rehearsal)
        checks.known, rehearsal.known = proofs.checks.of, proofs.restores
    run = Run(
        context=context,
        target=target,
        checks=checks,
        prechecks={name: _as_told(name, known[name]) for name in rules.prechecks},
        backup=production_backup(context, target),
        rehearsal=rehearsal,
        throwaway=throwaway,
        secrets=project.secrets,
    )
    return with_rehearsal(run, target)


def _as_told(name: str, check: Callable[[], Judgement]) -> Callable[[], Judgement]:
    """The precheck, of which an error is told as what a promotion would be refused for."""
    if name in _NEEDED:
        return check

    def told() -> Judgement:
        try:
            verdict, said = check()
        except HousekeepingError as error:
            finding = Finding(
                rule=f"refused-by-{name}",
                level=Level.WARNING,
                object=name,
                detail=f"a promotion would be refused: {error.found}",
                fix=error.fix,
            )
            return Verdict(examined=1, unit="promotion", findings=(finding,)), error.found
        lowered = (
            replace(each, level=Level.WARNING) if each.level is Level.ERROR else each
            for each in verdict.findings
        )
        return replace(verdict, examined=max(1, verdict.examined), findings=tuple(lowered)), said

    return told


def _promoter(
    connection: Connection, history_schema: str, given: str, theirs: ToolsPast | None
) -> str:
    """As whom the files run: as is told, as the one who has promoted before, the role of the tool
    that applies them, or as who asks.

    Raises MisuseError for a role that is not there or cannot be connected as, and where the one
    who asks could not promote.
    """
    given = given or (theirs.owner if theirs else "")
    row = connection.execute(_WHO, {"schema": history_schema, "given": given}).fetchone()
    role, there, enters, creates = row or ("", False, False, False)
    why = (
        "the batch is rehearsed as the role that will promote it: owners and grants follow from it"
    )
    if not there or not enters:
        found = "is no role of this server" if not there else "may not log in"
        raise MisuseError(f"the role {role!r} {found}", why=why, fix=_AS)
    if not creates and theirs is None:
        raise MisuseError(
            f"nothing was promoted here yet, and {role} may not create the schema of the history",
            why=why,
            fix=_AS,
        )
    return str(role)


_AS = "name the role that promotes: --hk-as=ROLE"
_WHO = """
WITH told AS (
    SELECT coalesce(nullif(%(given)s, ''), (
        SELECT pg_catalog.pg_get_userbyid(n.nspowner)::text FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname = %(schema)s), current_user::text) AS name
)
SELECT told.name, r.oid IS NOT NULL, coalesce(r.rolcanlogin, false),
    coalesce(pg_catalog.has_database_privilege(
        r.oid, pg_catalog.current_database(), 'CREATE'), false)
    OR EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s)
FROM told LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = told.name
"""


def _refuse_blind(connection: Connection) -> None:
    """Raises MisuseError naming what this role may not read: a dump locks every table."""
    rows = connection.execute(_UNREADABLE.encode()).fetchall()
    if not rows:
        return
    user = connection.execute("SELECT current_user::text").fetchone()
    name = quoted(user[0]) if user else ""
    raise MisuseError(
        f"{name} may not read {named([each for (each,) in rows], _SHOWN)}",
        why="the copy is made of a dump, which locks every table in the weakest mode there is, and"
        " what is applied is read from the history",
        fix=f"GRANT pg_read_all_data TO {name};",
    )


_UNREADABLE = """
SELECT 'schema ' || pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_namespace AS n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
AND EXISTS (SELECT FROM pg_catalog.pg_class AS c
            WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p'))
UNION ALL
SELECT 'table ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')
ORDER BY 1
"""
