"""Batches on whole tables, and on rows that they change first; and all cases by their kind."""

from __future__ import annotations

from support.row_cases import ADDED, CONVERTED, DOMAIN, LOST, NOT_NULL, NULLS, TWICE, T, cases
from support.row_cases_keys import CHECK, EXCLUDE, FOREIGN_KEY, UNIQUE, VALIDATED

PARTED = cases(
    "CREATE TABLE p (k int NOT NULL, v int, PRIMARY KEY (k)) PARTITION BY RANGE (k);"
    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);"
    "CREATE TABLE rest PARTITION OF p DEFAULT; CREATE TABLE t (k int, w int)",
    (
        "a default that would lose rows",
        "INSERT INTO p VALUES (1), (11);",
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)",
    ),
    (
        "a default that loses none",
        "INSERT INTO p VALUES (1), (31);",
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)",
    ),
    (
        "a check of the whole",
        "INSERT INTO p VALUES (1, 1), (31, -1);",
        "ALTER TABLE p ADD CHECK (v > 0)",
    ),
    (
        "not null of the whole",
        "INSERT INTO p VALUES (1, 1), (31, NULL);",
        "ALTER TABLE p ALTER v SET NOT NULL",
    ),
    (
        "unique of the whole",
        "INSERT INTO p VALUES (1, 5), (31, 5);",
        "ALTER TABLE p ADD UNIQUE (v, k)",
    ),
    (
        "an orphan of the whole",
        "INSERT INTO t VALUES (1);",
        "ALTER TABLE t ADD FOREIGN KEY (k) REFERENCES p",
    ),
    (
        "referring to the whole",
        "INSERT INTO p VALUES (1), (31); INSERT INTO t VALUES (1), (31);",
        "ALTER TABLE t ADD FOREIGN KEY (k) REFERENCES p",
    ),
    (
        "the whole refers",
        "INSERT INTO p VALUES (1, 1), (31, 1);",
        "ALTER TABLE p ADD FOREIGN KEY (v) REFERENCES p",
    ),
    (
        "the whole refers to none",
        "INSERT INTO p VALUES (1, 1), (31, 2);",
        "ALTER TABLE p ADD FOREIGN KEY (v) REFERENCES p",
    ),
    (
        "renamed on the way",
        "INSERT INTO p VALUES (11);",
        "ALTER TABLE p RENAME k TO kk; CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)",
    ),
    (
        "rows that go down",
        "INSERT INTO p VALUES (1, 1), (31, NULL);",
        (
            "DO $$DECLARE r record; BEGIN FOR r IN SELECT k FROM t LOOP UPDATE p SET v = 1;"
            "END LOOP; END$$; ALTER TABLE rest ALTER v SET NOT NULL"
        ),
        "changes its rows first",
    ),
    (
        "a type of the whole",
        "INSERT INTO p VALUES (1, 1), (31, 70000);",
        "ALTER TABLE p ALTER v TYPE smallint",
    ),
)
DETACHED = cases(
    "CREATE TABLE p (k int, v int, PRIMARY KEY (k)) PARTITION BY RANGE (k);"
    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);"
    "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (k);"
    "CREATE TABLE p3 PARTITION OF p2 FOR VALUES FROM (10) TO (20);"
    "CREATE TABLE t (w int REFERENCES p)",
    (
        "with rows that are referred to",
        "INSERT INTO p VALUES (1), (11); INSERT INTO t VALUES (1);",
        "ALTER TABLE p DETACH PARTITION p1",
    ),
    (
        "with others",
        "INSERT INTO p VALUES (1), (2), (11); INSERT INTO t VALUES (11), (NULL);",
        "ALTER TABLE p RENAME k TO kk; ALTER TABLE p DETACH PARTITION p1",
    ),
    (
        "with partitions of its own",
        "INSERT INTO p VALUES (1), (11); INSERT INTO t VALUES (11);",
        "ALTER TABLE p DETACH PARTITION p2",
    ),
    (
        "from one that is a partition",
        "INSERT INTO p VALUES (1), (11); INSERT INTO t VALUES (11);",
        "ALTER TABLE p2 DETACH PARTITION p3",
    ),
    (
        "without the foreign key",
        "INSERT INTO p VALUES (1), (11); INSERT INTO t VALUES (1);",
        "ALTER TABLE t DROP CONSTRAINT t_w_fkey; ALTER TABLE p DETACH PARTITION p1",
    ),
)
ATTACHED = cases(
    "CREATE TABLE l (k text, v int) PARTITION BY LIST (k);"
    "CREATE TABLE h (k int, v int) PARTITION BY HASH (k);"
    "CREATE TABLE t (v int, k text); CREATE TABLE i (k int, v int);"
    "CREATE TABLE m (k text, v int) PARTITION BY LIST (v); CREATE TABLE m0 PARTITION OF m DEFAULT",
    (
        "fits",
        "INSERT INTO t VALUES (1, 'a');",
        "ALTER TABLE l ATTACH PARTITION t FOR VALUES IN ('a')",
    ),
    (
        "fits not",
        "INSERT INTO t VALUES (1, 'b');",
        "ALTER TABLE l ATTACH PARTITION t FOR VALUES IN ('a')",
    ),
    (
        "NULL",
        "INSERT INTO t VALUES (1, NULL);",
        "ALTER TABLE l ATTACH PARTITION t FOR VALUES IN ('a')",
    ),
    (
        "NULL that fits",
        "INSERT INTO t VALUES (1, NULL);",
        "ALTER TABLE l ATTACH PARTITION t FOR VALUES IN ('a', NULL)",
    ),
    (
        "hashed",
        "INSERT INTO i SELECT g, g FROM generate_series(1, 9) AS g;",
        "ALTER TABLE h ATTACH PARTITION i FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    ),
    (
        "hashed that fits",
        "INSERT INTO i SELECT g, g FROM generate_series(1, 9) AS g;",
        "ALTER TABLE h ATTACH PARTITION i FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    ),
    (
        "hashed for a new one",
        "INSERT INTO i VALUES (1, 1);",
        (
            "CREATE TABLE n (k int, v int) PARTITION BY HASH (k);"
            "ALTER TABLE n ATTACH PARTITION i FOR VALUES WITH (MODULUS 2, REMAINDER 1)"
        ),
        "the batch makes the partitioned table",
    ),
    (
        "a new one over an old one",
        "INSERT INTO t VALUES (1, 'b');",
        (
            "CREATE TABLE n (k text, v int) PARTITION BY LIST (k);"
            "ALTER TABLE n ATTACH PARTITION t FOR VALUES IN ('a')"
        ),
    ),
    (
        "with a key that rows repeat",
        "INSERT INTO t VALUES (1, 'a'), (1, 'a');",
        "ALTER TABLE l ADD UNIQUE (k); ALTER TABLE l ATTACH PARTITION t FOR VALUES IN ('a')",
    ),
    (
        "under a foreign key",
        "INSERT INTO t VALUES (1, 'a'), (2, 'a');",
        (
            "CREATE TABLE q (i int PRIMARY KEY); ALTER TABLE l ADD FOREIGN KEY (v) REFERENCES q;"
            "ALTER TABLE l ATTACH PARTITION t FOR VALUES IN ('a')"
        ),
    ),
    (
        "with partitions of its own",
        "INSERT INTO m VALUES ('b', 1);",
        "ALTER TABLE l ATTACH PARTITION m FOR VALUES IN ('a')",
    ),
    (
        "as the default, with rows of another",
        "INSERT INTO t VALUES (1, 'a'), (1, 'b');",
        (
            "CREATE TABLE la PARTITION OF l FOR VALUES IN ('a');"
            "ALTER TABLE l ATTACH PARTITION t DEFAULT"
        ),
    ),
    (
        "as the only default",
        "INSERT INTO t VALUES (1, 'a'), (1, 'b');",
        "ALTER TABLE l ATTACH PARTITION t DEFAULT",
    ),
)
INHERITED = cases(
    "CREATE TABLE p (id int, a int); CREATE TABLE t (x int) INHERITS (p)",
    ("a check", "INSERT INTO t VALUES (1, -1);", "ALTER TABLE p ADD CHECK (a > 0)"),
    (
        "of the parent alone",
        "INSERT INTO t VALUES (1, -1);",
        "ALTER TABLE p ADD CHECK (a > 0) NO INHERIT",
    ),
    ("not null", "INSERT INTO t VALUES (1);", "ALTER TABLE p ALTER a SET NOT NULL"),
    (
        "unique does not go down",
        "INSERT INTO t VALUES (1, 1), (1, 1);",
        "ALTER TABLE p ADD UNIQUE (a)",
    ),
    ("a type", "INSERT INTO t VALUES (1, 70000);", "ALTER TABLE p ALTER a TYPE smallint"),
    (
        "a type with USING",
        "INSERT INTO t VALUES (1, 0);",
        "ALTER TABLE p ALTER a TYPE numeric USING 1 / a",
    ),
)
WRITTEN = cases(
    f"{T}; CREATE TABLE u (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE);"
    "CREATE TABLE v (id int); CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN UPDATE u SET t = NULL; RETURN NEW; END';"
    "CREATE TRIGGER fill AFTER INSERT OR UPDATE ON v FOR EACH ROW EXECUTE FUNCTION fill();"
    "CREATE FUNCTION clear() RETURNS void LANGUAGE sql AS 'UPDATE t SET a = 1 WHERE a IS NULL'",
    ("by UPDATE", NULLS, "UPDATE t SET a = 1; ALTER TABLE t ALTER a SET NOT NULL", "changes its"),
    ("by DELETE", NULLS, "DELETE FROM t; ALTER TABLE t ALTER a SET NOT NULL", "changes its"),
    (
        "by TRUNCATE",
        NULLS,
        "TRUNCATE t CASCADE; ALTER TABLE t ALTER a SET NOT NULL",
        "changes its",
    ),
    (
        "in a loop over rows",
        NULLS,
        (
            "DO $$DECLARE r record; BEGIN FOR r IN SELECT id FROM t LOOP UPDATE t SET a = 1;"
            "END LOOP; END$$; ALTER TABLE t ALTER a SET NOT NULL"
        ),
        "changes its rows",
    ),
    (
        "at run time",
        NULLS,
        (
            "DO $$DECLARE r record; BEGIN FOR r IN SELECT id FROM t LOOP"
            " EXECUTE 'UPDATE ' || 't SET a = 1'; END LOOP; END$$;"
            "ALTER TABLE t ALTER a SET NOT NULL"
        ),
        "together at run time",
    ),
    (
        "DDL at run time",
        NULLS,
        "DO $$BEGIN EXECUTE format('ALTER TABLE %I ALTER a SET NOT NULL', 't'); END$$",
    ),
    (
        "by a function",
        NULLS,
        "SELECT clear(); ALTER TABLE t ALTER a SET NOT NULL",
        "changes its rows",
    ),
    (
        "by a foreign key",
        "INSERT INTO t (id) VALUES (1); INSERT INTO u VALUES (2, NULL);",
        "DELETE FROM t; ALTER TABLE u ALTER t SET NOT NULL",
        "its rows change with those",
    ),
    (
        "by a trigger",
        "INSERT INTO u VALUES (2, NULL);",
        "INSERT INTO v SELECT id FROM t; ALTER TABLE u ALTER t SET NOT NULL",
        "changes its rows",
    ),
    (
        "by a view, in a loop over rows",
        NULLS,
        (
            "CREATE VIEW w AS SELECT * FROM t; CREATE VIEW x AS SELECT * FROM w;"
            "DO $$DECLARE r record; BEGIN FOR r IN SELECT id FROM t LOOP UPDATE x SET a = 1;"
            "END LOOP; END$$; ALTER TABLE t ALTER a SET NOT NULL"
        ),
        "changes its rows first",
    ),
    (
        "by a body without quotes",
        NULLS,
        (
            "CREATE PROCEDURE p() BEGIN ATOMIC UPDATE t SET a = 1; END;"
            "DO $$DECLARE r record; BEGIN FOR r IN SELECT id FROM t LOOP CALL p(); END LOOP; END$$;"
            "ALTER TABLE t ALTER a SET NOT NULL"
        ),
        "changes its rows first",
    ),
    (
        "by TRUNCATE of what it refers to",
        "INSERT INTO t (id) VALUES (1); INSERT INTO u VALUES (2, NULL);",
        "TRUNCATE t CASCADE; ALTER TABLE u ALTER t SET NOT NULL",
        "its rows change with those",
    ),
    (
        "by a policy's function, which nobody calls",
        NULLS,
        (
            "CREATE FUNCTION dark() RETURNS bool LANGUAGE plpgsql AS"
            " 'BEGIN EXECUTE ''DELETE FROM t''; RETURN true; END';"
            "CREATE POLICY p ON t USING (dark()); ALTER TABLE t ALTER a SET NOT NULL"
        ),
    ),
    (
        "constants into a new table",
        NULLS,
        "CREATE TABLE n (i int PRIMARY KEY); INSERT INTO n VALUES (1), (2)",
    ),
    (
        "a query into a new table",
        TWICE,
        "CREATE TABLE n (i int PRIMARY KEY); INSERT INTO n SELECT a FROM t",
        "makes and fills it",
    ),
    (
        "a new materialized view",
        TWICE,
        "CREATE MATERIALIZED VIEW n AS SELECT a FROM t; CREATE UNIQUE INDEX ON n (a)",
        "makes and fills it",
    ),
)
MATERIALIZED = cases(
    f"{T}; CREATE MATERIALIZED VIEW m AS SELECT a AS i FROM t",
    ("unique", f"{TWICE} REFRESH MATERIALIZED VIEW m", "CREATE UNIQUE INDEX ON m (i)"),
    (
        "no rows of it",
        f"{TWICE} REFRESH MATERIALIZED VIEW m",
        "CREATE UNIQUE INDEX ON m (i) WHERE i > 7",
    ),
)
ODD = cases(
    'CREATE SCHEMA "s.x"; CREATE TABLE "s.x"."order" ("group" int PRIMARY KEY, "a""b" text,'
    ' "x.y" int, hk_place int, "value" int, "É" int, "%s" int)',
    (
        "not null",
        'INSERT INTO "s.x"."order" VALUES (1);',
        'ALTER TABLE "s.x"."order" ALTER "a""b" SET NOT NULL',
    ),
    (
        "unique",
        "INSERT INTO \"s.x\".\"order\" VALUES (1, 'x', 1), (2, 'x', 1);",
        'CREATE UNIQUE INDEX "u.""i" ON "s.x"."order" (lower("a""b"), "x.y")',
    ),
    (
        "check",
        'INSERT INTO "s.x"."order" VALUES (1, \'x\', 1, 2, 3, 4, 5);',
        'ALTER TABLE "s.x"."order" ADD CHECK ("x.y" + hk_place + "É" + "%s" + "value" > 15)',
    ),
    (
        "check that is kept",
        'INSERT INTO "s.x"."order" VALUES (1, \'x\', 1, 2, 3, 4, 5);',
        'ALTER TABLE "s.x"."order" ADD CHECK ("x.y" + hk_place + "É" + "%s" + "value" = 15)',
    ),
    (
        "foreign key",
        'INSERT INTO "s.x"."order" VALUES (1, \'x\', 7);',
        'ALTER TABLE "s.x"."order" ADD FOREIGN KEY ("x.y") REFERENCES "s.x"."order"',
    ),
    (
        "converted",
        'INSERT INTO "s.x"."order" VALUES (1, \'x\', 7);',
        'ALTER TABLE "s.x"."order" ALTER "a""b" TYPE int USING "a""b"::int',
    ),
    (
        "renamed",
        'INSERT INTO "s.x"."order" VALUES (1, \'x\', 7);',
        (
            'ALTER TABLE "s.x"."order" RENAME TO "%(t)s {}"; ALTER SCHEMA "s.x" RENAME TO "a;b";'
            'ALTER TABLE "a;b"."%(t)s {}" ADD CHECK ("x.y" < 7)'
        ),
    ),
    (
        "excluded",
        'INSERT INTO "s.x"."order" VALUES (1, \'x\', 7), (2, NULL, 7);',
        'ALTER TABLE "s.x"."order" ADD EXCLUDE USING btree ("x.y" WITH =)',
    ),
)
GROUPS = {
    "not null": NOT_NULL,
    "added": ADDED,
    "unique": UNIQUE,
    "exclude": EXCLUDE,
    "check": CHECK,
    "foreign key": FOREIGN_KEY,
    "validated": VALIDATED,
    "parted": PARTED,
    "attached": ATTACHED,
    "detached": DETACHED,
    "inherited": INHERITED,
    "domain": DOMAIN,
    "converted": CONVERTED,
    "lost": LOST,
    "written": WRITTEN,
    "materialized": MATERIALIZED,
    "odd names": ODD,
}
SINCE_18 = cases(
    "CREATE TABLE t (id int PRIMARY KEY, a int, span int4range, x int4range)",
    (
        "NOT NULL that is not valid",
        "INSERT INTO t VALUES (1);",
        "ALTER TABLE t ADD CONSTRAINT n NOT NULL a NOT VALID",
    ),
    (
        "NOT NULL that is validated",
        "INSERT INTO t VALUES (1);",
        "ALTER TABLE t ADD CONSTRAINT n NOT NULL a NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT n",
    ),
    (
        "not enforced",
        "INSERT INTO t VALUES (1, 1);",
        "ALTER TABLE t ADD CHECK (a > 1) NOT ENFORCED",
    ),
    (
        "virtual, and in error",
        "INSERT INTO t VALUES (1, 1);",
        "ALTER TABLE t ADD e int GENERATED ALWAYS AS (1 / (a - 1)) VIRTUAL",
    ),
    (
        "virtual, and NULL",
        "INSERT INTO t VALUES (1);",
        "ALTER TABLE t ADD e int GENERATED ALWAYS AS (a) VIRTUAL NOT NULL",
    ),
    (
        "another expression",
        "INSERT INTO t VALUES (1, 1);",
        (
            "ALTER TABLE t ADD e int GENERATED ALWAYS AS (a) STORED;"
            "ALTER TABLE t ALTER e SET EXPRESSION AS (1 / (a - 1))"
        ),
    ),
    (
        "without overlaps",
        "INSERT INTO t VALUES (1, 1, '[1,3)', '[1,2)'), (2, 1, '[2,4)', '[1,2)');",
        "ALTER TABLE t ADD UNIQUE (x, span WITHOUT OVERLAPS)",
        "otherwise than their types",
    ),
)
