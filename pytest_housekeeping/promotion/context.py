"""What a run knows from its beginning and nothing changes: settings, plan, commit, options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.evidence import Repository, RunFacts, SourceFacts, stem
from pytest_housekeeping.model import Mode, Step
from pytest_housekeeping.plan.modes import ModeRules, rules_of
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.promotion.repository.applied import promoted_file
from pytest_housekeeping.promotion.repository.attestation import Attestation, attested
from pytest_housekeeping.promotion.repository.target_pin import Pin, read_pin
from pytest_housekeeping.promotion.run_facts import new_run
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.layouts.layout import Reading
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.password_literals import seen_passwords
from pytest_housekeeping.sql.project_files import ProjectFiles

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit


@dataclass(frozen=True, kw_only=True)
class PlannedFiles:
    """The SQL files of a plan and their texts, as they were when the plan was made.

    ``by_step`` names the file of a step where its path does not (a rollback drops what a view
    file made and applies the file's older text in one run); ``texts`` holds, by digest, the texts
    that are on no disk.
    """

    config: Config
    sources: ProjectFiles
    by_path: Mapping[str, SqlFile]
    by_step: Mapping[str, SqlFile] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)

    def of(self, step: Step) -> SqlFile:
        """The file that a step applies."""
        return self.by_step.get(step.id) or self.by_path[step.path]

    def text(self, file: SqlFile) -> str:
        """The text of a file, of which the plan holds the digest.

        Raises SqlFileError for what is no text.
        """
        known = self.texts.get(file.sha256)
        return known if known is not None else text_of(self.config, self.sources, file.path)


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """The unchanging facts of one run.

    ``today`` is the day by which exemptions are judged: in a rollback the day on which the schema
    that it goes back to was promoted. ``reverted_audits`` is the evidence of all that the run
    undoes, the newest first; none where it undoes nothing. ``promoter`` is whom the files run as,
    where it is not who connects: a plan reads production as a role that can do no more.
    """

    run: RunFacts
    options: RunOptions
    config: Config
    plan: Plan
    attestation: Attestation
    repository: Repository | None
    files: PlannedFiles
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    reverted_audits: tuple[Audit, ...] = ()
    promoter: str = ""

    @property
    def mode(self) -> Mode:
        return self.plan.mode

    @property
    def source(self) -> SourceFacts:
        """The commit that the run attests, and what ran that is not in it, as far as it ran."""
        return self.attestation.facts

    def read_pin(self) -> Pin | None:
        """Which database is production. Raises MisuseError for a pin that nobody can read."""
        return read_pin(self.config, self.plan.sources, self.repository)

    @property
    def rules(self) -> ModeRules:
        """What differs by mode."""
        return rules_of(self.mode)

    @property
    def html_path(self) -> Path:
        """Where pytest-html writes the report of this run."""
        return self.config.root / self.config.audit / f"{stem(self.run)}.html"

    def is_last(self, segment: int) -> bool:
        """Whether the schema is finished in this segment."""
        return segment == self.plan.segments[-1].number

    def required_repository(self, why: str) -> Repository:
        """The repository of what is promoted. Raises ProofFailed, with ``why``, where none is."""
        if self.repository is None:
            raise ProofFailed(
                f"{self.config.root} belongs to no git repository",
                why=why,
                fix="run it in a clone of the project, which has the evidence of earlier runs",
            )
        return self.repository

    def applied(self, applied: AppliedFile) -> Reading:
        """A file as it was promoted. Raises ProofFailed where no copy is left."""
        return promoted_file(self.config, self.plan.sources, self.repository, applied)


def new_context(
    options: RunOptions,
    config: Config,
    plan: Plan,
    repository: Repository | None,
    source: SourceFacts,
) -> RunContext:
    """The facts of a run that begins now and whose files are all on disk, one a path."""
    # Of a migration in parts, what there is to say of the whole has a step as well.
    wholes = (*plan.rollbacks.lacking, *plan.rollbacks.irreversible)
    by_path = {file.path: file for file in (*wholes, *plan.files)}
    return RunContext(
        run=new_run(options.mode, target=config.target.name, emergency=options.emergency),
        options=options,
        config=config,
        plan=plan,
        attestation=Attestation(config, repository, attested(source, plan)),
        repository=repository,
        files=PlannedFiles(config=config, sources=plan.sources, by_path=by_path),
    )


def written_passwords(plan: Plan) -> Iterator[str]:
    """The passwords that stand in the project's SQL files, but for what names a step as well."""
    held = plan.sources.held
    texts = (held[path].decode(errors="replace") for path in held if path.endswith(".sql"))
    names = "\n".join(step.id for step in plan.steps)
    yield from (value for value in seen_passwords(texts) if value not in names)
