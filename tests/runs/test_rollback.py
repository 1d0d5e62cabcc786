"""A promotion undone: back to the very schema of before, in one transaction, or not at all."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_housekeeping.snapshot.compare.difference import diff
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from support.fresh_copy import ROOT, git
from support.production_project import (
    PASSWORD,
    PROMOTER,
    UNPROVED,
    Production,
    Rehearsal,
    merge_audit,
)
from support.rollback_project import ROLLBACKS, STEM, schema_of
from support.staged_project import prove
from support.staging_project import Run

HALF = {"sql/rollback/0003_urgency.sql": "ALTER TABLE desk.ticket DROP COLUMN urgency;\n"}
INDEX = (
    "-- hk: transaction=none\nCREATE INDEX CONCURRENTLY ticket_subject ON desk.ticket (subject);\n"
)


@dataclass(frozen=True)
class Done:
    """A second promotion that is in, and the id of its run."""

    production: Production
    run: str

    @property
    def schema(self) -> Fingerprint:
        return schema_of(self.production)

    def undo(self, *arguments: str, to: str | None = None, **options: Any) -> Run:
        return self.production.undo(to or self.run, *arguments, **options)


def as_it_is(production: Production, run: str) -> Done:
    """What is there now is what a refusal has to leave."""
    return Done(replace(production, before=production.state), run)


@pytest.fixture
def done(rehearsed: Rehearsal, promoted_run: str, tmp_path: Path) -> Done:
    return Done(rehearsed.fresh(tmp_path, stem=STEM), promoted_run)


@pytest.fixture(scope="module")
def before(rehearsed: Rehearsal) -> Fingerprint:
    """The schema that the first promotion left."""
    with rehearsed.server.superuser("second_promotion") as connection:
        return read_fingerprint(connection)


def refused(done: Done, run: Run, *said: str, code: int = 1) -> None:
    """Nothing has changed, and the run says so and why."""
    assert done.production.unchanged
    assert run.code == code, run.output
    assert "Traceback" not in run.output, run.output
    for words in said:
        assert words in run.output, run.output


def test_a_promotion_is_undone_and_promoted_again(done: Done, before: Fingerprint) -> None:
    after = done.schema
    done.production.execute(
        "INSERT INTO desk.note (tenant_id, ticket_id, body)"
        " SELECT tenant_id, id, 'of a user' FROM desk.ticket"
    )
    run = done.undo()

    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert diff(before, done.schema) == ()
    assert "Rolled back." in run.output
    assert run.audit["run"]["mode"] == "rollback"
    assert run.audit["run"]["reverts"] == done.run
    jsonschema.validate(run.audit, json.loads((ROOT / "docs/audit.schema.json").read_text()))
    assert [step["id"] for step in run.audit["steps"] if step["phase"] == "apply"] == [
        "sql/policies/note.sql::drop",
        "sql/views/pressing.sql::drop",
        "sql/rollback/0004_words.sql::apply",
        "sql/rollback/0003_urgency.sql::apply",
        "sql/rollback/0002_notes.sql::apply",
    ]
    gone = {each["object"] for each in run.audit["changes"] if each["change"] == "dropped"}
    assert {"desk.note", "desk.ticket.urgency"} <= gone
    assert "  destroys  table desk.note is dropped" in run.output
    with done.production.server.superuser() as connection:
        tickets = connection.execute("SELECT count(*) FROM desk.ticket").fetchone()
        rows = connection.execute(
            "SELECT kind, path FROM housekeeping.history WHERE run = %s ORDER BY id",
            (run.audit["run"]["id"],),
        ).fetchall()
    assert tickets == (2,)
    # History keeps both: what was applied, and that it was taken back.
    assert rows == [
        ("rollback", "sql/migrations/0004_words.sql"),
        ("rollback", "sql/migrations/0003_urgency.sql"),
        ("rollback", "sql/migrations/0002_notes.sql"),
        ("rollback", "sql/policies/note.sql"),
        ("rollback", "sql/views/pressing.sql"),
    ]

    # A watch asks for what stands by now, and not for what was taken back.
    watch = done.production.promote("--hk-mode=verify", "--hk-no-commit", confirm=None)
    assert (watch.code, watch.outcome) == (0, "nothing_to_promote"), watch.output

    promote_again(done, pending=5, staged=True)
    assert diff(after, done.schema) == ()
    refused_again = done.undo()
    assert refused_again.code == 4
    assert "was undone already, by run" in refused_again.output


def promote_again(done: Done, *, pending: int, staged: bool) -> None:
    """What was undone is pending, is proved once more and goes in once more."""
    merge_audit(done.production.root)
    if staged:
        run = done.production.stage()
        assert (run.code, run.outcome) == (0, "promoted"), run.output
        assert run.message("precheck::files").startswith(f"{pending} pending, ")
    else:
        prove(done.production.root)
    again = done.production.promote()
    assert (again.code, again.outcome) == (0, "promoted"), again.output
    assert again.message("precheck::files").startswith(f"{pending} pending, ")


def test_it_shows_first_what_it_would_do(done: Done) -> None:
    done.production.execute("ANALYZE desk.ticket")
    run = done.undo("--collect-only", "-q", confirm=None)

    assert (run.code, done.production.unchanged) == (0, True), run.output
    shown = run.output[run.output.index("this rollback undoes") :]
    order = ["note.sql", "pressing.sql", "0004_words", "0003_urgency", "0002_notes"]
    places = [shown.index(name) for name in order]
    assert places == sorted(places)
    assert f"promotion {done.run} of 20" in shown
    destroyed = shown[shown.index("and destroys:") :]
    assert "column desk.ticket.urgency (about 2 rows in its table)" in destroyed
    assert "table desk.note (nobody has counted the rows in its table)" in destroyed
    assert run.audit_path is None


def test_the_record_is_a_branch_with_an_incident_report(done: Done) -> None:
    run = done.undo()
    assert run.code == 0, run.output
    name = re.search(r"incident: (ops/incidents/\S+\.md)", run.output)
    assert name is not None, run.output
    assert run.audit_path is not None
    branch = f"housekeeping/audit/{run.audit_path.stem}"
    committed = git(done.production.root, "show", "--name-only", "--format=", f"origin/{branch}")
    assert name[1] in committed.splitlines()
    report = (done.production.root / name[1]).read_text(encoding="utf-8")
    for said in (
        f"| rolls back | `{done.run}` |",
        "- removed table desk.note",
        "| `desk.ticket` | readers and writers | AccessExclusiveLock |",
        "table desk.note is gone",
        "**What was the cause, and why did staging not show it?**",
        run.audit["snapshot"]["before"]["sha256"],
    ):
        assert said in report, report
    assert PASSWORD not in report
    for link in re.findall(r"\]\((\.\./[^)]+)\)", report):
        assert (done.production.root / "ops/incidents" / link).resolve().is_file(), link
    # The old evidence is as it was.
    old = next(done.production.root.glob(f"ops/audit/prod_*_{done.run}.json"))
    assert git(done.production.root, "status", "--porcelain", str(old)) == ""


def test_only_on_the_word_and_whole(done: Done) -> None:
    for confirm, arguments, said in (
        (None, (), "no --hk-confirm: production is changed only on the exact word"),
        ("PROMOTE", (), "--hk-confirm='PROMOTE'"),
        ("rollback", (), "fix: pytest --hk-mode=rollback --hk-confirm=ROLLBACK --hk-to="),
        ("ROLLBACK", ("-k", "notes"), "-k selects"),
        ("ROLLBACK", ("--hk-mutate",), "--hk-mutate with --hk-mode=rollback"),
    ):
        refused(done, done.undo(*arguments, confirm=confirm), said, code=4)


def test_what_names_nothing_to_undo(done: Done) -> None:
    done.production.project.write({"sql/migrations/0009_later.sql": "SELECT 1;\n"})
    done.production.project.commit("pending")
    staged = done.production.stage()
    for to, said in (
        ("deadbeef", "names no promotion and no migration of this database"),
        ("0009", "--hk-to=0009 was never applied here"),
        ("0077", "names no promotion"),
        ("*", "names no promotion"),
        ("../../etc", "names no promotion"),
        (staged.audit["run"]["id"], "is a run on another database"),
    ):
        run = done.undo(to=to)
        refused(done, run, said, f"promotions that stand, the newest first: {done.run}, ", code=4)


def test_a_mode_that_undoes_nothing_takes_no_name(done: Done) -> None:
    run = done.production.promote(f"--hk-to={done.run}")
    refused(done, run, "with --hk-mode=prod", "a rollback undoes only what you name", code=4)
    process = done.production.start(mode="rollback", confirm="ROLLBACK")
    refused(done, done.production.project.finish(process), "no --hk-to", code=4)


def test_a_history_that_was_copied_from_another_database(done: Done) -> None:
    """The history says that the run went here; its audit says that it went elsewhere."""
    server = done.production.server
    server.copy("production", "elsewhere")
    run = done.undo(PGDATABASE_PROD="elsewhere")

    refused(done, run, f"run {done.run} went to ", "/production, and this is", code=4)


@pytest.mark.parametrize("committed", [False, True])
def test_a_backup_that_was_edited(done: Done, committed: bool) -> None:
    audit = next(done.production.root.glob(f"ops/audit/prod_*_{done.run}.json"))
    path = json.loads(audit.read_text())["snapshot"]["before"]["path"]
    with (done.production.root / path).open("a") as file:
        file.write("CREATE TABLE public.planted ();\n")
    if committed:
        git(done.production.root, "commit", "-qam", "nobody will notice")

    refused(done, done.undo(), "was edited: it is not what was kept")


def test_an_audit_that_was_edited(done: Done) -> None:
    audit = next(done.production.root.glob(f"ops/audit/prod_*_{done.run}.json"))
    audit.write_text(audit.read_text().replace('"actor": "', '"actor": "not '))
    git(done.production.root, "commit", "-qam", "nobody will notice")
    for branch in ("refs/heads/housekeeping/audit", "refs/remotes/origin/housekeeping/audit"):
        for name in git(
            done.production.root, "for-each-ref", "--format=%(refname)", branch
        ).split():
            if done.run in name:
                git(done.production.root, "update-ref", "-d", name)

    refused(done, done.undo(), "was edited: it does not have its digest", code=4)


def test_a_rollback_file_that_staging_has_not_seen(done: Done) -> None:
    done.production.change({"sql/rollback/0004_words.sql": "DROP FUNCTION desk.words;\n"})

    refused(done, done.undo(), "no committed staging audit has seen it undo its migration")


def test_what_was_proved_as_it_is_needs_no_proof_again(done: Done) -> None:
    """One that is edited is walked to, through those above it, and proved; no other one is."""

    def tried(run: Run) -> list[str]:
        assert run.code == 0, run.output
        return [step for step in run.steps if step.endswith("::round-trip")]

    text = "-- Values go.\n" + ROLLBACKS["sql/rollback/0003_urgency.sql"]
    done.production.change({"sql/rollback/0003_urgency.sql": text})
    assert tried(done.production.stage()) == ["sql/rollback/0003_urgency.sql::round-trip"]
    done.production.change({"sql/rollback/0003_urgency.sql": text.replace("DROP TYPE", "-- DROP")})
    run = done.production.stage()
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert "type desk.urgency" in run.output


def test_a_rollback_file_without_its_migration(done: Done) -> None:
    done.production.change({"sql/rollback/0005_nothing.sql": "SELECT 1;\n"})

    refused(done, done.undo(), "sql/rollback/0005_nothing.sql undoes nothing", code=4)


def test_what_a_rollback_leaves_behind_is_refused_and_can_be_accepted(done: Done) -> None:
    done.production.change({**HALF, "pyproject.toml": UNPROVED})
    run = done.undo()

    refused(done, run, "type desk.urgency", "is there, and was not in the backup")
    assert (run.outcome, run.steps["promote"]) == ("refused", "skipped")
    assert run.steps["sql/rollback/0003_urgency.sql::rehearse"] == "passed"
    assert run.steps["sql/rollback/0003_urgency.sql::apply"] == "skipped"
    assert "as accepted" not in run.output
    accepted = re.search(r"--hk-accept-drift=([0-9a-f]{64})", run.output)
    assert accepted is not None
    refused(done, done.undo(f"--hk-accept-drift={'0' * 64}"), "type desk.urgency")
    run = done.undo(accepted[0])
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert "1 objects differ from the backup, as accepted" in run.message("rollback::backup")
    assert "type desk.urgency" in [entry.name for entry in done.schema.entries]


def test_what_changed_since_by_no_file(done: Done) -> None:
    done.production.execute("CREATE INDEX by_hand ON desk.ticket (subject)")
    here = as_it_is(done.production, done.run)
    run = here.undo()

    refused(here, run, "drift", "index desk.by_hand", "is there, and was not in the backup")
    assert run.steps["precheck::drift"] == "passed"


def test_row_level_security_has_to_hold_whatever_was_accepted(done: Done) -> None:
    done.production.execute("ALTER TABLE desk.ticket NO FORCE ROW LEVEL SECURITY")
    accepted = re.search(r"--hk-accept-drift=\w+", done.undo().output)
    assert accepted is not None
    here = as_it_is(done.production, done.run)
    run = here.undo(accepted[0])

    refused(here, run, "rls-not-forced")
    assert run.steps["rollback::backup"] == "passed"


def test_without_a_rollback_file_nothing_is_guessed(done: Done) -> None:
    done.production.change({"sql/rollback/0003_urgency.sql": None})
    run = done.undo()

    refused(done, run, "sql/migrations/0003_urgency.sql", "has no sql/rollback/0003_urgency.sql")
    assert "NO ROLLBACK FILE, nothing will run" in run.output
    assert run.outcome == "refused"
    (proposal,) = done.production.root.glob("ops/incidents/*_proposal.sql")
    text = proposal.read_text(encoding="utf-8")
    for said in ("destroys data", "DROP COLUMN", "DROP TYPE desk.urgency", "0003_urgency.sql"):
        assert said in text, text
    (report,) = done.production.root.glob("ops/incidents/*.md")
    assert f"[A proposal]({proposal.name})" in report.read_text(encoding="utf-8")


def test_a_number_goes_back_to_before_that_migration(done: Done, before: Fingerprint) -> None:
    run = done.undo("--collect-only", "-q", to="0004", confirm=None)
    assert "0004_words" in run.output
    assert "0003_urgency.sql: undoes" not in run.output
    run = done.undo(to="0004")
    refused(done, run, "desk.note", "is there, and was not in the backup")
    assert run.audit["run"]["reverts"] == done.run

    run = done.undo(to="0002")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert diff(before, done.schema) == ()


def test_back_to_before_the_first_promotion(done: Done, rehearsed: Rehearsal) -> None:
    """Two promotions in one transaction; nothing of the project is left but its history."""
    with rehearsed.server.superuser("first_promotion") as connection:
        empty = read_fingerprint(connection)
    prove(done.production.root)
    run = done.undo(to="0001")

    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert diff(empty, done.schema) == ()
    assert [step for step in run.steps if step.startswith("promote")] == ["promote"]


def test_views_and_policies_go_back_to_their_text_of_before(done: Done) -> None:
    """Nothing but a view was promoted; a file that is as it was had granted on the old one."""
    second = done.schema
    done.production.change(
        {
            "sql/views/pressing.sql": (
                "DROP VIEW IF EXISTS desk.pressing;\n"
                "CREATE VIEW desk.pressing WITH (security_invoker = true) AS\n"
                "SELECT urgency AS how, id FROM desk.ticket;\n"
                "GRANT SELECT ON desk.pressing TO desk_app;\n"
            )
        },
        proved=True,
    )
    run = done.production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert [each.name for each in diff(second, done.schema)][-1] == "view desk.pressing"
    merge_audit(done.production.root)
    undone = done.undo(to=run.audit["run"]["id"])

    assert (undone.code, undone.outcome) == (0, "promoted"), undone.output
    works = [
        "sql/policies/note.sql::drop",
        "sql/views/pressing.sql::drop",
        "sql/views/pressing.sql::apply",
        "sql/policies/note.sql::apply",
    ]
    rehearsed = [
        work.replace("::drop", "::rehearse_drop").replace("apply", "rehearse") for work in works
    ]
    assert [step for step in undone.steps if step.startswith("sql/")] == [*rehearsed, *works]
    assert diff(second, done.schema) == ()

    promote_again(done, pending=1, staged=False)


def test_segments_are_undone_in_reverse_each_on_its_own(
    production: Production, before: Fingerprint
) -> None:
    away = "-- hk: transaction=none\nDROP INDEX CONCURRENTLY desk.ticket_subject;\n"
    production.change(
        {
            **ROLLBACKS,
            "sql/migrations/0005_subject.sql": INDEX,
            "sql/rollback/0005_subject.sql": away,
            "sql/migrations/0006_mark.sql": "ALTER TABLE desk.ticket ADD mark int;\n",
            "sql/rollback/0006_mark.sql": "ALTER TABLE desk.ticket DROP mark;\n",
        },
        proved=True,
    )
    run = production.promote("--hk-segments=3")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    merge_audit(production.root)
    to = run.audit["run"]["id"]
    done = as_it_is(production, to)
    refused(done, done.undo(), "the batch is 3 transactions", "--hk-segments=3")

    # The second segment cannot be undone: the index is gone. On a copy it is seen before anything
    # is undone; in place the first one is undone by then, and stays so.
    production.execute("ALTER INDEX desk.ticket_subject RENAME TO elsewhere")
    here = as_it_is(production, to)
    run = here.undo("--hk-segments=3")
    refused(here, run, "sql/rollback/0005_subject.sql:", "Refused: nothing was rolled back")
    assert run.steps["sql/rollback/0005_subject.sql::rehearse"] == "failed"
    run = done.undo("--hk-segments=3", "--hk-in-place")
    assert (run.code, run.outcome) == (1, "promoted_in_part"), run.output
    assert "Rolled back in part" in run.output
    assert run.steps["promote[1/3]"] == "passed"
    production.execute("ALTER INDEX desk.elsewhere RENAME TO ticket_subject")

    run = done.undo("--hk-segments=2")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert diff(before, schema_of(production)) == ()


def test_rows_that_came_since_and_that_the_schema_of_before_would_refuse(
    production: Production,
) -> None:
    change = "ALTER TABLE vault.secret ALTER content {} NOT NULL;\n"
    production.change(
        {
            **ROLLBACKS,
            "sql/migrations/0005_less.sql": change.format("DROP"),
            "sql/rollback/0005_less.sql": change.format("SET"),
        },
        proved=True,
    )
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    merge_audit(production.root)
    production.execute("INSERT INTO vault.secret VALUES (9, NULL)")
    here = as_it_is(production, run.audit["run"]["id"])
    run = here.undo()
    refused(here, run, "1 / 1 rows of vault.secret: is NULL; primary keys: (9)")
    assert run.steps["rehearse::rows"] == "failed"
    production.execute("DELETE FROM vault.secret")
    run = here.undo()
    assert (run.code, run.outcome) == (0, "promoted"), run.output


def test_a_promotion_that_its_gates_rolled_back_is_an_incident_where_asked_for(
    production: Production,
) -> None:
    settings = "[tool.housekeeping]\nlint = false\nincident_on_failure = true\n"
    production.change({"pyproject.toml": settings}, proved=True)
    production.execute("INSERT INTO vault.secret VALUES (1, '')")
    run = production.promote()

    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    (report,) = production.root.glob("ops/incidents/*.md")
    text = report.read_text(encoding="utf-8")
    assert "`checks/queries/no_empty_secret.sql::query` failed" in text
    assert "None of it was committed" in text
    assert f"as `{PROMOTER}`" in text
