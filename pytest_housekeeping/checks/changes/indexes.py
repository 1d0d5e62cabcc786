"""Rules on indexes that are built, built again, or dropped, while others wait."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pytest_housekeeping.checks.changes.rule import ChangeRule, Harm, Hit
from pytest_housekeeping.checks.changes.subject import (
    EXCLUSIVE,
    Subject,
    line,
    split_on,
    table_of,
)

_PAGE = "https://www.postgresql.org/docs/16/sql-createindex.html"
_ALTER_PAGE = "https://www.postgresql.org/docs/16/sql-altertable.html"
_FORMS = ("PRIMARY KEY", "UNIQUE", "EXCLUDE")


def _plain(subject: Subject) -> Iterator[Hit]:
    behind = _constraints(subject)
    for each in subject.facts.indexes:
        if each.rebuilt or each.index in behind or not subject.locked(each.table, "ShareLock"):
            continue
        yield Hit(
            object=each.index,
            said=f"is built on {each.table}, and whoever writes to that waits until COMMIT",
            relations=(each.table,),
            step=subject.reader_of(each.table),
        )


def _of(form: str, subject: Subject) -> Iterator[Hit]:
    behind = _constraints(subject)
    for each in subject.facts.indexes:
        name, definition = behind.get(each.index, ("", ""))
        if not each.rebuilt and definition.startswith(form):
            yield Hit(
                object=f"{name} on {each.table}",
                said=f"builds its index: {definition}",
                relations=(each.table,),
                step=subject.step_of(each.table),
            )


def _unique(subject: Subject) -> Iterator[Hit]:
    yield from _of("UNIQUE", subject)
    yield from _of("PRIMARY KEY", subject)


def _rebuilt(subject: Subject) -> Iterator[Hit]:
    for each in subject.facts.indexes:
        blocks = subject.locked(each.table, "ShareLock")
        if each.rebuilt and blocks and each.table not in subject.rewritten:
            yield Hit(
                object=each.index,
                said=f"is built again on {each.table} while others wait",
                relations=(each.table,),
                step=subject.reader_of(each.table),
            )


def _dropped(subject: Subject) -> Iterator[Hit]:
    made = {_without_name(line(each.after, "definition")) for each in subject.made("index")}
    for each in subject.dropped("index"):
        definition = line(each.before, "definition")
        table = _table_in(definition)
        if not definition or _without_name(definition) in made:
            continue
        if table and subject.locked(table, EXCLUSIVE):
            yield Hit(
                object=each.object,
                said=f"is dropped from {table}, which nobody can read until COMMIT",
                relations=(table,),
                step=subject.step_of(table),
            )


def _constraints(subject: Subject) -> dict[str, tuple[str, str]]:
    """By index, the new constraint that it belongs to, with its definition."""
    found = {}
    for each in (*subject.made("constraint"), *subject.changed("constraint")):
        definition, (name, table) = line(each.after, "definition"), split_on(each.object)
        if definition.startswith(_FORMS):
            found[f"{table_of(table)}.{name}"] = (name, definition)
    return found


def _without_name(definition: str) -> str:
    """``CREATE INDEX orders_at ON …`` → ``CREATE INDEX … ON``: what an index is, however called."""
    head, on, rest = definition.partition(" ON ")
    return f"{head.rpartition(' ')[0]}{on}{rest}"


def _table_in(definition: str) -> str:
    return definition.partition(" ON ")[2].removeprefix("ONLY ").partition(" USING ")[0]


RULES = (
    ChangeRule(
        id="index-not-concurrent",
        title="An index is built while nobody can write",
        harm=Harm.WRITERS_WAIT,
        condition="An index was built on a table that stood before, under SHARE or more.",
        effect="The table is scanned in full and sorted; INSERT, UPDATE and DELETE wait until"
        " COMMIT, which is when the last statement of the batch is done.",
        fix="CREATE INDEX CONCURRENTLY in a file of its own that begins with -- hk:"
        " transaction=none; of a partitioned table ON ONLY it here, then one file a partition and"
        " ALTER INDEX … ATTACH PARTITION",
        page=f"{_PAGE}#SQL-CREATEINDEX-CONCURRENTLY",
        bad=("CREATE INDEX orders_total ON shop.orders (total);",),
        good=(
            (
                "-- hk: transaction=none\n"
                "CREATE INDEX CONCURRENTLY orders_total ON shop.orders (total);"
            ),
        ),
        judge=_plain,
        known_as=(
            "squawk: require-concurrent-index-creation",
            "eugene: E6",
            "strong_migrations: adding an index non-concurrently",
        ),
    ),
    ChangeRule(
        id="unique-builds-index",
        title="A unique or primary key builds its index while nobody can read or write",
        harm=Harm.EVERYBODY_WAITS,
        condition="UNIQUE or PRIMARY KEY was added to a table that stood before, and its index was"
        " built from the rows.",
        effect="ALTER TABLE holds ACCESS EXCLUSIVE while the index is built: nobody reads or writes"
        " the table until COMMIT.",
        fix="CREATE UNIQUE INDEX CONCURRENTLY in a file that begins with -- hk: transaction=none,"
        " then ALTER TABLE {table} ADD CONSTRAINT … UNIQUE USING INDEX … in the next",
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.orders ADD CONSTRAINT once UNIQUE (customer_id, at);",),
        good=(
            (
                "-- hk: transaction=none\n"
                "CREATE UNIQUE INDEX CONCURRENTLY once ON shop.orders (customer_id, at);"
            ),
            "ALTER TABLE shop.orders ADD CONSTRAINT once UNIQUE USING INDEX once;",
        ),
        judge=_unique,
        known_as=(
            "squawk: disallowed-unique-constraint, adding-serial-primary-key-field",
            "eugene: E7",
            "strong_migrations: adding a unique constraint",
        ),
    ),
    ChangeRule(
        id="exclusion-builds-index",
        title="An exclusion constraint builds its index while nobody can read or write",
        harm=Harm.EVERYBODY_WAITS,
        condition="EXCLUDE was added to a table that stood before.",
        effect="ALTER TABLE holds ACCESS EXCLUSIVE while the index is built and every row is"
        " compared; there is no CONCURRENTLY for it.",
        fix="promote it when the table is quiet, in a file of its own that begins with -- hk:"
        " transaction=own; or guard new rows by a trigger, and exchange tables",
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.booking ADD CONSTRAINT apart EXCLUDE USING gist (during WITH &&);",),
        good=(
            (
                "CREATE TABLE shop.visit (\n"
                "    during tsrange, CONSTRAINT apart EXCLUDE USING gist (during WITH &&)\n);"
            ),
        ),
        judge=partial(_of, "EXCLUDE"),
        known_as=("eugene: E8", "strong_migrations: adding an exclusion constraint"),
    ),
    ChangeRule(
        id="index-rebuilt",
        title="An index that stood before is built again while others wait",
        harm=Harm.EVERYBODY_WAITS,
        condition="An index has got another file under SHARE or more, and its table has not:"
        " REINDEX, or a column whose type sorts otherwise.",
        effect="REINDEX locks the table against writing, and the index against every query that the"
        " planner thinks of it for, until COMMIT.",
        fix="REINDEX INDEX CONCURRENTLY {object}; in a file that begins with -- hk:"
        " transaction=none",
        page="https://www.postgresql.org/docs/16/sql-reindex.html",
        bad=("REINDEX INDEX shop.orders_state;",),
        good=("-- hk: transaction=none\nREINDEX INDEX CONCURRENTLY shop.orders_state;",),
        judge=_rebuilt,
        known_as=("squawk: require-concurrent-reindex", "eugene: E10"),
    ),
    ChangeRule(
        id="index-dropped",
        title="An index is dropped under a lock that keeps everybody out",
        harm=Harm.SLOWS,
        condition="An index that stood before is gone, no other one is like it, and its table was"
        " locked for it with ACCESS EXCLUSIVE.",
        effect="The drop waits for every query on the table, everybody waits for the drop, and"
        " queries that used the index scan the table in full.",
        fix="DROP INDEX CONCURRENTLY {object}; in a file that begins with -- hk: transaction=none,"
        " when pg_stat_user_indexes says that nothing uses it",
        page="https://www.postgresql.org/docs/16/sql-dropindex.html",
        bad=("DROP INDEX shop.orders_state;",),
        good=("-- hk: transaction=none\nDROP INDEX CONCURRENTLY shop.orders_state;",),
        judge=_dropped,
        known_as=(
            "squawk: require-concurrent-index-deletion",
            "strong_migrations: removing an index non-concurrently (if asked for)",
        ),
    ),
)
