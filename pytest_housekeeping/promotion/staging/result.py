"""What the batch has made of the database can be dumped and restored: shown behind the COMMIT.

The next promotion backs production up before it changes anything, and refuses if the backup does
not restore. A batch after which that is so has to fail here.
"""

from __future__ import annotations

from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.promotion.prechecks import Judgement
from pytest_housekeeping.promotion.staging.target import StagingTarget
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.dump import dump_schema
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.problems import BackupNotProved, RestoreRefused
from pytest_housekeeping.snapshot.proof import BackupProof, prove_backup, prove_result
from pytest_housekeeping.snapshot.roles import dump_roles

_WHY = (
    "once this is promoted, the backup of production would not restore either, and every later"
    " promotion would be refused"
)
_WHY_OF_ROWS = "a backup of production with its rows would not restore either, when it is needed"
_NAMES = (
    "what pg_dump writes is restored with an empty search_path: write the schema before each name"
    " in the body of the function, or give the function a path of its own, ALTER FUNCTION ... SET"
    " search_path = ..."
)
_FORM = (
    "change the file that makes it, so that it can be restored from nothing: a check may look at"
    " its own row only, and pg_dump has to be able to write it"
)


def result_restores(target: StagingTarget, throwaway: Throwaway) -> Judgement:
    """The database is dumped, rows and all, and restored into another one with its fingerprint.

    Rows count: the function in an index may be called for the first time when there is one.

    Raises BackupNotProved with the object that does not restore; what else is in the way, of this
    machine say, is raised as it is.
    """
    connection = target.connection.get()
    expected = read_fingerprint(connection, around=Around.NOTHING)
    try:
        proof = _prove(throwaway, expected, connection, rows=True)
    except RestoreRefused as error:
        rows_alone = True
        try:
            _prove(throwaway, expected, connection, rows=False)
        except RestoreRefused:
            rows_alone = False
        raise BackupNotProved(
            error.found,
            why=_WHY_OF_ROWS if rows_alone else _WHY,
            fix=_NAMES if "does not exist" in error.found else _FORM,
        ) from None
    limits = [f"limit of the proof: {limit}" for limit in proof.limits]
    verdict = Verdict(examined=max(1, proof.objects), unit="objects")
    return verdict, "; ".join(["dumped and restored, with the same fingerprint", *limits])


def _prove(
    throwaway: Throwaway, expected: Fingerprint, connection: Connection, *, rows: bool
) -> BackupProof:
    database, major = throwaway.database(), connection.info.server_version // 10000
    with connect(database.superuser_conninfo) as superuser:
        row = superuser.execute("SELECT pg_catalog.current_setting('is_superuser')").fetchone()
    if row == ("on",):
        dump = dump_schema(database.superuser_conninfo, server_major=major, rows=rows)
        return prove_result(throwaway.server, dump, expected, server_major=major)
    # On a given server whose owner is no superuser, not every role can be given its objects.
    dump = dump_schema(database.migrator_conninfo, server_major=major)
    return prove_backup(dump, dump_roles(connection), expected, server_major=major)
