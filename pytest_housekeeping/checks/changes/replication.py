"""Rules on tables that are published: what their subscribers cannot follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_housekeeping.checks.changes.rule import ChangeRule, Harm, Hit
from pytest_housekeeping.checks.changes.subject import Subject, has_line, line, split_last, table_of


def _columns(subject: Subject) -> Iterator[Hit]:
    changed = [(each, "is new") for each in subject.made("column")]
    changed += [(each, "is gone") for each in subject.dropped("column")]
    changed += [
        (each, f"is {line(each.after, 'type')} now")
        for each in subject.changed("column")
        if line(each.before, "type") != line(each.after, "type")
    ]
    for each, said in changed:
        relation = subject.stood_as(table_of(each.object))
        if publications := subject.published.get(relation):
            yield Hit(
                object=each.object,
                said=f"{said}, and {relation} is published by {', '.join(publications)}",
                relations=(relation,),
                step=subject.step_of(relation),
            )


def _identity(subject: Subject) -> Iterator[Hit]:
    for relation in sorted(subject.published.keys() & subject.strongest.keys()):
        publications = subject.published[relation]
        table = subject.now_called.get(relation, relation)
        told = [name for name in publications if _publishes_writes(subject, name)]
        lost = _identified(subject.before, relation) and not _identified(subject.after, table)
        if told and lost and f"table {table}" in subject.after:
            yield Hit(
                object=relation,
                said="has nothing left to tell its rows apart by, and its UPDATEs and DELETEs are"
                f" published by {', '.join(told)}",
                relations=(relation,),
                step=subject.step_of(relation),
            )


def _publishes_writes(subject: Subject, publication: str) -> bool:
    told = line(subject.after.get(f"publication {publication}", ""), "publish").split(", ")
    return "update" in told or "delete" in told


def _identified(objects: Mapping[str, str], table: str) -> bool:
    """Whether there is a replica identity: all columns, an index chosen for it, or a primary key.

    https://www.postgresql.org/docs/16/logical-replication-publication.html
    """
    text = objects.get(f"table {table}", "")
    if has_line(text, "replica identity: full"):
        return True
    if has_line(text, "replica identity: nothing"):
        return False
    return any(
        (name.endswith(f" on {table}") and line(text, "definition").startswith("PRIMARY KEY"))
        or (has_line(text, "replica identity") and _index_of(objects, name, text, table))
        for name, text in objects.items()
    )


def _index_of(objects: Mapping[str, str], name: str, text: str, table: str) -> bool:
    """Whether an index is one of the table: by its definition, or by its constraint."""
    own = split_last(name.removeprefix("index "))[1]
    return f" ON {table} " in line(text, "definition") or f"constraint {own} on {table}" in objects


RULES = (
    ChangeRule(
        id="replica-identity-lost",
        title="A published table loses its replica identity",
        harm=Harm.STOPS,
        condition="A table whose UPDATEs or DELETEs are published had a primary key, an index or"
        " all its columns as its replica identity, and has none any more.",
        effect="From COMMIT on PostgreSQL refuses every UPDATE and DELETE of it.",
        fix="in the same file, add the new primary key, or ALTER TABLE {object} REPLICA IDENTITY"
        " FULL",
        page="https://www.postgresql.org/docs/16/logical-replication-publication.html",
        bad=("ALTER TABLE shop.parcel DROP CONSTRAINT parcel_pkey;",),
        good=("ALTER TABLE shop.parcel REPLICA IDENTITY FULL;",),
        judge=_identity,
    ),
    ChangeRule(
        id="published-table-changed",
        title="The columns of a published table change",
        harm=Harm.CLIENTS,
        condition="A column of a table that is in a publication is new, gone, or of another type.",
        effect="A subscriber whose table lacks the column, or has it otherwise, stops applying; the"
        " write-ahead log is kept for it until it goes on.",
        fix="change the subscribers first: what they lack is added there, what goes is let be null",
        page="https://www.postgresql.org/docs/16/logical-replication-restrictions.html",
        bad=("ALTER TABLE shop.parcel ADD COLUMN weight int;",),
        good=("ALTER TABLE shop.customer ADD COLUMN weight int;",),
        judge=_columns,
    ),
)
