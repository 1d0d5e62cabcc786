"""Rollback files proved by going there and back: down from where the batch ends, and up again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg

from pytest_housekeeping.checks.rollbacks.data_loss import Contents, losses, read_contents
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.model import Finding, Level, Step, Verdict
from pytest_housekeeping.plan.rollback_files import (
    BATCH,
    DESTROYS,
    ROUND_TRIP,
    Link,
    Rollbacks,
    rollback_of,
)
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.transaction import Transaction, explain
from pytest_housekeeping.postgres.view_dependents import standing_upon
from pytest_housekeeping.snapshot.difference import Change, diff
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.parse import without_concurrently
from pytest_housekeeping.sql.repeatable import take_down

_WORDS = {
    Change.ADDED: "is left over",
    Change.REMOVED: "is missing",
    Change.CHANGED: "is not as it was",
}
_VIEWS = "taking down views and policies"
_LEFT = "rollback-leaves"
_FAILED = "rollback-fails"
_ATTEMPT = "SAVEPOINT hk_attempt"


@dataclass(frozen=True, kw_only=True)
class Repeatable:
    """A view or policy file that stands. ``older`` is the text of before this batch, "" where the
    batch is the first to have it; None where the batch does not touch it."""

    file: SqlFile
    text: str
    older: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What there is to go down through: links from the newest on, repeatables as they are applied,
    and the schema as it was before the batch. Where the way ends elsewhere, ``reached`` holds the
    schema as it was before that migration, by its path."""

    links: Sequence[Link]
    repeatables: Sequence[Repeatable]
    text: Callable[[SqlFile], str]
    base: Fingerprint | None
    excluded: tuple[str, ...]
    reached: Mapping[str, Fingerprint] = field(default_factory=dict)


def round_trips(transaction: Transaction, ground: Ground) -> Mapping[str, Verdict]:
    """The verdict on each rollback file and on the batch, by the id of its step.

    From the seeded schema all rollback files run in order, the newest first, so that what they
    destroy can be told; the schema must be then what it was before the batch. From there each
    migration is applied, undone and applied again, with equal fingerprints. At the end everything
    must be as it was. It all happens inside a savepoint of the caller, who rolls it back.
    """
    with transaction.rehearsing():
        trip = _Trip(transaction=transaction, ground=ground)
        trip.run()
    return trip.verdicts()


def out_of_reach(rollbacks: Rollbacks, step: Step) -> Verdict:
    """The verdict on a rollback file below a migration that has none: it cannot be proved."""
    floor = rollbacks.floor.path if rollbacks.floor else "a migration"
    finding = _error(
        step.path,
        f"cannot be tried: {floor} comes after its migration and has no rollback file",
        f"write {rollback_of(floor)}, or say in the migration: -- hk: irreversible, REASON",
    )
    return Verdict(examined=1, unit="rollback files", findings=(finding,))


@dataclass(kw_only=True)
class _Trip:
    transaction: Transaction
    ground: Ground
    examined: int = 0
    batch: list[Finding] = field(default_factory=list)
    found: dict[str, list[Finding]] = field(default_factory=dict)
    undone: list[Link] = field(default_factory=list)
    now: Fingerprint | None = None

    @property
    def connection(self) -> Connection:
        return self.transaction.connection

    def run(self) -> None:
        after = self._fingerprint()
        self.examined = len(after.entries)
        if not self._down():
            return
        stopped = len(self.undone) < len(self.ground.links)
        for link in reversed(self.undone):
            if not self._there_and_back(link):
                return
        if stopped:
            return
        for each in self.ground.repeatables:
            if not self._applied(each.file, each.text, self.batch, "when applied again"):
                return
        self.batch += _differences(after, self._fingerprint(), "after going there and back")

    def _down(self) -> bool:
        """Undo the batch, look, and go on with what was applied before it, as far as asked for."""
        ours = self._touched()
        mine = [link for link in self.ground.links if link.pending]
        rest = [link for link in self.ground.links if not link.pending]
        if not self._take_down(ours):
            return False
        if not self._undo(mine):
            failed = self.ground.links[len(self.undone)].rollback.path
            self.batch.append(_error(failed, "fails, so the batch cannot be undone"))
            return True
        for each in ours:
            if each.older and not self._applied(each.file, each.older, self.batch, "as it was"):
                return False
        if self.ground.base is not None:
            now = self._fingerprint()
            self.batch += _differences(self.ground.base, now, "after the batch was undone")
        else:
            self._look_for_leftovers(mine)
        standing = [
            each if each.older is None else replace(each, text=each.older, older=None)
            for each in self.ground.repeatables
        ]
        if rest and self._take_down(standing) and self._undo(rest):
            self._look_for_leftovers(rest)
        return True

    def _look_for_leftovers(self, links: Sequence[Link]) -> None:
        """At the end of the way: nothing stands that was not there when the lowest was applied.

        Only what stands is compared: the policies of tables below have left their marks on them.
        """
        expected = self.ground.reached.get(links[-1].migration.path) if links else None
        if expected is None:
            return
        self.found[links[-1].rollback.path] += [
            Finding(
                rule=_LEFT,
                level=Level.ERROR,
                object=each.name,
                detail=f"stands after all rollbacks, and did not before {links[-1].migration.path}",
                fix="let the rollback file of what made it drop it",
            )
            for each in diff(expected, self._fingerprint())
            if each.change is Change.ADDED
        ]

    def _touched(self) -> list[Repeatable]:
        """The repeatable files of the batch, and those of before whose views stand upon theirs."""
        texts = {each.file.path: each.text for each in self.ground.repeatables}
        mine = [each.file.path for each in self.ground.repeatables if each.older is not None]
        paths = standing_upon(self.connection, texts, mine)
        return [
            each if each.older is not None else replace(each, older=each.text)
            for each in self.ground.repeatables
            if each.file.path in paths
        ]

    def _take_down(self, repeatables: Sequence[Repeatable]) -> bool:
        for each in reversed(repeatables):
            text = take_down(each.text, kept=each.older or "")
            if text and not self._executed(each.file.path, text):
                return False
        return True

    def _undo(self, links: Sequence[Link]) -> bool:
        """Run rollback files, the newest first, until one fails; what is gone then is told."""
        before = self._contents()
        for link in links:
            findings = self.found.setdefault(link.rollback.path, [])
            text = self.ground.text(link.rollback)
            if not self._applied(link.rollback, text, findings, "on the data of the seeds"):
                return False
            self.undone.append(link)
            now = self._contents()
            findings += [
                Finding(rule=DESTROYS, level=Level.NOTICE, object=name, detail=detail)
                for name, detail in losses(before, now)
            ]
            before = now
        return True

    def _there_and_back(self, link: Link) -> bool:
        """Apply, undo, apply: equal both times. Whether the way up can go on from here."""
        findings = self.found[link.rollback.path]
        up, down = link.migration, link.rollback
        before, self.now = self.now or self._fingerprint(), None
        if not self._applied(up, self.ground.text(up), findings, "applied after all rollbacks"):
            return False
        there = self._fingerprint()
        self.connection.execute("SAVEPOINT hk_trip")
        if self._applied(down, self.ground.text(down), findings, "right after its migration"):
            findings += _differences(before, self._fingerprint(), "after its rollback")
            if self._applied(up, self.ground.text(up), findings, "applied a second time"):
                self.now = self._fingerprint()
                findings += _differences(there, self.now, "after its migration was applied again")
        if there.digest == before.digest:
            findings.append(_unseen(link))
        if _errors(findings):
            self.connection.execute("ROLLBACK TO SAVEPOINT hk_trip")
            self.now = there
        self.connection.execute("RELEASE SAVEPOINT hk_trip")
        return True

    def _applied(self, file: SqlFile, text: str, findings: list[Finding], when: str) -> bool:
        """Apply a file in a savepoint of its own; a refusal is a finding, and undone."""
        shown = without_concurrently(text) if file.transaction == "none" else text
        return self._tried(file.path, lambda: self.transaction.apply(file, shown), findings, when)

    def _executed(self, path: str, text: str) -> bool:
        def execute() -> None:
            try:
                self.connection.execute(text.encode())
            except psycopg.Error as error:
                raise explain(path, text, error) from None

        return self._tried(path, execute, self.batch, "taken down")

    def _tried(
        self, path: str, work: Callable[[], object], findings: list[Finding], when: str
    ) -> bool:
        self.connection.execute(_ATTEMPT)
        try:
            work()
        except SqlFailed as error:
            self.connection.execute(f"ROLLBACK TO {_ATTEMPT}; RELEASE {_ATTEMPT}")
            said = error.found.removeprefix(f"{path}:").strip()
            findings.append(_error(path, f"fails {when}: {said}", error.fix))
            return False
        self.connection.execute(f"RELEASE {_ATTEMPT}")
        return True

    def _fingerprint(self) -> Fingerprint:
        excluded = self.ground.excluded
        return read_fingerprint(self.connection, exclude_schemas=excluded, prepared=True)

    def _contents(self) -> Contents:
        return read_contents(self.connection, excluded=self.ground.excluded)

    def verdicts(self) -> Mapping[str, Verdict]:
        """Of each link; one that was never reached has failed with the one that was in the way."""
        said: dict[str, Verdict] = {}
        blocker = ""
        for link in self.ground.links:
            path = link.rollback.path
            findings = list(self.found.get(path, ()))
            if path not in self.found:
                findings = [_error(path, f"was not tried: {blocker or _VIEWS} fails first")]
            elif link not in self.undone:
                blocker = path
            told = f"undone and applied again, {self.examined} objects equal each time"
            said[f"{path}::{ROUND_TRIP}"] = self._verdict(findings, told)
        told = "undone as a whole: the schema was the one of before the batch"
        said[f"rollback::{BATCH}"] = self._verdict(self._of_batch(), told)
        return said

    def _of_batch(self) -> list[Finding]:
        """The batch as a whole is proved only where each of its links is."""
        broken = [
            link.rollback.path
            for link in self.ground.links
            if link.pending and (link not in self.undone or _errors(self.found[link.rollback.path]))
        ]
        if _errors(self.batch):
            return self.batch
        fix = "its own item says what is wrong with it"
        return [*self.batch, *(_error(path, "has failed", fix) for path in broken)]

    def _verdict(self, findings: Sequence[Finding], told: str) -> Verdict:
        evidence = () if _errors(findings) else (told,)
        return Verdict(examined=self.examined, findings=tuple(findings), evidence=evidence)


def _differences(expected: Fingerprint, found: Fingerprint, when: str) -> list[Finding]:
    return [
        Finding(
            rule=_LEFT,
            level=Level.ERROR,
            object=each.name,
            detail="\n    ".join((f"{_WORDS[each.change]} {when}", *each.lines)),
            fix="let the rollback file undo this as well",
        )
        for each in diff(expected, found)
    ]


def _error(path: str, detail: str, fix: str = "") -> Finding:
    return Finding(rule=_FAILED, level=Level.ERROR, object=path, detail=detail, fix=fix)


def _unseen(link: Link) -> Finding:
    return Finding(
        rule="rollback-unseen",
        level=Level.WARNING,
        object=link.rollback.path,
        detail=f"{link.migration.path} changes no schema, so nothing here shows that its data came"
        " back",
        fix="look at what a query in checks/queries/ could show",
    )


def _errors(findings: Sequence[Finding]) -> bool:
    return any(each.level is Level.ERROR for each in findings)
