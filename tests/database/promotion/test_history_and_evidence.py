"""What the evidence in git says was applied here and the history does not, and the reverse."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_housekeeping.config import PRODUCTION, Config, Fleet, Target
from pytest_housekeeping.declarations.fleets import member_target
from pytest_housekeeping.model import Kind, Level, Mode, TargetIdentity
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


@pytest.mark.parametrize("folder", ["ops/audit", "evidence"])
def test_a_run_of_another_target_is_one_database_under_two_names(
    connection: Connection, tmp_path: Path, folder: str
) -> None:
    """Until a pin says that it has this name from now on. A copy beside it is another database, and
    so is one on a server that was made from the same image, with a history of its own."""
    audit, files = evidence_of(0, Mode.PROD, None, folder=folder)
    applied = [row(each.run, each.path, each.sha256) for each in attested_by(audit)]
    fleet = Fleet(name="tenants", env="TENANTS", audit="ops/tenants/audit")
    acme = member_target(fleet, "acme", folder)
    with closing(new_repository(tmp_path / "p")) as repository:
        commit_run(repository, audit, files)
        targets = {PRODUCTION: Target(audit=folder)}
        config = Config(root=repository.root, target=acme, audit=acme.audit, targets=targets)

        def told(identity: TargetIdentity = TARGET) -> list[tuple[str, Level]]:
            found = evidence_findings(config, repository, connection, identity)
            return [(each.rule, each.level) for each in found]

        unknown = [("history-unattested", Level.NOTICE)]
        with connection.transaction(force_rollback=True):
            record(connection, OWN, [row("its-own", "sql/migrations/9.sql", "0" * 64)])
            assert told() == unknown
        with connection.transaction(force_rollback=True):
            record(connection, OWN, applied)
            (named,) = evidence_findings(config, repository, connection, TARGET)
            assert (named.rule, named.level) == ("wrong-target", Level.ERROR)
            assert f"was promoted as prod, as {folder}/prod_" in named.detail
            assert "git mv ops/production.json ops/tenants/acme/target.json" in named.fix
            assert told(replace(TARGET, database="acme")) == unknown
            assert told(replace(TARGET, system_identifier="7")) == unknown
            pin = config.root / acme.pin
            pin.parent.mkdir(parents=True)
            pin.touch()
            assert told() == unknown
