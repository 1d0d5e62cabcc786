"""A staging run, put together: plan made, server booting, style check running."""

from __future__ import annotations

import os

from pytest_housekeeping.checks.style import Linting
from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.evidence import Repository, open_repository
from pytest_housekeeping.plan.plan import Plan, build
from pytest_housekeeping.promotion.app_connections import AppConnections
from pytest_housekeeping.promotion.applied import promoted_before, proved_rollbacks
from pytest_housekeeping.promotion.context import RunContext, planned_files, source_of
from pytest_housekeeping.promotion.dispatch import Checks
from pytest_housekeeping.promotion.options import RunOptions
from pytest_housekeeping.promotion.run import Run
from pytest_housekeeping.promotion.run_facts import new_run
from pytest_housekeeping.promotion.staging.prechecks import staging_prechecks
from pytest_housekeeping.promotion.staging.target import StagingTarget
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.server import ServerSettings, start
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.effects import MOST_LOCKS


def start_staging(options: RunOptions) -> Run:
    """Read the settings, make the plan, and start what can run while pytest collects.

    Raises MisuseError for what makes a plan impossible and ServerError for a server that cannot
    be started; nothing is left running then. With ``look_only`` nothing is started at all.
    """
    config = load_config(options.root)
    url = options.staging_url or os.environ.get("HK_STAGING_URL")
    server = linting = None
    if not options.look_only:
        # It boots while the files are parsed.
        server = start(_server_settings(config, options, url))
    try:
        repository = open_repository(config.root)
        plan = _plan(config, options, repository)
        context = RunContext(
            run=new_run(options.mode),
            options=options,
            config=config,
            plan=plan,
            source=source_of(config, repository),
            repository=repository,
            files=planned_files(config, plan),
        )
        if config.lint and not options.look_only:
            files = [config.root / file.path for file in plan.files]
            linting = Linting.start(files, root=config.root)
    except BaseException:
        if server is not None:
            server.stop()
        raise
    throwaway = Throwaway(server, config)
    target = StagingTarget(context, throwaway)
    apps = AppConnections(plan, throwaway.database)
    checks = Checks(context, apps, throwaway.superuser)
    return Run(
        context=context,
        target=target,
        checks=checks,
        apps=apps,
        prechecks=staging_prechecks(context, target, throwaway, checks),
        throwaway=throwaway,
        linting=linting,
        secrets=_passwords(url),
    )


def _plan(config: Config, options: RunOptions, repository: Repository | None) -> Plan:
    folder = config.root / config.audit
    return build(
        config,
        options.mode,
        tests=options.tests,
        rules=options.rules,
        past=promoted_before(repository, folder) if repository else (),
        mutate=options.mutate,
        proved=lambda files: proved_rollbacks(repository, folder, files),
    )


def _server_settings(config: Config, options: RunOptions, url: str | None) -> ServerSettings:
    return ServerSettings(
        kind=config.server,
        version=config.server_version,
        url=url,
        migrator=config.migrator,
        max_locks=_locks_per_transaction(config),
        keep=options.keep,
    )


def _locks_per_transaction(config: Config) -> int:
    """max_locks_per_transaction for a server of our own, whose lock table is shared by few.

    Estimated before anything is parsed: each CREATE leaves few locks, a table the most.
    """
    created = sum(
        path.read_bytes().lower().count(b"create")
        for folder in sqlfile.FOLDERS.values()
        for path in config.folder(folder).glob("*.sql")
        if path.is_file() and os.access(path, os.R_OK)
    )
    return 64 + created * MOST_LOCKS // 20


def _passwords(url: str | None) -> tuple[str, ...]:
    """The secrets that a connection string holds, so that they can be kept out of everything."""
    if not url:
        return ()
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        known = conninfo_to_dict(url)
    except ProgrammingError:
        return (url,)
    return tuple(str(known[key]) for key in ("password", "sslpassword") if known.get(key))
