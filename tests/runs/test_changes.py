"""What a batch would do to everybody else keeps it from production, or is said."""

from __future__ import annotations

from support.production_project import Production, merge_audit

OF_SOMETHING_ELSE = True

# Every table that holds anything is large.
QUICK = (
    "[tool.housekeeping]\nlint = false\nrequire_staging_evidence = false\n"
    "small_table_mb = 0\nlarge_table_mb = 0\n"
)
STEP = "rehearse::changes"
MADE = """CREATE TABLE vault.big (id bigint PRIMARY KEY, a int, b text);
CREATE TABLE vault.bare (id bigint PRIMARY KEY, a int);
"""
HARMFUL = """ALTER TABLE vault.big ALTER COLUMN a TYPE bigint;
ALTER TABLE vault.big DROP COLUMN b;
ALTER TABLE vault.bare DROP COLUMN a;
CREATE INDEX big_a ON vault.big (a);
"""
KNOWN = """-- hk: irreversible, nobody has written to b for a year
-- hk: accepts type-change-rewrites of vault.big.a: the shop is closed tonight
-- hk: accepts type-change-rewrites of vault.big.c: it was called c once
"""


def test_what_keeps_everybody_out_is_refused_until_it_is_accepted(production: Production) -> None:
    production.change({"pyproject.toml": QUICK, "sql/migrations/0005_made.sql": MADE})
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert not run.findings("type-change-rewrites")
    merge_audit(production.root)
    production.execute("INSERT INTO vault.big VALUES (1, 1, 'x')")

    before = production.state
    production.change({"sql/migrations/0006_harmful.sql": HARMFUL})
    run = production.promote()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert production.state == before
    assert (run.steps["rehearse::result"], run.steps[STEP]) == ("passed", "failed")
    levels = {(each["rule"], each["object"]): each["level"] for each in run.audit["findings"]}
    assert levels["type-change-rewrites", "vault.big.a"] == "error"
    assert levels["column-dropped", "vault.big.b"] == "error"
    assert levels["column-dropped", "vault.bare.a"] == "notice"
    assert levels["index-not-concurrent", "vault.big_a"] == "warning"
    for said in (
        "vault.big.a: is bigint and no longer integer",
        "-- hk: accepts type-change-rewrites of vault.big.a: REASON",
        "by sql/migrations/0006_harmful.sql",
    ):
        assert said in run.output

    accepted = KNOWN + HARMFUL.replace("CREATE INDEX big_a ON vault.big (a);\n", "")
    production.change({"sql/migrations/0006_harmful.sql": accepted})
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    levels = {(each["rule"], each["object"]): each["level"] for each in run.audit["findings"]}
    assert levels["type-change-rewrites", "vault.big.a"] == "notice"
    assert levels["column-dropped", "vault.big.b"] == "warning"
    assert levels["accepted-in-vain", "sql/migrations/0006_harmful.sql"] == "warning"
    assert run.message(STEP).startswith("changes judged: ")
    said = (
        "0006_harmful.sql accepts type-change-rewrites of vault.big.a: the shop is closed tonight"
    )
    assert said in run.message(STEP)
