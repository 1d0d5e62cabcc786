"""The tripwires of a run, tried in a thread while the schema itself is verified.

They stand in a database of their own, on a connection of their own, and nothing that is verified
meanwhile has a part in them. Each item says what became of its own one when its turn has come.
What a run of this machine has seen fire lately, all else being the same, is not tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from pytest_housekeeping.checks.builtins import read_builtins, replaced_builtins
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.kept_verdicts import (
    KeptVerdicts,
    facts_of_staging,
    kept_verdicts,
)
from pytest_housekeeping.promotion.throwaway import Throwaway


class TripwiresAhead:
    """``empty`` opens the database once, or says why it cannot; that is raised where it is asked
    for, as whatever a rule raises. ``known`` are the verdicts of an earlier run, of all or none."""

    def __init__(
        self,
        empty: Callable[[], LentConnection],
        rules: Sequence[Rule],
        kept: KeptVerdicts | None = None,
    ) -> None:
        self._empty = empty
        self._known: Mapping[str, Verdict] = kept.read() if kept else {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hk-tripwires")
        self._replaced: tuple[str, ...] | None = None
        self._builtins = self._thread.submit(lambda: read_builtins(empty()))
        left = [rule for rule in rules if rule.id not in self._known]
        self._together = self._thread.submit(_tried_together, empty, left)
        self._tried = {rule.id: self._thread.submit(self._try, rule) for rule in left}
        if kept and left:
            self._thread.submit(self._keep, kept)

    def compare(self, connection: Connection) -> None:
        """PostgreSQL's own objects of the run's database with those that the server has come with.

        Waits for these. It is done once: nobody changes them where the schema is verified."""
        if self._replaced is None:
            self._replaced = replaced_builtins(read_builtins(connection), self._builtins.result())

    @property
    def compared(self) -> bool:
        """Whether that was done."""
        return self._replaced is not None

    def verdict(self, rule: Rule) -> Verdict:
        """What the tripwire of the rule has shown; waits for it. Raises RuleBroken."""
        if self._replaced:
            from pytest_housekeeping.checks.tripwires import refused

            return refused(rule, self._replaced)
        return self._known.get(rule.id) or self._tried[rule.id].result()

    def close(self) -> None:
        """Try no more of them, and wait for the one that is being tried. May be called again."""
        self._thread.shutdown(cancel_futures=True)

    def _try(self, rule: Rule) -> Verdict:
        from pytest_housekeeping.checks.tripwires import trip_rule

        # Tried before, in this one thread.
        return self._together.result().get(rule.id) or trip_rule(self._empty(), rule)

    def _keep(self, kept: KeptVerdicts) -> None:
        tried = {name: future.result() for name, future in self._tried.items()}
        kept.keep(tried, at=datetime.now(UTC))


def _tried_together(
    empty: Callable[[], LentConnection], rules: Sequence[Rule]
) -> Mapping[str, Verdict]:
    connection = empty()
    if not rules:
        return {}
    from pytest_housekeeping.checks.tripwires_together import trip_together

    return trip_together(connection, rules)


def tried_ahead(context: RunContext, throwaway: Throwaway, rules: Sequence[Rule]) -> TripwiresAhead:
    """Begin with them. Of a server that was given, nobody here knows what was done to it."""
    kept = None if throwaway.kind == "given" else _kept(context, rules)
    return TripwiresAhead(throwaway.in_empty_database, rules, kept)


def _kept(context: RunContext, rules: Sequence[Rule]) -> KeptVerdicts:
    """They depend on the tool and what it stands on, the server's build, the settings, what a
    superuser has done to the server, and the rules themselves; no migration reaches them."""
    facts = [*facts_of_staging(context), [repr(rule) for rule in rules]]
    return kept_verdicts(context, "tripwires", facts)
