"""How often a table is scanned in full, and how much of that has another cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pytest_housekeeping.checks.changes.statements import altering, validated_here
from pytest_housekeeping.checks.changes.subject import (
    WRITING,
    Subject,
    has_line,
    line,
    once,
    outside_quotes,
    split_last,
    split_on,
    table_of,
)


def reads_of(subject: Subject, relation: str) -> int:
    """The reads that neither the building of indexes nor the writing anew of the table explains,
    nor what was validated apart."""
    explained = _built(subject)[relation] + _apart(subject)[relation]
    explained += relation in subject.rewritten
    return max(0, subject.scans.get(relation, 0) - explained)


def reads_for_rows(subject: Subject, relation: str) -> int:
    """Of those, the ones that no constraint or partition asks for: statements on rows, say."""
    # One ALTER TABLE reads the table once for whatever it asks of the rows.
    together = min(_asking_together(subject)[relation], max(1, altering(subject, relation)))
    return max(0, reads_of(subject, relation) - _asking_alone(subject)[relation] - together)


@once
def _built(subject: Subject) -> Counter[str]:
    """By relation, the readings for indexes; for an exclusion the rows are compared once more."""
    found = Counter(each.table for each in subject.facts.indexes)
    return found + Counter(relation for _, relation, _ in new_constraints(subject, "EXCLUDE"))


@once
def _apart(subject: Subject) -> Counter[str]:
    return Counter(relation for relation, _ in validated_here(subject))


@once
def new_not_null(subject: Subject) -> Sequence[tuple[str, str]]:
    """Columns that stood before, may not be null any more, and were read for that; each with its
    relation by the name of before. What a CHECK seems to prove is told where nothing else can have
    been read for: one that is dropped by the same ALTER TABLE proves nothing."""
    found: dict[str, list[str]] = {}
    for each in subject.changed("column"):
        if has_line(each.after, "not null") and not has_line(each.before, "not null"):
            found.setdefault(subject.stood_as(table_of(each.object)), []).append(each.object)
    others = {relation for _, relation, _ in new_constraints(subject, "CHECK")}
    others |= {*_validated(subject)}
    others |= {each.relation for each in subject.facts.locks if each.mode == WRITING}
    told = []
    for relation, columns in found.items():
        unproved = [column for column in columns if not _proved(subject, column)]
        meant = unproved if unproved or relation in others else columns
        told += [(column, relation) for column in meant]
    return told


def new_constraints(subject: Subject, kind: str) -> Iterator[tuple[str, str, str]]:
    """Valid constraints of a kind (``CHECK``, ``FOREIGN KEY``) that were made on what stood before:
    name, relation by its name of before, definition. Those that were validated apart are not
    told."""
    apart = validated_here(subject)
    for each in subject.made("constraint"):
        name, table = split_on(each.object)
        definition, relation = line(each.after, "definition"), subject.stood_as(table)
        valid = definition.startswith(kind) and not definition.endswith(" NOT VALID")
        if valid and (relation, name) not in apart and f"domain {table}" not in subject.after:
            yield name, relation, definition


def attached(subject: Subject) -> Iterator[tuple[str, str]]:
    """Tables that stood before and have become partitions, each with its new parent; and the
    default partition of each table that has got another partition."""
    for each in subject.changed("table"):
        if line(each.after, "bound") and not line(each.before, "bound"):
            yield subject.stood_as(each.object), line(each.after, "inherits")
    gained = {
        line(each.after, "inherits")
        for each in (*subject.made("table"), *subject.changed("table"))
        if line(each.after, "bound") and not line(each.before, "bound")
    }
    for name, text in subject.before.items():
        if gained and line(text, "bound") == "DEFAULT" and line(text, "inherits") in gained:
            yield name.partition(" ")[2], line(text, "inherits")


def of_domains(subject: Subject) -> Iterator[tuple[str, str]]:
    """Domains that stood before and have become stricter, each with a table that uses it."""
    stricter = {
        table
        for each in subject.made("constraint")
        for _, table in [split_on(each.object)]
        if f"domain {table}" in subject.before
    }
    stricter |= {
        each.object
        for each in subject.changed("domain")
        if has_line(each.after, "not null") and not has_line(each.before, "not null")
    }
    for name, text in subject.before.items():
        if stricter and name.startswith("column ") and line(text, "type") in stricter:
            yield line(text, "type"), table_of(name.removeprefix("column "))


@once
def _asking_together(subject: Subject) -> Counter[str]:
    """By relation, the demands on rows that one ALTER TABLE can meet together."""
    found = Counter(relation for _, relation, _ in new_constraints(subject, "CHECK"))
    found += Counter(relation for _, relation in new_not_null(subject))
    return found + Counter(
        subject.stood_as(table_of(each.object))
        for each in subject.made("column")
        if needs_value(each.after)
    )


@once
def _asking_alone(subject: Subject) -> Counter[str]:
    """By relation, each other reading that a constraint or a partition asks for."""
    return Counter(_read_alone(subject))


def _read_alone(subject: Subject) -> Iterator[str]:
    for _, relation, definition in new_constraints(subject, "FOREIGN KEY"):
        yield relation
        yield subject.stood_as(referenced(definition))
    yield from {relation for relation, _ in attached(subject)}
    yield from {relation for _, relation in of_domains(subject)}
    yield from _validated(subject)


def _validated(subject: Subject) -> Iterator[str]:
    """The relation of each constraint that stood before and is valid now."""
    for each in subject.changed("constraint"):
        definitions = line(each.before, "definition"), line(each.after, "definition")
        if definitions[0].endswith(" NOT VALID") and not definitions[1].endswith(" NOT VALID"):
            yield subject.stood_as(split_on(each.object)[1])


def referenced(definition: str) -> str:
    """``FOREIGN KEY (a) REFERENCES shop.customer(id) …`` → ``shop.customer``."""
    behind = definition.partition(" REFERENCES ")[2]
    return behind[: outside_quotes(behind, "(")[0]].strip()


def _proved(subject: Subject, column: str) -> bool:
    """Whether a CHECK says that the column is not null, and was valid before it was asked."""
    table, name = split_last(column)
    return (table, f"CHECK (({name} IS NOT NULL))") in _checks(subject)


def needs_value(text: str) -> bool:
    """Whether a column has to be given: it is NOT NULL, and nothing fills it."""
    given = any(line(text, key) for key in ("default", "generated", "identity"))
    return has_line(text, "not null") and not given


@once
def _checks(subject: Subject) -> frozenset[tuple[str, str]]:
    """Each CHECK of before and after, by its table."""
    found = (
        (split_on(key)[1], line(text, "definition"))
        for texts in (subject.before, subject.after)
        for key, text in texts.items()
        if key.startswith("constraint ")
    )
    return frozenset(each for each in found if each[1].startswith("CHECK"))
