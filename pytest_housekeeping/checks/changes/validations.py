"""Rules on constraints and partitions for which others wait, mostly while a table is read."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.checks.changes.reads import (
    attached,
    new_constraints,
    new_not_null,
    of_domains,
    reads_of,
    referenced,
)
from pytest_housekeeping.checks.changes.rule import ChangeRule, Harm, Hit
from pytest_housekeeping.checks.changes.statements import cut_before, validated_here
from pytest_housekeeping.checks.changes.subject import EXCLUSIVE, Subject, line

_PAGE = "https://www.postgresql.org/docs/16/sql-altertable.html"
_WHILE = "is scanned in full while nobody can read or write it"


def _not_null(subject: Subject) -> Iterator[Hit]:
    for column, relation in new_not_null(subject):
        if reads_of(subject, relation):
            said = f"becomes NOT NULL, and {relation} {_WHILE}"
            yield _hit(subject, column, said, relation)


def _check(subject: Subject) -> Iterator[Hit]:
    for name, relation, definition in new_constraints(subject, "CHECK"):
        if reads_of(subject, relation):
            said = f"is valid at once, so {relation} {_WHILE}: {definition}"
            yield _hit(subject, f"{name} on {relation}", said, relation)


def _foreign_key(subject: Subject) -> Iterator[Hit]:
    for name, relation, definition in new_constraints(subject, "FOREIGN KEY"):
        other = subject.stood_as(referenced(definition))
        if reads_of(subject, relation):
            yield Hit(
                object=f"{name} on {relation}",
                said=f"is valid at once: {relation} is compared with {other} row by row, and"
                " nobody writes to either of them until COMMIT",
                relations=tuple(dict.fromkeys((relation, other))),
                step=subject.step_of(relation),
            )


def _same_transaction(subject: Subject) -> Iterator[Hit]:
    for relation, name in sorted(validated_here(subject)):
        whole, added_by = subject.locked(relation, EXCLUSIVE), subject.step_of(relation)
        yield Hit(
            object=f"{name} on {relation}",
            said=f"is added NOT VALID and validated in one transaction: {relation} is read under"
            " the lock that the first of them has taken",
            relations=(relation,),
            step=added_by,
            harm=Harm.EVERYBODY_WAITS if whole else Harm.WRITERS_WAIT,
            values={"cut": cut_before(subject, subject.reader_of(relation), added_by)},
        )


def _domain(subject: Subject) -> Iterator[Hit]:
    for domain, relation in sorted(set(of_domains(subject))):
        if reads_of(subject, relation) and subject.locked(relation, "ShareLock"):
            said = f"is stricter, so {relation} is scanned in full while nobody can write"
            yield _hit(subject, domain, said, relation)


def _attached(subject: Subject) -> Iterator[Hit]:
    for relation, parent in sorted(set(attached(subject))):
        if reads_of(subject, relation):
            bound = line(subject.before.get(f"table {relation}", ""), "bound")
            said = f"becomes a partition of {parent}"
            if bound:
                said = f"is the default partition of {parent}, which gets another one"
            yield _hit(subject, relation, f"{said}; it {_WHILE}", relation)


def _detached(subject: Subject) -> Iterator[Hit]:
    for each in subject.changed("table"):
        parent = line(each.before, "inherits")
        gone = line(each.before, "bound") and not line(each.after, "bound")
        if gone and subject.locked(parent, EXCLUSIVE):
            yield Hit(
                object=subject.stood_as(each.object),
                said=f"is detached from {parent}, which nobody can read or write until COMMIT",
                relations=(parent,),
                step=subject.step_of(parent),
            )


def _hit(subject: Subject, name: str, said: str, relation: str) -> Hit:
    step = subject.reader_of(relation)
    return Hit(object=name, said=said, relations=(relation,), step=step)


_READ = (
    "Nobody reads or writes the table until every row has been looked at, and then until COMMIT."
)
_OWN = "in a later file that begins with -- hk: transaction=own"

RULES = (
    ChangeRule(
        id="set-not-null-scans",
        title="SET NOT NULL reads the table",
        harm=Harm.EVERYBODY_WAITS,
        condition="A column that stood before may not be null any more, and its table was read for"
        " that: no valid CHECK says the same.",
        effect=_READ,
        fix="ADD CONSTRAINT … CHECK (… IS NOT NULL) NOT VALID; VALIDATE CONSTRAINT"
        f" {_OWN}; SET NOT NULL in another such file, and a statement of its own that drops the"
        " CHECK",
        page=_PAGE,
        bad=("ALTER TABLE shop.orders ALTER COLUMN total SET NOT NULL;",),
        good=(
            (
                "ALTER TABLE shop.orders ADD CONSTRAINT total_there CHECK (total IS NOT NULL)"
                " NOT VALID;"
            ),
            "-- hk: transaction=own\nALTER TABLE shop.orders VALIDATE CONSTRAINT total_there;",
            (
                "-- hk: transaction=own\n"
                "ALTER TABLE shop.orders ALTER COLUMN total SET NOT NULL;\n"
                "ALTER TABLE shop.orders DROP CONSTRAINT total_there;"
            ),
        ),
        judge=_not_null,
        known_as=(
            "squawk: adding-not-nullable-field",
            "eugene: E2",
            "strong_migrations: setting NOT NULL on an existing column",
        ),
    ),
    ChangeRule(
        id="check-validated",
        title="A CHECK is valid at once",
        harm=Harm.EVERYBODY_WAITS,
        condition="A CHECK without NOT VALID was added to a table that stood before, which was read"
        " for it.",
        effect=_READ,
        fix=f"ADD CONSTRAINT … CHECK (…) NOT VALID, and VALIDATE CONSTRAINT {_OWN}",
        page=_PAGE,
        bad=("ALTER TABLE shop.orders ADD CONSTRAINT sane CHECK (total >= 0);",),
        good=(
            "ALTER TABLE shop.orders ADD CONSTRAINT sane CHECK (total >= 0) NOT VALID;",
            "-- hk: transaction=own\nALTER TABLE shop.orders VALIDATE CONSTRAINT sane;",
        ),
        judge=_check,
        known_as=(
            "squawk: constraint-missing-not-valid",
            "eugene: E1",
            "strong_migrations: adding a check constraint",
        ),
    ),
    ChangeRule(
        id="foreign-key-validated",
        title="A foreign key is valid at once",
        harm=Harm.WRITERS_WAIT,
        condition="A foreign key without NOT VALID was added to a table that stood before, and its"
        " rows were compared.",
        effect="Both tables are locked with SHARE ROW EXCLUSIVE: nobody writes to either until"
        " every row has been looked up, and then until COMMIT.",
        fix=f"ADD CONSTRAINT … FOREIGN KEY … NOT VALID, and VALIDATE CONSTRAINT {_OWN}",
        page=_PAGE,
        bad=(
            (
                "ALTER TABLE shop.orders ADD CONSTRAINT bought_by\n"
                "    FOREIGN KEY (customer_id) REFERENCES shop.customer (id);"
            ),
        ),
        good=(
            (
                "ALTER TABLE shop.orders ADD CONSTRAINT bought_by\n"
                "    FOREIGN KEY (customer_id) REFERENCES shop.customer (id) NOT VALID;"
            ),
            "-- hk: transaction=own\nALTER TABLE shop.orders VALIDATE CONSTRAINT bought_by;",
        ),
        judge=_foreign_key,
        known_as=(
            "squawk: adding-foreign-key-constraint, constraint-missing-not-valid",
            "eugene: E1",
            "strong_migrations: adding a foreign key",
        ),
    ),
    ChangeRule(
        id="validated-in-same-transaction",
        title="NOT VALID and VALIDATE in one transaction",
        harm=Harm.EVERYBODY_WAITS,
        condition="A constraint is added NOT VALID and validated in the same segment.",
        effect="VALIDATE would let everybody work; the lock that ADD CONSTRAINT has taken is held"
        " to COMMIT and does not.",
        fix="of what validates: {cut}",
        page=_PAGE,
        bad=(
            "ALTER TABLE shop.orders ADD CONSTRAINT sane CHECK (total >= 0) NOT VALID;",
            "ALTER TABLE shop.orders VALIDATE CONSTRAINT sane;",
        ),
        good=(
            "ALTER TABLE shop.orders ADD CONSTRAINT sane CHECK (total >= 0) NOT VALID;",
            "-- hk: transaction=own\nALTER TABLE shop.orders VALIDATE CONSTRAINT sane;",
        ),
        judge=_same_transaction,
        known_as=("squawk: constraint-missing-not-valid", "eugene: E4"),
    ),
    ChangeRule(
        id="domain-stricter",
        title="A domain that tables use becomes stricter",
        harm=Harm.WRITERS_WAIT,
        condition="A domain has got a valid CHECK or NOT NULL, and a table with a column of it was"
        " read.",
        effect="Every table that uses the domain is locked with SHARE and scanned in full:"
        " nobody writes to it until COMMIT.",
        fix=f"ALTER DOMAIN {{object}} ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT {_OWN}",
        page="https://www.postgresql.org/docs/16/sql-alterdomain.html",
        bad=("ALTER DOMAIN shop.email ADD CONSTRAINT with_at CHECK (value LIKE '%@%');",),
        good=(
            "ALTER DOMAIN shop.email ADD CONSTRAINT with_at CHECK (value LIKE '%@%') NOT VALID;",
        ),
        judge=_domain,
        known_as=("squawk: ban-alter-domain-with-add-constraint",),
    ),
    ChangeRule(
        id="partition-attached",
        title="A partition is attached, and rows are read for it",
        harm=Harm.EVERYBODY_WAITS,
        condition="A table that stood before has become a partition, or a table with a default"
        " partition has got another one, and that table or that default partition was read.",
        effect="The table, or the default partition, is locked with ACCESS EXCLUSIVE until it is"
        " shown that every row belongs where it is, and then until COMMIT.",
        fix="before, give {object} a CHECK that says the same as the bounds, NOT VALID, and"
        f" VALIDATE it {_OWN}; then nothing is read",
        page=_PAGE,
        bad=(
            (
                "ALTER TABLE shop.event ATTACH PARTITION shop.event_old\n"
                "    FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');"
            ),
        ),
        good=(
            (
                "ALTER TABLE shop.event_old ADD CONSTRAINT of_2020\n"
                "    CHECK (at IS NOT NULL AND at >= '2020-01-01' AND at < '2021-01-01') NOT VALID;"
            ),
            "-- hk: transaction=own\nALTER TABLE shop.event_old VALIDATE CONSTRAINT of_2020;",
            (
                "-- hk: transaction=own\n"
                "ALTER TABLE shop.event ATTACH PARTITION shop.event_old\n"
                "    FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');"
            ),
        ),
        judge=_attached,
        of_partition=True,
        known_as=("eugene: E1",),
    ),
    ChangeRule(
        id="partition-detached",
        title="A partition is detached while nobody can use the whole table",
        harm=Harm.SLOWS,
        condition="A table is no partition any more, and the table that it was a part of was locked"
        " with ACCESS EXCLUSIVE.",
        effect="The lock waits for every query on the whole table, whichever partition it is about,"
        " and everybody waits for the lock.",
        fix="ALTER TABLE {table} DETACH PARTITION {object} CONCURRENTLY; in a file that begins with"
        " -- hk: transaction=none",
        page=f"{_PAGE}#SQL-ALTERTABLE-DETACH-PARTITION",
        bad=("ALTER TABLE shop.event DETACH PARTITION shop.event_now;",),
        good=(
            (
                "-- hk: transaction=none\n"
                "ALTER TABLE shop.event DETACH PARTITION shop.event_now CONCURRENTLY;"
            ),
        ),
        judge=_detached,
        of_partition=True,
        known_as=("squawk: require-concurrent-partition-detach",),
    ),
)
