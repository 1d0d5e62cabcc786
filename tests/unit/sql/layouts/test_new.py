"""The next migration in the form of each tool."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.sql.layouts.new import new_migration
from support.layout_ground import read_layout

GOOSE = "-- +goose Up\nSELECT 1;\n-- +goose Down\n"
MIGRATE = "-- +migrate Up\nSELECT 1;\n-- +migrate Down\n"
TERN = "SELECT 1;\n---- create above / drop below ----\n"
NODE = "-- Up Migration\nSELECT 1;\n-- Down Migration\n"
WAYS = ("up", "down")
STAMP = r"20\d{12}"
DASHED = r"20\d\d-\d\d-\d\d-\d{6}"


@pytest.mark.parametrize(
    ("there", "text", "made"),
    [
        ("sql/migrations/0009_a.sql", "", ["sql/migrations/0010_x.sql", "sql/rollback/0010_x.sql"]),
        ("db/V9__a.sql", "", ["db/V10__x.sql", "db/U10__x.sql"]),
        ("db/V1_9__a.sql", "", ["db/V2__x.sql", "db/U2__x.sql"]),
        (
            "db/V2024_08_05_1__a.sql",
            "",
            [rf"db/{half}20\d\d_\d\d_\d\d__x.sql" for half in "VU"],
        ),
        ("db/00009_a.sql", GOOSE, ["db/00010_x.sql"]),
        ("db/20240101000000_a.sql", GOOSE, [rf"db/{STAMP}_x.sql"]),
        ("db/20240101000000-a.sql", MIGRATE, [rf"db/{STAMP}_x.sql"]),
        ("db/009_a.sql", TERN, ["db/010_x.sql"]),
        ("db/1704067200000_a.sql", NODE, [r"db/\d{13}_x.sql"]),
        ("db/000009_a.up.sql", "", ["db/000010_x.up.sql", "db/000010_x.down.sql"]),
        # As pop counts on behind the second, and as a hand has dated it.
        ("db/20240101000000000001_a.up.sql", "", [rf"db/{STAMP}0{{6}}_x.{w}.sql" for w in WAYS]),
        ("db/20990101000000_a.up.sql", "", [f"db/20990101000001_x.{way}.sql" for way in WAYS]),
        ("supabase/migrations/20240101000000_a.sql", "", [rf"supabase/migrations/{STAMP}_x.sql"]),
        (
            "migrations/2024-01-01-000000_a/up.sql",
            "",
            [rf"migrations/{DASHED}_x/{half}.sql" for half in ("up", "down")],
        ),
        (
            "prisma/migrations/20240101000000_a/migration.sql",
            "",
            [rf"prisma/migrations/{STAMP}_x/{half}.sql" for half in ("migration", "down")],
        ),
    ],
)
def test_it_comes_behind_all_and_is_read_again(
    tmp_path: Path, there: str, text: str, made: list[str]
) -> None:
    files = {there: text or "SELECT 1;"}
    found = read_layout(tmp_path, files)
    new = new_migration(found.config, found.sources, "x", up="SELECT 2;", down="SELECT 3;")
    assert all(re.fullmatch(form, path) for form, path in zip(made, new, strict=True)), list(new)
    again = read_layout(tmp_path, files | dict(new))
    assert again.errors == ""
    last = again.paths()[-1]
    assert "SELECT 2;" in again.text(last)
    if "supabase" not in there:
        assert "SELECT 3;" in again.text(again.file(last).rollback)


def test_of_flyway_it_lies_in_a_location_and_is_called_as_its_files_are(tmp_path: Path) -> None:
    conf = '[flyway]\nlocations = ["filesystem:db/all", "filesystem:db/prod"]\n'
    files = {"db/all/V2__b.sql": "", "db/prod/V1__a.sql": "", "db/dev/V1__a.sql": ""}
    found = read_layout(tmp_path / "a", {"flyway.toml": conf, **files})
    new = new_migration(found.config, found.sources, "x", up="SELECT 2;", down="SELECT 3;")
    assert list(new) == ["db/all/V3__x.sql", "db/all/U3__x.sql"]
    conf = '[flyway]\nlocations = "filesystem:db"\nsqlMigrationPrefix = "M"\n'
    found = read_layout(tmp_path / "b", {"flyway.toml": conf, "db/M1__a.sql": ""})
    new = new_migration(found.config, found.sources, "x", up="SELECT 2;", down="SELECT 3;")
    assert list(new) == ["db/M2__x.sql"]
    for crate, made in {
        "refinery": ["app/db/V2__x.sql"],
        "diesel": ["app/db/V2__x.sql", "app/db/U2__x.sql"],
    }.items():
        manifest = f'[dependencies]\n{crate} = "1"\n'
        files = {"app/Cargo.toml": manifest, "app/db/V1__a.sql": ""}
        found = read_layout(tmp_path / crate, files)
        new = new_migration(found.config, found.sources, "x", up="SELECT 2;", down="SELECT 3;")
        assert list(new) == made


def test_a_change_of_sqitch_is_added_by_sqitch(tmp_path: Path) -> None:
    plan = {"sqitch.plan": "%project=x\n", "deploy/a.sql": ""}
    found = read_layout(tmp_path, plan)
    with pytest.raises(MisuseError, match="sqitch add x"):
        new_migration(found.config, found.sources, "x", up="")


def test_in_atlas_a_version_may_be_a_whole_name(tmp_path: Path) -> None:
    """A file that is named with dashes, whose version has no end before the name's."""
    names = ("20240101000000.sql", "20230101000000-a-note.sql", "first.sql")
    files = {f"db/{name}": "SELECT 1;" for name in names}
    found = read_layout(tmp_path, files | {"db/atlas.sum": ""})
    (path,) = new_migration(found.config, found.sources, "x", up="SELECT 2;", down="SELECT 3;")
    assert re.fullmatch(rf"db/{STAMP}_x\.sql", path)
