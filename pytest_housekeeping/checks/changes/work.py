"""Rules on work that is done while locks are held: rows written, tables read again and again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from pytest_housekeeping.checks.changes.reads import reads_for_rows, reads_of
from pytest_housekeeping.checks.changes.rule import ChangeRule, Harm, Hit
from pytest_housekeeping.checks.changes.statements import (
    altering,
    cut_before,
    first_named,
    last_named,
    statements_behind,
)
from pytest_housekeeping.checks.changes.subject import (
    EXCLUSIVE,
    WRITING,
    Subject,
    line,
    once,
    table_of,
)
from pytest_housekeeping.errors import named
from pytest_housekeeping.postgres.batch_facts import TableScan

_SHOWN = 5


def _rows(subject: Subject) -> Iterator[Hit]:
    writing = {each.relation for each in subject.facts.locks if each.mode == WRITING}
    for relation in sorted(writing & subject.scans.keys()):
        if reads_for_rows(subject, relation) and not _is_view(subject, relation):
            harm = None
            if subject.locked(relation, EXCLUSIVE):
                harm = Harm.EVERYBODY_WAITS
            elif subject.locked(relation, "ShareLock"):
                harm = Harm.WRITERS_WAIT
            held = " under a lock that others wait for" if harm else ""
            yield Hit(
                object=relation,
                said=f"is scanned in full to write to its rows{held}; each row that is"
                " written stays locked until COMMIT",
                relations=(relation,),
                step=subject.reader_of(relation),
                harm=harm,
                values={"cut": _cut(subject, relation)},
            )


def _read_locked(subject: Subject) -> Iterator[Hit]:
    writing = {each.relation for each in subject.facts.locks if each.mode == WRITING}
    for relation in sorted(subject.scans.keys() - writing):
        held = subject.locked(relation, "ShareLock") and not _is_view(subject, relation)
        if held and reads_for_rows(subject, relation):
            harm = None if subject.locked(relation, EXCLUSIVE) else Harm.WRITERS_WAIT
            yield Hit(
                object=relation,
                said="is scanned in full under a lock that others wait for",
                relations=(relation,),
                step=subject.reader_of(relation),
                harm=harm,
                values={"cut": _cut(subject, relation)},
            )


def _cut(subject: Subject, relation: str) -> str:
    return cut_before(subject, subject.reader_of(relation), subject.step_of(relation))


def _is_view(subject: Subject, relation: str) -> bool:
    """A materialized view, whose rows REFRESH … CONCURRENTLY writes while it can be read."""
    return f"materialized view {relation}" in subject.before


def _again(subject: Subject) -> Iterator[Hit]:
    for relation in subject.scans:
        statements = altering(subject, relation)
        passes = reads_of(subject, relation) + (relation in subject.rewritten)
        if passes > 1 and statements > 1 and subject.locked(relation, EXCLUSIVE):
            yield Hit(
                object=relation,
                said=f"is scanned in full {passes} times by {statements} ALTER TABLE",
                relations=(relation,),
                step=subject.reader_of(relation),
            )


def _window(subject: Subject) -> Iterator[Hit]:
    for relation, lock in subject.strongest.items():
        if lock.mode != EXCLUSIVE or not subject.files:
            continue
        since = first_named(subject, relation, lock.step)
        behind, work = statements_behind(subject, *since), _work_behind(subject, relation, since)
        if not work and behind <= subject.window:
            continue
        said = f"is locked for everybody, and {behind} statements come behind that before COMMIT"
        if work:
            names = list(dict.fromkeys(each.relation for each in work))
            said += f"; among them what reads or writes anew {named(names, _SHOWN)}"
        last = work[0].step if work else subject.files[-1].step
        yield Hit(
            object=relation,
            said=said,
            relations=(relation,),
            step=lock.step,
            values={"cut": cut_before(subject, last, lock.step)},
        )


def _work_behind(subject: Subject, relation: str, since: tuple[int, int]) -> list[TableScan]:
    """The other relations that take long and are read behind a statement, in order."""
    places, scans = _slow_work(subject)
    return [each for each in scans[bisect_right(places, since) :] if each.relation != relation]


@once
def _slow_work(subject: Subject) -> tuple[list[tuple[int, int]], list[TableScan]]:
    """What reads relations that take long, in order, and where in the files it stands."""
    found = [
        (last_named(subject, each.relation, each.step), each)
        for each in subject.facts.scans
        if subject.files and each.relation in subject.slow
    ]
    found.sort(key=lambda each: each[0])
    return [place for place, _ in found], [scan for _, scan in found]


def _statistics(subject: Subject) -> Iterator[Hit]:
    for each in subject.changed("column"):
        relation = subject.stood_as(table_of(each.object))
        stood = f"table {relation}" in subject.before
        if stood and line(each.before, "type") != line(each.after, "type"):
            yield Hit(
                object=each.object,
                said="loses its planner statistics with its type; after::statistics makes them"
                " again behind COMMIT",
                relations=(relation,),
                step=subject.step_of(relation),
            )


_LONG = (
    "Every other session that needs the table waits until the last statement is done, and everybody"
    " who came behind it waits with it."
)

RULES = (
    ChangeRule(
        id="rows-written",
        title="The rows of a table are written in the batch",
        harm=Harm.SLOWS,
        condition="A statement has scanned an existing table in full and written to it. If another"
        " statement holds a lock on it that others wait for, the level is that lock's.",
        effect="Each row that is written stays locked until COMMIT, is there twice until VACUUM,"
        " and goes through the write-ahead log; under a lock of ALTER TABLE, everybody waits for"
        " it.",
        fix="fill it in batches by a program of its own, each in a transaction of its own; where it"
        " has to be the batch, {cut}",
        page="https://www.postgresql.org/docs/16/sql-update.html",
        bad=(
            "ALTER TABLE shop.orders ADD COLUMN paid boolean;",
            "UPDATE shop.orders SET paid = false;",
        ),
        good=("ALTER TABLE shop.orders ADD COLUMN paid boolean NOT NULL DEFAULT false;",),
        judge=_rows,
        known_as=("eugene: E4", "strong_migrations: backfilling data"),
    ),
    ChangeRule(
        id="read-under-lock",
        title="A table is scanned in full under a lock",
        harm=Harm.EVERYBODY_WAITS,
        condition="An existing table was scanned in full, no constraint asked for it,"
        " and the segment holds SHARE or more on it.",
        effect="Whoever that lock keeps out waits for the reading as well.",
        fix="read it before the lock is taken, in an earlier file; or {cut}",
        page="https://www.postgresql.org/docs/16/explicit-locking.html",
        bad=(
            (
                "ALTER TABLE shop.orders ADD COLUMN paid boolean;\n"
                "CREATE TABLE shop.sums AS SELECT state, sum(total) FROM shop.orders GROUP BY 1;"
            ),
        ),
        good=(
            "CREATE TABLE shop.sums AS SELECT state, sum(total) FROM shop.orders GROUP BY 1;",
            "-- hk: transaction=own\nALTER TABLE shop.orders ADD COLUMN paid boolean;",
        ),
        judge=_read_locked,
        known_as=("eugene: E4",),
    ),
    ChangeRule(
        id="several-scans",
        title="A table is read several times where once would do",
        harm=Harm.SLOWS,
        condition="Several ALTER TABLE statements of a segment have scanned one table in full"
        " more than once, under ACCESS EXCLUSIVE.",
        effect="Nobody reads or writes the table for so many times as long.",
        fix="write the actions into one ALTER TABLE {object}, separated by commas: one reading"
        " serves all of them",
        page="https://www.postgresql.org/docs/16/sql-altertable.html",
        bad=(
            (
                "ALTER TABLE shop.orders ADD CONSTRAINT sane CHECK (total >= 0);\n"
                "ALTER TABLE shop.orders ALTER COLUMN total SET NOT NULL;"
            ),
        ),
        good=("ALTER TABLE shop.customer ADD COLUMN a int;\nALTER TABLE shop.customer ADD b int;",),
        judge=_again,
        known_as=("eugene: W12",),
    ),
    ChangeRule(
        id="long-lock-window",
        title="Much comes behind a lock that keeps everybody out",
        harm=Harm.SLOWS,
        condition="Behind the first statement that takes ACCESS EXCLUSIVE on a table come more"
        " statements of the segment than lock_window_statements, or one that scans another table"
        " in full, which takes long.",
        effect=_LONG,
        fix="move what takes this lock to the end of the batch; or {cut}",
        page="https://www.postgresql.org/docs/16/explicit-locking.html",
        bad=(
            "ALTER TABLE shop.customer ADD COLUMN city text;",
            "CREATE INDEX orders_total ON shop.orders (total);",
        ),
        good=(
            "ALTER TABLE shop.customer ADD COLUMN city text;",
            (
                "-- hk: transaction=none\n"
                "CREATE INDEX CONCURRENTLY orders_total ON shop.orders (total);"
            ),
        ),
        judge=_window,
        known_as=("eugene: E4",),
    ),
    ChangeRule(
        id="planner-statistics",
        title="A column loses its planner statistics",
        harm=Harm.NOTE,
        condition="A column that stood before has another type.",
        effect="The planner guesses until ANALYZE has run, which after::statistics does behind"
        " COMMIT; on a large table queries may be slow until then.",
        fix="nothing",
        page="https://www.postgresql.org/docs/16/planner-stats.html",
        bad=("ALTER TABLE shop.orders ALTER COLUMN state TYPE varchar(40);",),
        good=("ALTER TABLE shop.orders ALTER COLUMN state SET DEFAULT 'new';",),
        judge=_statistics,
    ),
)
