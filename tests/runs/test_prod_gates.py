"""Every gate of a production run, one refusal each: nothing changes, and the run says why."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.evidence import BRANCHES
from pytest_housekeeping.promotion.commands.index import Asked, index
from support.fresh_copy import git
from support.production_project import PLAIN, UNPROVED, Production, Rehearsal
from support.staging_project import PROJECTS, Run

OF_SOMETHING_ELSE = True

MOVES = 'may_move = {"limits of role desk_app" = "renewed daily"}\n'
IMPATIENT = '[tool.housekeeping]\nlint = false\nlock_timeout = "200ms"\nlock_attempts = 5\n'
OPEN_TABLE = "CREATE TABLE desk.open (tenant_id uuid NOT NULL);\n"
OBJECTS = "checks/objects.toml"


def refused(production: Production, run: Run, *said: str, code: int = 1) -> None:
    """Nothing has changed, and the run says so and why."""
    assert production.before.differences(production.state) == []
    assert run.code == code, run.output
    assert "Traceback" not in run.output, run.output
    for words in said:
        assert words in run.output, run.output
    if run.audit_path is not None:
        assert run.outcome in ("refused", "rolled_back")


# -- a check of each kind, a migration at each place ----------------------------------------------


OF_SCHEMA = {
    f"{OBJECTS}::table desk.note": "body",
    "checks/rls.toml::rls-not-enabled": "desk.open",
    "checks/boundaries.toml::desk stays out of the vault": "vault.secret",
}
OF_ROWS = {
    "checks/queries/no_empty_secret.sql::query": "no_empty_secret",
    "checks/test_no.py::test_it": "assert 1 == 2",
}
BREAKS_SCHEMA = {
    "checks/rls.toml": (PROJECTS / "tenants/checks/rls.toml").read_text(encoding="utf-8"),
    "sql/migrations/0005_drop.sql": "ALTER TABLE desk.note DROP COLUMN body;\n",
    "sql/migrations/0007_open.sql": OPEN_TABLE,
    "sql/policies/vault.sql": "GRANT USAGE ON SCHEMA vault TO desk_app;\n"
    "GRANT SELECT ON vault.secret TO desk_app;\n",
}
BREAKS_ROWS = {
    "sql/migrations/0006_bad.sql": "INSERT INTO vault.secret VALUES (1, '');\n",
    "checks/test_no.py": "def test_it(): assert 1 == 2\n",
}


def test_a_check_of_the_schema_that_fails(production: Production) -> None:
    """An object, a rule and a boundary are judged on the copy, and production sees nothing."""
    production.change({"pyproject.toml": UNPROVED, **BREAKS_SCHEMA})
    run = production.promote()
    refused(production, run, "Refused: nothing was begun", *OF_SCHEMA.values())
    assert run.outcome == "refused"
    assert {(run.steps[step], proved_on(run, step)) for step in OF_SCHEMA} == {("failed", "twin")}
    assert run.steps["sql/migrations/0002_notes.sql::rehearse"] == "passed"
    assert run.steps["sql/migrations/0002_notes.sql::apply"] == "skipped"
    assert run.steps["promote"] == "skipped"


def test_a_check_of_the_rows_that_fails(production: Production) -> None:
    """Only production has the rows: the batch is applied there, and rolled back."""
    production.change({"pyproject.toml": UNPROVED, **BREAKS_ROWS})
    run = production.promote()
    refused(production, run, "Not promoted: rolled back", *OF_ROWS.values())
    assert run.outcome == "rolled_back"
    assert {(run.steps[step], proved_on(run, step)) for step in OF_ROWS} == {("failed", "target")}
    assert run.steps["rehearse::result"] == "passed"
    assert run.steps["promote"] == "skipped"


def test_a_check_that_fails_in_place(production: Production) -> None:
    """An object, a query, a rule, a boundary and a test: none hides another."""
    production.change({"pyproject.toml": UNPROVED, **BREAKS_SCHEMA, **BREAKS_ROWS})
    run = production.promote("--hk-in-place")
    failing = OF_SCHEMA | OF_ROWS
    refused(production, run, "Not promoted: rolled back", *failing.values())
    assert run.outcome == "rolled_back"
    assert {(run.steps[step], proved_on(run, step)) for step in failing} == {("failed", "target")}


def test_a_check_that_lacks_what_it_asks(production: Production) -> None:
    """A query whose table is renamed, and a test: neither hides the other."""
    files = {
        "sql/migrations/0005_rename.sql": "ALTER TABLE vault.secret RENAME TO kept;\n"
        "ALTER TABLE desk.ticket RENAME TO issue;\n",
        "sql/views/pressing.sql": "CREATE VIEW desk.pressing WITH"
        " (security_invoker = true) AS SELECT id FROM desk.issue;\n",
    }
    production.change({"pyproject.toml": UNPROVED, **files})
    run = production.promote()
    refused(production, run, "Not promoted: rolled back", "vault.secret", "desk.ticket")
    assert run.outcome == "rolled_back"
    for failed in (
        "checks/queries/no_empty_secret.sql::query",
        "checks/test_desk.py::test_a_tenant_sees_its_own",
    ):
        assert (run.steps[failed], proved_on(run, failed)) == ("failed", "target")
    assert run.steps["promote"] == "skipped"


def proved_on(run: Run, step: str) -> str:
    return str(next(each["proved_on"] for each in run.audit["steps"] if each["id"] == step))


PLACES = [
    "sql/migrations/0002_notes.sql",
    "sql/migrations/0003_urgency.sql",
    "sql/migrations/0004_words.sql",
    "sql/views/pressing.sql",
    "sql/policies/note.sql",
]
# A copy without rows takes it; production has one.
ONLY_WITHOUT_ROWS = "SELECT 1 / (SELECT count(*) - 1 FROM vault.secret);\n"
NEVER_TAKEN = "INSERT INTO desk.ticket (tenant_id, subject) VALUES (NULL, 'nobody');\n"


@pytest.mark.parametrize("place", [PLACES[0], *PLACES[-2:]])
def test_a_file_that_fails(production: Production, place: str) -> None:
    production.execute("INSERT INTO vault.secret VALUES (1, 'content')")
    here = replace(production, before=production.state)
    break_file(production, place, ONLY_WITHOUT_ROWS)
    run = production.promote()
    refused(here, run, f"{place}:", "division by zero", "SQLSTATE")
    assert run.outcome == "rolled_back"
    assert run.steps["rehearse::result"] == "passed"
    assert run.steps[f"{place}::apply"] == "failed"
    after = PLACES[PLACES.index(place) + 1 :]
    assert {run.steps[f"{each}::apply"] for each in after} <= {"skipped"}
    assert run.steps["promote"] == "skipped"


@pytest.mark.parametrize("place", [PLACES[0], PLACES[-1]])
def test_a_file_that_fails_on_the_copy(production: Production, place: str) -> None:
    break_file(production, place, NEVER_TAKEN)
    run = production.promote()
    refused(production, run, f"{place}:", "SQLSTATE", "Refused: nothing was begun")
    assert run.outcome == "refused"
    assert run.steps[f"{place}::rehearse"] == "failed"
    after = PLACES[PLACES.index(place) + 1 :]
    assert {run.steps[f"{each}::rehearse"] for each in after} <= {"skipped"}
    assert {run.steps[f"{each}::apply"] for each in PLACES} == {"skipped"}
    assert run.steps["promote"] == "skipped"


def break_file(production: Production, place: str, statement: str) -> None:
    text = (production.root / place).read_text(encoding="utf-8")
    broken = f"-- hk: row-security=on\n{text}{statement}"
    production.change({"pyproject.toml": UNPROVED, place: broken})


# -- what only the end of the transaction tells ---------------------------------------------------

NEVER = """
CREATE FUNCTION vault.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = ''
AS $$ BEGIN RAISE EXCEPTION 'the books do not balance'; END $$;
"""
DEFERRED = f"""-- hk: row-security=on
{NEVER}
CREATE CONSTRAINT TRIGGER balance AFTER INSERT ON vault.secret
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION vault.refuse();
"""
# Made immediate, it puts itself off again, and would speak at COMMIT.
PUT_OFF = """-- hk: row-security=on
CREATE FUNCTION vault.put_off() RETURNS trigger LANGUAGE plpgsql SET search_path = ''
AS $$ BEGIN
    IF new.id > 2 THEN
        RAISE EXCEPTION 'the books do not balance';
    END IF;
    SET CONSTRAINTS ALL DEFERRED;
    INSERT INTO vault.secret VALUES (new.id + 1, 'content');
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER balance AFTER INSERT ON vault.secret
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION vault.put_off();
"""
A_ROW = "INSERT INTO vault.secret VALUES (1, 'content');\n"
FROM_ROWS = "INSERT INTO vault.secret SELECT id + 1, content FROM vault.secret;\n"


@pytest.mark.parametrize(
    "text", [pytest.param(DEFERRED, id="seen"), pytest.param(PUT_OFF, id="put off")]
)
@pytest.mark.parametrize(
    ("insert", "outcome"),
    [
        pytest.param(A_ROW, "refused", id="on the copy"),
        pytest.param(FROM_ROWS, "rolled_back", id="in production"),
    ],
)
def test_a_deferred_constraint(
    production: Production, text: str, insert: str, outcome: str
) -> None:
    production.execute("INSERT INTO vault.secret VALUES (0, 'content')")
    here = replace(production, before=production.state)
    files = {"pyproject.toml": UNPROVED, "sql/migrations/0005_balance.sql": text + insert}
    production.change(files)
    run = production.promote()
    refused(here, run, "the books do not balance")
    assert run.outcome == outcome
    assert "SET CONSTRAINTS ALL IMMEDIATE: the books do not balance" in run.output
    assert run.steps["promote"] == "skipped"


# -- before anything is touched -------------------------------------------------------------------


@pytest.mark.parametrize("word", [None, "promote", "PROMOTE ", "yes", ""])
def test_only_the_exact_word(production: Production, word: str | None) -> None:
    run = production.promote(confirm=word)
    refused(production, run, "--hk-mode=prod --hk-confirm=PROMOTE", code=4)


def test_every_missing_variable_is_named_at_once(production: Production) -> None:
    run = production.promote(PGHOST_PROD="", PGUSER_PROD="", PGPASSWORD_PROD="")
    refused(production, run, "not set: PGHOST_PROD, PGUSER_PROD, PGPASSWORD_PROD", code=4)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_what_leaves_the_machine_is_encrypted(production: Production, mode: str) -> None:
    run = production.promote(PGHOST_PROD="db.example.invalid", PGSSLMODE_PROD=mode)
    refused(production, run, f"PGSSLMODE_PROD = '{mode}'", "encrypted or refused", code=4)


def test_a_wrong_password_is_no_secret_to_tell(production: Production) -> None:
    run = production.promote(PGPASSWORD_PROD="not-the-Passw0rd-at-all")
    refused(production, run, "password authentication failed", code=4)
    assert "not-the-Passw0rd" not in run.output


def test_uncommitted_changes(production: Production) -> None:
    """All are named at once."""
    names = ["sql/migrations/0009_new.sql", "checks/new.txt", "pyproject.toml"]
    for name in names:
        path = production.root / name
        text = path.read_text(encoding="utf-8") if path.exists() else "SELECT 1;"
        path.write_text(f"{text}\n", encoding="utf-8")
    refused(production, production.promote(), "uncommitted changes", *names, code=4)


def test_no_repository(production: Production) -> None:
    shutil.rmtree(production.root / ".git")
    refused(production, production.promote(), "nothing to attest", "git repository", code=4)


# -- history, drift, identity, evidence -----------------------------------------------------------

FIRST = "sql/migrations/0001_tickets.sql"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda text: text.replace("text NOT NULL", "text"), "was edited", id="edited"),
        pytest.param(lambda _: None, "no longer there", id="removed"),
        pytest.param(lambda text: f"-- a remark\n{text}", "comments", id="only a comment"),
    ],
)
def test_an_applied_file(
    production: Production, change: Callable[[str], str | None], said: str
) -> None:
    text = (production.root / FIRST).read_text(encoding="utf-8")
    production.change({"pyproject.toml": UNPROVED, FIRST: change(text)})
    refused(production, production.promote(), FIRST, said)


def test_a_file_out_of_order(production: Production) -> None:
    production.change({"pyproject.toml": UNPROVED, "sql/migrations/0000_late.sql": "SELECT 1;\n"})
    refused(production, production.promote(), "sql/migrations/0000_late.sql")


def test_drift_is_named_and_may_be_accepted(production: Production) -> None:
    """Before and after stand in terminal, JSON and HTML; what is declared moves freely."""
    production.change({"pyproject.toml": UNPROVED + MOVES})
    production.execute("ALTER TABLE desk.ticket ADD COLUMN smuggled text")
    production.execute("ALTER TABLE desk.ticket ALTER subject DROP NOT NULL")
    try:
        production.execute("ALTER ROLE desk_app CONNECTION LIMIT 7")
        production.execute("COMMENT ON ROLE desk_app IS 'by hand'")
        _accept_drift(production)
    finally:
        production.execute("ALTER ROLE desk_app CONNECTION LIMIT -1")
        production.execute("COMMENT ON ROLE desk_app IS NULL")


def _accept_drift(production: Production) -> None:
    drifted = production.state
    run = production.promote()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert production.state == drifted
    assert run.steps["precheck::drift"] == "failed"
    findings = [each for each in run.audit["findings"] if each["rule"] == "drift"]
    told = {each["object"]: each["detail"] for each in findings}
    assert told.keys() == {
        "column desk.ticket.smuggled",
        "column desk.ticket.subject",
        "role desk_app",
    }
    assert told["column desk.ticket.subject"].endswith("not null → null")
    assert told["role desk_app"].endswith("comment: none → 'by hand'")
    for said in ("not null → null", "added limits of role desk_app (connection limit: 7) (renewed"):
        assert said in run.output
        assert said in run.page
    found = re.search(r"--hk-accept-drift=(\w+)", run.output)
    assert found is not None
    wrong = production.promote("--hk-accept-drift=0123456789abcdef")
    assert (wrong.code, wrong.outcome) == (1, "refused"), wrong.output
    assert production.state == drifted
    accepted = production.promote(found[0])
    assert (accepted.code, accepted.outcome) == (0, "promoted"), accepted.output
    _told_in_the_population(production)


def _told_in_the_population(production: Production) -> None:
    """The change by hand is an entry between two runs, with its objects, and nothing else is; what
    was refused shares one log, here and at the remote."""
    remote = production.root.parent / "remote.git"
    for repository in (production.root, remote):
        listed = git(repository, "ls-tree", "--name-only", f"{BRANCHES}/refused", "ops/audit/")
        assert len([name for name in listed.splitlines() if name.endswith(".json")]) == 2
        assert git(repository, "rev-list", "--count", f"{BRANCHES}/refused") == "2"
    told = index(production.root, Asked(population=True, json=True))
    found = json.loads(told.out)
    assert (told.good, found["faults"]) == (True, [])
    changes = found["changes"]
    assert [each["outcome"] for each in changes] == [
        "promoted",
        "changed_outside",
        "refused",
        "refused",
        "promoted",
    ]
    first, outside, *_, last = changes
    assert outside["schema_before"] == first["schema_after"] != outside["schema_after"]
    assert outside["schema_after"] == last["schema_before"] != last["schema_after"]
    assert any("column desk.ticket.smuggled" in each for each in outside["objects"])
    assert last["files"]
    assert last["objects"]


def test_another_server_than_the_one_promoted_before(production: Production) -> None:
    pin = '{"system_identifier": "7000000000000000000", "database": "production"}\n'
    production.change({"ops/production.json": pin})
    refused(production, production.promote(), "wrong-target", "7000000000000000000")


def test_a_standby_that_was_promoted_is_not_the_one_promoted_before(production: Production) -> None:
    """It has the identifier of production and another timeline; a reviewed pin lets it through."""
    path = production.root / "ops/production.json"
    pin = path.read_text(encoding="utf-8")
    assert '"timeline": 1' in pin
    other = pin.replace('"timeline": 1', '"timeline": 6')
    production.change({"ops/production.json": other}, proved=True)
    run = production.promote()
    refused(production, run, "wrong-target", "the timeline is 1, and the last promotion went to 6")
    assert 'write "timeline": 1 into ops/production.json' in run.output
    production.change({"ops/production.json": pin}, proved=True)
    assert production.promote().outcome == "promoted"


def test_another_database_than_the_one_promoted_before(production: Production) -> None:
    production.server.copy("second_promotion", "elsewhere")
    run = production.promote(PGDATABASE_PROD="elsewhere")
    refused(production, run, "wrong-target", "elsewhere")
    assert production.server.state("elsewhere") == production.before


def test_what_no_staging_run_has_proved(production: Production) -> None:
    git(production.root, "branch", "--quiet", "-D", "housekeeping/audit/staging")
    run = production.promote("--hk-json")
    refused(production, run, "prove", "pytest --hk-mode=staging")
    told = run.told
    assert (told["mode"], told["outcome"], told["exit_code"]) == ("prod", "refused", 1)
    assert "precheck::evidence" in [each["step"] for each in told["findings"]]
    assert told["next"]["needs_person"] is True


def test_what_a_staging_run_has_proved_otherwise(production: Production) -> None:
    production.change({"sql/migrations/0005_more.sql": "CREATE TABLE vault.more (id bigint);\n"})
    refused(production, production.promote(), "prove", "pytest --hk-mode=staging")


def test_a_privilege_that_the_promoter_lacks(production: Production) -> None:
    production.execute("CREATE TABLE vault.foreign_land (id bigint)")
    production.execute("ALTER TABLE vault.foreign_land OWNER TO postgres")
    production.execute("CREATE SCHEMA abroad; CREATE TABLE abroad.land (id bigint)")
    before = production.state
    run = production.promote()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert production.state == before
    assert "GRANT SELECT ON vault.foreign_land TO promoter;" in run.output
    assert "GRANT USAGE ON SCHEMA abroad TO promoter;" in run.output


def test_segments_are_acknowledged(production: Production) -> None:
    text = "-- hk: transaction=own\nALTER TYPE desk.urgency ADD VALUE 'never';\n"
    production.change({"sql/migrations/0005_never.sql": text}, proved=True)
    run = production.promote()
    found = re.search(r"--hk-segments=\d", run.output)
    assert found is not None, run.output
    refused(production, run, "sql/migrations/0005_never.sql")
    run = production.promote(found[0])
    assert (run.code, run.outcome) == (0, "promoted"), run.output


def test_nothing_pending(production: Production) -> None:
    assert production.promote().outcome == "promoted"
    after = production.state
    run = production.promote()
    assert (run.code, run.outcome) == (0, "nothing_to_promote"), run.output
    assert production.state == after
    assert run.steps[f"{OBJECTS}::table desk.note"] == "passed"


def test_the_first_promotion(rehearsed: Rehearsal, tmp_path: Path) -> None:
    production = rehearsed.fresh(tmp_path, first=True)
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert [row[0] for row in production.state.history] == [FIRST, "sql/policies/desk.sql"]


# -- somebody else holds a lock -------------------------------------------------------------------


@contextmanager
def held(production: Production, seconds: float) -> Iterator[None]:
    """A reader's lock on desk.ticket, until so long after the promotion first waits for it.

    Before that no transaction of the reader is old enough to be waited for.
    """
    done = threading.Event()
    ready = threading.Event()
    taken = "BEGIN; LOCK TABLE desk.ticket IN ACCESS SHARE MODE NOWAIT"

    def hold() -> None:
        with production.server.superuser() as one, production.server.superuser() as other:
            now, then = one, other
            now.execute(taken)
            ready.set()
            while not done.wait(0.1):
                # The lock goes from one to the other and is never free; behind who waits for it,
                # there is none to be had at once.
                try:
                    then.execute(taken)
                except psycopg.errors.LockNotAvailable:
                    done.wait(seconds)
                    return
                now.execute("COMMIT")
                now, then = then, now

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        done.set()
        thread.join()


def test_a_lock_is_waited_for_and_the_batch_tried_again(production: Production) -> None:
    production.change({"pyproject.toml": IMPATIENT})
    with held(production, 0.4):
        run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    # The batch is short: before its first file all that the copy has shown is asked for.
    step = "sql/migrations/0002_notes.sql::apply"
    assert "applied at attempt" in run.message(step)
    conflicts = run.audit["lock_conflicts"]
    assert [each["number"] for each in conflicts] == [*range(1, len(conflicts) + 1)]
    assert {each["step"] for each in conflicts} == {step}
    wanted = "desk.ticket could not be locked in ACCESS EXCLUSIVE mode"
    assert wanted in conflicts[0]["found"]
    assert "55P03" in conflicts[0]["found"]
    # At once, and at the end, and in the report.
    assert f"attempt 1 of 5 at {step} met a lock, the batch begins again" in run.output
    assert f"  {step} met a lock " in run.output
    assert "Lock conflicts" in run.page
    assert len(production.state.history) == 7


def test_a_lock_that_is_never_let_go(production: Production) -> None:
    production.change({"pyproject.toml": IMPATIENT})
    with held(production, 60):
        run = production.promote()
    refused(production, run, "tried 5 times", "pg_stat_activity", "in its way: process ")
    assert [each["number"] for each in run.audit["lock_conflicts"]] == [1, 2, 3, 4, 5]
    assert run.outcome == "rolled_back"


def test_who_stays_is_waited_for_before_anything_is_begun(production: Production) -> None:
    """And refuses the promotion in the end; no attempt of it has kept anybody waiting."""
    production.change({"pyproject.toml": IMPATIENT + 'activity_wait = "3s"\n'})
    with production.server.superuser() as reader:
        reader.execute("BEGIN; LOCK TABLE desk.ticket IN ACCESS SHARE MODE")
        pid = reader.info.backend_pid
        run = production.promote()
    refused(production, run, "Refused: nothing was begun", f"activity-lock: process {pid}")
    assert run.steps["rehearse::activity"] == "failed"
    assert run.audit["lock_conflicts"] == []
    assert f"waiting for process {pid}" in run.output
    assert f"SELECT pg_catalog.pg_terminate_backend({pid});" in run.output


def test_outside_of_its_window_nothing_is_begun(production: Production) -> None:
    opens = datetime.now(UTC) + timedelta(hours=3)
    window = f"{opens:%H:%M}-{opens + timedelta(hours=2):%H:%M} UTC"
    production.change({"pyproject.toml": IMPATIENT + f'window = "{window}"\n'})
    run = production.promote()
    refused(production, run, "Refused: nothing was begun", f"window-closed: {window}")
    assert run.steps["precheck::window"] == "failed"
    assert run.steps["backup::snapshot"] == "skipped"


def test_in_place_the_look_is_a_precheck(rehearsed: Rehearsal, tmp_path: Path) -> None:
    """What the batch will lock is known from staging, and is asked for ahead as well."""
    production = rehearsed.fresh(tmp_path)
    production.change({"pyproject.toml": IMPATIENT + 'activity_wait = "1s"\n'})
    with production.server.superuser() as reader:
        reader.execute("BEGIN; LOCK TABLE desk.ticket IN ACCESS SHARE MODE")
        pid = reader.info.backend_pid
        run = production.promote("--hk-in-place")
    refused(production, run, "Refused: nothing was begun", f"activity-lock: process {pid}")
    with held(production, 0.4):
        run = production.promote("--hk-in-place")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert "desk.ticket could not be locked in" in run.audit["lock_conflicts"][0]["found"]


def stage_index(production: Production, kind: str, name: str) -> None:
    """The whole second promotion is this index on subjects, built outside of a transaction."""
    index = f"CREATE {kind} CONCURRENTLY {name} ON desk.ticket (subject);\n"
    git(production.root, "rm", "-rq", "--cached", "sql/policies/note.sql", "sql/views/pressing.sql")
    production.change(
        {
            "sql/migrations/0002_notes.sql": "-- hk: transaction=none\n" + index,
            "sql/migrations/0003_urgency.sql": None,
            "sql/migrations/0004_words.sql": None,
            "sql/policies/note.sql": None,
            "sql/views/pressing.sql": None,
            "sql/seeds/tickets_and_notes.sql": None,
            "checks/objects.toml": f'schemas = ["desk"]\nindexes = ["desk.{name}"]\n',
        },
        proved=True,
    )


def test_a_batch_that_begins_outside_of_a_transaction(rehearsed: Rehearsal, tmp_path: Path) -> None:
    """What the batch itself has done by then is no change behind its back."""
    production = rehearsed.fresh(tmp_path, stem=PLAIN)
    stage_index(production, "INDEX", "ticket_subject")
    run = production.promote("--hk-segments=2")
    assert (run.code, run.outcome) == (0, "promoted"), run.output


def test_a_concurrent_build_that_failed_is_repaired_as_the_message_says(
    rehearsed: Rehearsal, tmp_path: Path
) -> None:
    """Duplicates that only production has: what is left is said, and is no drift afterwards."""
    production = rehearsed.fresh(tmp_path, stem=PLAIN)
    stage_index(production, "UNIQUE INDEX", "ticket_once")
    twice = (
        "INSERT INTO desk.ticket (tenant_id, subject) SELECT tenant_id, subject FROM desk.ticket"
    )
    with production.server.superuser() as superuser:
        superuser.execute(twice)
    failed = production.promote("--hk-segments=2")
    assert (failed.code, failed.outcome) == (1, "promoted_in_part"), failed.output
    assert "it left desk.ticket_once behind, invalid" in failed.output
    with production.server.superuser() as superuser:
        superuser.execute(
            "DELETE FROM desk.ticket AS a USING desk.ticket AS b"
            " WHERE a.ctid > b.ctid AND a.subject = b.subject"
        )
    run = production.promote("--hk-segments=2")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert "dropped the invalid index desk.ticket_once" in run.message(
        "sql/migrations/0002_notes.sql::apply"
    )
