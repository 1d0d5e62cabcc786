"""In staging: a template's schema is the one that was proved, object by object."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from pytest_housekeeping.databases.content import Content
from pytest_housekeeping.databases.database import Database
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.compare.difference import diff, listed
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_housekeeping.snapshot.fingerprint import Fingerprint


def refuse_other_files(content: Content, held: Mapping[str, bytes]) -> None:
    """Raises ProofFailed for a file that is another one than the plan's."""
    for path, planned in held.items():
        ours = path.startswith(f"{content.config.sql}/") or path in content.paths
        if ours and not (content.files.has(path) and content.files.read(path) == planned):
            raise ProofFailed(
                f"{path} was edited since the plan was made",
                why="the tests would run on another schema than the one that was proved",
                fix="run it again",
            )


def refuse_other_schema(content: Content, made: Database, proved: StagingDatabase) -> None:
    """Raises ProofFailed where a clone of the template is not what was proved, with the objects.

    The tool's own tables are left out, which a template does not have, and what is of the server.
    """
    ways = (proved.superuser_conninfo, made.cluster.conninfo(made.name))
    expected, found = (_read(way, content) for way in ways)
    if differences := diff(expected, found):
        raise ProofFailed(
            f"the databases of the tests are not what was proved: {listed(differences)}",
            why="what passes on another schema says nothing about the one that is promoted",
            fix="look for a file whose effect depends on the day, on the server, or on what was"
            " promoted before",
        )


def _read(way: str, content: Content) -> Fingerprint:
    with closing(connect(way, settings=content.config.session)) as superuser:
        excluded = (content.config.history_schema,)
        return read_fingerprint(
            superuser, exclude_schemas=excluded, around=Around.DATABASE, once=True
        ).without("database", "limits of database")
