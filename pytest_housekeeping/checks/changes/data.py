"""Rules on data that are gone with the batch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pytest_housekeeping.checks.changes.rule import ChangeRule, Harm, Hit
from pytest_housekeeping.checks.changes.subject import Subject
from pytest_housekeeping.postgres.batch_facts import DROPPED, EMPTIED

_DECIDE = (
    "nothing, where that is meant: begin the file with -- hk: irreversible, REASON, or write the"
    " rollback file for it"
)


def _gone(kind: str, how: str, said: str, subject: Subject) -> Iterator[Hit]:
    for each in subject.facts.destroyed:
        if (each.kind, each.how) == (kind, how):
            yield Hit(
                object=each.object,
                said=said,
                relations=(each.relation,),
                step=subject.step_of(each.relation),
            )


RULES = (
    ChangeRule(
        id="table-dropped",
        title="A table is dropped",
        harm=Harm.DATA,
        condition="A table that stood before is gone, or its partition is.",
        effect="Its rows are gone; no rollback brings them back. Whatever still names it fails.",
        fix=f"rename it first, and drop it when nothing has failed for a while; {_DECIDE}",
        page="https://www.postgresql.org/docs/16/sql-droptable.html",
        bad=("DROP TABLE shop.customer;",),
        good=("CREATE TABLE shop.draft (id bigint);\nDROP TABLE shop.draft;",),
        judge=partial(_gone, "table", DROPPED, "is dropped with all its rows"),
        of_partition=True,
        known_as=(
            "squawk: ban-drop-table",
            "strong_migrations: creating a table with the force option",
        ),
    ),
    ChangeRule(
        id="column-dropped",
        title="A column is dropped",
        harm=Harm.DATA,
        condition="A column of a table that stood before is gone.",
        effect="Its values are gone; no rollback brings them back. Whatever still names it fails,"
        " and so do INSERTs without a list of columns and SELECT * into a fixed row.",
        fix=f"deploy code that does not name it, then drop it; {_DECIDE}",
        page="https://www.postgresql.org/docs/16/sql-altertable.html",
        bad=("ALTER TABLE shop.customer DROP COLUMN note;",),
        good=(
            (
                "ALTER TABLE shop.customer ADD COLUMN draft text;\n"
                "ALTER TABLE shop.customer DROP COLUMN draft;"
            ),
        ),
        judge=partial(_gone, "column", DROPPED, "is dropped with all its values"),
        of_partition=True,
        known_as=("squawk: ban-drop-column", "strong_migrations: removing a column"),
    ),
    ChangeRule(
        id="table-emptied",
        title="A table is emptied",
        harm=Harm.DATA,
        condition="A table that stood before has lost all its rows to TRUNCATE, be it by CASCADE.",
        effect="Its rows are gone, and everybody who reads or writes it waits until COMMIT.",
        fix=f"DELETE in batches what has to go; {_DECIDE}",
        page="https://www.postgresql.org/docs/16/sql-truncate.html",
        bad=("TRUNCATE shop.customer;",),
        good=("DELETE FROM shop.customer WHERE id = 7;",),
        judge=partial(_gone, "table", EMPTIED, "is emptied"),
        of_partition=True,
        known_as=("squawk: ban-truncate-cascade",),
    ),
)
