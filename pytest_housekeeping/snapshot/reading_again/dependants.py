"""What has to be read again when some objects have changed: whatever may be printed differently.

PostgreSQL notes what an object's definition refers to
(https://www.postgresql.org/docs/16/catalog-pg-depend.html), and whose names stand in owners,
privileges and policies (https://www.postgresql.org/docs/16/catalog-pg-shdepend.html). From a
changed object it goes to what depends on it, and on to what depends on that: a schema's name is in
its tables' names, and those are in views. A part of an object (a rule, a default, a policy) counts
as the object, which is read again; what depends on that is printed as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.catalog.search import FIRST_OF_USERS, PUBLIC, Address
from pytest_housekeeping.snapshot.catalog.session import named


def _part(catalog: str, of: str, oid: str, which: str = "oid = r.oid") -> str:
    """The objects that an object of a catalog is a part of."""
    return (
        f"SELECT 'pg_catalog.{of}'::regclass::oid, {oid} FROM pg_catalog.{catalog}"
        f" WHERE r.catalog = 'pg_catalog.{catalog}'::regclass AND {which} AND {oid} <> 0"
    )


_CLASS, _TYPE = "r.catalog = 'pg_catalog.pg_class'::regclass", "'pg_catalog.pg_type'::regclass"
_PARTS = " UNION ALL ".join(
    (
        _part("pg_constraint", "pg_class", "conrelid"),
        _part("pg_constraint", "pg_type", "contypid"),
        _part("pg_attrdef", "pg_class", "adrelid"),
        _part("pg_rewrite", "pg_class", "ev_class"),
        _part("pg_policy", "pg_class", "polrelid"),
        _part("pg_trigger", "pg_class", "tgrelid"),
        _part("pg_statistic_ext", "pg_class", "stxrelid"),
        # A foreign key is told as not enforced where the triggers of its constraint are off.
        """SELECT 'pg_catalog.pg_class'::regclass, c.conrelid FROM pg_catalog.pg_trigger AS t
        JOIN pg_catalog.pg_constraint AS c ON c.oid = t.tgconstraint
        WHERE r.catalog = 'pg_catalog.pg_trigger'::regclass AND t.oid = r.oid""",
        f"""SELECT 'pg_catalog.pg_class'::regclass, indrelid FROM pg_catalog.pg_index
        WHERE {_CLASS} AND indexrelid = r.oid""",
        # A TOAST table is a part of its table, a composite type's relation of the type.
        f"""SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend AS d
        WHERE {_CLASS} AND d.classid = r.catalog AND d.objid = r.oid AND d.deptype = 'i'""",
        # The type of a table's rows is told with the table, that of many ranges with the range.
        _part("pg_type", "pg_class", "typrelid"),
        f"""SELECT {_TYPE}, rngtypid FROM pg_catalog.pg_range
        WHERE r.catalog = {_TYPE} AND rngmultitypid = r.oid""",
        """SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend AS d
        WHERE d.classid = r.catalog AND d.objid = r.oid AND d.deptype = 'e'""",
    )
)
_SYSTEM_SCHEMA = """(SELECT nspname = 'information_schema' OR nspname ~ '^pg_'
    AND nspname !~ '^pg_(toast|temp)'
    FROM pg_catalog.pg_namespace AS n WHERE n.oid = {}namespace)"""
_AMONG_SYSTEM = " UNION ALL ".join(
    f"SELECT 1 FROM pg_catalog.{catalog} WHERE p.catalog = 'pg_catalog.{catalog}'::regclass"
    f" AND oid = p.oid AND {_SYSTEM_SCHEMA.format(prefix)}"
    for catalog, prefix in (
        *(("pg_class", "rel"), ("pg_proc", "pro"), ("pg_type", "typ"), ("pg_operator", "opr")),
        *(("pg_opclass", "opc"), ("pg_collation", "coll")),
    )
)
_DEPENDANTS = f"""
WITH RECURSIVE reached (catalog, oid, names) AS (
    SELECT * FROM unnest($1, $2, $3)
    UNION
    SELECT n.catalog, n.oid, n.names FROM reached AS r CROSS JOIN LATERAL (
        SELECT d.classid, d.objid, d.objsubid = 0 FROM pg_catalog.pg_depend AS d
        WHERE d.refclassid = r.catalog AND d.refobjid = r.oid
        UNION ALL
        SELECT d.classid, d.objid, d.objsubid = 0 FROM pg_catalog.pg_shdepend AS d
        WHERE d.refclassid = r.catalog AND d.refobjid = r.oid AND d.dbid IN (0, (
            SELECT b.oid FROM pg_catalog.pg_database AS b WHERE b.datname = current_database()))
        UNION ALL
        SELECT 'pg_catalog.pg_type'::regclass, c.reltype, true FROM pg_catalog.pg_class AS c
        WHERE r.catalog = 'pg_catalog.pg_class'::regclass AND c.oid = r.oid AND c.relkind = 'c'
    ) AS n (catalog, oid, names) WHERE r.names
),
few AS MATERIALIZED (SELECT catalog, oid FROM reached LIMIT $4)
SELECT p.catalog, p.oid, EXISTS ({_AMONG_SYSTEM}), (SELECT count(*) FROM few) >= $4 FROM (
    SELECT catalog, oid FROM few
    UNION
    SELECT part.* FROM few AS r CROSS JOIN LATERAL ({_PARTS}) AS part (catalog, oid)
) AS p"""
DEPENDANTS = named(_DEPENDANTS)
# Each step takes few rows of pg_depend; PostgreSQL would guess at many, read all of it, and make
# room for them first.
_BY_INDEX = """SET LOCAL enable_hashjoin = off; SET LOCAL enable_seqscan = off;
SET LOCAL work_mem = '256kB'"""
_AS_BEFORE = """SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on;
SET LOCAL work_mem = '64MB'"""
PREPARED = {DEPENDANTS: f"PREPARE {DEPENDANTS} (oid[], oid[], bool[], int8) AS {_DEPENDANTS}"}


@dataclass(frozen=True, kw_only=True)
class Concerned:
    """The objects to read again; ``everything`` where that is all of them, or nobody can tell."""

    objects: frozenset[Address]
    everything: bool


def concerned_by(
    connection: Connection, changed: Mapping[Address, bool], *, at_most: int
) -> Concerned:
    """What may be printed differently since these objects have changed.

    Everything, where that is more than ``at_most`` objects, and where one of PostgreSQL's own
    objects is among them, of which nobody notes what depends on it, or one put among those.
    """
    arrays = ", ".join(
        f"'{{{','.join(map(str, each))}}}'"
        for each in (
            [catalog for catalog, _ in changed],
            [oid for _, oid in changed],
            list(changed.values()),
        )
    )
    asked = f"{_BY_INDEX}; EXECUTE {DEPENDANTS} ({arrays}, {at_most}); {_AS_BEFORE}"
    cursor = connection.execute(asked.encode())
    rows = cursor.fetchall() if cursor.description else []
    while cursor.nextset():
        rows = cursor.fetchall() if cursor.description else rows
    objects = frozenset((catalog, oid) for catalog, oid, *_ in rows) | changed.keys()
    everything = any(of_system or too_many for *_, of_system, too_many in rows) or any(
        oid < FIRST_OF_USERS and oid != PUBLIC for _, oid in objects
    )
    return Concerned(objects=objects, everything=everything)
