"""The project of a run on production, read once: settings, files, commit, and where that is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import HousekeepingError, MisuseError
from pytest_housekeeping.evidence import SourceFacts, open_repository
from pytest_housekeeping.evidence.git.committed import ask_for_contents
from pytest_housekeeping.evidence.git.compare import blob_id
from pytest_housekeeping.evidence.git.repository import Repository
from pytest_housekeeping.plan.code_files import hold_all
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.promotion.context import RunContext, new_context
from pytest_housekeeping.promotion.production.backup.twin_server import secrets_of
from pytest_housekeeping.promotion.production.of_fleet.databases import located
from pytest_housekeeping.promotion.production.of_fleet.handed import handed
from pytest_housekeeping.promotion.production.target_address import Address, read_address
from pytest_housekeeping.promotion.repository.attestation import (
    refuse_unattested,
    source_of,
    with_file,
)
from pytest_housekeeping.promotion.repository.signers import approvers_of, signers_of
from pytest_housekeeping.promotion.repository.staging_evidence import staging_audits
from pytest_housekeeping.promotion.repository.web_places import located as on_the_web
from pytest_housekeeping.promotion.run_options import RunOptions
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
    files = _of_one(_AHEAD[0]) if _AHEAD else None
    if files is not None:
        address = read_address(os.environ, files.config.target)
    else:
        sources = ProjectFiles(options.root)
        config = _with_place(load_config(options.root, sources, target=options.target))
        address = read_address(os.environ, config.target)
        files = _read(options, config, sources)
    _refuse_in_place(options, files)
    if rules_of(options.mode).changes_production:
        refuse_unattested(files.source)
    return ReadProject(
        config=files.config,
        sources=files.sources,
        repository=files.repository,
        source=files.source,
        address=address,
        secrets=secrets_of(options, address),
    )


def read_ahead(options: RunOptions, audits: Sequence[str]) -> None:
    """Read once what the runs on databases of a fleet all read, each forked from this process;
    ``audits`` is where the evidence of each of them lies.

    The repository counts for them as it is now, and so do the files; of its own each reads its pin.
    Where something is wrong every run says so by itself.
    """
    # The proof of the evidence brings the model of an audit along, which no run needs to begin.
    from pytest_housekeeping.evidence.proof.prove import prove_evidence

    with suppress(HousekeepingError, OSError):
        sources = ProjectFiles(options.root)
        files = _read(options, load_config(options.root, sources, target=options.target), sources)
        if files.repository is not None:
            folders = [files.repository.relative(options.root / audit) for audit in audits]
            files.repository.remember(folders)
            folder = files.repository.relative(options.root / files.config.audit)
            # Of a folder without evidence: what git says of branches and remotes is asked once.
            prove_evidence(files.repository, folder)
            list(files.repository.changes_on_record(folder))
            list(staging_audits(files.repository, files.config))
            on_the_web(files.source, files.repository)
            files = replace(files, pins=_pins(files))
        _AHEAD[:] = [files]


def _pins(files: _Files) -> Mapping[str, str]:
    """What the commit holds of the pins of the fleet, as git calls their contents."""
    pin, commit = files.config.root / files.config.target.pin, files.source.commit
    if files.repository is None or commit is None:
        return {}
    folder = files.repository.relative(pin.parent.parent)
    return files.repository.named_below(commit, folder, pin.name)


@dataclass(frozen=True, kw_only=True)
class _Files:
    """What has been read: settings, files, and the commit that they are compared with."""

    config: Config
    sources: ProjectFiles
    repository: Repository | None
    source: SourceFacts
    pins: Mapping[str, str] | None = None


_AHEAD: list[_Files] = []


def _read(options: RunOptions, config: Config, sources: ProjectFiles) -> _Files:
    repository = open_repository(options.root)
    hold_all(config, sources, options.inifile)
    signers_of(config, sources)
    sources.has(config.target.pin)
    sources.seal()
    source = source_of(config, sources, repository)
    return _Files(config=config, sources=sources, repository=repository, source=source)


def _of_one(files: _Files) -> _Files | None:
    """The same for the database that this process was forked for, with its own pin."""
    given = handed()
    if given is None:
        return None
    config = replace(files.config, target=given.target, audit=given.target.audit)
    pin, own = given.target.pin, None
    now = ProjectFiles(config.root)
    if now.has(pin):
        own = now.read(pin)
    source = files.source
    if files.repository is not None:
        audits = files.repository.relative(config.root / config.audit)
        ask_for_contents(files.repository, audits)
    if not _is_committed(files, pin, own):
        source = with_file(source, files.repository, config.root / pin, own)
    return replace(files, config=config, sources=files.sources.as_if({pin: own}), source=source)


def _is_committed(files: _Files, pin: str, own: bytes | None) -> bool:
    """Whether a pin is known to be that of the commit, or neither is there."""
    if files.repository is None or files.pins is None:
        return False
    known = files.pins.get(files.repository.relative(files.config.root / pin))
    return own is None if known is None else own is not None and blob_id(own, known) == known


def _refuse_in_place(options: RunOptions, files: _Files) -> None:
    """Raises MisuseError where a promotion in place would pass over what somebody waits for."""
    config, sources = files.config, files.sources
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


def _with_place(config: Config) -> Config:
    """The settings, with where one of a fleet is: as the fleet has it, or as its list says."""
    given = handed()
    return replace(config, target=given.target) if given is not None else located(config)
