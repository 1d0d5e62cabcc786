"""Production as a promotion meets it: the real database, its pin, its backup and what is proved."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.style.linter import Linting
from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import HousekeepingError, MisuseError, ProofFailed
from pytest_housekeeping.evidence.git import open_repository
from pytest_housekeeping.model import Applied, Kind, Mode, Verdict
from pytest_housekeeping.plan.plan import AppliedFile, build
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.postgres import history
from pytest_housekeeping.postgres.connection import Connection, LentConnection, locate
from pytest_housekeeping.postgres.transaction import holder
from pytest_housekeeping.promotion import prechecks
from pytest_housekeeping.promotion.context import Source, Surroundings, source_of
from pytest_housekeeping.promotion.production import backup
from pytest_housekeeping.promotion.production import promotion_table as ledger
from pytest_housekeeping.promotion.production.prechecks import CHECKS, role_attributes_query
from pytest_housekeeping.promotion.production.target_address import (
    Address,
    closed_on_failure,
    open_production,
    read_address,
)
from pytest_housekeeping.promotion.target_pin import PIN_PATH, Pin, read_pin
from pytest_housekeeping.server import Server, ServerSettings, start
from pytest_housekeeping.snapshot import Bench, open_bench
from pytest_housekeeping.snapshot.difference import diff
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.sql.file import SqlFile

if TYPE_CHECKING:
    from pytest_housekeeping.declarations.rules import Rule


@dataclass(kw_only=True)
class Production(Surroundings):
    """The surroundings of a promotion: ``server`` is a throwaway one for what sql/ makes of an
    empty server, ``bench`` the one that the backup is restored in."""

    address: Address
    acknowledged_segments: int | None = None
    accepted_drift: str | None = None
    backup: backup.Backup = field(default_factory=backup.Backup)
    bench: Bench | None = None
    _fingerprint: Fingerprint | None = None

    def migrator(self) -> LentConnection:
        """The one connection to production."""
        if self._migrator is None or self._migrator.closed:
            self._migrator = open_production(self.address)
        return self._migrator

    @property
    def major(self) -> int:
        """The major version of production's server."""
        return self.migrator().info.server_version // 10000

    @property
    def pin(self) -> Pin | None:
        return read_pin(self.config, self.repository)

    @property
    def pin_path(self) -> str:
        return PIN_PATH

    def fingerprint(self) -> Fingerprint:
        """The schema before anything is applied, read once."""
        if self._fingerprint is None:
            try:
                self._fingerprint = self.read_fingerprint(self.migrator())
            except HousekeepingError as error:
                raise self._named(error) from None
        return self._fingerprint

    def _named(self, error: HousekeepingError) -> HousekeepingError:
        """Where another promotion is in the way, who it is and since when."""
        held = holder(self.migrator())
        if held is None:
            return error
        return ProofFailed(
            f"{error.found}; another promotion of this database holds it: {held}",
            why="two batches at once could each pass what the other breaks",
            fix="wait for it to end, and run again",
        )

    def read_fingerprint(self, connection: Connection) -> Fingerprint:
        return read_fingerprint(connection, exclude_schemas=(self.config.history_schema,))

    def precheck(self, name: str) -> tuple[Verdict, str]:
        check = CHECKS.get(name)
        return check(self) if check else prechecks.CHECKS[name](self)

    def close(self) -> None:
        if self.bench is not None:
            self.bench.close()
        super().close()

    def promised_roles(self) -> dict[str, set[str]]:
        """What sql/bootstrap/ makes of an empty server: each role with its attributes."""
        before = self._bootstrap_roles()
        prechecks.CHECKS["bootstrap"](self)
        after = self._bootstrap_roles()
        return {name: attributes for name, attributes in after.items() if name not in before}

    def _bootstrap_roles(self) -> dict[str, set[str]]:
        with self.superuser() as connection:
            rows = connection.execute(role_attributes_query()).fetchall()
        return {name: set(attributes) for name, *attributes in rows}

    def back_up(self, name: str) -> tuple[Verdict, str]:
        """One step of the backup phase."""
        try:
            return backup.STEPS[name](self)
        except HousekeepingError as error:
            raise self._named(error) from None

    def finish(self, *, changed: bool) -> None:
        """The schema as it is after the promotion, beside the one before it."""
        if changed:
            backup.take_after(self)

    def artifacts(self) -> dict[Path, bytes]:
        """The snapshots, and the pin where there is none yet."""
        files = dict(self.backup.files)
        pin = self.config.root / PIN_PATH
        if self.after is not None and not pin.is_file():
            files[pin] = pin_content(self)
        return files

    def after_begin(self, connection: Connection, *, first: bool) -> None:
        """The schema and the history are still what was backed up and planned.

        Raises ProofFailed when somebody changed them in between.
        """
        if not first:
            return
        now = self.read_fingerprint(connection)
        moved = [each.name for each in diff(self.fingerprint(), now)]
        rows = history.applied(connection, self.config.history_schema)
        if moved or [row.path for row in rows] != [past.path for past in self.plan.past]:
            raise ProofFailed(
                f"the target changed after its backup: {', '.join(moved) or 'its history'}",
                why="the backup would not be the state before this promotion",
                fix="find out who else changes it, and run again",
            )

    def before_commit(
        self, connection: Connection, applied: Sequence[tuple[SqlFile, Applied]], segment: int
    ) -> None:
        super().before_commit(connection, applied, segment)
        if any(segment.files for segment in self.plan.segments):
            self.remember(connection, segment)

    def remember(self, connection: Connection, segment: int) -> None:
        """The schema that this segment leaves, on record in the database itself."""
        ledger.record(
            connection,
            self.config.history_schema,
            run=self.run_id,
            commit=self.source.commit or "",
            digest=self.plan.digest,
            segment=segment,
            segments=len(self.plan.segments),
            fingerprint=self.read_fingerprint(connection),
        )


def prepare_production(
    root: Path,
    mode: Mode,
    *,
    tests: TestNames,
    rules: Iterable[Rule] = (),
    segments: int | None = None,
    accepted_drift: str | None = None,
    baseline: int | None = None,
    canaries: bool = True,
    commit: bool = True,
    look_only: bool = False,
) -> Production:
    """Connect, read what is applied, and make the plan of the rest, or of a look at it.

    Raises MisuseError for what is missing or uncommitted, ServerError and ProofFailed for a
    connection that cannot be had or trusted. Nothing is changed.
    """
    config = load_config(root)
    address = read_address(os.environ)
    repository = open_repository(root)
    source = source_of(config, repository)
    if mode is Mode.PROD:
        refuse_unattested(source)
    connection = open_production(address)
    server = linting = bench = None
    with closed_on_failure(connection, address):
        target = locate(connection)
        past = past_of(history.applied(connection, config.history_schema))
        _refuse_late_baseline(past, baseline)
        plan = build(
            config,
            mode,
            tests=tests,
            rules=rules,
            past=past,
            baseline=baseline,
            canaries=canaries,
        )
        if not look_only:
            server = _replay_server(config, connection)
            if mode is Mode.PROD:
                bench = open_bench(connection.info.server_version // 10000)
            if config.lint and plan.files:
                files = [config.root / file.path for file in plan.files]
                linting = Linting.start(files, root=root)
    return Production(
        config=config,
        plan=plan,
        source=source,
        repository=repository,
        commit=commit,
        server=server,
        secrets=(address.password,),
        linting=linting,
        bench=bench,
        address=address,
        acknowledged_segments=segments,
        accepted_drift=accepted_drift,
        records_only=baseline is not None,
        _migrator=connection,
        _target=target,
    )


def refuse_unattested(source: Source) -> None:
    """A promotion attests a commit. Raises MisuseError for what is in none."""
    if source.commit is None:
        raise MisuseError(
            f"nothing to attest: {source.reason}",
            why="nobody could tell later what was promoted",
            fix="commit the project to a git repository",
        )
    if source.dirty:
        shown = ", ".join(source.dirty[:10])
        raise MisuseError(
            f"uncommitted changes: {shown}",
            why="what would be promoted is in no commit, so nobody has reviewed it",
            fix="commit or stash them",
        )


def _refuse_late_baseline(past: Sequence[AppliedFile], baseline: int | None) -> None:
    if past and baseline is not None:
        raise MisuseError(
            f"--hk-baseline={baseline:04}, and {len(past)} files are on record already",
            why="a baseline is the beginning of a history, and this database has one",
            fix="promote without it",
        )


def past_of(rows: Iterable[history.Row]) -> tuple[AppliedFile, ...]:
    """What stands, as a plan sees it."""
    return tuple(
        AppliedFile(path=row.path, sha256=row.sha256, kind=Kind(row.kind), commit=row.commit)
        for row in rows
    )


def _replay_server(config: Config, connection: LentConnection) -> Server:
    """As old as production where there is such a server, else the oldest that is newer."""
    major = connection.info.server_version // 10000
    version = 16 if major <= 16 else 18
    return start(ServerSettings(kind=config.server, version=version, migrator=config.migrator))


def pin_content(around: Production) -> bytes:
    """The committed file that says which database is production."""
    target = around.target()
    content = {"system_identifier": target.system_identifier, "database": target.database}
    return (json.dumps(content, indent=2) + "\n").encode()
