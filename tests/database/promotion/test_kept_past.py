"""A past that is kept counts if its schema is the one that was kept, and only as far as it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.plan.rollback_files import RollbackLink, Rollbacks
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.promotion.staging.kept_past import (
    KeptPast,
    begin_without,
    family_of,
    kept_past,
)
from pytest_housekeeping.server import Begun, Server, StagingDatabase
from pytest_housekeeping.snapshot.catalog.sum import catalog_sum
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.project_files import ProjectFiles

PAST = tuple(
    AppliedFile(
        path=f"sql/migrations/000{n}_a.sql",
        sha256=f"{n}" * 64,
        kind=Kind.MIGRATION,
        commit="c" * 40,
        segment=segment,
    )
    for n, segment in ((1, 1), (2, 1), (3, 2))
)


def keys(config: Config, past: Sequence[AppliedFile] = PAST) -> dict[str, int]:
    family = family_of(config, ProjectFiles(config.root))
    return dict(kept_past(config, family, past).keys)


def test_a_past_begins_with_the_longest_that_is_kept(tmp_path: Path) -> None:
    config = Config(root=tmp_path)
    assert list(keys(config).values()) == [2, 1]
    # Two clones of a project share what they keep; a longer past begins as the shorter one.
    assert keys(replace(config, root=tmp_path / "..")) == keys(config)
    assert set(keys(config, PAST[:2])) < set(keys(config))
    assert not keys(config, ())


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([replace(PAST[0], sha256="9" * 64), *PAST[1:]], id="a text"),
        pytest.param([replace(PAST[0], path="sql/migrations/0001_b.sql"), *PAST[1:]], id="a name"),
        pytest.param([PAST[1], PAST[0], PAST[2]], id="the order"),
        pytest.param([PAST[0], replace(PAST[1], segment=2), PAST[2]], id="the segments"),
        pytest.param([replace(PAST[0], kind=Kind.VIEW), *PAST[1:]], id="a kind"),
        pytest.param(PAST[1:], id="one less"),
    ],
)
def test_another_past_is_another(tmp_path: Path, other: Sequence[AppliedFile]) -> None:
    config = Config(root=tmp_path)
    longest = next(iter(keys(config)))
    assert longest not in keys(config, other)


def test_other_settings_and_another_bootstrap_are_another(tmp_path: Path) -> None:
    config = Config(root=tmp_path)
    known = set(keys(config))
    assert not known & set(keys(replace(config, migrator="owner")))
    assert not known & set(keys(replace(config, session={"DateStyle": "ISO, DMY"})))
    (tmp_path / "sql" / "bootstrap").mkdir(parents=True)
    (tmp_path / "sql" / "bootstrap" / "a.sql").write_text("CREATE ROLE a;\n")
    assert not known & set(keys(config))


def test_only_the_schema_that_was_kept_is_begun_with(
    tmp_path: Path, database: StagingDatabase, superuser: psycopg.Connection[Any]
) -> None:
    config = Config(root=tmp_path)
    differs = KeptPast(config=config, keys={}).beginning().differs
    superuser.execute("CREATE TABLE public.kept (a int, b int)")

    def known() -> dict[str, str]:
        connection = connect(database.superuser_conninfo, settings=config.session)
        try:
            return {"catalogs": catalog_sum(connection)}
        finally:
            connection.close()

    about = known()
    assert differs(database, about) == ""
    assert differs(database, {}) == "its catalogs have another sum"
    assert "could not be read" in differs(replace(database, name="nowhere"), about)
    # Each is seen: a column, a row type's privilege, a role, a setting, a comment, a number alone.
    for statement in (
        "ALTER TABLE public.kept ALTER b SET NOT NULL",
        "GRANT USAGE ON TYPE public.kept TO public",
        "ALTER ROLE hk_migrator CONNECTION LIMIT 7",
        "ALTER ROLE hk_migrator SET work_mem = '1MB'",
        "COMMENT ON TABLE public.kept IS 'x'",
        "DROP TABLE public.kept; CREATE TABLE public.kept (a int, b int NOT NULL)",
        "ALTER ROLE hk_migrator CONNECTION LIMIT -1; ALTER ROLE hk_migrator RESET work_mem",
    ):
        superuser.execute(statement.encode())
        before, about = about, known()
        assert differs(database, about) == ""
        assert differs(database, before) == "its catalogs have another sum", statement


@dataclass
class Standing:
    """A server that has begun with what is kept under a key."""

    key: str
    about: Mapping[str, str] = field(default_factory=dict)
    because: list[str] = field(default_factory=list)

    def begun(self) -> Begun:
        return Begun(key=self.key, about=self.about)

    def begin_again(self, *, because: str) -> None:
        self.because.append(because)


@pytest.mark.parametrize(("way_back_to", "anew"), [(None, False), (2, False), (1, True), (0, True)])
def test_a_way_back_below_it_begins_before_it(
    tmp_path: Path, way_back_to: int | None, anew: bool
) -> None:
    """The schema before the migration at which it ends is read while the past is replayed."""
    config = Config(root=tmp_path)
    kept = KeptPast(config=config, keys=keys(config))
    known = {f"before {PAST[2].path}": "", "before another": ""}
    standing = Standing(next(key for key, segment in kept.keys.items() if segment == 1), known)
    rollbacks = Rollbacks()
    if way_back_to is not None:
        file = SqlFile(path=PAST[way_back_to].path, kind=Kind.MIGRATION, sha256="")
        link = RollbackLink(migration=file, rollback=file, pending=False)
        rollbacks = Rollbacks(links=(link,))
    plan = cast("Plan", type("APlan", (), {"past": PAST, "rollbacks": rollbacks}))
    begin_without(kept, cast("Server", standing), plan)
    assert bool(standing.because) is anew
    if way_back_to is not None:
        assert (
            standing.because
            == [f"that {PAST[way_back_to].path} can be undone has still to be proved"] * anew
        )


def test_a_way_back_may_lead_to_what_is_known_of_it(tmp_path: Path) -> None:
    config = Config(root=tmp_path)
    kept = KeptPast(config=config, keys=keys(config))
    path = PAST[0].path
    schema = Fingerprint(
        entries=(SchemaObject(name="schema a", parent="", text="x"),), server_major=16
    )
    about = {f"before {path}": SchemaRecord(fingerprint=schema).packed}
    standing = Standing(next(iter(kept.keys)), about)
    file = SqlFile(path=path, kind=Kind.MIGRATION, sha256="")
    link = RollbackLink(migration=file, rollback=file, pending=False)
    plan = type("APlan", (), {"past": PAST, "rollbacks": Rollbacks(links=(link,))})
    begin_without(kept, cast("Server", standing), cast("Plan", plan))
    assert standing.because == []
    assert kept.before(cast("Server", standing), [path, "another"]) == {path: schema}
