"""What `init` finds out where it applies the files: the search_path that they count on."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.promotion.init.chosen_settings import with_search_path
from pytest_housekeeping.promotion.init.made_schema import made_schema
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.layout_ground import write

FIRST = 'CREATE SCHEMA "Desk"; CREATE TABLE "Desk".ticket (id int);'
FILES = {
    "db/1_first.up.sql": FIRST,
    "db/2_second.up.sql": "ALTER TABLE ticket ADD COLUMN note text;",
}


def test_files_that_count_on_another_search_path_get_it(tmp_path: Path) -> None:
    """Their role has it, or a connection on which an earlier file had set it."""
    write(tmp_path, FILES)
    config = Config(root=tmp_path, migrations="db", layout="golang-migrate", baseline="2")
    with made_schema(config, ProjectFiles(tmp_path)) as made:
        assert made.needed.search_path == '"Desk", public'
        assert made.schemas == ("Desk", "public")
    chosen = replace(config, session={"search_path": "public"})
    with (
        pytest.raises(SqlFailed, match="does not exist"),
        made_schema(chosen, ProjectFiles(tmp_path)),
    ):
        pass
    write(tmp_path, {"db/3_third.up.sql": "DROP TABLE invoice;"})
    with (
        pytest.raises(SqlFailed, match='"invoice" does not exist'),
        made_schema(config, ProjectFiles(tmp_path)),
    ):
        pass


@pytest.mark.parametrize(
    "text",
    ["[tool.housekeeping]\n", '[tool.housekeeping.session] # ours\nDateStyle = "ISO"\n\n[other]\n'],
)
def test_it_is_written_beside_other_settings_of_the_session(text: str) -> None:
    written = tomllib.loads(with_search_path(text, '"Desk", public'))["tool"]["housekeeping"]
    assert written["session"]["search_path"] == '"Desk", public'
    assert len(written["session"]) == (2 if "DateStyle" in text else 1)
