"""What the queries of a reading have found, by what it can be read again with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_housekeeping.snapshot.catalog.search import Address
from pytest_housekeeping.snapshot.catalog.session import Row
from pytest_housekeeping.snapshot.catalog.statements import Answers
from pytest_housekeeping.snapshot.fingerprint import SchemaObject, Surroundings, entries_of


def by_address(
    answers: Answers, catalogs: Mapping[int, str], surroundings: Surroundings
) -> Iterator[tuple[Address, tuple[SchemaObject, ...]]]:
    """The objects of a fingerprint by the object of the catalog that they were read with."""
    oids = {name: oid for oid, name in catalogs.items()}
    rows: dict[Address, list[Row]] = {}
    for asked, answer in answers:
        query = asked.query
        if query.each:
            catalog = oids[query.each]
            for row in answer:
                rows.setdefault((catalog, row[-1]), []).append(row[:-1])
        elif query.addressed:
            for row in answer:
                rows.setdefault((row[-2], row[-1]), []).append(row[:-2])
    for address, found in rows.items():
        yield address, tuple(entries_of(found, surroundings.letters))


def as_a_whole(
    answers: Answers, surroundings: Surroundings
) -> Iterator[tuple[int, tuple[SchemaObject, ...]]]:
    """The objects of the queries that are asked as a whole, by the place of their query."""
    for asked, answer in answers:
        if not asked.query.each and not asked.query.addressed:
            yield asked.place, tuple(entries_of(answer, surroundings.letters))
