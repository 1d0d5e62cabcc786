"""For how long a batch waits for locks: once it asks for a strong one, all share one budget.

Who reads or writes a relation queues behind a strong lock as soon as it is asked for, and until it
is given up: https://www.postgresql.org/docs/16/explicit-locking.html#LOCKING-TABLES
``lock_timeout`` counts for each lock by itself, so that a batch of ten could keep others waiting
ten times as long: https://www.postgresql.org/docs/16/runtime-config-client.html
"""

from __future__ import annotations

import time
from dataclasses import dataclass

# 0 would be no limit at all, and there is nothing shorter.
SMALLEST_MS = 1
# PostgreSQL looks for a deadlock when somebody has waited for deadlock_timeout. Whoever waits for
# a lock of the batch began after its first strong one was asked for: if all waiting of the batch
# is over before that time has gone by, nobody finds it in a circle.
_OF_DEADLOCK_TIMEOUT = 0.8
# Who waits for longer than deadlock_timeout makes an autovacuum in its way give up.
_PATIENCE = 1.5


def patient_limit(lock_timeout_ms: int) -> str:
    """A statement that sets for this transaction how long to wait for a lock that neither readers
    nor writers wait for."""
    return (
        f"SELECT pg_catalog.set_config('lock_timeout', greatest({lock_timeout_ms},"
        f" {_PATIENCE} * 1000 * extract(epoch FROM pg_catalog.current_setting('deadlock_timeout')"
        "::pg_catalog.interval))::int::text, true)"
    )


@dataclass(kw_only=True)
class LockBudget:
    """What a transaction may still wait for locks.

    ``first_ms`` is for the first strong lock, ``shared_ms`` for all others together, counted from
    when the first was asked for. ``patient_ms`` is for locks that neither readers nor writers wait
    for. One that is not ``limited`` belongs to a database where nobody waits.
    """

    first_ms: int
    shared_ms: int
    patient_ms: int
    limited: bool
    _since: float | None = None

    @classmethod
    def of(cls, lock_timeout_ms: int, deadlock_timeout_ms: int, *, limited: bool) -> LockBudget:
        """The budget of a session whose server looks for deadlocks after so long."""
        return cls(
            first_ms=lock_timeout_ms,
            shared_ms=min(lock_timeout_ms, int(_OF_DEADLOCK_TIMEOUT * deadlock_timeout_ms)),
            patient_ms=max(lock_timeout_ms, int(_PATIENCE * deadlock_timeout_ms)),
            limited=limited,
        )

    def begin(self, asked_at: float) -> None:
        """The first strong lock was asked for at this moment (`time.perf_counter`)."""
        if self._since is None:
            self._since = asked_at

    @property
    def begun(self) -> bool:
        """Whether a strong lock was asked for."""
        return self._since is not None

    @property
    def left_ms(self) -> int:
        """For how long the next lock may be waited for."""
        if not self.limited:
            return self.patient_ms
        if self._since is None:
            return self.first_ms
        gone = 1000 * (time.perf_counter() - self._since)
        return max(SMALLEST_MS, int(self.shared_ms - gone))

    def share_ms(self, among: int) -> int:
        """The same for each of several locks, of which nobody knows which will be waited for."""
        return max(SMALLEST_MS, self.left_ms // max(1, among)) if self.limited else self.patient_ms
