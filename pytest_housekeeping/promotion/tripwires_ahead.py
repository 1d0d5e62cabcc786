"""The tripwires of a run, tried in a thread while the schema itself is verified.

They stand in a database of their own, on a connection of their own, and nothing that is verified
meanwhile has a part in them. Each item says what became of its own one when its turn has come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pytest_housekeeping.checks.builtins import Builtins, read_builtins
from pytest_housekeeping.checks.tripwires import trip_rule
from pytest_housekeeping.checks.tripwires_together import trip_together
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import LentConnection


class TripwiresAhead:
    """``empty`` opens the database once, or says why it cannot; that is raised where it is asked
    for, as whatever a rule raises."""

    def __init__(self, empty: Callable[[], LentConnection], rules: Sequence[Rule]) -> None:
        self._empty = empty
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hk-tripwires")
        self._builtins = self._thread.submit(lambda: read_builtins(empty()))
        self._together = self._thread.submit(lambda: trip_together(empty(), rules))
        self._tried = {rule.id: self._thread.submit(self._try, rule) for rule in rules}

    def builtins(self) -> Builtins:
        """PostgreSQL's own objects as the server has come with them; waits for them."""
        return self._builtins.result()

    def verdict(self, rule: Rule) -> Verdict:
        """What the tripwire of the rule has shown; waits for it. Raises RuleBroken."""
        return self._tried[rule.id].result()

    def close(self) -> None:
        """Try no more of them, and wait for the one that is being tried. May be called again."""
        self._thread.shutdown(cancel_futures=True)

    def _try(self, rule: Rule) -> Verdict:
        # Tried before, in this one thread.
        return self._together.result().get(rule.id) or trip_rule(self._empty(), rule)
