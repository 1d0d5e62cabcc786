"""What the batch has made of the database can be dumped and restored: shown behind the COMMIT.

The next promotion backs production up before it changes anything, and refuses if the backup does
not restore. A batch after which that is so has to fail here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.snapshot.copies.proof import (
    BackupProof,
    prove_backup,
    prove_result,
)
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.dumps.around import with_owners
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.problems import BackupNotProved, RestoreRefused

_WHY = (
    "once this is promoted, the backup of production would not restore either, and every later"
    " promotion would be refused"
)
_WHY_OF_ROWS = "a backup of production with its rows would not restore either, when it is needed"
_WITHOUT_ROWS = "the owner of the database is no superuser: its rows were not restored"
_NAMES = (
    "what pg_dump writes is restored with an empty search_path: write the schema before each name"
    " in the body of the function, or give the function a path of its own, ALTER FUNCTION ... SET"
    " search_path = ..."
)
_FORM = (
    "change the file that makes it, so that it can be restored from nothing: a check may look at"
    " its own row only, and pg_dump has to be able to write it"
)


KnownRestore = Callable[[bytes, Fingerprint, Callable[[], BackupProof]], BackupProof]


def _prove_each(_: bytes, __: Fingerprint, prove: Callable[[], BackupProof]) -> BackupProof:
    return prove()


class ResultProof:
    """Whether the result restores, shown in a thread while the applications' own tests run.

    They write rows, so they wait until it is ``dumped``. What it has to be is the ``schema`` that
    was committed, as the run had read it by then. What an earlier run has shown may be ``known``.
    """

    def __init__(
        self,
        throwaway: Throwaway,
        schema: Callable[[], Fingerprint | None] = lambda: None,
        known: KnownRestore = _prove_each,
    ) -> None:
        self._throwaway = throwaway
        self._schema = schema
        self._known = known
        self._expected: Fingerprint | None = None
        self._thread: threading.Thread | None = None
        self._dumped = threading.Event()
        self._judgement: Judgement | None = None
        self._failure: BaseException | None = None

    def begin(self) -> None:
        """Directly behind the COMMIT of the last segment, while the schema is read again."""
        if self._thread is None:
            self._expected = self._schema()
            self._thread = threading.Thread(target=self._work, name="hk-restore", daemon=True)
            self._thread.start()

    def dumped(self) -> None:
        """Wait until pg_dump has read the database, if that has begun."""
        if self._thread is not None:
            self._dumped.wait()

    def judgement(self) -> Judgement:
        """How it ended; waits for it. Raises as `result_restores` does."""
        self.begin()
        self.close()
        if self._failure is not None:
            raise self._failure
        if self._judgement is None:
            raise BackupNotProved("the proof did not come to its end", why=_WHY)
        return self._judgement

    def close(self) -> None:
        """Wait for the thread, which ends with the server."""
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        try:
            self._judgement = result_restores(
                self._throwaway, self._expected, self._dumped.set, known=self._known
            )
        except BaseException as error:
            self._failure = error
        finally:
            self._dumped.set()


def result_restores(
    throwaway: Throwaway,
    expected: Fingerprint | None = None,
    dumped: Callable[[], None] = lambda: None,
    *,
    known: KnownRestore = _prove_each,
) -> Judgement:
    """The database is dumped, rows and all, and restored into another one with its fingerprint.

    Rows count: the function in an index may be called for the first time when there is one. The
    fingerprint is the ``expected`` one, or is read first; ``dumped`` is called when nothing more is
    read of the database. Of the schema that the run has read, it may be ``known``.

    Raises BackupNotProved with the object that does not restore; what else is in the way, of this
    machine say, is raised as it is.
    """
    with throwaway.migrator() as connection:
        if expected is None:
            known = _prove_each
            expected = read_fingerprint(connection, around=Around.NOTHING, once=True)
        return _judged(throwaway, expected, connection, dumped, known)


def _judged(
    throwaway: Throwaway,
    expected: Fingerprint,
    connection: Connection,
    dumped: Callable[[], None],
    known: KnownRestore,
) -> Judgement:
    try:
        proof = _prove(throwaway, expected, connection, dumped, known, rows=True)
    except RestoreRefused as error:
        rows_alone = True
        try:
            _prove(throwaway, expected, connection, dumped, known, rows=False)
        except RestoreRefused:
            rows_alone = False
        raise BackupNotProved(
            error.found,
            why=_WHY_OF_ROWS if rows_alone else _WHY,
            fix=_NAMES if "does not exist" in error.found else _FORM,
        ) from None
    limits = [f"limit of the proof: {limit}" for limit in proof.limits]
    examined = max(1, proof.objects)
    verdict = Verdict(examined=examined, unit="objects", shown_at=proof.shown_at)
    said = "dumped and restored, with the same fingerprint"
    if proof.restored is not None:
        said = (
            f"dumped; of its {proof.objects} objects the {proof.restored} that are other than in"
            " the last result, or name one that is, were restored, with the same fingerprint; the"
            f" others have the text that was restored at {proof.since}"
        )
    return verdict, "; ".join([said, *limits])


def _prove(
    throwaway: Throwaway,
    expected: Fingerprint,
    connection: Connection,
    dumped: Callable[[], None],
    known: KnownRestore,
    *,
    rows: bool,
) -> BackupProof:
    database, major = throwaway.database(), connection.info.server_version // 10000
    with connect(database.superuser_conninfo) as superuser:
        row = superuser.execute("SELECT pg_catalog.current_setting('is_superuser')").fetchone()
    if row == ("on",):
        dump = dump_schema(database.superuser_conninfo, server_major=major, rows=rows)
        whole = with_owners(connection, dump)
        dumped()
        prove = partial(prove_result, throwaway.server, whole, expected, server_major=major)
        return known(dump, expected, prove)
    # On a given server whose owner is no superuser, not every role can be given its objects.
    dump = dump_schema(database.migrator_conninfo, server_major=major)
    roles = dump_roles(connection)
    dumped()
    proof = prove_backup(dump, roles, expected, server_major=major)
    return replace(proof, limits=(*proof.limits, _WITHOUT_ROWS))
