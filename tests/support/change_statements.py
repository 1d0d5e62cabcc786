"""Sixty batches on the tables of `changes_ground`: thirty dangerous, thirty that only look it.

What others say of each stands beside it: ``squawk`` is what version 2.70.0 has said of the files
(``benchmarks/beside_squawk.py`` asks it again), ``eugene`` and ``strong_migrations`` what
their published catalogues of rules say, for they were not run: of eugene the hints of ``trace``,
of strong_migrations the check of the method of Rails that would do the same.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One batch, file by file. ``rule`` is the finding that it must have, "" for a harmless one;
    ``also`` is what is found besides."""

    title: str
    files: tuple[str, ...]
    rule: str = ""
    also: tuple[str, ...] = ()
    squawk: tuple[str, ...] = ()
    eugene: tuple[str, ...] = ()
    strong_migrations: str = ""


# The version that was run.
SQUAWK = "2.70.0"

_OWN = "-- hk: transaction=own\n"
_NONE = "-- hk: transaction=none\n"

DANGEROUS = (
    Case(
        title="integer to bigint",
        files=("ALTER TABLE shop.orders ALTER COLUMN total TYPE bigint;",),
        rule="type-change-rewrites",
        squawk=("changing-column-type",),
        eugene=("E5", "E10"),
        strong_migrations="changing the type of a column",
    ),
    Case(
        title="a narrower varchar",
        files=("ALTER TABLE shop.orders ALTER COLUMN state TYPE varchar(5);",),
        rule="type-change-rewrites",
        squawk=("changing-column-type",),
        eugene=("E5", "E10"),
        strong_migrations="changing the type of a column",
    ),
    Case(
        title="another type, from within a DO block",
        files=(
            (
                "DO $$ BEGIN\n"
                "    EXECUTE 'ALTER TABLE shop.orders ALTER COLUMN total TYPE bigint';\n"
                "END $$;"
            ),
        ),
        rule="type-change-rewrites",
        eugene=(
            "E5",
            "E10",
        ),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="a volatile default",
        files=("ALTER TABLE shop.orders ADD COLUMN token uuid DEFAULT gen_random_uuid();",),
        rule="volatile-default",
        squawk=("adding-field-with-default",),
        eugene=("E10",),
        strong_migrations="adding a column with a volatile default value",
    ),
    Case(
        title="an identity column",
        files=("ALTER TABLE shop.orders ADD number bigint GENERATED ALWAYS AS IDENTITY;",),
        rule="serial-column",
        squawk=("adding-field-with-default",),
        eugene=("E11", "E10"),
        strong_migrations="adding an auto-incrementing column",
    ),
    Case(
        title="a generated column",
        files=("ALTER TABLE shop.orders ADD twice int GENERATED ALWAYS AS (total * 2) STORED;",),
        rule="generated-column",
        squawk=("adding-field-with-default",),
        eugene=("E11", "E10"),
        strong_migrations="adding a stored generated column",
    ),
    Case(
        title="a table made unlogged",
        files=("ALTER TABLE shop.orders SET UNLOGGED;",),
        rule="persistence-change",
        eugene=("E10",),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="CLUSTER",
        files=("CLUSTER shop.orders USING orders_pkey;",),
        rule="table-rewritten",
        eugene=("E10",),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="REFRESH MATERIALIZED VIEW",
        files=("REFRESH MATERIALIZED VIEW shop.per_customer;",),
        rule="refresh-blocks-readers",
        eugene=("E10",),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="SET NOT NULL",
        files=("ALTER TABLE shop.orders ALTER COLUMN total SET NOT NULL;",),
        rule="set-not-null-scans",
        squawk=("adding-not-nullable-field",),
        eugene=("E2",),
        strong_migrations="setting NOT NULL on an existing column",
    ),
    Case(
        title="SET NOT NULL beside a CHECK that is not valid",
        files=(
            "ALTER TABLE shop.orders ADD CONSTRAINT there CHECK (total IS NOT NULL) NOT VALID;",
            f"{_OWN}ALTER TABLE shop.orders ALTER COLUMN total SET NOT NULL;",
        ),
        rule="set-not-null-scans",
        squawk=("adding-not-nullable-field",),
        eugene=("E2",),
        strong_migrations="setting NOT NULL on an existing column",
    ),
    Case(
        title="a CHECK that is valid at once",
        files=("ALTER TABLE shop.orders ADD CONSTRAINT sane CHECK (total >= 0);",),
        rule="check-validated",
        squawk=("constraint-missing-not-valid",),
        eugene=("E1",),
        strong_migrations="adding a check constraint",
    ),
    Case(
        title="a foreign key that is valid at once",
        files=(
            (
                "ALTER TABLE shop.orders ADD CONSTRAINT bought_by\n"
                "    FOREIGN KEY (customer_id) REFERENCES shop.customer (id);"
            ),
        ),
        rule="foreign-key-validated",
        squawk=(
            "adding-foreign-key-constraint",
            "constraint-missing-not-valid",
        ),
        eugene=("E1",),
        strong_migrations="adding a foreign key",
    ),
    Case(
        title="NOT VALID and VALIDATE in one transaction",
        files=(
            (
                "ALTER TABLE shop.orders ADD CONSTRAINT sane CHECK (total >= 0) NOT VALID;\n"
                "ALTER TABLE shop.orders VALIDATE CONSTRAINT sane;"
            ),
        ),
        rule="validated-in-same-transaction",
        squawk=("constraint-missing-not-valid",),
        eugene=("E4",),
    ),
    Case(
        title="a CHECK on a domain that a table uses",
        files=("ALTER DOMAIN shop.email ADD CONSTRAINT with_at CHECK (value LIKE '%@%');",),
        rule="domain-stricter",
        squawk=("ban-alter-domain-with-add-constraint",),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="a partition attached that nothing proves",
        files=(
            (
                "ALTER TABLE shop.event ATTACH PARTITION shop.event_old\n"
                "    FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');"
            ),
        ),
        rule="partition-attached",
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="a new partition beside a default one",
        files=(
            (
                "CREATE TABLE shop.visit_2026 PARTITION OF shop.visit_log\n"
                "    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');"
            ),
        ),
        rule="partition-attached",
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="DETACH PARTITION",
        files=("ALTER TABLE shop.event DETACH PARTITION shop.event_now;",),
        rule="partition-detached",
        squawk=("require-concurrent-partition-detach",),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="an index",
        files=("CREATE INDEX orders_total ON shop.orders (total);",),
        rule="index-not-concurrent",
        squawk=("require-concurrent-index-creation",),
        eugene=("E6",),
        strong_migrations="adding an index non-concurrently",
    ),
    Case(
        title="a unique constraint",
        files=("ALTER TABLE shop.orders ADD CONSTRAINT once UNIQUE (customer_id, at);",),
        rule="unique-builds-index",
        squawk=(
            "constraint-missing-not-valid",
            "disallowed-unique-constraint",
        ),
        eugene=("E7",),
        strong_migrations="adding a unique constraint",
    ),
    Case(
        title="an exclusion constraint",
        files=(
            "ALTER TABLE shop.booking ADD CONSTRAINT apart EXCLUDE USING gist (during WITH &&);",
        ),
        rule="exclusion-builds-index",
        squawk=("constraint-missing-not-valid",),
        eugene=("E8",),
        strong_migrations="adding an exclusion constraint",
    ),
    Case(
        title="all rows filled behind ALTER TABLE",
        files=(
            (
                "ALTER TABLE shop.orders ADD COLUMN paid boolean;\n"
                "UPDATE shop.orders SET paid = false;"
            ),
        ),
        rule="rows-written",
        eugene=("E4",),
        strong_migrations="backfilling data",
    ),
    Case(
        title="an index on one table while another is locked",
        files=(
            "ALTER TABLE shop.customer ADD COLUMN city text;",
            "CREATE INDEX orders_total ON shop.orders (total);",
        ),
        rule="long-lock-window",
        also=("index-not-concurrent",),
        squawk=("require-concurrent-index-creation",),
        eugene=("E6",),
        strong_migrations="adding an index non-concurrently",
    ),
    Case(
        title="DROP TABLE",
        files=("DROP TABLE shop.customer;",),
        rule="table-dropped",
        squawk=("ban-drop-table",),
    ),
    Case(
        title="DROP COLUMN",
        files=("ALTER TABLE shop.customer DROP COLUMN note;",),
        rule="column-dropped",
        squawk=("ban-drop-column",),
        strong_migrations="removing a column",
    ),
    Case(
        title="RENAME COLUMN",
        files=("ALTER TABLE shop.customer RENAME COLUMN note TO remark;",),
        rule="column-renamed",
        squawk=("renaming-column",),
        strong_migrations="renaming a column",
    ),
    Case(
        title="a value of an enum renamed",
        files=("ALTER TYPE shop.mood RENAME VALUE 'sad' TO 'glum';",),
        rule="enum-value-renamed",
        squawk=("renaming-object",),
    ),
    Case(
        title="a required column",
        files=("ALTER TABLE shop.customer ADD COLUMN city text NOT NULL;",),
        rule="column-required",
        squawk=("adding-required-field",),
    ),
    Case(
        title="a function with other arguments",
        files=(
            (
                "DROP FUNCTION shop.net(int);\n"
                "CREATE FUNCTION shop.net(amount int, rate int) RETURNS int LANGUAGE sql\n"
                "    RETURN amount * 100 / (100 + rate);"
            ),
        ),
        rule="function-signature",
        squawk=("ban-drop-function",),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="the primary key of a published table dropped",
        files=("ALTER TABLE shop.parcel DROP CONSTRAINT parcel_pkey;",),
        rule="replica-identity-lost",
        also=("constraint-dropped",),
        squawk=("ban-drop-constraint",),
        strong_migrations="executing SQL directly",
    ),
)

HARMLESS = (
    Case(
        title="DEFAULT now()",
        files=("ALTER TABLE shop.orders ADD COLUMN made_at timestamptz DEFAULT now();",),
    ),
    Case(
        title="a constant default, NOT NULL",
        files=("ALTER TABLE shop.orders ADD COLUMN paid boolean NOT NULL DEFAULT false;",),
    ),
    Case(
        title="a wider varchar",
        files=("ALTER TABLE shop.orders ALTER COLUMN state TYPE varchar(40);",),
        squawk=("changing-column-type",),
    ),
    Case(
        title="varchar to text",
        files=("ALTER TABLE shop.orders ALTER COLUMN state TYPE text;",),
        squawk=("changing-column-type",),
    ),
    Case(
        title="numeric with more digits",
        files=("ALTER TABLE shop.orders ALTER COLUMN price TYPE numeric(12, 2);",),
        squawk=("changing-column-type",),
    ),
    Case(
        title="a nullable column with a foreign key",
        files=("ALTER TABLE shop.orders ADD COLUMN payer bigint REFERENCES shop.customer (id);",),
        squawk=("adding-foreign-key-constraint",),
    ),
    Case(
        title="a volatile default for the rows to come",
        files=(
            (
                "ALTER TABLE shop.orders ADD COLUMN token uuid;\n"
                "ALTER TABLE shop.orders ALTER COLUMN token SET DEFAULT gen_random_uuid();"
            ),
        ),
        eugene=("E4", "W12"),
    ),
    Case(
        title="an index on a new table",
        files=(
            (
                "CREATE TABLE shop.label (id bigint, name text);\n"
                "CREATE INDEX label_name ON shop.label (name);"
            ),
        ),
    ),
    Case(
        title="an index on a table of an earlier file",
        files=(
            "CREATE TABLE shop.label (id bigint, name text);",
            f"{_OWN}CREATE INDEX label_name ON shop.label (name);",
        ),
        squawk=("require-concurrent-index-creation",),
        eugene=("E6",),
        strong_migrations="adding an index non-concurrently",
    ),
    Case(
        title="a foreign key of a new table",
        files=(
            (
                "CREATE TABLE shop.label (\n"
                "    id bigint PRIMARY KEY, of bigint REFERENCES shop.customer (id)\n);"
            ),
        ),
    ),
    Case(
        title="constraints on a new table",
        files=(
            (
                "CREATE TABLE shop.label (id bigint, name text);\n"
                "ALTER TABLE shop.label ADD CONSTRAINT once UNIQUE (id);\n"
                "ALTER TABLE shop.label ADD CONSTRAINT filled CHECK (name <> '');\n"
                "ALTER TABLE shop.label ALTER COLUMN name SET NOT NULL;"
            ),
        ),
        squawk=("adding-not-nullable-field",),
        eugene=("W12",),
    ),
    Case(
        title="SET NOT NULL that a CHECK proves",
        files=("ALTER TABLE shop.orders ALTER COLUMN at SET NOT NULL;",),
        squawk=("adding-not-nullable-field",),
    ),
    Case(
        title="a CHECK dropped that NOT NULL says as well",
        files=(
            f"{_OWN}ALTER TABLE shop.orders ALTER COLUMN at SET NOT NULL;",
            f"{_OWN}ALTER TABLE shop.orders DROP CONSTRAINT at_there;",
        ),
        squawk=(
            "adding-not-nullable-field",
            "ban-drop-constraint",
        ),
    ),
    Case(
        title="a CHECK, NOT VALID and validated in a later transaction",
        files=(
            "ALTER TABLE shop.orders ADD CONSTRAINT sane CHECK (total >= 0) NOT VALID;",
            f"{_OWN}ALTER TABLE shop.orders VALIDATE CONSTRAINT sane;",
        ),
    ),
    Case(
        title="a foreign key, NOT VALID and validated in a later transaction",
        files=(
            (
                "ALTER TABLE shop.orders ADD CONSTRAINT bought_by\n"
                "    FOREIGN KEY (customer_id) REFERENCES shop.customer (id) NOT VALID;"
            ),
            f"{_OWN}ALTER TABLE shop.orders VALIDATE CONSTRAINT bought_by;",
        ),
    ),
    Case(
        title="CREATE INDEX CONCURRENTLY",
        files=(f"{_NONE}CREATE INDEX CONCURRENTLY orders_total ON shop.orders (total);",),
    ),
    Case(
        title="a unique constraint from an index",
        files=(
            f"{_NONE}CREATE UNIQUE INDEX CONCURRENTLY once ON shop.orders (customer_id, at);",
            "ALTER TABLE shop.orders ADD CONSTRAINT once UNIQUE USING INDEX once;",
        ),
    ),
    Case(
        title="DROP INDEX CONCURRENTLY",
        files=(f"{_NONE}DROP INDEX CONCURRENTLY shop.orders_state;",),
    ),
    Case(
        title="REINDEX CONCURRENTLY",
        files=(f"{_NONE}REINDEX INDEX CONCURRENTLY shop.orders_state;",),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="a partition attached that a CHECK proves",
        files=(
            (
                "ALTER TABLE shop.event_old ADD CONSTRAINT of_2020\n"
                "    CHECK (at IS NOT NULL AND at >= '2020-01-01' AND at < '2021-01-01') NOT VALID;"
            ),
            f"{_OWN}ALTER TABLE shop.event_old VALIDATE CONSTRAINT of_2020;",
            (
                f"{_OWN}ALTER TABLE shop.event ATTACH PARTITION shop.event_old\n"
                "    FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');"
            ),
        ),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="a new partition, and no default one",
        files=(
            (
                "CREATE TABLE shop.event_2027 PARTITION OF shop.event\n"
                "    FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');"
            ),
        ),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="DETACH PARTITION CONCURRENTLY",
        files=(f"{_NONE}ALTER TABLE shop.event DETACH PARTITION shop.event_now CONCURRENTLY;",),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="REFRESH MATERIALIZED VIEW CONCURRENTLY",
        files=("REFRESH MATERIALIZED VIEW CONCURRENTLY shop.per_customer;",),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="a table dropped that the batch has made",
        files=("CREATE TABLE shop.draft (id bigint);", "DROP TABLE shop.draft;"),
        squawk=("ban-drop-table",),
    ),
    Case(
        title="a column renamed that the batch has made",
        files=(
            (
                "CREATE TABLE shop.label (id bigint, name text);\n"
                "ALTER TABLE shop.label RENAME COLUMN name TO title;"
            ),
        ),
        squawk=("renaming-column",),
        strong_migrations="renaming a column",
    ),
    Case(
        title="a value added to an enum",
        files=(f"{_OWN}ALTER TYPE shop.mood ADD VALUE 'calm';",),
        squawk=("require-enum-value-ordering",),
    ),
    Case(
        title="a constraint renamed",
        files=("ALTER TABLE shop.customer RENAME CONSTRAINT named TO has_name;",),
        squawk=("renaming-object",),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="a function with more arguments beside the old one",
        files=(
            (
                "CREATE FUNCTION shop.net(amount int, rate int) RETURNS int LANGUAGE sql\n"
                "    RETURN amount * 100 / (100 + rate);"
            ),
        ),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="a view with one column more",
        files=("CREATE OR REPLACE VIEW shop.due AS SELECT id, about, total FROM shop.orders;",),
        strong_migrations="executing SQL directly",
    ),
    Case(
        title="one row changed by its key",
        files=("UPDATE shop.orders SET total = 0 WHERE id = 7;",),
    ),
)
