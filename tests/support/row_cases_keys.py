"""Batches on constraints and unique indexes, and rows that they refuse or take, by hand."""

from __future__ import annotations

from support.row_cases import FULL, NULLS, TWICE, T, cases

UNIQUE = cases(
    T,
    ("unique", TWICE, "ALTER TABLE t ADD UNIQUE (a)"),
    ("unique, and all differ", FULL, "ALTER TABLE t ADD UNIQUE (a)"),
    ("NULLs differ", NULLS, "ALTER TABLE t ADD UNIQUE (a, b)"),
    ("NULLs are equal", NULLS, "ALTER TABLE t ADD UNIQUE NULLS NOT DISTINCT (a)"),
    ("of two columns", TWICE, "CREATE UNIQUE INDEX ON t (a, b)"),
    ("of what is included", TWICE, "CREATE UNIQUE INDEX ON t (b) INCLUDE (a)"),
    ("the included make no difference", TWICE, "CREATE UNIQUE INDEX ON t (a) INCLUDE (b)"),
    ("an expression", TWICE, "CREATE UNIQUE INDEX ON t (lower(b))"),
    ("some rows", TWICE, "CREATE UNIQUE INDEX ON t (lower(b)) WHERE id > 1"),
    ("some other rows", TWICE, "CREATE UNIQUE INDEX ON t (lower(b)) WHERE id < 3"),
    ("a key by zero", TWICE, "CREATE UNIQUE INDEX ON t ((1 / (a - 7)))"),
    ("a key by zero left out", TWICE, "CREATE UNIQUE INDEX ON t ((1 / (a - 7))) WHERE a <> 7"),
    ("a plain index by zero", TWICE, "CREATE INDEX ON t ((1 / (a - 7)))"),
    ("a plain index of some by zero", TWICE, "CREATE INDEX ON t ((1 / (a - 7))) WHERE a > 7"),
    ("other operators", TWICE, "CREATE UNIQUE INDEX ON t (b text_pattern_ops)", "otherwise"),
    ("deferrable", TWICE, "ALTER TABLE t ADD UNIQUE (a) DEFERRABLE INITIALLY DEFERRED"),
    (
        "of a numeric",
        "INSERT INTO t (id, c) VALUES (1, 1.0), (2, 1);",
        "ALTER TABLE t ADD UNIQUE (c)",
    ),
    (
        "equal once converted",
        "INSERT INTO t (id, b) VALUES (1, '1'), (2, '01');",
        "CREATE UNIQUE INDEX u ON t (b); ALTER TABLE t ALTER b TYPE int USING b::int",
    ),
)
EXCLUDE = cases(
    "CREATE TABLE t (id int PRIMARY KEY, span int4range, a int)",
    (
        "overlapping",
        "INSERT INTO t VALUES (1, '[1,5)'), (2, '[4,8)'), (3, '[8,9)');",
        "ALTER TABLE t ADD EXCLUDE USING gist (span WITH &&)",
    ),
    (
        "beside each other",
        "INSERT INTO t VALUES (1, '[1,5)'), (2, '[5,8)'), (3, NULL), (4, NULL);",
        "ALTER TABLE t ADD EXCLUDE USING gist (span WITH &&)",
    ),
    (
        "some of them",
        "INSERT INTO t VALUES (1, '[1,5)', 1), (2, '[4,8)', 2);",
        "ALTER TABLE t ADD EXCLUDE USING gist (span WITH &&) WHERE (a = 1)",
    ),
    (
        "an expression",
        "INSERT INTO t VALUES (1, '[1,5)', 1), (2, '[4,8)', 4);",
        "ALTER TABLE t ADD EXCLUDE USING gist (int4range(a, a + 4) WITH &&)",
    ),
    (
        "by equality",
        "INSERT INTO t VALUES (1, '[1,5)', 1), (2, '[4,8)', 1);",
        "ALTER TABLE t ADD EXCLUDE USING btree (a WITH =)",
    ),
)
CHECK = cases(
    T,
    ("broken", FULL, "ALTER TABLE t ADD CHECK (a > 1)"),
    ("kept", FULL, "ALTER TABLE t ADD CHECK (a > 0)"),
    ("not known is kept", NULLS, "ALTER TABLE t ADD CHECK (a > 1)"),
    ("not valid is not asked", FULL, "ALTER TABLE t ADD CHECK (a > 1) NOT VALID"),
    ("by zero", FULL, "ALTER TABLE t ADD CHECK (1 / (a - 1) >= 0)"),
    ("of two", FULL, "ALTER TABLE t ADD CHECK (a < id OR b = 'x')"),
    ("by its table", FULL, "ALTER TABLE t ADD CHECK (tableoid <> 0::oid)"),
    (
        "of a function that the batch makes",
        FULL,
        (
            "CREATE FUNCTION f(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 1';"
            "ALTER TABLE t ADD CHECK (f(a))"
        ),
        "function that the batch makes",
    ),
    (
        "of what is converted",
        "INSERT INTO t (id, b) VALUES (1, '7');",
        "ALTER TABLE t ALTER b TYPE int USING b::int; ALTER TABLE t ADD CHECK (b > 7)",
    ),
    ("per cent and braces", FULL, "ALTER TABLE t ADD CHECK (b LIKE '%s{}' OR id % 2 = 0)"),
)
FOREIGN_KEY = cases(
    "CREATE TABLE p (x int, y int, PRIMARY KEY (x, y)); CREATE TABLE q (n bigint PRIMARY KEY);"
    "CREATE TABLE t (id int PRIMARY KEY, a int, b int, up int)",
    (
        "orphans",
        "INSERT INTO q VALUES (1); INSERT INTO t VALUES (1, 1), (2, 2), (3, NULL);",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES q",
    ),
    (
        "none",
        "INSERT INTO q VALUES (1); INSERT INTO t VALUES (1, 1), (3, NULL);",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES q",
    ),
    (
        "half a key, simple",
        "INSERT INTO t VALUES (1, 1, NULL);",
        "ALTER TABLE t ADD FOREIGN KEY (a, b) REFERENCES p",
    ),
    (
        "half a key, full",
        "INSERT INTO t VALUES (1, 1, NULL);",
        "ALTER TABLE t ADD FOREIGN KEY (a, b) REFERENCES p MATCH FULL",
    ),
    (
        "no key, full",
        "INSERT INTO t VALUES (1, NULL, NULL);",
        "ALTER TABLE t ADD FOREIGN KEY (a, b) REFERENCES p MATCH FULL",
    ),
    (
        "columns in another order",
        "INSERT INTO p VALUES (1, 2); INSERT INTO t VALUES (1, 2, 1);",
        "ALTER TABLE t ADD FOREIGN KEY (a, b) REFERENCES p (y, x)",
    ),
    (
        "itself",
        "INSERT INTO t (id, up) VALUES (1, NULL), (2, 1), (3, 3);",
        "ALTER TABLE t ADD FOREIGN KEY (up) REFERENCES t",
    ),
    (
        "itself, and one is gone",
        "INSERT INTO t (id, up) VALUES (2, 1), (3, 3);",
        "ALTER TABLE t ADD FOREIGN KEY (up) REFERENCES t",
    ),
    (
        "not valid is not asked",
        "INSERT INTO t VALUES (1, 1);",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES q NOT VALID",
    ),
    (
        "not valid, then validated",
        "INSERT INTO t VALUES (1, 1);",
        (
            "ALTER TABLE t ADD CONSTRAINT r FOREIGN KEY (a) REFERENCES q NOT VALID;"
            "ALTER TABLE t VALIDATE CONSTRAINT r"
        ),
    ),
    (
        "to a table that is new, and empty",
        "INSERT INTO t VALUES (1, 1);",
        "CREATE TABLE n (i int PRIMARY KEY); ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES n",
    ),
    (
        "to a table that is new, and filled",
        "INSERT INTO t VALUES (1, 1);",
        (
            "CREATE TABLE n AS SELECT DISTINCT a FROM t; ALTER TABLE n ADD PRIMARY KEY (a);"
            "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES n"
        ),
        "changes its rows first",
    ),
    (
        "of a table that inherits",
        "INSERT INTO t VALUES (1, 1);",
        "CREATE TABLE m () INHERITS (q); ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES q",
    ),
)
VALIDATED = cases(
    "CREATE DOMAIN d AS int; ALTER DOMAIN d ADD CONSTRAINT n CHECK (VALUE > 1) NOT VALID;"
    "CREATE TABLE t (id int PRIMARY KEY, a int CONSTRAINT r REFERENCES t, b d);"
    "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 1) NOT VALID, DROP CONSTRAINT r,"
    " ADD CONSTRAINT r FOREIGN KEY (a) REFERENCES t NOT VALID",
    (
        "a check that rows of before it break",
        (
            "ALTER TABLE t DROP CONSTRAINT k; INSERT INTO t VALUES (1, 1);"
            "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 1) NOT VALID"
        ),
        "ALTER TABLE t VALIDATE CONSTRAINT k",
    ),
    ("a check that is kept", "INSERT INTO t VALUES (2, 2)", "ALTER TABLE t VALIDATE CONSTRAINT k"),
    (
        "a foreign key with an orphan",
        (
            "ALTER TABLE t DROP CONSTRAINT r; INSERT INTO t VALUES (2, 3);"
            "ALTER TABLE t ADD CONSTRAINT r FOREIGN KEY (a) REFERENCES t NOT VALID"
        ),
        "ALTER TABLE t VALIDATE CONSTRAINT r",
    ),
    (
        "a foreign key without",
        "INSERT INTO t VALUES (2, 2)",
        "ALTER TABLE t VALIDATE CONSTRAINT r",
    ),
    (
        "a domain with a value of before it",
        (
            "ALTER DOMAIN d DROP CONSTRAINT n; INSERT INTO t VALUES (2, 2, 1);"
            "ALTER DOMAIN d ADD CONSTRAINT n CHECK (VALUE > 1) NOT VALID"
        ),
        "ALTER DOMAIN d VALIDATE CONSTRAINT n",
    ),
    (
        "a domain without",
        "INSERT INTO t VALUES (2, 2, 2)",
        "ALTER DOMAIN d VALIDATE CONSTRAINT n",
    ),
)
