"""Rules on what running clients rely on besides names: what they may write, and will read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_housekeeping.checks.changes.names import EXPAND
from pytest_housekeeping.checks.changes.reads import needs_value
from pytest_housekeeping.checks.changes.rule import ChangeRule, Harm, Hit
from pytest_housekeeping.checks.changes.subject import (
    Subject,
    has_line,
    line,
    split_on,
    table_of,
)

_ALTER_PAGE = "https://www.postgresql.org/docs/16/sql-altertable.html"
# What reads and writes the same way for a client, whichever of them it is.
_TEXTS = ("character varying", "text")


def _required(subject: Subject) -> Iterator[Hit]:
    for each in subject.made("column"):
        if needs_value(each.after):
            yield _of_column(subject, each.object, "has to be given by every INSERT from now on")
    for each in subject.changed("column"):
        had = line(each.before, "default") or line(each.before, "identity")
        if had and needs_value(each.after):
            said = "has lost its default, and has to be given by every INSERT from now on"
            yield _of_column(subject, each.object, said)


def _nullable(subject: Subject) -> Iterator[Hit]:
    for each in subject.changed("column"):
        if has_line(each.before, "not null") and not has_line(each.after, "not null"):
            yield _of_column(subject, each.object, "may be NULL from now on")


def _constraints(subject: Subject) -> Iterator[Hit]:
    made = {
        (split_on(each.object)[1], line(each.after, "definition"))
        for each in subject.made("constraint")
    }
    for each in subject.dropped("constraint"):
        _, table = split_on(each.object)
        definition = line(each.before, "definition")
        if (table, definition) in made or _said_by_not_null(subject, table, definition):
            continue
        yield Hit(
            object=each.object,
            said=f"is gone, and nothing says so any more: {definition}",
            relations=(subject.stood_as(table),),
            step=subject.step_of(subject.stood_as(table)),
        )


def _types(subject: Subject) -> Iterator[Hit]:
    for each in subject.changed("column"):
        was, now = (_family(line(text, "type")) for text in (each.before, each.after))
        relation = subject.stood_as(table_of(each.object))
        if was and now and was != now and relation not in subject.rewritten:
            said = f"is {line(each.after, 'type')} and no longer {line(each.before, 'type')}"
            yield _of_column(subject, each.object, said)


def _json(subject: Subject) -> Iterator[Hit]:
    for each in subject.made("column"):
        if line(each.after, "type") == "json":
            said = "is json, which has no equality: SELECT DISTINCT and UNION of its rows fail"
            yield _of_column(subject, each.object, said)


def _of_column(subject: Subject, column: str, said: str) -> Hit:
    relation = subject.stood_as(table_of(column))
    return Hit(object=column, said=said, relations=(relation,), step=subject.step_of(relation))


def _said_by_not_null(subject: Subject, table: str, definition: str) -> bool:
    found = re.fullmatch(r"CHECK \(\((.+) IS NOT NULL\)\)( NOT VALID)?", definition)
    column = subject.after.get(f"column {table}.{found[1]}", "") if found else ""
    return has_line(column, "not null")


def _family(name: str) -> str:
    """A type without what limits it: a wider varchar is none that a client would notice."""
    bare = re.sub(r"\([^)]*\)", "", name).replace("  ", " ").strip()
    return _TEXTS[0] if bare in _TEXTS else bare


RULES = (
    ChangeRule(
        id="column-required",
        title="A column has to be given by every INSERT",
        harm=Harm.CLIENTS,
        condition="A new column is NOT NULL and has no default, or one that is NOT NULL has lost"
        " its default.",
        effect="INSERTs of running clients, which do not know of it, fail; on a table with rows the"
        " statement itself fails.",
        fix="give it a default, or let it be null until every client writes it",
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.customer ADD COLUMN city text NOT NULL;",),
        good=("ALTER TABLE shop.customer ADD COLUMN city text NOT NULL DEFAULT '';",),
        judge=_required,
        known_as=("squawk: adding-required-field",),
    ),
    ChangeRule(
        id="not-null-dropped",
        title="A column may be NULL that never was",
        harm=Harm.CLIENTS,
        condition="A column that stood before was NOT NULL and is not any more.",
        effect="Readers that rely on a value meet NULL from the first row on that has none, and"
        " going back fails once there is one.",
        fix="deploy readers that know what to do with NULL before",
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.customer ALTER COLUMN name DROP NOT NULL;",),
        good=("ALTER TABLE shop.customer ALTER COLUMN name SET DEFAULT '';",),
        judge=_nullable,
        known_as=("squawk: ban-drop-not-null",),
    ),
    ChangeRule(
        id="constraint-dropped",
        title="A constraint is dropped",
        harm=Harm.CLIENTS,
        condition="A constraint that stood before is gone, none that says the same was made, and"
        " NOT NULL does not say it either.",
        effect="What it kept out can come in, and ON CONFLICT that relied on it fails.",
        fix="in the same file, make the one that takes its place",
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.customer DROP CONSTRAINT named;",),
        good=("ALTER TABLE shop.customer RENAME CONSTRAINT named TO has_name;",),
        judge=_constraints,
        known_as=("squawk: ban-drop-constraint",),
    ),
    ChangeRule(
        id="type-changed",
        title="A column gets another type, without being rewritten",
        harm=Harm.CLIENTS,
        condition="A column that stood before has a type of another name, and its table lies where"
        " it lay.",
        effect="Drivers bind and read another type; prepared statements and comparisons may fail or"
        " mean something else.",
        fix=EXPAND,
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.customer ALTER COLUMN since TYPE timestamptz;",),
        good=("ALTER TABLE shop.customer ALTER COLUMN note TYPE varchar;",),
        judge=_types,
        known_as=("squawk: changing-column-type",),
    ),
    ChangeRule(
        id="json-column",
        title="A column of type json is added",
        harm=Harm.CLIENTS,
        condition="A new column of a table that stood before is json.",
        effect="json has no equality operator: SELECT DISTINCT and UNION over its rows, and GROUP"
        " BY it, fail.",
        fix="ADD COLUMN … jsonb",
        page="https://www.postgresql.org/docs/16/datatype-json.html",
        bad=("ALTER TABLE shop.customer ADD COLUMN extra json;",),
        good=("ALTER TABLE shop.customer ADD COLUMN extra jsonb;",),
        judge=_json,
        known_as=("eugene: E3", "strong_migrations: adding a json column"),
    ),
)
