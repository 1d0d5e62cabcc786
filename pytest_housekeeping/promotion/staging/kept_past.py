"""The replayed past of a project, kept as a ready data folder by all that has made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psycopg

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.server import Beginning, Server, StagingDatabase
from pytest_housekeeping.snapshot.catalog.sum import catalog_sum
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord, from_record
from pytest_housekeeping.sql.folder import bootstrap_paths
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import digest_of_facts

# Stopping the server, packing and starting it again cost as much.
WORTH_KEEPING_S = 0.5


@dataclass(frozen=True, kw_only=True)
class KeptPast:
    """What an earlier run may have replayed of the past: by key, up to which segment."""

    config: Config
    keys: Mapping[str, int]

    def beginning(self) -> Beginning:
        """The longest past that is kept, if its catalogs are those that were kept."""
        return Beginning(keys=tuple(self.keys), differs=self._differs)

    def begun(self, server: Server) -> int:
        """The last segment that stood in the server when it started; 0 for an empty one."""
        return self.keys.get(server.begun().key, 0)

    def before(self, server: Server, paths: Iterable[str]) -> dict[str, Fingerprint]:
        """The schema before each of these migrations, where it was read when it was replayed."""
        about = server.begun().about
        return {path: from_record(about[_before(path)]) for path in paths if _before(path) in about}

    def keep(self, throwaway: Throwaway, before: Mapping[str, Fingerprint]) -> str:
        """Keep all of it, and the schema ``before`` some migrations.

        The server is stopped and started again, so nobody may be connected. Says what came of it;
        that it could not be kept is no failure.
        """
        server, database = throwaway.server, throwaway.database()
        begun = server.begun()
        known = {key: text for key, text in begun.about.items() if key.startswith(_before(""))}
        known |= {
            _before(path): SchemaRecord(fingerprint=each).packed for path, each in before.items()
        }
        about = {"catalogs": self._catalogs(database), **known}
        # What was refused because too little is known with it makes way for this.
        instead = bool(begun.refused)
        failed = server.keep(database, next(iter(self.keys)), about, instead=instead)
        return f"could not be kept: {failed}" if failed else "kept for the next run"

    def _differs(self, database: StagingDatabase, about: Mapping[str, str]) -> str:
        try:
            found = self._catalogs(database)
        except (HousekeepingError, psycopg.Error, OSError) as error:
            return f"its catalogs could not be read: {error}"
        return "" if found == about.get("catalogs") else "its catalogs have another sum"

    def _catalogs(self, database: StagingDatabase) -> str:
        connection = connect(database.superuser_conninfo, settings=self.config.session)
        try:
            return catalog_sum(connection)
        finally:
            connection.close()


def family_of(config: Config, sources: ProjectFiles) -> str:
    """What every key of a project begins with: its settings, and sql/bootstrap/."""
    paths = bootstrap_paths(config, sources)
    bootstrap = []
    for path in paths:
        # What cannot be read is said when the plan is made.
        with suppress(OSError):
            bootstrap.append((path, sources.digest(path)))
    return digest_of_facts([asdict(replace(config, root=Path())), bootstrap])[:16]


def kept_past(config: Config, family: str, past: Sequence[AppliedFile]) -> KeptPast:
    """The keys of a past, for all of it and for each of its beginnings, the longest first."""
    keys, known = {}, family
    for segment in sorted({entry.segment for entry in past}):
        files = [(e.path, e.kind, e.sha256) for e in past if e.segment == segment]
        known = digest_of_facts([known, files])
        keys[f"{family}-{known}"] = segment
    return KeptPast(config=config, keys=dict(reversed(keys.items())))


def begin_without(kept: KeptPast, server: Server, plan: Plan) -> None:
    """Begin with nothing where the way back leads below what stood in the server, and the schema is
    not known that was before the migration at which it ends: it is read when that is replayed."""
    ends = plan.rollbacks.ends
    about = server.begun().about if ends else {}
    asked = [e for e in plan.past if e.path in ends and _before(e.path) not in about]
    if asked and min(entry.segment for entry in asked) <= kept.begun(server):
        server.begin_again(because=f"that {asked[0].path} can be undone has still to be proved")


def _before(path: str) -> str:
    return f"before {path}"
