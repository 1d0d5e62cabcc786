"""Rollback files proved by a round trip: down from where the batch ends, and up again.

A rollback file is proved where the schema has the same fingerprint before its migration and after
its rollback, and again after its migration is applied a second time. PostgreSQL's DDL is
transactional, so all of it happens in one savepoint and leaves nothing behind:
https://www.postgresql.org/docs/16/sql-savepoint.html. Fingerprints see the schema and no rows: what
a rollback file destroys is told as a notice, and a migration of nothing but data as unproved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from pytest_housekeeping.checks.rollbacks.ascent import Ascent
from pytest_housekeeping.checks.rollbacks.data_loss import losses, read_contents
from pytest_housekeeping.checks.rollbacks.descent import Descents
from pytest_housekeeping.checks.rollbacks.round_trip_input import (
    AppliedRepeatable,
    RoundTripInput,
    touched_by_batch,
)
from pytest_housekeeping.checks.rollbacks.round_trip_verdicts import (
    RoundTripLog,
    destroyed,
    differences,
    failure,
    has_errors,
    left_over,
    only_data,
    verdicts_of,
)
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.model import Finding, Verdict
from pytest_housekeeping.plan.rollback_files import RollbackLink
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.statement_errors import run_text
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.snapshot.catalog.statements import Scope
from pytest_housekeeping.snapshot.problems import SnapshotError
from pytest_housekeeping.snapshot.reading_again.incremental import Reading, read_again, read_whole
from pytest_housekeeping.snapshot.reading_again.taken_away import Dwindling
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.parse import without_concurrently
from pytest_housekeeping.sql.repeatable import take_down

_ATTEMPT = "SAVEPOINT hk_attempt"
_QUICK = "SAVEPOINT hk_quick"


def prove_round_trips(transaction: Transaction, given: RoundTripInput) -> Mapping[str, Verdict]:
    """The verdict on each rollback file and on the batch, by the id of its step.

    From the seeded schema all rollback files run, newest first, so that what they destroy can be
    told; the schema must then be what it was before the batch. From there each migration is
    applied, undone and applied again, with equal fingerprints, or adds just what its rollback file
    took away (`descent`). At the end everything must be as it was at the start. The caller sets a
    savepoint before, and rolls back to it afterwards.
    """
    with transaction.rehearsing():
        (trip := RoundTrip(transaction=transaction, given=given)).run()
    return verdicts_of(trip.log, given.links)


@dataclass(kw_only=True)
class RoundTrip:
    """The way down and up again; ``now`` is the schema where it is known, ``last`` as it was read
    last: savepoints hold whatever is written, so only what has changed is read again."""

    transaction: Transaction
    given: RoundTripInput
    log: RoundTripLog = field(default_factory=RoundTripLog)
    now: Reading | None = None
    last: Reading | None = None
    ascent: Ascent = field(init=False)

    def __post_init__(self) -> None:
        self.ascent = Ascent(
            transaction=self.transaction,
            read_text=self.given.read_text,
            descents=Descents(begin=self._descend),
        )

    @property
    def connection(self) -> Connection:
        return self.transaction.connection

    def run(self) -> None:
        start = self._read()
        self.log.examined = len(start.fingerprint.entries)
        if not self._down():
            return
        # Where a rollback file has failed, those that ran are still tried, and the batch is not.
        stopped = len(self.log.undone) < len(self.given.links)
        for group in self.ascent.descents.groups(self.log.undone[::-1]):
            if not self._in_turn(group) and not all(map(self._there_and_back, group)):
                return
        if stopped:
            return
        for each in self.given.repeatables:
            if not self._applied(each.file, each.text, self.log.batch, "when applied again"):
                return
        self.log.batch += differences(*start.apart(self._read()), "after going there and back")

    def _down(self) -> bool:
        """Undo the batch, compare, and undo what was applied before it, as far as asked for.

        False where a view or policy file is in the way, so that nothing more can be tried.
        """
        touched = touched_by_batch(self.connection, self.given.repeatables)
        pending = [link for link in self.given.links if link.pending]
        applied_before = [link for link in self.given.links if not link.pending]
        if not self._take_down(touched):
            return False
        if not self._undo(pending):
            failed = self.given.links[len(self.log.undone)].rollback.path
            self.log.batch.append(failure(failed, "fails, so the batch cannot be undone"))
            return True
        for each in touched:
            if each.older and not self._applied(each.file, each.older, self.log.batch, "as it was"):
                return False
        if (expected := self.given.schema_before_batch) is not None:
            now = self._read().fingerprint
            self.log.batch += differences(expected, now, "after the batch was undone")
        else:
            self._look_for_leftovers(pending)
        standing = [
            each if each.older is None else replace(each, text=each.older, older=None)
            for each in self.given.repeatables
        ]
        if applied_before and self._take_down(standing) and self._undo(applied_before):
            self._look_for_leftovers(applied_before)
        return True

    def _look_for_leftovers(self, links: Sequence[RollbackLink]) -> None:
        """At the end of the way down: nothing stands that did not before the oldest migration."""
        before = self.given.schema_before_migration
        expected = before.get(links[-1].begins) if links else None
        if expected is not None:
            findings = self.log.by_file[links[-1].rollback.path]
            findings += left_over(expected, self._read().fingerprint, links[-1])

    def _take_down(self, repeatables: Sequence[AppliedRepeatable]) -> bool:
        for each in reversed(repeatables):
            text = take_down(each.text, kept=each.older or "")
            if text and not self._executed(each.file.path, text):
                return False
        return True

    def _undo(self, links: Sequence[RollbackLink]) -> bool:
        """Run rollback files, newest first, until one fails; what each destroys is noted."""
        contents = partial(read_contents, self.connection, excluded=self.given.excluded_schemas)
        before = contents()
        for place, link in enumerate(links):
            findings = self.log.by_file.setdefault(link.rollback.path, [])
            self.ascent.descents.before(links[place:])
            text = self.given.read_text(link.rollback)
            if not self._applied(link.rollback, text, findings, "on the data of the seeds"):
                return False
            self.ascent.descents.follow(link)
            self.log.undone.append(link)
            now = contents(before=before, dropped=link.rollback.only_drops)
            findings += destroyed(losses(before, now))
            before = now
        self.ascent.descents.end()
        return True

    def _descend(self) -> Dwindling:
        start, put_back = self._read(inside=True, is_prepared=False), self.transaction.put_back
        return Dwindling(connection=self.connection, start=start, put_back=put_back)

    def _in_turn(self, links: Sequence[RollbackLink]) -> bool:
        """Whether it is shown of all at once; nothing is done where it is not."""
        if not self.ascent.knows(links):
            return False
        before = self.now or self._read()
        now = self.ascent.through(links, before, partial(self._read, inside=True))
        if now is None:
            self.last = self.now = before
            return False
        self.last = self.now = self.ascent.level = self._read() if now.rows.may_settle else now
        return True

    def _there_and_back(self, link: RollbackLink) -> bool:
        """Apply, undo, apply: equal both times. False where the way up cannot go on from here."""
        # How the link before has left the schema is known; for the first one it is read.
        before, self.now = self.now or self._read(), None
        self.connection.execute(_QUICK)
        if now := self._smoothly(link, before):
            self.connection.execute(f"RELEASE {_QUICK}")
            self.now = self._read() if now.rows.may_settle else now
            return True
        self.connection.execute(f"ROLLBACK TO {_QUICK}; RELEASE {_QUICK}")
        self.last = before
        return self._step_by_step(link, before)

    def _smoothly(self, link: RollbackLink, before: Reading) -> Reading | None:
        """All of it in one savepoint, for each costs what the transaction has locked by then.

        The schema at the end; None where anything is to be told, but that it changes none.
        """
        up, down = (
            (file, without_concurrently(self.given.read_text(file)))
            for file in (link.migration, link.rollback)
        )
        try:
            self.transaction.apply(*up)
            there = self._read(inside=True)
            self.transaction.apply(*down)
            # Of what has come and gone again, nothing differs from before, and nothing is read.
            self.last = before
            if before.differs_from(self._read(inside=True)):
                return None
            self.transaction.apply(*up)
            now = self._read(inside=True)
        except (SqlFailed, SnapshotError):
            return None
        if there.differs_from(now):
            return None
        if link.migration.statements and not before.differs_from(now):
            self.log.by_file[link.rollback.path].append(only_data(link))
        return now

    def _step_by_step(self, link: RollbackLink, before: Reading) -> bool:
        findings = self.log.by_file[link.rollback.path]
        up, down = link.migration, link.rollback
        up_text = self.given.read_text(up)
        if not self._applied(up, up_text, findings, "applied after all rollbacks"):
            return False
        there = self._read()
        self.connection.execute("SAVEPOINT hk_trip")
        down_text = self.given.read_text(down)
        if self._applied(down, down_text, findings, "right after its migration"):
            # Of what has come and gone again, nothing differs from before, and nothing is read.
            self.last = before
            findings += differences(*before.apart(self._read()), "after its rollback")
            if self._applied(up, up_text, findings, "applied a second time"):
                self.now = self._read()
                again = there.apart(self.now)
                findings += differences(*again, "after its migration was applied again")
        if up.statements and not before.differs_from(there):
            findings.append(only_data(link))
        if has_errors(findings):
            # The way up goes on from right after the migration, as if nothing had been undone.
            self.connection.execute("ROLLBACK TO SAVEPOINT hk_trip")
            # What was rolled back counts as written: it is counted anew before the next one.
            self.now, self.last = None, there
        self.connection.execute("RELEASE SAVEPOINT hk_trip")
        return True

    def _applied(self, file: SqlFile, text: str, findings: list[Finding], when: str) -> bool:
        """Whether a file could be applied; in a savepoint, where CONCURRENTLY is not allowed."""
        # CREATE INDEX CONCURRENTLY is not allowed inside a transaction.
        runnable = without_concurrently(text)
        return self._succeeds(
            file.path, lambda: self.transaction.apply(file, runnable), findings, when
        )

    def _executed(self, path: str, text: str) -> bool:
        return self._succeeds(
            path, lambda: run_text(self.connection, path, text), self.log.batch, "taken down"
        )

    def _succeeds(
        self, path: str, work: Callable[[], object], findings: list[Finding], when: str
    ) -> bool:
        """Do something in a savepoint; where it fails, undo it and add a finding."""
        self.connection.execute(_ATTEMPT)
        try:
            work()
        except SqlFailed as error:
            self.connection.execute(f"ROLLBACK TO {_ATTEMPT}; RELEASE {_ATTEMPT}")
            words = error.found.removeprefix(f"{path}:").strip()
            findings.append(failure(path, f"fails {when}: {words}", error.fix))
            return False
        self.connection.execute(f"RELEASE {_ATTEMPT}")
        return True

    def _read(self, *, inside: bool = False, is_prepared: bool = True) -> Reading:
        """``inside`` the savepoint that has written, and goes on to write."""
        if self.last is None:
            scope = Scope(excluded=self.given.excluded_schemas, around=self.given.around)
            self.last = read_whole(self.connection, scope)
        else:
            self.last = read_again(
                self.connection,
                self.last,
                alone=True,
                put_back=self.transaction.put_back if inside else "",
                is_prepared=inside and is_prepared,
            )
        return self.last
