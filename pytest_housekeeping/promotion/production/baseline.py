"""Take over a database that exists already: what is there is what the files would have made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres import connection as database
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.transaction import begin, explain
from pytest_housekeeping.promotion import prechecks
from pytest_housekeeping.promotion.prechecks import Judgement
from pytest_housekeeping.snapshot.difference import diff

if TYPE_CHECKING:
    from pytest_housekeeping.promotion.production.target import Production
    from pytest_housekeeping.sql.file import SqlFile


def verify(around: Production) -> Judgement:
    """Replay the files on an empty server, and compare: the fingerprints must be equal."""
    prechecks.CHECKS["bootstrap"](around)
    _replay(around)
    _name_alike(around)
    connection = database.connect(around.database().superuser_conninfo)
    try:
        replayed = around.read_fingerprint(connection)
    finally:
        connection.close()
    actual = around.fingerprint()
    findings = tuple(
        Finding(
            rule="baseline",
            level=Level.ERROR,
            object=difference.name,
            detail=f"is {difference.change} in production, compared with what the files make",
            fix="bring the files to what production has, or choose another number",
        )
        for difference in diff(replayed.without("database"), actual.without("database"))
    )
    files = sum(len(segment.files) for segment in around.plan.segments)
    verdict = Verdict(examined=files, unit="files", findings=findings)
    return verdict, f"{files} files replayed, {len(findings)} objects differ"


def _replay(around: Production) -> None:
    connection = database.connect(around.database().migrator_conninfo)
    try:
        batch: list[SqlFile] = []
        for file in (file for segment in around.plan.segments for file in segment.files):
            if file.transaction == "batch":
                batch.append(file)
                continue
            _together(around, connection, batch)
            batch = []
            _together(around, connection, [file])
        _together(around, connection, batch)
    finally:
        connection.close()


def _together(around: Production, connection: LentConnection, files: list[SqlFile]) -> None:
    if not files:
        return
    if files[0].transaction == "none":
        text = around.text(files[0])
        try:
            connection.execute(text.encode())
        except psycopg.Error as error:
            raise around.advised(explain(files[0].path, text, error)) from None
        return
    transaction = begin(connection, around.config)
    for file in files:
        transaction.apply(file, around.text(file))
    transaction.seal()
    connection.execute("COMMIT")


def _name_alike(around: Production) -> None:
    """Who promotes in production may be called otherwise than who migrates in staging."""
    theirs, ours = around.address.user, around.config.migrator
    if theirs == ours:
        return
    with around.superuser() as connection:
        connection.execute(
            sql.SQL("ALTER ROLE {} RENAME TO {}").format(
                sql.Identifier(ours), sql.Identifier(theirs)
            )
        )
