"""What a file names and nothing has made: where it is told how a throwaway server comes to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError, SqlFailed
from pytest_housekeeping.promotion.not_there import not_there
from pytest_housekeeping.sql.platforms import platform_making, platform_with

CONFIG = Config(root=Path("/project"), sql="db", migrator="Ada")


@pytest.mark.parametrize(
    ("found", "state", "dumped"),
    [
        ('relation "old" does not exist', "42P01", " --table=old DATABASE"),
        ('relation "desk.old" does not exist', "42P01", " --table=desk.old DATABASE"),
        ('relation "Old" does not exist', "42P01", " --table='\"Old\"' DATABASE"),
        ('type "state" does not exist', "42704", "privileges DATABASE"),
        ("function touch() does not exist", "42883", "privileges DATABASE"),
        ("operator does not exist: integer <-> integer", "42883", "privileges DATABASE"),
        ('publication "feed" does not exist', "42704", "privileges DATABASE"),
        ('schema "desk" does not exist', "3F000", "privileges DATABASE"),
        ('column "x" does not exist', "42703", "a column of its table"),
    ],
)
@pytest.mark.parametrize("kind", ["embedded", "system", "given"])
def test_it_is_told(found: str, state: str, dumped: str, kind: str) -> None:
    told = not_there(SqlFailed(f"a.sql:1:1: {found}", sqlstate=state), kind, CONFIG)
    assert isinstance(told, SqlFailed)
    assert (told.found, told.sqlstate) == (f"a.sql:1:1: {found}", state)
    assert "db/bootstrap/there_already.sql" in told.fix
    assert '\n  SET ROLE "Ada";\n' in told.fix
    assert dumped in told.fix


@pytest.mark.parametrize(
    ("found", "named"),
    [
        ('relation "auth.users" does not exist', True),
        ('schema "storage" does not exist', True),
        ("function auth.uid() does not exist", True),
        ('type "extensions.citext" does not exist', True),
        ('relation "desk.users" does not exist', False),
        ('relation "auth" does not exist', False),
    ],
)
def test_what_a_platform_has_names_its_setting(found: str, named: bool) -> None:
    error = SqlFailed(found, sqlstate="42P01")
    said = 'where production is supabase: platform = "supabase" in [tool.housekeeping] makes it; '
    told = not_there(error, "embedded", CONFIG)
    assert isinstance(told, SqlFailed)
    assert told.fix.startswith(said) is named
    chosen = not_there(error, "embedded", replace(CONFIG, platform="rds"))
    assert isinstance(chosen, SqlFailed)
    assert said not in chosen.fix


@pytest.mark.parametrize(
    ("roles", "platform"),
    [
        (["postgres", "rds_superuser"], "rds"),
        (["cloudsqlsuperuser", "anon"], "cloudsql"),
        (["supabase_admin"], "supabase"),
        # PostgREST's as well, and a role of anybody's.
        (["anon", "authenticated", "supabase"], ""),
    ],
)
def test_a_provider_is_known_by_its_administrators(roles: list[str], platform: str) -> None:
    assert platform_with(roles) == platform
    assert platform_making(["anon"]) == "supabase"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        # A copy has what production has.
        (SqlFailed('relation "old" does not exist', sqlstate="42P01"), "twin"),
        (SqlFailed('relation "old" already exists', sqlstate="42P07"), "embedded"),
        (SqlFailed('type "a" does not exist', sqlstate="42704", fix="said"), "embedded"),
        (MisuseError('relation "old" does not exist'), "embedded"),
    ],
)
def test_another_error_is_left_as_it_is(error: SqlFailed, kind: str) -> None:
    assert not_there(error, kind, CONFIG) is error
