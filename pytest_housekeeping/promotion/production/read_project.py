"""The project of a run on production, read once: settings, files, commit, and where that is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence import SourceFacts, open_repository
from pytest_housekeeping.evidence.git import Repository
from pytest_housekeeping.plan.code_files import hold_all
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.promotion.attestation import refuse_unattested, source_of
from pytest_housekeeping.promotion.context import RunContext, new_context
from pytest_housekeeping.promotion.production.fleet_databases import located
from pytest_housekeeping.promotion.production.handed import handed
from pytest_housekeeping.promotion.production.target_address import Address, read_address
from pytest_housekeeping.promotion.production.twin_server import secrets_of
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.promotion.signers import approvers_of, signers_of
from pytest_housekeeping.sql.project_files import ProjectFiles


@dataclass(frozen=True, kw_only=True)
class ReadProject:
    """The project as it was read, all of it once, and where production is."""

    config: Config
    sources: ProjectFiles
    repository: Repository | None
    source: SourceFacts
    address: Address
    secrets: tuple[str, ...] = field(repr=False)

    def context(self, options: RunOptions, plan: Plan) -> RunContext:
        """The facts of a run on it, once its plan is known."""
        return new_context(options, self.config, plan, self.repository, self.source)


def read_project(options: RunOptions) -> ReadProject:
    """Read settings, files and the environment; nothing is read from the disk after that.

    Raises MisuseError for what is missing, and for what is in no commit where the run changes
    production.
    """
    sources = ProjectFiles(options.root)
    config = _with_place(load_config(options.root, sources, target=options.target))
    address = read_address(os.environ, config.target)
    repository = open_repository(options.root)
    hold_all(config, sources, options.inifile)
    signers_of(config, sources)
    if (
        approvers_of(config, sources)
        and config.approvals
        and options.in_place
        and not options.emergency
    ):
        raise MisuseError(
            f"--hk-in-place, and approvals = {config.approvals}",
            why="what is approved is what a rehearsal has shown, and nothing is rehearsed then",
            fix="promote without --hk-in-place; where there is no time: --hk-emergency='why'",
        )
    if config.target.after and options.in_place and not options.emergency:
        raise MisuseError(
            f"--hk-in-place, and {config.target.name} comes after {config.target.after}",
            why="what comes of the batch is compared with what came of it there, before anything"
            " is changed, and nothing is rehearsed then",
            fix="promote without --hk-in-place; where there is no time: --hk-emergency='why'",
        )
    sources.seal()
    source = source_of(config, sources, repository)
    if rules_of(options.mode).changes_production:
        refuse_unattested(source)
    return ReadProject(
        config=config,
        sources=sources,
        repository=repository,
        source=source,
        address=address,
        secrets=secrets_of(options, address),
    )


def _with_place(config: Config) -> Config:
    """The settings, with where one of a fleet is: as the fleet has it, or as its list says."""
    given = handed()
    return replace(config, target=given.target) if given is not None else located(config)
