"""A look at every database of a fleet: what each has, and which of them are alike."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.errors import HousekeepingError, MisuseError, ServerError, named
from pytest_housekeeping.evidence import open_repository
from pytest_housekeeping.evidence.report.display import plural
from pytest_housekeeping.model import TargetIdentity
from pytest_housekeeping.plan.pending import FILES, AppliedFile, pending_files
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.postgres.same_server import begun
from pytest_housekeeping.promotion.production.of_fleet.databases import (
    FleetDatabase,
    State,
    read_databases,
)
from pytest_housekeeping.promotion.production.of_fleet.known_schema import KnownSchema
from pytest_housekeeping.promotion.production.promoted.promotion_table import last_fingerprint
from pytest_housekeeping.promotion.production.target_address import (
    Address,
    closed_on_failure,
    open_production,
    read_address,
)
from pytest_housekeeping.promotion.repository.applied import applied_files
from pytest_housekeeping.promotion.repository.other_names import Database, otherwise_named
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import in_common, listed
from pytest_housekeeping.snapshot.compare.own_names import group_schema
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.reading_again.incremental import EVERYTHING, read_whole
from pytest_housekeeping.sql.folder import read_all
from pytest_housekeeping.sql.project_files import ProjectFiles

# How many are looked at at once: each takes a session of its server.
_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a database has. ``away`` says why it could not be reached, ``wrong`` why it could not be
    read, or not be taken as it is, ``drift`` what was changed past the files."""

    database: FleetDatabase
    place: str = ""
    schema: str = ""
    major: int = 0
    applied: tuple[AppliedFile, ...] = ()
    identity: TargetIdentity | None = None
    runs: frozenset[str] = frozenset()
    away: str = ""
    wrong: str = ""
    drift: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Databases of one schema to which the same was applied, and what is pending there."""

    number: int
    members: tuple[Seen, ...]
    pending: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"group-{self.number}"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.database.name for each in self.members)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The groups, the largest first; and the databases that are in none: those that were not
    reached, those that cannot be taken as they are, and those that stay so."""

    groups: tuple[Group, ...]
    away: tuple[Seen, ...]
    wrong: tuple[Seen, ...]
    archived: tuple[FleetDatabase, ...]

    @property
    def seen(self) -> tuple[Seen, ...]:
        """All that were looked at, those of groups first."""
        return (*(m for group in self.groups for m in group.members), *self.away, *self.wrong)

    @property
    def behind(self) -> tuple[Group, ...]:
        """The groups in which something is pending."""
        return tuple(group for group in self.groups if group.pending)


def survey(
    config: Config,
    fleet: Fleet,
    *,
    shard: tuple[int, int] = (1, 1),
    watches: bool = False,
    keep: Path | None = None,
    accepted: str | None = None,
) -> Survey:
    """Look at all databases of the list, or at those of a shard (the first of three: ``(1, 3)``).

    Nothing is changed, and no lock above ACCESS SHARE is taken. One that ``watches`` groups what
    has drifted as well. Otherwise it is left out, unless its schema is the one that is
    ``accepted``. What was read of each is left in the folder ``keep``. Raises MisuseError for a
    list that cannot be used, or has nothing to look at, and without the variables of the fleet.
    """
    listed = read_databases(config, fleet)
    every = [each for each in listed if each.state is not State.ARCHIVED]
    live = every[shard[0] - 1 :: shard[1]]
    if not live:
        raise _nothing(fleet, len(every), shard)
    read_address(os.environ, live[0].target(fleet, config.audit))
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        seen = list(pool.map(lambda each: _look(config, fleet, each, keep), live))
    _refuse_twice(fleet, [each for each in seen if not each.away and not each.wrong])
    seen = _without_named(config, fleet, seen)
    if not watches:
        seen = [without_drift(each, accepted) for each in seen]
    reached = [each for each in seen if not each.away and not each.wrong]
    return Survey(
        groups=tuple(_grouped(config, reached)),
        away=tuple(each for each in seen if each.away),
        wrong=tuple(each for each in seen if each.wrong),
        archived=tuple(each for each in listed if each.state is State.ARCHIVED),
    )


def reach(config: Config, fleet: Fleet, database: FleetDatabase) -> LentConnection:
    """A session that can change nothing. Raises ServerError for one that is away, ProofFailed for
    one that is no safe connection."""
    return _open(config, read_address(os.environ, database.target(fleet, config.audit)))


def _open(config: Config, address: Address) -> LentConnection:
    return open_production(address, {**config.session, "default_transaction_read_only": "on"})


def _look(config: Config, fleet: Fleet, database: FleetDatabase, keep: Path | None) -> Seen:
    place = f"{database.host}:{database.port}/{database.database}"
    try:
        address = read_address(os.environ, database.target(fleet, config.audit))
        connection = _open(config, address)
        with closed_on_failure(connection, address):
            seen = _seen(config, fleet, database, connection, keep)
        connection.close()
    except ServerError as error:
        return Seen(database=database, place=place, away=error.found)
    except (HousekeepingError, psycopg.Error) as error:
        found = error.found if isinstance(error, HousekeepingError) else str(error).strip()
        return Seen(database=database, place=place, wrong=found)
    return seen


def reading_in(keep: Path, database: FleetDatabase) -> Path:
    """Where in that folder the look at a database has left what it has read."""
    return keep / f"{database.name}.reading"


def _seen(
    config: Config,
    fleet: Fleet,
    database: FleetDatabase,
    connection: LentConnection,
    keep: Path | None,
) -> Seen:
    identity = identified(connection)
    if keep is None:
        schema = read_fingerprint(connection, exclude_schemas=(), once=True)
    else:
        read = read_whole(connection, EVERYTHING, once=True)
        schema = read.fingerprint
        KnownSchema(reading=read, identity=identity).keep(reading_in(keep, database))
    rows = history.applied(connection, config.history_schema)
    return Seen(
        database=database,
        place="/".join((*begun(connection), identity.database)),
        schema=group_schema(schema, identity.database, database.target(fleet, config.audit)),
        major=schema.server_major,
        applied=applied_files(rows),
        identity=identity,
        runs=frozenset(row.run for row in rows),
        drift=_drift(config, connection, schema),
    )


def _without_named(config: Config, fleet: Fleet, seen: Sequence[Seen]) -> list[Seen]:
    """They are wrong that are on record as another target."""
    targets = [each.database.target(fleet, config.audit) for each in seen]
    databases = [
        Database(target=target, identity=each.identity, runs=each.runs)
        for target, each in zip(targets, seen, strict=True)
        if each.identity is not None
    ]
    with open_repository(config.root) or nullcontext() as repository:
        found = otherwise_named(config, repository, databases) if repository is not None else {}
    named = ("; ".join(map(": ".join, found.get(target.name, ()))) for target in targets)
    return [replace(e, wrong=e.wrong or said) for e, said in zip(seen, named, strict=True)]


def _drift(config: Config, connection: LentConnection, schema: Fingerprint) -> str:
    """What differs from what the last promotion left, but for what may move; "" for nothing."""
    recorded = last_fingerprint(connection, config.history_schema, schema)
    if recorded is None or recorded is schema:
        return ""
    excluded = set(recorded.excluded)
    if excluded:
        schema = read_fingerprint(connection, exclude_schemas=recorded.excluded, once=True)
    before, after, _ = in_common(recorded, schema)
    others = split_declared(before, after, config.may_move).others
    return f"changed past the files since its last promotion: {listed(others, 3)}" * bool(others)


def without_drift(seen: Seen, accepted: str | None) -> Seen:
    """It is wrong where it was changed past the files, to another schema than is accepted."""
    if seen.wrong or not seen.drift or seen.schema == accepted:
        return seen
    fix = f"to promote to all that have just this: --hk-accept-drift={seen.schema}"
    return replace(seen, wrong=f"{seen.drift}; {fix}")


def _nothing(fleet: Fleet, live: int, shard: tuple[int, int]) -> MisuseError:
    found, fix = "every database of the list is archived", "correct the list"
    if live:
        found = f"--hk-shard={shard[0]}/{shard[1]} holds none of {plural(live, 'database')}"
        fix = f"take {plural(live, 'share')} at most"
    why = "a run that looks at nothing would end well, and have shown nothing"
    return MisuseError(f"fleet {fleet.name}: {found}", why=why, fix=fix)


def _refuse_twice(fleet: Fleet, seen: Sequence[Seen]) -> None:
    """Raises MisuseError for one database that is listed by two addresses."""
    first: dict[str, str] = {}
    for each in seen:
        other = first.setdefault(each.place, each.database.name)
        if other != each.database.name:
            raise MisuseError(
                f"fleet {fleet.name}: {other} and {each.database.name} are the same database",
                why="it would be promoted under one name, and be told as changed under the other",
                fix="take one of them out of the list",
            )


def _grouped(config: Config, seen: Sequence[Seen]) -> Iterator[Group]:
    """The largest first."""
    alike: Mapping[object, list[Seen]] = defaultdict(list)
    for each in seen:
        done = tuple((file.path, file.sha256) for file in each.applied)
        alike[each.schema, each.major, done].append(each)
    pending = Pending(config)
    ordered = sorted(alike.values(), key=lambda members: (-len(members), members[0].database.name))
    for number, members in enumerate(ordered, start=1):
        yield Group(
            number=number, members=tuple(members), pending=pending.after(members[0].applied)
        )


class Pending:
    """The files of the work tree that are not applied, by what is."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._files = ProjectFiles(config.root)

    def after(self, applied: Sequence[AppliedFile]) -> tuple[str, ...]:
        known = [(each.path, each.sha256) for each in applied]
        found = read_all(self._config, self._files, FILES, applied=known).files
        return tuple(file.path for file in pending_files(found, applied))


def told_of(found: Survey) -> Iterator[str]:
    """Two lines a group, and a line for each database that is in none."""
    for group in found.groups:
        pending = f"{plural(len(group.pending), 'file')} pending" if group.pending else "up to date"
        yield f"{group.name}: {plural(len(group.members), 'database')}: {named(group.names, 5)}"
        yield f"  {len(group.members[0].applied)} applied, {pending}"
        for each in group.members:
            if each.drift:
                yield f"  {each.database.name}: {each.drift}"
    for each in found.away:
        yield f"{each.database.name}: away: {each.away}"
    for each in found.wrong:
        yield f"{each.database.name}: left out: {each.wrong}"
    if found.archived:
        yield f"archived: {named([each.name for each in found.archived])}"
