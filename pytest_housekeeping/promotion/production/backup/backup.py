"""The schema-only backup: taken before anything is applied, proved by restoring it."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import psycopg

from pytest_housekeeping.errors import EvidenceError, HousekeepingError
from pytest_housekeeping.evidence import Secrets, utc_stamp
from pytest_housekeeping.model import ProvedOn, TargetIdentity, Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.backup.known_copies import remember_copy
from pytest_housekeeping.promotion.target import KeptFile
from pytest_housekeeping.snapshot.copies.proof import prove_backup
from pytest_housekeeping.snapshot.copies.server import RestoreServer, extensions_to_leave_out
from pytest_housekeeping.snapshot.copies.twin import Dumps, Twin, twin_of
from pytest_housekeeping.snapshot.dumps.around import dump_around
from pytest_housekeeping.snapshot.dumps.difference import dump_difference
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.extensions import (
    extension_names,
    members_by_name,
    needed_extensions,
    without_extensions,
)
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.whole_file import put_whole


@dataclass(kw_only=True)
class Backup:
    """The schema of before, the roles that a dump leaves out, and the schema of after.

    The files go into ``folder`` (``audit`` from ``root``), named after ``started_at``; the
    ``restore_server`` is the server that the backup is restored on. Where something is rehearsed,
    the restored copy stays there until the end: the ``twin``. A watch takes one to prove on, and
    it is not ``kept``. Where ``spare`` says so of production there is a second one, as it is before
    the batch.
    """

    root: Path
    audit: str
    started_at: datetime
    secrets: Secrets
    restore_server: RestoreServer | None = None
    kept: bool = True
    spare: Callable[[Connection], bool] = lambda _: False
    files: dict[Path, bytes] = field(default_factory=dict, repr=False)
    before: KeptFile | None = None
    after: KeptFile | None = None
    twin: Twin | None = None
    _ends: ExitStack = field(default_factory=ExitStack, repr=False)
    _around: bytes = field(default=b"", repr=False)
    _schema: bytes = field(default=b"", repr=False)
    _roles: bytes = field(default=b"", repr=False)
    _schema_after: bytes = field(default=b"", repr=False)
    _ahead: Future[bytes] | None = field(default=None, repr=False)
    _pg_dump: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    def begin(self, conninfo: str, server_major: int, absent_kinds: Sequence[str] = ()) -> None:
        """Let pg_dump begin, while production is looked at: that both have seen the same schema,
        the copy shows. ``absent_kinds`` are known once the schema was read."""
        if self._ahead is None:
            worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hk-backup")
            dump = partial(
                dump_schema,
                server_major=server_major,
                absent_kinds=absent_kinds,
                started=self._pg_dump.append,
            )
            self._ahead = worker.submit(dump, conninfo)
            worker.shutdown(wait=False)

    def snapshot(
        self,
        connection: Connection,
        conninfo: str,
        fingerprint: Fingerprint,
        server_major: int,
        absent_kinds: Sequence[str],
    ) -> Judgement:
        """pg_dump of the whole schema, and the roles beside it, into the audit folder."""
        self.begin(conninfo, server_major, absent_kinds)
        self._schema = self._ahead.result() if self._ahead else b""
        self._roles = dump_roles(connection)
        self._around = dump_around(connection)
        said = f"{len(self._schema):,} bytes"
        if self.kept:
            self.before = self._keep("prod_schema_before", self._schema)
            self._keep("prod_roles_before", self._roles)
            said = f"{self.before.path}, {said}"
        return Verdict(examined=max(1, len(fingerprint.entries)), unit="objects"), said

    def proof(self, fingerprint: Fingerprint, server_major: int) -> Judgement:
        """The backup restores to the very schema that it was taken from."""
        proof = prove_backup(
            self._schema,
            self._roles,
            fingerprint,
            server_major=server_major,
            restore_server=self.restore_server,
        )
        where = f"{self._where}{proof.server_major}"
        said = f"restored on {where}, with the fingerprint of production"
        limits = [f"limit of the proof: {limit}" for limit in proof.limits]
        verdict = Verdict(examined=max(1, proof.objects), unit="objects")
        return verdict, "; ".join([said, *limits])

    def rehearsal_proof(
        self,
        connection: Connection,
        conninfo: str,
        fingerprint: Fingerprint,
        identity: TargetIdentity,
    ) -> Judgement:
        """The same, and the restored copy is as production in all that a check can read.

        An extension that no server here has is left out where nothing depends on it.
        """
        major, names = fingerprint.server_major, frozenset(extension_names(fingerprint))
        left_out = extensions_to_leave_out(
            major, names, needed_extensions(connection), self.restore_server
        )
        schema, whole = self._schema, fingerprint.digest
        if left_out:
            kept = sorted(names - left_out)
            schema = dump_schema(
                conninfo, server_major=major, extensions=kept, but=sorted(left_out)
            )
            members = members_by_name(connection, left_out)
            fingerprint = without_extensions(fingerprint, left_out, members)
        twin = self.twin = self._ends.enter_context(
            twin_of(
                Dumps(schema=schema, roles=self._roles, around=self._around),
                fingerprint,
                database=identity.database,
                server_version=identity.server_version,
                restore_server=self.restore_server,
                spare=self.spare(connection),
            )
        )
        if twin.copy.key:
            remember_copy(whole, twin.copy.key)
        again = " by an earlier run" if twin.copy.restored_before else ""
        where = f"{self._where}{twin.schema.server_major}"
        said = f"restored{again} on {where}, with the fingerprint of production"
        limits = [f"limit of the proof: {limit}" for limit in (*twin.proof.limits, *twin.limits)]
        limits += [
            f"extension {name} is not on the copy: its server lacks it, and nothing depends on it"
            for name in sorted(left_out)
        ]
        verdict = Verdict(examined=max(1, len(twin.schema.entries)), unit="objects")
        return verdict, "; ".join([said, *limits])

    def take_after(self, dump: Callable[[bytes], tuple[bytes, ProvedOn]]) -> None:
        """After the commit: the schema as it is now, by a ``dump`` that is told the one of before
        and says of what it is, and the difference.

        Raises BackupFailed and EvidenceError.
        """
        schema, of = dump(self._schema)
        self._schema_after = schema
        self.after = replace(self._keep("prod_schema_after", schema), of=of)
        before = self.before.path if self.before else "before"
        difference = dump_difference(self._schema, schema, before, self.after.path)
        self._keep("prod_schema_diff", difference.encode(), ending="diff")

    @property
    def schemas(self) -> tuple[bytes, bytes]:
        """The dumps of before and after, as far as they were taken."""
        return self._schema, self._schema_after

    @property
    def digests(self) -> tuple[str, ...]:
        """Of all that the copy was restored from."""
        texts = (self._schema, self._roles, self._around)
        return tuple(hashlib.sha256(each).hexdigest() for each in texts)

    @property
    def _where(self) -> str:
        given = self.restore_server is not None and self.restore_server.given
        return "the server that was given, " if given else ""

    def let_go(self) -> None:
        """Nobody asks the copy any more: its server ends while the record is written. `close` waits
        for that."""
        if self.restore_server is not None and not self.restore_server.given:
            threading.Thread(target=self.restore_server.close, name="hk-end").start()

    def close(self) -> None:
        if self._ahead is not None and not self._ahead.done():
            for process in self._pg_dump:
                process.terminate()
            wait([self._ahead])
        server = self.restore_server
        # One of this machine takes all copies with it.
        if server is not None and not server.given:
            server.close()
        with suppress(HousekeepingError, psycopg.Error):
            self._ends.close()
        if server is not None:
            server.close()

    def _keep(self, name: str, content: bytes, *, ending: str = "sql") -> KeptFile:
        if self.secrets.find(content.decode(errors="replace")):
            raise EvidenceError(
                f"{name}: the schema holds the password of this run, in a function's body, say",
                why="the snapshot goes into git, and whoever reads the repository would have it",
                fix="take it out of the schema and change the password",
            )
        relative = f"{self.audit}/{name}_{utc_stamp(self.started_at)}.{ending}"
        path = self.root / relative
        put_whole(path, content)
        self.files[path] = content
        return KeptFile(path=relative, sha256=hashlib.sha256(content).hexdigest())
