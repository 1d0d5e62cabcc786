"""A staging run, put together: plan made, server booting, style check running."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.connection_url import passwords_in
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.evidence import Repository, open_repository
from pytest_housekeeping.evidence.production_now import promoted_first
from pytest_housekeeping.model import Phase
from pytest_housekeeping.plan.given_past import given_past
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import Plan, build
from pytest_housekeeping.plan.steps import RESTORE
from pytest_housekeeping.promotion.context import RunContext, new_context
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.kept_verdicts import facts_of_database
from pytest_housekeeping.promotion.known_checks import KnownChecks
from pytest_housekeeping.promotion.repository.applied import promoted_before
from pytest_housekeeping.promotion.repository.attestation import source_of
from pytest_housekeeping.promotion.repository.signers import signers_of
from pytest_housekeeping.promotion.run import Run, start_linting
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.promotion.staging.kept_past import begin_without, family_of, kept_past
from pytest_housekeeping.promotion.staging.known_result import KnownResult
from pytest_housekeeping.promotion.staging.prechecks import staging_prechecks
from pytest_housekeeping.promotion.staging.result import ResultProof
from pytest_housekeeping.promotion.staging.target import StagingTarget
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.server import ServerSettings, family_is_kept, server_settings, start
from pytest_housekeeping.sql.effects import MOST_LOCKS
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.folder import all_paths
from pytest_housekeeping.sql.path_names import on_disk
from pytest_housekeeping.sql.project_files import ProjectFiles


def start_staging(options: RunOptions) -> Run:
    """Read the settings, make the plan, and start what can run while pytest collects.

    Raises MisuseError for what makes a plan impossible and ServerError for a server that cannot
    be started; nothing is left running then. With ``look_only`` nothing is started at all.
    """
    sources = ProjectFiles(options.root)
    config = _config(options, sources)
    url = options.staging_url or os.environ.get("HK_STAGING_URL")
    server = None
    family = family_of(config, sources)
    settings = _server_settings(config, options, sources, url)
    if not options.look_only and (url or not family_is_kept(family)):
        # It boots while git is asked and the files are parsed.
        server = start(settings)
    try:
        repository = open_repository(config.root)
        past = _past(config, repository, sources)
        kept = kept_past(config, family, past)
        if not options.look_only and server is None:
            server = start(settings, kept.beginning())
        plan = _plan(config, options, sources, repository, past)
        if server is not None:
            begin_without(kept, server, plan)
        source = source_of(config, sources, repository)
        context = new_context(options, config, plan, repository, source)
        linting = start_linting(plan) if config.lint and not options.look_only else None
    except BaseException:
        if server is not None:
            server.stop()
        raise
    throwaway = Throwaway(server, config)
    target = StagingTarget(context, throwaway)
    known = KnownResult(context=context, throwaway=throwaway)
    proof = ResultProof(throwaway, target.schema_read, known.restores)
    checks = _checks(context, target, throwaway, proof)
    return Run(
        context=context,
        target=target,
        checks=checks,
        prechecks=staging_prechecks(context, target, throwaway, checks, kept),
        backup={RESTORE: proof.judgement},
        after_commit=lambda segment: proof.begin() if context.is_last(segment) else None,
        beside=proof.close,
        production=lambda: promoted_first(config),
        throwaway=throwaway,
        linting=linting,
        secrets=passwords_in(url) + passwords_in(os.environ.get("HK_TEST_URL")),
    )


def _checks(
    context: RunContext, target: StagingTarget, throwaway: Throwaway, proof: ResultProof
) -> Checks:
    """Those that a run has shown lately are known; applications write when that was dumped."""
    checks = Checks(context, throwaway)
    checks.known = known_checks(context, target, throwaway).of
    checks.apps.before_first = proof.dumped
    return checks


def known_checks(context: RunContext, target: StagingTarget, throwaway: Throwaway) -> KnownChecks:
    """They depend on the tool and what it stands on, the server's build, the settings, what a
    superuser has done to the server, every text that has made the schema and its rows, and the
    schema as this run has read it. Of a server that was given, nobody here knows what was done."""

    def facts() -> list[object] | None:
        schema = target.schema_read()
        if schema is None or throwaway.kind == "given":
            return None
        return [*facts_of_database(context), schema.digest]

    return KnownChecks(context=context, phase=Phase.VERIFY, facts=facts)


def _config(options: RunOptions, sources: ProjectFiles) -> Config:
    """The settings; a file of signers that cannot be read is refused here, by its name."""
    config = load_config(options.root, sources, target=options.target)
    if config.target.fleet:
        # What is proved for one database is proved for all of the fleet.
        config = replace(config, audit=config.fleets[config.target.fleet].audit)
    signers_of(config, sources)
    return config


def _past(
    config: Config, repository: Repository | None, sources: ProjectFiles
) -> Sequence[AppliedFile]:
    """What production has: as the evidence says; before there is any, as the settings say."""
    past: Sequence[AppliedFile] = ()
    if repository is not None:
        folder = config.root / config.target.audit
        past = promoted_before(repository, folder, config.accepted_evidence_faults)
    return past or given_past(config, sources)


def _plan(
    config: Config,
    options: RunOptions,
    sources: ProjectFiles,
    repository: Repository | None,
    past: Sequence[AppliedFile],
) -> Plan:
    def proved(files: Sequence[SqlFile]) -> Mapping[str, tuple[str, tuple[str, ...]]]:
        if not files:
            return {}
        from pytest_housekeeping.promotion.repository.rollback_proofs import proved_rollbacks

        return proved_rollbacks(repository, config, sources, files)

    return build(
        config,
        options.mode,
        tests=options.tests,
        sources=sources,
        inifile=options.inifile,
        rules=options.rules,
        past=past,
        mutate=options.mutate,
        proved=proved,
    )


def _server_settings(
    config: Config, options: RunOptions, sources: ProjectFiles, url: str | None
) -> ServerSettings:
    locks = _locks_per_transaction(config, sources)
    return server_settings(config, url=url, max_locks=locks, keep=options.keep)


def _locks_per_transaction(config: Config, sources: ProjectFiles) -> int:
    """max_locks_per_transaction for a server of our own, whose lock table is shared by few.

    Estimated before anything is parsed: each CREATE leaves few locks, a table the most.
    """
    created = 0
    for path in set(map(on_disk, all_paths(config, sources))):
        # What cannot be read is said when the plan is made.
        with suppress(OSError):
            created += sources.read(path).lower().count(b"create")
    return 64 + created * MOST_LOCKS // 20
