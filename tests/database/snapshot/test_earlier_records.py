"""What a promotion of any earlier version has put on record is no drift for the one of today.

``records/`` has what each version of the reading has read of one database (``BASE``, on PostgreSQL
16): the first that of 0.1.0. A version that prints an object otherwise than the one before tells
of a change by hand in every production. What names the database itself, and PostgreSQL's own
objects, which are others in each build, are left out. The record of a new version is written by
``HK_WRITE_DOCS=1``.
"""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.compare.difference import diff, in_common, listed
from pytest_housekeeping.snapshot.coverage import VERSION, Around
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import from_json, to_json

RECORDS = Path(__file__).parent / "records"
MAJOR = 16


@pytest.fixture(scope="module")
def now(base: StagingDatabase) -> Fingerprint:
    with psycopg.connect(base.superuser_conninfo, autocommit=True) as connection:
        found = read_fingerprint(connection, around=Around.DATABASE)
    if found.server_major != MAJOR:
        pytest.skip(f"the records are of PostgreSQL {MAJOR}")
    return found.without("database")


def test_the_version_of_today_has_its_record(now: Fingerprint) -> None:
    place = RECORDS / f"{VERSION}.json"
    if os.environ.get("HK_WRITE_DOCS") and not place.exists():
        place.write_text(to_json(now), encoding="utf-8")
    numbers = sorted(int(each.stem) for each in RECORDS.glob("*.json"))
    fix = "HK_WRITE_DOCS=1 pytest tests/database/snapshot/test_earlier_records.py writes it"
    assert numbers == list(range(1, VERSION + 1)), fix


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_what_it_has_recorded_is_as_recorded(now: Fingerprint, version: int) -> None:
    recorded = from_json((RECORDS / f"{version}.json").read_text(encoding="utf-8"))
    assert recorded.version == version
    before, after, _ = in_common(recorded, now)
    assert len(before.entries) > 100
    assert listed(diff(before, after)) == ""
