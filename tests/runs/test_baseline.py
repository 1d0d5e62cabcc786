"""A database that exists already: recorded only when it is what the files would have made."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from support.production_project import Production, Rehearsal


@pytest.fixture
def existing(rehearsed: Rehearsal, tmp_path: Path) -> Production:
    """A production that somebody made by hand out of the same files."""
    production = rehearsed.fresh(tmp_path, first=True)
    environment = production.server.environment()
    with psycopg.connect(
        host=environment["PGHOST_PROD"],
        port=environment["PGPORT_PROD"],
        dbname=environment["PGDATABASE_PROD"],
        user=environment["PGUSER_PROD"],
        password=environment["PGPASSWORD_PROD"],
    ) as connection:
        for folder in ("migrations", "views", "policies"):
            for path in sorted((production.root / "sql" / folder).glob("*.sql")):
                connection.execute(path.read_bytes())
                connection.execute("RESET ROLE; RESET ALL")
    return production


def last(production: Production) -> int:
    names = sorted(path.name for path in (production.root / "sql/migrations").glob("*.sql"))
    return int(names[-1].partition("_")[0])


def test_what_is_there_is_recorded_and_nothing_is_pending_then(existing: Production) -> None:
    """Columns in another order, as a schema has them that grew by hand, are told, no obstacle."""
    existing.execute("ALTER TABLE vault.secret DROP COLUMN id, ADD COLUMN id bigint PRIMARY KEY")
    run = existing.promote(f"--hk-baseline={last(existing)}")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.findings("baseline") == ["order of columns in table vault.secret"]
    assert run.steps["precheck::baseline"] == "passed"
    applied = [step for step in run.audit["steps"] if step["phase"] == "apply"]
    assert {step["statements"] for step in applied} == {0}
    baseline = run.audit["run"]["id"]
    run = existing.promote()
    assert (run.code, run.outcome) == (0, "nothing_to_promote"), run.output
    run = existing.promote(f"--hk-baseline={last(existing)}")
    assert run.code == 4, run.output
    assert "on record already" in run.output
    before = existing.state
    run = existing.undo(str(baseline))
    assert run.code == 4, run.output
    assert f"run {baseline} recorded a baseline and applied nothing" in run.output
    assert existing.state == before


def test_a_difference_is_named_and_nothing_recorded(existing: Production) -> None:
    existing.execute(
        "CREATE TABLE public.by_hand (id bigint); GRANT SELECT ON public.by_hand TO PUBLIC"
    )
    before = existing.state
    run = existing.promote(f"--hk-baseline={last(existing)}")
    assert (run.code, run.steps["precheck::baseline"]) == (1, "failed"), run.output
    assert "public.by_hand" in run.output
    assert existing.state == before


def test_a_number_without_a_migration(existing: Production) -> None:
    before = existing.state
    run = existing.promote("--hk-baseline=4711")
    assert run.code == 4, run.output
    assert "there is no such migration" in run.output
    run = existing.promote("-k", "precheck", mode="plan", confirm=None)
    assert "warning: history-not-begun: tables" in run.output
    assert "--hk-baseline=VERSION records those" in run.output
    assert existing.state == before


def test_what_the_settings_say_is_no_plan_as_long_as_nothing_is_on_record(
    existing: Production,
) -> None:
    """A plan of files that are there already would tell of a batch that nobody will run."""
    existing.change({"pyproject.toml": f'[tool.housekeeping]\nbaseline = "{last(existing)}"\n'})
    run = existing.promote(mode="plan", confirm=None)
    assert run.code == 4, run.output
    assert (
        "says that production has the files up to it, and nothing of it is on record" in run.output
    )
    assert f"--hk-confirm=PROMOTE --hk-baseline={last(existing)}; if production" in run.output
