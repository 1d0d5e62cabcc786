"""What stands in a schema and does no work: invalid indexes, unvalidated constraints, triggers off.

An index that is not valid is used by no query, a constraint that is NOT VALID says nothing of the
rows that were there before, and a trigger that is disabled does not fire; those of foreign keys are
triggers too (https://www.postgresql.org/docs/16/catalog-pg-index.html, catalog-pg-constraint,
catalog-pg-trigger). Each of them looks as if it were in force to whoever looks for its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import quoted

QualifiedName = tuple[str, ...]
"""Schema and name; of a trigger or constraint its table between them."""


class Lapse(StrEnum):
    """Why it does no work. The value is the rule of the finding."""

    INDEX = "index-invalid"
    CONSTRAINT = "constraint-not-valid"
    TRIGGER = "trigger-disabled"
    FOREIGN_KEY = "foreign-key-disabled"


@dataclass(frozen=True, kw_only=True, slots=True)
class OutOfForce:
    """An index by schema and name, or a constraint or trigger with its table between them; a
    constraint may be one that PostgreSQL 18 does not enforce."""

    lapse: Lapse
    name: QualifiedName
    table: QualifiedName
    enforced: bool = True

    @property
    def detail(self) -> str:
        """What that means."""
        if not self.enforced:
            return "the constraint is NOT ENFORCED: any row may break it"
        return _DETAILS[self.lapse]

    @property
    def repair(self) -> str:
        """The statement that puts it in force."""
        table, name = quoted(*self.table), quoted(self.name[-1])
        if not self.enforced:
            return f"ALTER TABLE {table} DROP CONSTRAINT {name}; and add it again as ENFORCED"
        return {
            Lapse.INDEX: f"REINDEX INDEX {quoted(*self.name)};",
            Lapse.CONSTRAINT: f"ALTER TABLE {table} VALIDATE CONSTRAINT {name};",
            Lapse.TRIGGER: f"ALTER TABLE {table} ENABLE TRIGGER {name};",
            Lapse.FOREIGN_KEY: f"ALTER TABLE {table} ENABLE TRIGGER ALL; as a superuser",
        }[self.lapse]


_DETAILS = {
    Lapse.INDEX: "the index is invalid: no query uses it, and a unique one guards nothing",
    Lapse.CONSTRAINT: "the constraint is NOT VALID: rows that were there before may break it",
    Lapse.TRIGGER: "the trigger is disabled, or fires in replication only",
    Lapse.FOREIGN_KEY: "the foreign key is not enforced: its triggers are disabled",
}


def read_out_of_force(connection: Connection, schemas: Sequence[str]) -> tuple[OutOfForce, ...]:
    """Everything of the schemas that is not in force, by table and name."""
    rows = connection.execute(_OUT_OF_FORCE, {"schemas": list(schemas)}).fetchall()
    return tuple(
        OutOfForce(
            lapse=Lapse(fault),
            name=(schema, name) if fault == Lapse.INDEX else (schema, table, name),
            table=(schema, table),
            enforced=enforced,
        )
        for fault, schema, table, name, enforced in rows
    )


# A trigger fires in an ordinary session when it is O (origin) or A (always).
_OUT_OF_FORCE = """
SELECT 'index-invalid', n.nspname::text, t.relname::text, c.relname::text, true
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND NOT (i.indisvalid AND i.indisready AND i.indislive)
UNION ALL
SELECT 'constraint-not-valid', n.nspname::text, t.relname::text, k.conname::text,
    pg_catalog.pg_get_constraintdef(k.oid) NOT LIKE '%% NOT ENFORCED'
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS t ON t.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND NOT k.convalidated
UNION ALL
SELECT 'trigger-disabled', n.nspname::text, t.relname::text, g.tgname::text, true
FROM pg_catalog.pg_trigger AS g
JOIN pg_catalog.pg_class AS t ON t.oid = g.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND NOT g.tgisinternal AND g.tgenabled NOT IN ('O', 'A')
UNION
SELECT 'foreign-key-disabled', n.nspname::text, t.relname::text, k.conname::text, true
FROM pg_catalog.pg_trigger AS g
JOIN pg_catalog.pg_constraint AS k ON k.oid = g.tgconstraint
JOIN pg_catalog.pg_class AS t ON t.oid = g.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND g.tgisinternal AND g.tgenabled NOT IN ('O', 'A')
ORDER BY 1, 2, 3, 4
"""
