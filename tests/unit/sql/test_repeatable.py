"""What takes down the objects that a repeatable file makes."""

from __future__ import annotations

import pytest

from pytest_housekeeping.sql.repeatable import take_down, views_of


@pytest.mark.parametrize(
    ("text", "drops"),
    [
        (
            'CREATE FUNCTION a."F"(x int, OUT y text) LANGUAGE sql AS $$SELECT 1$$;',
            'DROP FUNCTION IF EXISTS "a"."F"(int);\n',
        ),
        (
            "CREATE VIEW a.v AS SELECT 1; CREATE MATERIALIZED VIEW m AS SELECT 1;",
            "DROP MATERIALIZED VIEW IF EXISTS m;\nDROP VIEW IF EXISTS a.v;\n",
        ),
        (
            'DROP POLICY IF EXISTS p ON "T"; CREATE POLICY p ON "T" USING (true);',
            'DROP POLICY IF EXISTS "p" ON "T";\n',
        ),
        (
            (
                "CREATE TRIGGER t BEFORE INSERT ON a.b EXECUTE FUNCTION f();"
                "CREATE RULE r AS ON INSERT TO a.b DO INSTEAD NOTHING;"
            ),
            'DROP RULE IF EXISTS "r" ON a.b;\nDROP TRIGGER IF EXISTS "t" ON a.b;\n',
        ),
        (
            (
                "GRANT SELECT (x), INSERT ON a.b TO c, PUBLIC WITH GRANT OPTION;"
                "GRANT EXECUTE ON FUNCTION f(int) TO c; GRANT USAGE ON SCHEMA s TO c;"
            ),
            "".join(
                f"DO $hk$ BEGIN {revoke}; EXCEPTION WHEN undefined_table OR undefined_function OR"
                " undefined_object OR invalid_schema_name THEN NULL; END $hk$;\n"
                for revoke in (
                    "REVOKE usage ON SCHEMA s FROM c",
                    "REVOKE execute ON FUNCTION f(int) FROM c",
                    "REVOKE select (x), insert ON a.b FROM c, public",
                )
            ),
        ),
        ("REVOKE SELECT ON a.b FROM c; CREATE TABLE x AS SELECT 1;", ""),
        ("GRANT SELECT ON ALL TABLES IN SCHEMA a TO c; GRANT a TO b;", ""),
    ],
)
def test_what_a_repeatable_file_makes_is_taken_down(text: str, drops: str) -> None:
    assert take_down(text) == drops


def test_a_function_that_the_older_text_makes_too_stays() -> None:
    made = "CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE sql AS $$SELECT {}$$;"

    assert take_down(made.format(2), kept=made.format(1)) == ""
    assert views_of("CREATE VIEW a.v AS SELECT 1; " + made.format(1)) == ("a.v",)
