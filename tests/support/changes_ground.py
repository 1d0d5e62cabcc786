"""A batch measured on a real server and judged, as if its tables were what production says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg

from pytest_housekeeping.checks.changes.catalogue import CHANGE_RULES
from pytest_housekeeping.checks.changes.levels import Thresholds
from pytest_housekeeping.checks.changes.rule import ChangeRule
from pytest_housekeeping.checks.changes.subject import PlannedFile, Subject
from pytest_housekeeping.checks.changes.verdict import Production, changes_verdict
from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Applied, Finding, Kind, Phase, Step
from pytest_housekeeping.plan.segments import NONE, Segment, cut_into_segments
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.postgres.relations_now import RelationNow
from pytest_housekeeping.postgres.transaction import begin
from pytest_housekeeping.promotion.rehearsal.facts import Measurement, look_at
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.compare.batches import SchemaChange
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.file import SqlFile
from support.lent_database import LentDatabase

# What the examples of the rules, and the statements of the comparison, are about.
STANDS = """
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('happy', 'sad');
CREATE DOMAIN shop.email AS text;
CREATE TABLE shop.customer (
    id bigint PRIMARY KEY, name text NOT NULL CONSTRAINT named CHECK (name <> ''), note text,
    mail shop.email, feels shop.mood, since timestamp
);
CREATE TABLE shop.orders (
    id bigint PRIMARY KEY, customer_id bigint, total integer, price numeric(8, 2),
    state varchar(20), at timestamp, about text, CONSTRAINT at_there CHECK (at IS NOT NULL)
);
CREATE INDEX orders_state ON shop.orders (state);
CREATE TABLE shop.booking (id bigint PRIMARY KEY, room int, during tsrange);
CREATE TABLE shop.event (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE shop.event_now PARTITION OF shop.event
    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE shop.event_old (at date NOT NULL, what text);
CREATE TABLE shop.visit_log (at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE shop.visit_rest PARTITION OF shop.visit_log DEFAULT;
CREATE TABLE shop.parcel (id bigint PRIMARY KEY, code text);
CREATE PUBLICATION parcels FOR TABLE shop.parcel;
CREATE VIEW shop.due AS SELECT id, about FROM shop.orders WHERE about = 'due';
CREATE MATERIALIZED VIEW shop.per_customer AS
    SELECT customer_id, count(*) FROM shop.orders GROUP BY 1;
CREATE UNIQUE INDEX per_customer_id ON shop.per_customer (customer_id);
CREATE FUNCTION shop.net(amount int) RETURNS int LANGUAGE sql RETURN amount * 100 / 119;
"""
GB = 1024**3
_LOOSE = "housekeeping"


def judged(
    connection: LentConnection,
    files: Sequence[str],
    *,
    size: int = 20 * GB,
    writes: float = 50.0,
    rules: Sequence[ChangeRule] = CHANGE_RULES,
    decided: bool = False,
    empty: Sequence[str] = (),
    stood: Fingerprint | None = None,
    reader: LentConnection | None = None,
) -> tuple[Finding, ...]:
    """What is found of a batch of these files, each given by its text, if every table that stands
    has so many bytes and is written to so many times a second; of a schema that was ``stood``, and
    is read in the session of ``reader``."""
    named = [
        sqlfile.from_text(f"{number:04}_it.sql", Kind.MIGRATION, text, "")
        for number, text in enumerate(files, start=1)
    ]
    texts = {file.path: text for file, text in zip(named, files, strict=True)}
    first = before = stood or read_fingerprint(connection)
    relations = look_at(connection, _LOOSE).relations.values()
    published = dict(
        connection.execute(
            "SELECT schemaname || '.' || tablename, array_agg(pubname::text)"
            " FROM pg_catalog.pg_publication_tables GROUP BY 1"
        ).fetchall()
    )
    subjects = []
    for segment in cut_into_segments(named):
        if segment.files:
            subject, before = _measured(
                connection, segment, texts, published, before, reader or connection, decided=decided
            )
            subjects.append(subject)
    production = Production(
        relations={
            each.name: RelationNow(
                relation=each.name, rows=size // 100, size=size, writes_per_s=writes
            )
            for each in relations
            if each.kind != "i"
        },
        objects=frozenset(entry.name for entry in first.entries),
        empty=frozenset(empty),
        thresholds=Thresholds.of(Config(root=Path())),
    )
    return changes_verdict(subjects, production, rules).findings


def stand(conninfo: str) -> LentConnection:
    """A connection to a database in which the tables stand."""
    connection = connect(conninfo)
    connection.execute(STANDS)
    return connection


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A session where the tables stand, and another that reads the schema: a batch throws away what
    was planned in its own."""

    batch: LentConnection
    reader: LentConnection

    @classmethod
    def begin(cls, conninfo: str) -> Self:
        return cls(batch=connect(conninfo), reader=connect(conninfo))

    def end(self) -> None:
        self.batch.close()
        self.reader.close()


class StandingPlaces:
    """Lends a database in which the tables stand to a test after the other, with its sessions.

    Behind each test the tables go; a database in which anything else was left goes with them.
    """

    def __init__(self, server: Server) -> None:
        self._databases = LentDatabase(server)
        self._place: StagingDatabase | None = None
        self._standing: Standing | None = None

    @contextmanager
    def lend(self) -> Iterator[Standing]:
        with self._databases.lend() as place:
            if self._standing is None or place is not self._place:
                self._end()
                self._place, self._standing = place, Standing.begin(place.superuser_conninfo)
            standing = self._standing
            standing.batch.execute(STANDS)
            yield standing
            try:
                standing.batch.execute("ROLLBACK; RESET ALL; DROP SCHEMA shop CASCADE")
                standing.batch.execute("DROP PUBLICATION IF EXISTS parcels")
            except psycopg.Error:
                self._end()

    def close(self) -> None:
        self._end()
        self._databases.close()

    def _end(self) -> None:
        if self._standing is not None:
            self._standing.end()
        self._standing = None


def _measured(
    connection: LentConnection,
    segment: Segment,
    texts: dict[str, str],
    published: dict[str, list[str]],
    before: Fingerprint,
    reader: LentConnection,
    *,
    decided: bool,
) -> tuple[Subject, Fingerprint]:
    """What it has done to a schema that was like this ``before``, and how the schema is now."""
    moment = look_at(connection, _LOOSE)
    measurement = Measurement(segment=segment.number, before=moment, history_schema=_LOOSE)
    if segment.transaction == NONE:
        (file,) = segment.files
        connection.execute(texts[file.path].encode())
        done = Applied(statements=1, rows=0, duration_s=0.0)
        measurement.applied(_step(file), file, texts[file.path], done)
    else:
        transaction = begin(connection, Config(root=Path()), measured=True)
        for file in segment.files:
            text = texts[file.path]
            measurement.applied(_step(file), file, text, transaction.apply(file, text))
        transaction.seal()
        connection.execute("COMMIT")
    after = read_fingerprint(reader)
    change = SchemaChange(before=before, after=after)
    names = {entry: tuple(found) for entry, found in published.items()}
    subject = Subject(
        facts=measurement.facts(change, look_at(connection, _LOOSE), ()),
        files=tuple(
            PlannedFile(
                step=_step(file).id,
                path=file.path,
                text=texts[file.path],
                accepts=file.accepts,
                decided=decided or bool(file.irreversible),
            )
            for file in segment.files
        ),
        before=_texts(before),
        after=_texts(after),
        published=names,
        slow=frozenset(each.name for each in moment.relations.values()),
    )
    return subject, after


def _step(file: SqlFile) -> Step:
    return Step(
        id=f"{file.path}::rehearse", phase=Phase.REHEARSE, kind=Kind.REHEARSAL, path=file.path
    )


def _texts(schema: Fingerprint) -> dict[str, str]:
    return {entry.name: entry.text for entry in schema.entries}
