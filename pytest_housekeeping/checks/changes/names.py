"""Rules on the names that running clients use: of tables, columns, values, views, functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from pytest_housekeeping.checks.changes.rule import ChangeRule, Harm, Hit
from pytest_housekeeping.checks.changes.subject import Subject, line, table_of

_ALTER_PAGE = "https://www.postgresql.org/docs/16/sql-altertable.html"
_LABEL = re.compile(r"'(?:[^']|'')*'")
_READ_LIKE_A_VIEW = ("view", "materialized view", "foreign table", "table")
_RETURNS = re.compile(r"^ RETURNS (.*)$", re.MULTILINE)


def _renamed(kind: str, subject: Subject) -> Iterator[Hit]:
    for each in subject.facts.renamed:
        if each.kind == kind:
            relation = each.before if kind == "table" else table_of(each.before)
            yield Hit(
                object=each.before,
                said=f"is called {each.after} now",
                relations=(relation,),
                step=subject.step_of(relation),
                values={"now": each.after},
            )


def _labels(subject: Subject) -> Iterator[Hit]:
    for each in subject.changed("type"):
        before, after = (_LABEL.findall(line(t, "enum")) for t in (each.before, each.after))
        for label in before:
            if label not in after:
                new = ", ".join(value for value in after if value not in before)
                said = f"no longer has the value {label}" + f"; it has {new}" * bool(new)
                yield Hit(object=each.object, said=said)


def _views(subject: Subject) -> Iterator[Hit]:
    made = {each.object for kind in _READ_LIKE_A_VIEW for each in subject.made(kind)}
    for kind in ("view", "materialized view", "foreign table"):
        for each in subject.dropped(kind):
            if each.object not in made:
                yield Hit(object=each.object, said=f"is gone: a {kind}")


def _calls(subject: Subject) -> Iterator[Hit]:
    for kind in ("function", "procedure"):
        made = [each.object for each in subject.made(kind)]
        for each in subject.dropped(kind):
            now = [name for name in made if _base(name) == _base(each.object)]
            said = f"is called as {', '.join(now)} now" if now else "is gone"
            yield Hit(object=each.object, said=said)
        for each in subject.changed(kind):
            was, is_ = (_RETURNS.search(text) for text in (each.before, each.after))
            if was and is_ and was[1] != is_[1]:
                said = f"returns {is_[1]} and no longer {was[1]}"
                yield Hit(object=each.object, said=said)


def _base(signature: str) -> str:
    return signature.partition("(")[0]


EXPAND = (
    "in place of it: add the new one beside it, let both be written, move the readers, then drop"
    " the old one, each in a promotion of its own"
)

RULES = (
    ChangeRule(
        id="table-renamed",
        title="A table gets another name or schema",
        harm=Harm.CLIENTS,
        condition="A table that stood before has another name.",
        effect="Every statement of a running client that names it fails from COMMIT on.",
        fix="rename it, and make a view of the old name in the same file: CREATE VIEW {object} AS"
        " SELECT * FROM {now}; drop it when nothing names it any more",
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.customer RENAME TO buyer;",),
        good=("CREATE VIEW shop.buyer AS SELECT * FROM shop.customer;",),
        judge=partial(_renamed, "table"),
        known_as=("squawk: renaming-table", "strong_migrations: renaming a table, a schema"),
    ),
    ChangeRule(
        id="column-renamed",
        title="A column gets another name",
        harm=Harm.CLIENTS,
        condition="A column that stood before has another name.",
        effect="Every statement of a running client that names it fails from COMMIT on.",
        fix=EXPAND,
        page=_ALTER_PAGE,
        bad=("ALTER TABLE shop.customer RENAME COLUMN note TO remark;",),
        good=("ALTER TABLE shop.customer ADD COLUMN remark text;",),
        judge=partial(_renamed, "column"),
        known_as=("squawk: renaming-column", "strong_migrations: renaming a column"),
    ),
    ChangeRule(
        id="enum-value-renamed",
        title="An enum loses a value, or it gets another name",
        harm=Harm.CLIENTS,
        condition="A value that an enum had is not among its values any more.",
        effect="Statements of running clients with the old value fail, and rows that had it are"
        " read with another one.",
        fix="ALTER TYPE {object} ADD VALUE in a file that begins with -- hk: transaction=own, and"
        " move rows and clients to it; an old value may stay unused",
        page="https://www.postgresql.org/docs/16/sql-altertype.html",
        bad=("ALTER TYPE shop.mood RENAME VALUE 'sad' TO 'glum';",),
        good=("-- hk: transaction=own\nALTER TYPE shop.mood ADD VALUE 'glum';",),
        judge=_labels,
        known_as=("squawk: renaming-object",),
    ),
    ChangeRule(
        id="view-dropped",
        title="A view is dropped, or gets another name",
        harm=Harm.CLIENTS,
        condition="A view, materialized view or foreign table that stood before is gone, and none"
        " of its name was made.",
        effect="Every statement of a running client that names it fails from COMMIT on.",
        fix="drop it in a promotion behind the deployment of the code that no longer names it",
        page="https://www.postgresql.org/docs/16/sql-dropview.html",
        bad=("DROP VIEW shop.due;",),
        good=("CREATE OR REPLACE VIEW shop.due AS SELECT id, about, total FROM shop.orders;",),
        judge=_views,
        known_as=("squawk: ban-drop-view",),
    ),
    ChangeRule(
        id="function-signature",
        title="A function is gone, or is called otherwise, or returns something else",
        harm=Harm.CLIENTS,
        condition="A function or procedure with the arguments that it had is gone, or its result"
        " has another type.",
        effect="Calls by running clients fail, or get what they do not expect.",
        fix="make the new one beside it, as an overload or by another name, and drop the old one"
        " when nothing calls it any more",
        page="https://www.postgresql.org/docs/16/sql-createfunction.html",
        bad=(
            (
                "DROP FUNCTION shop.net(int);\n"
                "CREATE FUNCTION shop.net(amount int, rate int) RETURNS int LANGUAGE sql\n"
                "    RETURN amount * 100 / (100 + rate);"
            ),
        ),
        good=(
            (
                "CREATE FUNCTION shop.net(amount int, rate int) RETURNS int LANGUAGE sql\n"
                "    RETURN amount * 100 / (100 + rate);"
            ),
        ),
        judge=_calls,
        known_as=("squawk: ban-drop-function",),
    ),
)
