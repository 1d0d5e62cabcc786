"""Rules on tables that are rewritten: seen by their files, named by what has changed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_housekeeping.checks.changes.rule import ChangeRule, Harm, Hit
from pytest_housekeeping.checks.changes.subject import Subject, has_line, line, table_of

_ALTER_PAGE = "https://www.postgresql.org/docs/16/sql-altertable.html"
_STABLE = re.compile(
    r"(?:(?:pg_catalog\.)?(?:now|statement_timestamp|transaction_timestamp)\(\)"
    r"|CURRENT_(?:TIMESTAMP|DATE|TIME|USER)|LOCALTIME(?:STAMP)?|SESSION_USER)",
    re.IGNORECASE,
)


def _type_change(subject: Subject) -> Iterator[Hit]:
    for each in subject.changed("column"):
        was, now = line(each.before, "type"), line(each.after, "type")
        relation = subject.stood_as(table_of(each.object))
        if was != now and relation in subject.rewritten:
            said = f"is {now} and no longer {was}, so every row is rewritten"
            yield _hit(subject, each.object, said, relation)


def _volatile_default(subject: Subject) -> Iterator[Hit]:
    for name, relation, text in _made(subject, "default"):
        said = f"gets a value for each row from {line(text, 'default')}"
        yield _hit(subject, name, said, relation)


def _serial(subject: Subject) -> Iterator[Hit]:
    for name, relation, _ in _made(subject, "serial"):
        said = "gets a number of a sequence for each row"
        yield _hit(subject, name, said, relation)


def _generated(subject: Subject) -> Iterator[Hit]:
    for name, relation, text in _made(subject, "generated"):
        said = f"is computed for each row: {line(text, 'generated')}"
        yield _hit(subject, name, said, relation)


def _persistence(subject: Subject) -> Iterator[Hit]:
    for each in subject.changed("table"):
        relation = subject.stood_as(each.object)
        was, now = (has_line(text, "unlogged") for text in (each.before, each.after))
        if was != now and relation in subject.rewritten:
            said = f"is {'unlogged' if now else 'logged'} now, so it is rewritten"
            yield _hit(subject, each.object, said, relation)


def _refreshed(subject: Subject) -> Iterator[Hit]:
    for relation in subject.facts.rewritten:
        if f"materialized view {relation}" in subject.before:
            said = "is filled anew, and nobody can read it meanwhile"
            yield _hit(subject, relation, said, relation)


def _otherwise(subject: Subject) -> Iterator[Hit]:
    named = {
        relation
        for judge in (_type_change, _volatile_default, _serial, _generated, _persistence)
        for hit in judge(subject)
        for relation in hit.relations
    }
    for relation in subject.facts.rewritten:
        if relation not in named and f"materialized view {relation}" not in subject.before:
            said = "is rewritten, row by row, and its indexes are built again"
            yield _hit(subject, relation, said, relation)


def _made(subject: Subject, kind: str) -> Iterator[tuple[str, str, str]]:
    """The new columns for which a relation may have been rewritten: name, relation, text."""
    for each in subject.made("column"):
        relation = subject.stood_as(table_of(each.object))
        if relation in subject.rewritten and _filled_by(each.after) == kind:
            yield each.object, relation, each.after


def _filled_by(text: str) -> str:
    default = line(text, "default")
    if line(text, "generated"):
        return "generated"
    if line(text, "identity") or default.startswith("nextval("):
        return "serial"
    return "default" if "(" in default and not _STABLE.fullmatch(default) else ""


def _hit(subject: Subject, name: str, said: str, relation: str) -> Hit:
    return Hit(object=name, said=said, relations=(relation,), step=subject.reader_of(relation))


_ANEW = (
    "Every row is written to a new file and every index is built again, under ACCESS EXCLUSIVE:"
    " nobody reads or writes the table until COMMIT, and for a while it takes twice its place."
)
_STEPWISE = (
    "add a column of its own beside it without a default, let the application write both, fill it"
    " in batches by a program, and drop the old one in a later promotion"
)

RULES = (
    ChangeRule(
        id="type-change-rewrites",
        title="A column gets a type that needs the table rewritten",
        harm=Harm.EVERYBODY_WAITS,
        condition="The type of a column has changed, and the table lies in another file.",
        effect=_ANEW,
        fix=f"in place of ALTER COLUMN … TYPE: {_STEPWISE}",
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.orders ALTER COLUMN total TYPE bigint;",),
        good=("ALTER TABLE shop.orders ALTER COLUMN state TYPE varchar(40);",),
        judge=_type_change,
        known_as=(
            "squawk: changing-column-type",
            "eugene: E5, E10",
            "strong_migrations: changing the type of a column",
        ),
    ),
    ChangeRule(
        id="volatile-default",
        title="A new column has a default that is another one for each row",
        harm=Harm.EVERYBODY_WAITS,
        condition="A column was added whose default is volatile, and the table lies in another"
        " file.",
        effect=_ANEW,
        fix="ADD COLUMN without the default, ALTER COLUMN … SET DEFAULT behind it for the rows to"
        " come, and fill the old ones in batches by a program",
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.orders ADD COLUMN token uuid DEFAULT gen_random_uuid();",),
        good=(
            (
                "ALTER TABLE shop.orders ADD COLUMN token uuid;\n"
                "ALTER TABLE shop.orders ALTER COLUMN token SET DEFAULT gen_random_uuid();"
            ),
        ),
        judge=_volatile_default,
        known_as=(
            "squawk: adding-field-with-default",
            "eugene: E10",
            "strong_migrations: adding a column with a volatile default value",
        ),
    ),
    ChangeRule(
        id="serial-column",
        title="A new column numbers the rows that are there",
        harm=Harm.EVERYBODY_WAITS,
        condition="A serial or identity column was added, and the table lies in another file.",
        effect=_ANEW,
        fix=f"in place of a serial or identity column on a table with rows: {_STEPWISE}",
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.orders ADD COLUMN number bigserial;",),
        good=("ALTER TABLE shop.orders ADD COLUMN number bigint;",),
        judge=_serial,
        known_as=(
            "squawk: adding-field-with-default",
            "eugene: E11",
            "strong_migrations: adding an auto-incrementing column",
        ),
    ),
    ChangeRule(
        id="generated-column",
        title="A new column is computed and stored for the rows that are there",
        harm=Harm.EVERYBODY_WAITS,
        condition="A column GENERATED ALWAYS AS … STORED was added, and the table lies in another"
        " file.",
        effect=_ANEW,
        fix="add a plain column, let a trigger or the application fill it, and fill the old rows in"
        " batches by a program; or compute it in a view",
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.orders ADD twice int GENERATED ALWAYS AS (total * 2) STORED;",),
        good=("CREATE VIEW shop.doubled AS SELECT id, total * 2 AS twice FROM shop.orders;",),
        judge=_generated,
        known_as=(
            "squawk: adding-field-with-default",
            "eugene: E11",
            "strong_migrations: adding a stored generated column",
        ),
    ),
    ChangeRule(
        id="persistence-change",
        title="A table is made logged or unlogged",
        harm=Harm.EVERYBODY_WAITS,
        condition="A table is unlogged that was not, or the other way round, and lies in another"
        " file.",
        effect=f"{_ANEW} All of it goes through the write-ahead log besides; an unlogged table is"
        " empty after a crash and on every replica.",
        fix="make a new table as it is to be, let the application write both, and exchange them in"
        " a later promotion",
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.orders SET UNLOGGED;",),
        good=("CREATE UNLOGGED TABLE shop.inbox (id bigint, body jsonb);",),
        judge=_persistence,
        known_as=("eugene: E10",),
    ),
    ChangeRule(
        id="refresh-blocks-readers",
        title="A materialized view is filled anew while nobody can read it",
        harm=Harm.EVERYBODY_WAITS,
        condition="A materialized view that stood before lies in another file.",
        effect="REFRESH holds ACCESS EXCLUSIVE from the beginning of its query to COMMIT: whoever"
        " reads the view waits for it.",
        fix="REFRESH MATERIALIZED VIEW CONCURRENTLY {object}; it needs a unique index on all rows",
        page="https://www.postgresql.org/docs/16/sql-refreshmaterializedview.html",
        bad=("REFRESH MATERIALIZED VIEW shop.per_customer;",),
        good=("REFRESH MATERIALIZED VIEW CONCURRENTLY shop.per_customer;",),
        judge=_refreshed,
    ),
    ChangeRule(
        id="table-rewritten",
        title="A table is rewritten",
        harm=Harm.EVERYBODY_WAITS,
        condition="A table lies in another file, and no column and no other rule says why: CLUSTER,"
        " VACUUM FULL, another access method or tablespace.",
        effect=_ANEW,
        fix="leave it out of the batch; to give back unused space, pg_repack or pg_squeeze do the"
        " same without keeping everybody out",
        page="https://www.postgresql.org/docs/16/sql-cluster.html",
        bad=("CLUSTER shop.orders USING orders_pkey;",),
        good=("ALTER TABLE shop.orders SET (fillfactor = 80);",),
        judge=_otherwise,
        known_as=("squawk: prefer-repack", "eugene: E10"),
    ),
)
