"""Of random tables, rows and batches: no row is in the way exactly where PostgreSQL takes them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from random import Random

import psycopg
import pytest

from pytest_housekeeping.server import Server
from support.row_ground import RowGround, row_ground
from support.row_random import KINDS

# Always the same ones: `tox -e whole` has twice as many, `tox -e faults` a thousand of each kind.
CASES = 1000 if os.environ.get("HK_FAULTS") else 40 if os.environ.get("HK_WHOLE") else 20


@pytest.fixture(scope="module")
def ground(server: Server) -> Iterator[RowGround]:
    with row_ground(server) as laid:
        yield laid


@pytest.mark.parametrize("kind", KINDS)
def test_the_answers_are_what_postgresql_does(ground: RowGround, kind: str) -> None:
    seen: Counter[str] = Counter()
    for number in range(CASES):
        case = KINDS[kind](Random(f"{kind} {number}"))
        told = f"{kind} {number}: {case.schema}; {case.rows}; {case.batch}"
        try:
            outcome = ground.outcome(case.schema, case.rows, case.batch)
        except psycopg.Error:
            continue  # the copy refuses it, whatever the rows are
        assert outcome.unchecked == [], f"{told}\n{outcome}"
        assert bool(outcome.violations) == bool(outcome.refused), f"{told}\n{outcome}"
        seen["refused" if outcome.refused else "taken"] += 1
    assert min(seen["refused"], seen["taken"]) >= CASES / 8, seen
