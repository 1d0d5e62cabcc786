"""What a promotion works with: the plan, the connections, the server, git, style, the journal."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Protocol

import psycopg

from pytest_housekeeping.checks.style.linter import Linting
from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.code_baseline import Baseline
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import HousekeepingError, ProofFailed, SqlFailed
from pytest_housekeeping.evidence.git import Repository, open_repository
from pytest_housekeeping.model import Applied, Finding, Kind, Level, Mode, Step, Target, Verdict
from pytest_housekeeping.plan.plan import AppliedFile, Plan, build
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.postgres import connection as database
from pytest_housekeeping.postgres import history
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.promotion.applied import promoted_before, promoted_text, proved_rollbacks
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.parse import MOST_LOCKS

if TYPE_CHECKING:
    from pytest_housekeeping.checks.app_tests import AppConnection
    from pytest_housekeeping.checks.code.readers.extract import Extraction
    from pytest_housekeeping.checks.code.verdict.judge import AppCode
    from pytest_housekeeping.checks.objects import Catalog
    from pytest_housekeeping.checks.rollbacks import RoundTripInput
    from pytest_housekeeping.checks.rules import Evaluation
    from pytest_housekeeping.declarations.objects import Objects
    from pytest_housekeeping.declarations.rules import Rule
    from pytest_housekeeping.evidence.audit_model import Audit
    from pytest_housekeeping.snapshot.fingerprint import Fingerprint


# From 0.1 s on, doubled each time: 6 s in all.
STATUS_ATTEMPTS = 6
_EXTENSION = re.compile(r'extension "([^"]+)" is not available')


@dataclass(frozen=True, kw_only=True)
class Source:
    """The commit that the run attests, or the reason why there is none."""

    commit: str | None
    branch: str | None
    dirty: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class KeptFile:
    """A snapshot beside the audit, by its name from the root."""

    path: str
    sha256: str


class CommitLog(Protocol):
    """Where commits are noted before and after they happen; the journal of a run is one."""

    def committing(self, segment: int, xid: str | None) -> None: ...
    def committed(self, segment: int) -> None: ...
    def rolled_back(self, segment: int) -> None: ...


@dataclass(kw_only=True)
class Surroundings:
    """Everything around one run; ``close`` ends what it has started, in any state."""

    config: Config
    plan: Plan
    source: Source
    repository: Repository | None
    commit: bool
    run_id: str = field(default_factory=lambda: token_hex(4))
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    server: Server | None = None
    secrets: tuple[str, ...] = ()
    linting: Linting | None = None
    journal: CommitLog | None = None
    records_only: bool = False
    before: KeptFile | None = None
    after: KeptFile | None = None
    looks: dict[int, Mapping[str, Evaluation]] = field(default_factory=dict)
    grounds: dict[str, AppCode] = field(default_factory=dict)
    write_baseline: bool = False
    written_baseline: Baseline | None = None
    base: Fingerprint | None = None
    """The schema before the batch, where it is to be undone."""
    reached: dict[str, Fingerprint] = field(default_factory=dict)
    """The same before a migration at which the way back ends, by its path."""
    _code: dict[str, Extraction] | None = None
    _doors: dict[str, AppConnection] = field(default_factory=dict)
    _files: dict[str, SqlFile] = field(default_factory=dict)
    _migrator: LentConnection | None = None
    _database: StagingDatabase | None = None
    _target: Target | None = None
    _catalog: Catalog | None = None

    def __post_init__(self) -> None:
        self._files = {file.path: file for file in self.plan.files}

    @property
    def reverts(self) -> str:
        """The run that this one undoes; "" where it undoes none."""
        return ""

    @property
    def today(self) -> date:
        """The day by which exemptions that end are judged."""
        return datetime.now(UTC).date()

    @property
    def reverted_audits(self) -> tuple[Audit, ...]:
        """The evidence of what is undone, the newest first."""
        return ()

    @property
    def schema_changes(self) -> tuple[str, ...]:
        """What has become of the schema, an object a line, as far as it was compared."""
        return ()

    def proposal(self) -> str:
        """SQL for a person to complete, where what is to be undone has no file that does."""
        return ""

    def announcement(self) -> list[str]:
        """What has to be said before anything is done."""
        return []

    def judge_undone(self, connection: Connection) -> Verdict:  # noqa: ARG002
        """Whether the schema has come back to what it was."""
        raise ProofFailed("this run undoes nothing", why="there is nothing to compare with")

    @property
    def server_kind(self) -> str:
        """embedded, system, or given by a URL."""
        given = self.server is not None and self.server.settings.url
        return "given" if given else self.config.server

    @property
    def html_path(self) -> Path:
        stamp = f"{self.started_at:%Y%m%dT%H%M%SZ}"
        name = f"{self.plan.mode}_{stamp}_{self.run_id}.html"
        return self.config.root / self.config.audit / name

    def database(self) -> StagingDatabase:
        """The throwaway database; the first call waits until the server is ready."""
        if self._database is None:
            if self.server is None:
                raise ProofFailed("no server was started", why="the run only looks at the plan")
            self._database = self.server.database()
        return self._database

    def migrator(self) -> LentConnection:
        """The one connection on which the batch runs, as the migrating role."""
        if self._migrator is None or self._migrator.closed:
            self._migrator = database.connect(self.database().migrator_conninfo)
        return self._migrator

    @contextmanager
    def superuser(self) -> Iterator[LentConnection]:
        """A connection for sql/bootstrap/ and for tripwires that only a superuser can plant."""
        if self.server is None:
            raise ProofFailed("no server was started", why="the run only looks at the plan")
        with self.server.bootstrap_lock():
            connection = database.connect(self.database().superuser_conninfo)
            try:
                yield connection
            finally:
                connection.close()

    def target(self) -> Target:
        if self._target is None:
            self._target = database.locate(self.migrator())
        return self._target

    @property
    def known_target(self) -> Target | None:
        """The target as far as the run has come to know it."""
        return self._target

    def precheck(self, name: str) -> tuple[Verdict, str]:
        """One precheck by its name."""
        from pytest_housekeeping.promotion.prechecks import CHECKS

        return CHECKS[name](self)

    def back_up(self, name: str) -> tuple[Verdict, str]:
        """One step of the backup phase; a throwaway database has none."""
        raise ProofFailed(f"there is no backup step {name!r}", why="nothing was backed up")

    def finish(self, *, changed: bool) -> None:  # noqa: ARG002 - production asks for it
        """After the last commit or rollback: what else is to be kept, and what can end by now."""
        if self.server is not None and not self.server.settings.keep:
            threading.Thread(target=self._end_server, name="hk-end").start()

    def _end_server(self) -> None:
        """While the record is written; ``close`` waits for it, and tries again what failed."""
        with suppress(HousekeepingError, OSError):
            for door in self._doors.values():
                door.close()
            if self._migrator is not None:
                self._migrator.close()
            if self.server is not None:
                self.server.stop()

    def artifacts(self) -> dict[Path, bytes]:
        """Files besides the audit and the report that belong to the evidence."""
        return {}

    def after_begin(self, connection: Connection, *, first: bool) -> None:
        """In the fresh transaction, before anything is applied in it; ``first``: in this run."""

    def before_commit(
        self,
        connection: Connection,
        applied: Sequence[tuple[SqlFile, Applied]],
        segment: int,  # noqa: ARG002
    ) -> None:
        """In the transaction, when everything is proved: what it leaves on record in the target."""
        commit = self.source.commit or ""
        rows = [
            history.row_of(file, done, run=self.run_id, commit=commit)
            for file, done in applied
            if file.kind is not Kind.SEED
        ]
        history.record(connection, self.config.history_schema, rows)

    def app_door(self, app: str) -> AppConnection:
        """The way by which an application reaches the promoted staging database, as its role.

        Raises MisuseError where there is no such application, or no throwaway database.
        """
        from pytest_housekeeping.checks.app_tests import open_app_connection

        if app not in self._doors:
            boundaries = self.plan.contracts.boundaries
            self._doors[app] = open_app_connection(boundaries, app, self.plan.mode, self.database)
        return self._doors[app]

    def code(self) -> dict[str, Extraction]:
        """What the code of each application names, read once."""
        if self._code is None:
            from pytest_housekeeping.checks.code.verdict.judge import read_code

            boundaries = self.plan.contracts.boundaries
            self._code = read_code(self.config.root, boundaries) if boundaries else {}
        return self._code

    def catalog(self, connection: Connection, objects: Objects) -> Catalog:
        """What stands in the declared schemas, read once a segment."""
        if self._catalog is None:
            from pytest_housekeeping.checks.objects import read_catalog

            self._catalog = read_catalog(connection, objects)
        return self._catalog

    def forget_catalog(self) -> None:
        self._catalog = None

    def is_last(self, segment: int) -> bool:
        """Whether the schema is finished in this segment."""
        return segment == self.plan.segments[-1].number

    def file(self, step: Step) -> SqlFile:
        """The file that a step applies."""
        return self._files[step.path]

    def text(self, file: SqlFile) -> str:
        """The text of a file, which must still be the one that the plan was made from."""
        data = (self.config.root / file.path).read_bytes()
        if sqlfile.digest(data) != file.sha256:
            raise ProofFailed(
                f"{file.path} has changed since the plan was made",
                why="what would run is not what was checked",
                fix="run again",
            )
        return sqlfile.decode(data, file.path)

    def past_text(self, past: AppliedFile) -> str:
        """The text that was promoted. Raises ProofFailed where it is nowhere to be found."""
        return promoted_text(self.config.root, self.repository, past)

    def rollback_ground(self) -> RoundTripInput:
        """What the rollback files of the plan are proved on, once everything is applied."""
        from pytest_housekeeping.checks.rollbacks import AppliedRepeatable, RoundTripInput

        waiting = {file.path for segment in self.plan.segments for file in segment.files}
        before = {past.path: past for past in self.plan.past}
        repeatables = []
        for file in self.plan.repeatables:
            older = before.get(file.path)
            text = self.past_text(older) if older else ""
            touched = text if file.path in waiting else None
            repeatables.append(AppliedRepeatable(file=file, text=self.text(file), older=touched))
        return RoundTripInput(
            links=self.plan.rollbacks.links,
            repeatables=repeatables,
            read_text=self.text,
            schema_before_batch=self.base,
            excluded_schemas=(self.config.history_schema,),
            schema_before_migration=self.reached,
        )

    def before_file(self, connection: Connection, path: str) -> None:
        """A file is about to be applied: where rollbacks will lead back to here, look at it."""
        if path in self.plan.rollbacks.ends:
            from pytest_housekeeping.snapshot.fingerprint import read_fingerprint

            excluded = (self.config.history_schema,)
            self.reached[path] = read_fingerprint(connection, exclude_schemas=excluded)

    def style(self, step: Step) -> tuple[Verdict, str]:
        """What sqlfluff says of a file; one that its own settings ignore is said to be."""
        if self.linting is None:
            raise ProofFailed("the style check was not started", why="nothing was looked at")
        style = self.linting.style(self.config.root / step.path)
        findings = tuple(
            Finding(
                rule=f"sqlfluff {violation.code}",
                level=level,
                object=f"{step.path}:{violation.line}:{violation.column}",
                detail=violation.description,
                fix=f"sqlfluff fix {step.path}",
            )
            for level, group in ((Level.ERROR, style.violations), (Level.WARNING, style.warnings))
            for violation in group
        )
        said = f"not examined: {style.unexamined}" if style.unexamined else ""
        return Verdict(examined=1, unit="files", findings=findings), said

    def advised(self, error: HousekeepingError) -> HousekeepingError:
        """Where an extension is missing, which server would have it."""
        missing = _EXTENSION.search(error.found)
        if missing is None or self.server is None:
            return error
        from pytest_housekeeping.server.extensions import extension_advice

        advice = extension_advice(
            missing[1], kind=self.server_kind, version=self.config.server_version
        )
        return SqlFailed(error.found, why="this server cannot make it", fix=advice)

    def status_of(self, xid: str) -> str | None:
        """What the server says of a transaction, over a new connection; None when it is silent.

        A server that is starting again, and a transaction that is still ending, are waited for.
        """
        if self._migrator is not None:
            self._migrator.close()
        status = None
        for attempt in range(STATUS_ATTEMPTS):
            try:
                found = self.migrator().execute(
                    "SELECT pg_catalog.pg_xact_status(%s::xid8)", (xid,)
                )
                row = found.fetchone()
                status = row[0] if row else None
                if status in ("committed", "aborted"):
                    return str(status)
            except (HousekeepingError, psycopg.Error, OSError):
                status = None
            time.sleep(0.1 * 2**attempt)
        return status

    def answer_of(self, system_identifier: str, xid: str) -> str | None:
        """The same of a transaction that an earlier run sent, if it was to this very server."""
        known = self.known_target
        if known is None or known.system_identifier != system_identifier:
            return None
        return self.status_of(xid)

    def how_to_connect(self) -> str:
        """For ``--hk-keep``: the command that opens the database, and the one that removes it."""
        if self.server is None or not self.server.settings.keep or self._database is None:
            return ""
        return self.server.describe()

    def close(self) -> None:
        """End connections, style check and server; each even if the one before it fails."""
        for door in self._doors.values():
            door.close()
        for thing in (self._migrator, self.linting, self.server, self.repository):
            try:
                if isinstance(thing, LentConnection | Repository):
                    thing.close()
                elif thing is not None:
                    thing.stop()
            except (HousekeepingError, OSError):
                continue
        self._migrator = self.linting = self.server = None


def prepare(
    root: Path,
    mode: Mode,
    *,
    tests: TestNames,
    rules: Iterable[Rule] = (),
    staging_url: str | None = None,
    keep: bool = False,
    write_baseline: bool = False,
    mutate: bool = False,
    commit: bool = True,
    look_only: bool = False,
) -> Surroundings:
    """Read the settings, make the plan, and start what can run while pytest collects.

    Raises MisuseError for what makes a plan impossible and ServerError for a server that cannot
    be started; nothing is left running then. With ``look_only`` nothing is started at all.
    """
    config = load_config(root)
    url = staging_url or os.environ.get("HK_STAGING_URL")
    server = linting = None
    if not look_only:
        # It boots while the files are parsed.
        server = start(
            ServerSettings(
                kind=config.server,
                version=config.server_version,
                url=url,
                migrator=config.migrator,
                max_locks=_locks_per_transaction(config),
                keep=keep,
            )
        )
    try:
        repository = open_repository(root)
        past = _past(config, repository)
        plan = build(
            config,
            mode,
            tests=tests,
            rules=rules,
            past=past,
            mutate=mutate,
            proved=lambda files: proved_rollbacks(repository, root / config.audit, files),
        )
        source = source_of(config, repository)
        if config.lint and not look_only:
            linting = Linting.start([config.root / file.path for file in plan.files], root=root)
    except BaseException:
        if server is not None:
            server.stop()
        raise
    return Surroundings(
        config=config,
        plan=plan,
        source=source,
        repository=repository,
        commit=commit,
        write_baseline=write_baseline,
        server=server,
        secrets=_passwords(url),
        linting=linting,
    )


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


def _past(config: Config, repository: Repository | None) -> Sequence[AppliedFile]:
    return promoted_before(repository, config.root / config.audit) if repository else ()


def source_of(config: Config, repository: Repository | None) -> Source:
    if repository is None:
        return Source(commit=None, branch=None, dirty=(), reason="not in a git repository")
    head = repository.head()
    if head is None:
        return Source(commit=None, branch=None, dirty=(), reason="no commit yet")
    paths = [config.root / config.sql, config.root / config.checks, config.root / "pyproject.toml"]
    return Source(commit=head, branch=repository.branch(), dirty=repository.dirty(paths))


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


__all__ = ["Source", "Surroundings", "prepare", "source_of"]
