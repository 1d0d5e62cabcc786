"""Promote, roll back, promote: of random chains of DDL, equal each time, or named."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pytest_housekeeping.server import Server, StagingDatabase
from support.cycle_ground import BATCH, TRIP, Batch, prove, wrong
from support.ddl_chains import KINDS, Chain, chains

ROLES = ("app_one", "app_two")
# Always the same ones, in the same order; `tox -e faults` goes on to a hundred.
CHAINS = 100 if os.environ.get("HK_FAULTS") else 50


@pytest.fixture(scope="module")
def place(server: Server) -> Iterator[StagingDatabase]:
    """One database for all chains: each is rolled back."""
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as superuser:
        for role in ROLES:
            with suppress(psycopg.errors.DuplicateObject):
                superuser.execute(f"CREATE ROLE {role}".encode())
    yield database
    server.drop(database)


def test_random_chains_go_there_and_back(place: StagingDatabase) -> None:
    """What lies above the last irreversible step goes back to the very schema of before it."""
    seen: Counter[str] = Counter()
    ended: Counter[str] = Counter()

    @settings(
        max_examples=CHAINS,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(chains(max_changes=3))
    def cycle(chain: Chain) -> None:
        seen.update(change.kind for change in chain.changes)
        last = max((i for i, each in enumerate(chain.changes, 1) if each.irreversible), default=0)
        batch = Batch(
            below=[each.up for each in chain.changes[:last]],
            migrations=[(each.up, each.down) for each in chain.changes[last:]],
            views={name: (text, "") for name, text in chain.views},
            policies={name: (text, "") for name, text in chain.policies},
        )
        verdicts = prove(place, batch)
        faults = {step: wrong(verdict) for step, verdict in verdicts.items() if verdict.errors}
        # Row-level security that a policy file switches on is not switched off: it is named.
        for step in set(faults) & {BATCH}:
            if all(name.startswith(("table ", "partition ")) for name in faults[step]):
                assert all(
                    "row level security" in finding.detail or "forced" in finding.detail
                    for finding in verdicts[step].errors
                ), verdicts[step]
                ended["row-level security stays on"] += 1
                del faults[step]
        assert faults == {}, (faults, chain)
        ended["there and back"] += bool(batch.migrations)
        ended["irreversible at the top"] += not batch.migrations

    cycle()
    assert ended["there and back"] >= CHAINS * 4 // 5, ended
    assert len(seen) > len(KINDS) // 3, seen


def test_an_index_that_a_rollback_leaves_is_named(place: StagingDatabase) -> None:
    ground = ("CREATE SCHEMA a; CREATE TABLE a.b (id int);", "DROP TABLE a.b; DROP SCHEMA a;")
    left = ("CREATE INDEX IF NOT EXISTS i ON a.b (id);", "SELECT 1;")
    verdicts = prove(place, Batch(below=[ground[0]], migrations=[left]))

    assert wrong(verdicts[BATCH])[:1] == ["index a.i"]
    assert TRIP.format(1) in verdicts
