"""What production has applied is replayed once, and kept for the runs after it."""

from __future__ import annotations

from pathlib import Path

from support.own_cache import own_cache
from support.promoted_past import promote
from support.staging_project import Project

SLOW = """\
CREATE INDEX seen ON shop.item (name);
CREATE INDEX IF NOT EXISTS seen_too ON shop.item (price);
SELECT pg_sleep(0.6);
"""
UNDO_MORE = "REVOKE SELECT ON shop.item FROM shop_reader;\n"


def test_the_past_is_replayed_once(tmp_path: Path) -> None:
    environment, _ = own_cache(tmp_path / "cache")
    files = {
        "sql/bootstrap/roles.sql": "CREATE ROLE shop_reader;\n",
        "sql/migrations/0003_slow.sql": SLOW,
        "sql/rollback/0003_slow.sql": "DROP INDEX shop.seen;\nDROP INDEX shop.seen_too;\n",
    }
    project = Project.make(tmp_path, files=files, repository=True)
    promote(project, "r1")
    more = {"sql/migrations/0004_more.sql": "GRANT SELECT ON shop.item TO shop_reader;\n"}
    project.write({**more, "sql/rollback/0004_more.sql": UNDO_MORE})
    project.commit()
    run = project.run(**environment)
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.message("precheck::history") == "replayed 4 files; kept for the next run"

    # What comes upon it is replayed upon it; and what was there before a migration of it is known,
    # so that its rollback file, which is another now, is seen to leave something.
    promote(project, "r2")
    project.write(
        {
            "sql/migrations/0005_next.sql": "CREATE INDEX next ON shop.item (price);\n",
            "sql/rollback/0005_next.sql": "DROP INDEX shop.next;\n",
            "sql/rollback/0003_slow.sql": "DROP INDEX shop.seen;\n",
        }
    )
    project.commit()
    run = project.run(**environment)
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert run.findings("rollback-leaves") == ["index shop.seen_too"]
    said = "4 files as an earlier run has replayed them; replayed 1 files"
    assert run.message("precheck::history") == said
    assert run.message("precheck::bootstrap") == "1 files, as an earlier run has left them"
    assert run.steps["sql/migrations/0005_next.sql::apply"] == "passed"
