"""What the settings say that production has: files that are run as history."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind, Mode
from pytest_housekeeping.plan.given_past import given_past, given_paths
from pytest_housekeeping.plan.plan import build
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.layout_ground import ReadLayout, read_layout

FILES = {
    "db/V1__a.sql": "BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT;",
    "db/V2__b.sql": "CREATE INDEX CONCURRENTLY a ON b (c); CREATE INDEX CONCURRENTLY d ON b (e);",
    "db/R__v.sql": "CREATE OR REPLACE VIEW v AS SELECT 1 AS one;",
    "db/V3__c.sql": "CREATE TABLE c (id int);",
    "checks/objects.toml": 'schemas = ["public"]\n',
}


def ground(root: Path) -> ReadLayout:
    return read_layout(root, FILES, settings='baseline = "2"')


def test_it_is_each_file_up_to_there_and_what_the_tool_repeats(tmp_path: Path) -> None:
    read = ground(tmp_path)
    past = given_past(read.config, read.sources)
    assert [(each.path, each.kind, each.segment) for each in past] == [
        ("db/V1__a.sql", Kind.MIGRATION, 1),
        ("db/V2__b.sql", Kind.MIGRATION, 2),
        ("db/R__v.sql", Kind.VIEW, 3),
    ]
    assert all(each.recorded for each in past)
    assert given_paths(read.config, read.sources) == {each.path for each in past}
    assert given_past(replace(read.config, baseline=""), read.sources) == []


def test_what_comes_behind_is_the_batch(tmp_path: Path) -> None:
    """Files that could be no part of a batch are none; their problems count for nothing."""
    read = ground(tmp_path)
    plan = build(
        read.config,
        Mode.STAGING,
        tests=TestNames(),
        sources=read.sources,
        past=given_past(read.config, read.sources),
    )
    assert plan.unapplied == ("db/V3__c.sql",)
    assert [file.path for segment in plan.segments for file in segment.files] == ["db/V3__c.sql"]


def test_a_version_that_no_file_has_is_named(tmp_path: Path) -> None:
    read = ground(tmp_path)
    with pytest.raises(MisuseError, match="baseline = '4', and no migration has this version"):
        given_past(replace(read.config, baseline="4"), read.sources)


def test_ways_back_beside_their_files_have_a_style_of_their_own(tmp_path: Path) -> None:
    """Production knows of the files alone which staging has looked at, and asks for their style."""
    files = {
        "db/1_a.up.sql": "CREATE TABLE a (b int);",
        "db/1_a.down.sql": "DROP TABLE a;",
        "checks/objects.toml": 'schemas = ["public"]\n',
    }
    read = read_layout(tmp_path, files, settings='layout = "golang-migrate"\nmigrations = "db"')
    made = {
        mode: build(read.config, mode, tests=TestNames(), sources=ProjectFiles(tmp_path))
        for mode in (Mode.STAGING, Mode.PROD)
    }
    styles = {
        mode: {step.name: step.sha256 for step in plan.steps if step.kind is Kind.LINT}
        for mode, plan in made.items()
    }
    assert styles[Mode.STAGING].keys() == {"db", "db::back"}
    assert styles[Mode.PROD] == {"db": styles[Mode.STAGING]["db"]}
    assert made[Mode.STAGING].styled("db") == ["db/1_a.up.sql"]
    assert made[Mode.STAGING].styled("db::back") == ["db/1_a.down.sql"]
