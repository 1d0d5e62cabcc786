"""The look behind COMMIT: nothing ran inside it, where no check can see it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import HousekeepingError, ProofFailed
from pytest_housekeeping.model import Outcome, Step, StepResult
from pytest_housekeeping.postgres.locks.exclusive import exclusive_holders
from pytest_housekeeping.promotion.target import Target
from pytest_housekeeping.snapshot.catalog.session import PASSING
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import listed
from pytest_housekeeping.snapshot.fingerprint import Fingerprint

NOT_READ = "the schema was not read again"
# Behind COMMIT this run holds nothing that anybody waits for: a REFRESH or a VACUUM FULL of
# somebody else's may end.
PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """What differs from what was proved, or else why it could not be read; "" where all is well.

    ``objects`` were compared; ``schema`` is what was read.
    """

    differs: str = ""
    unread: str = ""
    objects: int = 0
    duration_s: float = 0.0
    schema: Fingerprint | None = None

    @property
    def said(self) -> str:
        return self.differs or self.unread

    def result(self, step: Step) -> StepResult:
        """The result of the step that stands for the look."""
        fine = f"the schema is the one that was proved: {self.objects} objects"
        return StepResult(
            step=step,
            outcome=Outcome.FAILED if self.said else Outcome.PASSED,
            examined=self.objects,
            duration_s=self.duration_s,
            message=f"committed, and behind COMMIT: {self.said}" if self.said else fine,
        )

    def refuse(self, option: str) -> None:
        """Raises ProofFailed where the schema is not known to be the one that was proved.

        ``option`` is what a command line needs for this target.
        """
        if self.differs:
            raise ProofFailed(
                f"committed, and behind COMMIT the schema is another one: {self.differs}",
                why="something ran inside COMMIT, where no check can see it, or somebody changed"
                " the schema in the same moment",
                fix=f"look at everything first: pytest --hk-mode=verify{option}. Where a file"
                " or trigger of the batch did it, repair it by a new migration, or bring the schema"
                f" back: pytest --hk-mode=rollback{option}. What somebody else changed, no"
                " rollback brings back",
            )
        if self.unread:
            raise ProofFailed(
                f"committed, and {self.unread}",
                why="what was proved is in the database; that nothing else ran inside COMMIT, where"
                " no check can see it, is not shown yet",
                fix=f"look when the schema can be read: pytest --hk-mode=verify{option}",
            )


def look_behind_commit(
    target: Target, proved: Fingerprint, config: Config, *, patience_s: float = PATIENCE_S
) -> Look:
    """Compare the schema, but for what moves by itself, and this run's own rows with what was
    proved. Waits that long for whoever holds a table or goes on dropping what is being read."""
    began, again = time.monotonic(), True
    while True:
        try:
            now = target.read_schema(target.connection.get())
            target.prove_history_kept(target.connection.get())
            differs = listed(split_declared(proved, now, config.may_move).others)
            took = time.monotonic() - began
            objects = len(now.entries)
            return Look(differs=differs, objects=objects, duration_s=took, schema=now)
        except ProofFailed as error:
            return Look(differs=error.found)
        except (HousekeepingError, psycopg.Error) as error:
            waited = time.monotonic() - began
            if _passes(error):
                holders = _holders(target)
                if waited < patience_s:
                    time.sleep(0.2)
                    continue
                return Look(unread=_unread(error, [f"waited {waited:.0f} s", *holders]))
            # A connection that was lost meanwhile is opened again.
            target.connection.close()
            if not again:
                return Look(unread=_unread(error, []))
            again = False


def _passes(error: Exception) -> bool:
    return isinstance(error, PASSING) or isinstance(error.__cause__, PASSING)


def _holders(target: Target) -> list[str]:
    with suppress(HousekeepingError, psycopg.Error):
        return exclusive_holders(target.connection.get())
    return []


def _unread(error: Exception, more: list[str]) -> str:
    found = error.found if isinstance(error, HousekeepingError) else str(error)
    said = found.removeprefix("the schema could not be read: ")
    return "; ".join([f"the schema could not be read again: {said}", *more])
