"""What the evidence in git says was applied here and the history does not, and the reverse."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Kind, Level, Mode
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables.history import Row, record
from pytest_housekeeping.promotion.prechecks.own_tables import attested_by, evidence_findings
from support.evidence_repository import commit_run, evidence_of, new_repository
from support.evidence_samples import TARGET

OWN = "housekeeping"


def row(run: str, path: str, sha256: str) -> Row:
    return Row(
        run=run,
        commit="c" * 40,
        kind=Kind.MIGRATION,
        path=path,
        sha256=sha256,
        statements=1,
        duration_s=0.5,
    )


def test_each_names_the_run_of_which_the_other_knows_nothing(
    connection: Connection, tmp_path: Path
) -> None:
    audit, files = evidence_of(0, Mode.PROD, None)
    applied = [row(each.run, each.path, each.sha256) for each in attested_by(audit)]
    assert applied
    with closing(new_repository(tmp_path / "p")) as repository:
        commit_run(repository, audit, files)
        config = Config(root=repository.root)

        def told() -> list[tuple[str, Level, str]]:
            found = evidence_findings(config, repository, connection, TARGET)
            return [(each.rule, each.level, each.object) for each in found]

        with connection.transaction(force_rollback=True):
            record(connection, OWN, [row("other", "sql/migrations/9.sql", "0" * 64)])
            missing = ("history-missing", Level.ERROR, f"run {audit.run.id}")
            assert told() == [missing, ("history-unattested", Level.NOTICE, "run other")]
        with connection.transaction(force_rollback=True):
            record(connection, OWN, applied)
            assert told() == []
