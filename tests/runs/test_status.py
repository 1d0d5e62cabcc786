"""``status`` asks production itself, read only, and only where it is the pinned one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pytest_housekeeping.errors import ProofFailed, ServerError
from pytest_housekeeping.promotion.commands.status import StatusReport, status
from support.fresh_copy import git
from support.production_project import PASSWORD, UNPROVED, Production

OF_SOMETHING_ELSE = True

PENDING = ["0002_notes.sql", "0003_urgency.sql", "0004_words.sql", "pressing.sql", "note.sql"]


def asked(
    production: Production, monkeypatch: pytest.MonkeyPatch, needs: str | None = None, **given: str
) -> StatusReport:
    for name, value in production.server.environment(**given).items():
        monkeypatch.setenv(name, value)
    return status(production.root, needs=needs)


def test_production_says_itself_what_is_applied(
    production: Production, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = git(production.root, "rev-parse", "HEAD")
    known = asked(production, monkeypatch)
    assert known.good, known.lines
    assert "--hk-baseline" not in "".join(known.lines)
    assert known.lines[0].startswith("2 files applied, by the history of 127.0.0.1:")
    assert " by promoter, commit " in known.lines[1]
    assert "5 files pending here" in known.lines
    assert "  sql/migrations/0002_notes.sql" in known.lines
    assert "no drift: the schema is as the last promotion left it" in known.lines
    production.execute("COMMENT ON TABLE desk.ticket IS 'by hand'")
    drifted = asked(production, monkeypatch)
    assert not drifted.good
    assert "drift: 1 object changed since, by no file:" in drifted.lines
    assert any("table desk.ticket" in line for line in drifted.lines)
    production.execute("COMMENT ON TABLE desk.ticket IS NULL")
    promoted = known.lines[1].rpartition(" ")[2]
    may = asked(production, monkeypatch, promoted)
    assert may.lines[-1] == "it may be deployed", may.lines
    ahead = asked(production, monkeypatch, head)
    assert not ahead.good
    assert [line.partition(":")[0].rpartition("/")[2] for line in ahead.lines[1:6]] == PENDING

    # What evidence alone says is less, until it is merged; production knows better.
    production.change({"pyproject.toml": UNPROVED})
    run = production.promote("--hk-no-commit")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert asked(production, monkeypatch, head).good
    later = asked(production, monkeypatch)
    unmerged = [line for line in later.lines if line.startswith("not in the evidence here")]
    assert len(unmerged) == 5, later.lines
    command = [sys.executable, "-m", "pytest_housekeeping", "status", f"--needs={head}"]
    environment = os.environ | production.server.environment()
    done = subprocess.run(
        command, cwd=production.root, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.endswith("it may be deployed\n")


def test_nothing_is_changed_and_no_other_database_is_believed(
    production: Production, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProofFailed) as other:
        asked(production, monkeypatch, "HEAD", PGDATABASE_PROD="postgres")
    assert "/postgres" in other.value.found
    production.execute("CREATE ROLE stranger LOGIN PASSWORD 'a-secret-nobody-sees'")
    stranger = {"PGUSER_PROD": "stranger", "PGPASSWORD_PROD": "a-secret-nobody-sees"}
    try:
        with pytest.raises(ProofFailed) as closed:
            asked(production, monkeypatch, "HEAD", **stranger)
        assert "stranger may not read the history: permission denied" in closed.value.found
    finally:
        production.execute("DROP ROLE stranger")
    for given in ({"PGPORT_PROD": "1"}, {"PGPASSWORD_PROD": "wrong"}):
        with pytest.raises(ServerError) as down:
            asked(production, monkeypatch, "HEAD", **given)
        assert PASSWORD not in str(down.value)
    # A history that is gone is not read as one of a database that was never promoted.
    production.execute("ALTER SCHEMA housekeeping RENAME TO hidden")
    try:
        lost = asked(production, monkeypatch)
        assert not lost.good
        named = [line for line in lost.lines if line.startswith("on record as promoted, and not")]
        assert len(named) == 2, lost.lines
        (way,) = [line for line in lost.lines if "--hk-baseline=VERSION" in line]
        assert way.endswith("pytest --hk-mode=prod --hk-confirm=PROMOTE --hk-baseline=VERSION")
        assert not asked(production, monkeypatch, "HEAD").good
    finally:
        production.execute("ALTER SCHEMA hidden RENAME TO housekeeping")
    assert production.unchanged
