"""Tests of snapshot/queries/table.py: what a query reads is looked at when it has changed."""

from __future__ import annotations

import re

import pytest

from pytest_housekeeping.snapshot.catalog.catalogs import CATALOGS
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.queries.table import (
    AFTER_ANY_CHANGE,
    ALWAYS,
    IN_FULL_ALONE,
    QUERIES,
    Query,
    queries_for,
)

# What PostgreSQL writes into a row in place: neither xmin nor ctid tells of it.
IN_PLACE = re.compile(
    r"\b(relhasindex|relhasrules|relhastriggers|reltuples|relpages|relallvisible|relfrozenxid"
    r"|relminmxid|relallfrozen|datfrozenxid|datminmxid|dathasloginevt)\b"
)
# Their names are compared each time, and all that stands in them is asked each time.
COMPARED = {"pg_roles", "pg_tablespace", "pg_database"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda each: each.text[-70:])
def test_what_it_reads_is_searched_for_changes(query: Query) -> None:
    assert bool(query.each) + bool(query.asked) == 1
    if not {ALWAYS, IN_FULL_ALONE} & set(query.asked):
        read = set(re.findall(r"pg_catalog\.(pg_\w+)", query.text))
        assert read <= {each.name for each in CATALOGS} | COMPARED
    assert not IN_PLACE.search(query.text)


def test_what_makes_it_ask_again_is_searched() -> None:
    reasons = {
        reason for query in QUERIES for reason in (*query.asked, *([query.each] * bool(query.each)))
    }
    names = {each.name for each in CATALOGS}
    assert reasons <= names | {ALWAYS, AFTER_ANY_CHANGE, IN_FULL_ALONE}


def test_each_that_can_be_confined_says_where() -> None:
    for query in QUERIES:
        assert (":among(" in query.text) is bool(query.each)
        assert ("$1" in query.confined("'{}'")) is bool(query.each)
        assert "$1" not in query.whole("'{}'")


def test_all_of_it_is_more_than_a_dump_holds() -> None:
    assert set(queries_for(Around.NOTHING)) < set(queries_for(Around.ALL)) == set(QUERIES)
