"""What production has applied is replayed once, and kept: the same schema, or it is made anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.server import (
    Beginning,
    ServerSettings,
    StagingDatabase,
    kept_folders,
    start,
)
from support.own_cache import own_cache
from support.promoted_past import promote
from support.staging_project import Project

SLOW = "CREATE INDEX seen ON shop.item (name);\nSELECT pg_sleep(0.6);\n"
KEPT = "as an earlier run has replayed them"


def change_what_is_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One index less in it, and all that is told of it as it was."""
    (path,) = place.glob("kept-*")
    monkeypatch.setattr(kept_folders, "kept_path", lambda *_: path)
    monkeypatch.setattr("pytest_housekeeping.server.beginning.kept_path", lambda *_: path)
    seen: dict[str, str] = {}
    key = key_of(path)

    def look(_: StagingDatabase, about: Mapping[str, str]) -> str:
        seen.update(about)
        return ""

    server = start(ServerSettings(), Beginning(keys=[key], differs=look))
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute("DROP INDEX shop.seen")
    assert server.keep(database, key, seen) == ""
    server.stop()


def key_of(path: Path) -> str:
    header = path.read_bytes().split(b"\n")[1].decode()
    return header.partition('"key": "')[2].partition('"')[0]


def test_the_past_is_replayed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment, place = own_cache(tmp_path / "cache")
    files = {
        "sql/bootstrap/roles.sql": "CREATE ROLE shop_reader;\n",
        "sql/migrations/0003_slow.sql": SLOW,
        "sql/rollback/0003_slow.sql": "DROP INDEX shop.seen;\n",
    }
    project = Project.make(tmp_path, files=files, repository=True)
    promote(project, "r1")
    project.write({"sql/migrations/0004_more.sql": "GRANT SELECT ON shop.item TO shop_reader;\n"})
    project.commit()

    run = project.run(**environment)
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.message("precheck::history") == "replayed 4 files; kept for the next run"

    run = project.run(**environment)
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.message("precheck::history") == f"4 files {KEPT}"
    assert run.message("precheck::bootstrap") == "1 files, as an earlier run has left them"
    assert run.steps["sql/migrations/0004_more.sql::apply"] == "passed"

    # An index less, and a fingerprint that is told as it was.
    change_what_is_kept(place, monkeypatch)
    run = project.run(**environment)
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    said = run.message("precheck::history")
    assert "is not what was kept: its schema has another fingerprint; replayed 4 files" in said

    # What comes upon it is replayed upon it.
    promote(project, "r2")
    project.write({"sql/migrations/0005_next.sql": "CREATE INDEX note ON shop.item (price);\n"})
    project.commit()
    run = project.run(**environment)
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.message("precheck::history") == f"4 files {KEPT}; replayed 1 files"

    # A way back that was not proved yet begins before what is kept.
    project.write({"sql/rollback/0003_slow.sql": "DROP INDEX shop.seen RESTRICT;\n"})
    project.write({"sql/rollback/0004_more.sql": "REVOKE SELECT ON shop.item FROM shop_reader;\n"})
    project.write({"sql/rollback/0005_next.sql": "DROP INDEX shop.note;\n"})
    project.commit()
    run = project.run(**environment)
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    said = run.message("precheck::history")
    assert said.startswith("replayed anew: that sql/migrations/0003_slow.sql can be undone has")
    assert said.endswith("to be proved; replayed 5 files; kept for the next run")
    assert run.steps["sql/rollback/0003_slow.sql::round-trip"] == "passed"
