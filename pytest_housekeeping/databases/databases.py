"""The test databases of one process: on one server of the run, and one for each earlier state."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.databases.content import Content, State, read_content
from pytest_housekeeping.databases.database import Database
from pytest_housekeeping.databases.place import EMPTY, Place
from pytest_housekeeping.errors import HousekeepingError, MisuseError, ProofFailed
from pytest_housekeeping.sql.text import decode

if TYPE_CHECKING:
    from pytest_housekeeping.databases.place import Ground
    from pytest_housekeeping.databases.transaction import LentTransaction


@dataclass(frozen=True, kw_only=True)
class Run:
    """The run that asks: its workers share a ``name``, and each has a number of its own."""

    root: Path
    name: str
    worker: str = ""
    workers: int = 1
    reuse: bool = True
    url: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Lent:
    """A database, and the server that it goes back to."""

    database: Database
    place: Place
    state: State
    lasts: bool


class Databases:
    """Nothing is started before the first one is asked for."""

    def __init__(self, run: Run, proof: Callable[[Content, Database], None] | None = None) -> None:
        """``proof`` is asked of the first database with all files, before a test has it."""
        self._run, self._proof = run, proof
        self._owner = os.getpid()
        self._places: dict[str | None, Place] = {}
        self._refused: dict[str | None, str] = {}
        self._transactions: dict[str, tuple[Place, LentTransaction]] = {}
        self._unproved = ""
        # How far the databases of an earlier state have come since: None for all that there is.
        self._migrated: dict[str, str | None] = {}

    @property
    def workers(self) -> int:
        """How many processes the run has."""
        return self._run.workers

    @cached_property
    def content(self) -> Content:
        """The project's files and settings. Raises MisuseError for settings that are wrong."""
        return read_content(self._run.root)

    def lend(
        self,
        state: State,
        *,
        asked_by: str,
        empty: bool = False,
        lasts: bool = False,
        upcoming: int = 0,
    ) -> Lent:
        """A fresh database in this state, or an ``empty`` one, of which ``upcoming`` more will be
        asked for at the most; one that ``lasts`` is used by several tests.

        Raises HousekeepingError where its files or the server do not allow it.
        """
        place = self._place(state.at)
        template = EMPTY if empty else self._template(place, state, asked_by)
        name = place.clone(template, upcoming=upcoming, lasts=lasts)
        return Lent(database=self._reached(place, name), place=place, state=state, lasts=lasts)

    def take_back(self, lent: Lent) -> tuple[str, ...]:
        """What its tests have changed of roles and was put back, a line each."""
        return lent.place.take_back(lent.database.name, lasted=lent.lasts)

    def migrate(self, lent: Lent, to: str | None) -> int:
        """Apply to a database of an earlier state what comes behind it; how many files that were.

        Raises MisuseError for a database with everything applied, and SqlFailed.
        """
        name = lent.database.name
        at = self._migrated.get(name, lent.state.at)
        if at is None:
            raise MisuseError(
                "hk_migrate on a database that has every file applied already",
                why="there is nothing left to migrate to",
                fix='@pytest.mark.hk_at("0012"), with the number that the test begins at',
            )
        applied = lent.place.maker().go_on(lent.place.staging_database(name), at, to)
        self._migrated[name] = to
        return applied

    def transaction(self, state: State, *, asked_by: str) -> tuple[Place, LentTransaction]:
        """A transaction that has begun, on the one database that this process has for them.

        Raises HousekeepingError.
        """
        found = self._transactions.get(state.key)
        if found is None or found[1].closed:
            found = self._transactions[state.key] = self._connected(state, asked_by)
        found[1].begin()
        return found

    def spoilt(self, transaction: LentTransaction) -> None:
        """What was rolled back may not be all that was done: the next one gets another database."""
        transaction.close()

    def settings_of(
        self, context: Mapping[str, object], *, asked: str = "connect"
    ) -> Mapping[str, str]:
        """Settings by their full names, as ``context`` in rls.toml completes them.

        Raises MisuseError for one that is unknown.
        """
        if all("." in name for name in context):
            return {name: str(value) for name, value in context.items()}
        from pytest_housekeeping.declarations.rls import context_of, full_name

        files, path = self.content.files, f"{self.content.config.checks}/rls.toml"
        known = context_of(decode(files.read(path), path)) if files.has(path) else ()
        return {full_name(name, known, asked=asked): str(context[name]) for name in context}

    def server(self, *, asked_by: str) -> tuple[Place, str]:
        """The server of the run, and the template of all files on it."""
        place = self._place(None)
        return place, self._template(place, State(), asked_by)

    def close(self) -> None:
        """Leave every server. In a fork of the process that began, nothing is done."""
        if os.getpid() != self._owner:
            return
        for place, transaction in self._transactions.values():
            name = transaction.info.dbname if not transaction.closed else ""
            transaction.close()
            if name:
                place.clones.put_away(name)
        for place in self._places.values():
            place.close()

    def _place(self, at: str | None) -> Place:
        if at in self._refused:
            # What takes a minute to fail does not fail once more for each test.
            raise HousekeepingError(f"{self._refused[at].splitlines()[0]}\n  told in full before")
        if at not in self._places:
            try:
                self._places[at] = self._opened(at)
            except HousekeepingError as error:
                self._refused[at] = error.found
                raise
        return self._places[at]

    def _opened(self, at: str | None) -> Place:
        ground = self._ground(at)
        try:
            return Place(self.content, ground)
        except BaseException:
            ground.close(lambda _: False)
            raise

    def _ground(self, at: str | None) -> Ground:
        run = self._run
        if run.url and at is None:
            from pytest_housekeeping.databases.given import GivenGround

            return GivenGround(self.content, run.name, run.url)
        from pytest_housekeeping.databases.embedded import EmbeddedGround

        # Files behind an earlier state may make roles: a server of this process alone, where they
        # can be made in one test after the other.
        name = run.name if at is None else f"{run.name} {run.worker} {at}"
        key = self.content.key if at is None else f"{self.content.key}-{at}"
        shared = at is None and run.workers > 1
        return EmbeddedGround(self.content.config, key, name, shared=shared, reuse=run.reuse)

    def _template(self, place: Place, state: State, asked_by: str) -> str:
        self.content.refuse_missing()
        template = place.template(state, asked_by=asked_by)
        if self._proof is not None and state.at is None:
            proof, self._proof = self._proof, None
            self._prove(proof, place, place.template(State(), asked_by=asked_by))
        if self._unproved:
            raise ProofFailed(self._unproved)
        return template

    def _prove(
        self, proof: Callable[[Content, Database], None], place: Place, template: str
    ) -> None:
        name = place.clone(template)
        try:
            proof(self.content, self._reached(place, name))
        except ProofFailed as error:
            self._unproved = str(error)
        finally:
            place.take_back(name)

    def _reached(self, place: Place, name: str) -> Database:
        return Database(
            name=name,
            user=self.content.config.migrator,
            cluster=place.cluster,
            password=place.password,
            complete=self.settings_of,
        )

    def _connected(self, state: State, asked_by: str) -> tuple[Place, LentTransaction]:
        from pytest_housekeeping.databases.transaction import LentTransaction
        from pytest_housekeeping.server.libpq import without_libpq_variables

        place = self._place(state.at)
        name = place.clone(self._template(place, state, asked_by))
        way = self._reached(place, name).dsn
        with without_libpq_variables():
            return place, LentTransaction.connect(way, autocommit=True)
