"""Which migrations can be undone, which have to be, and what is no rollback file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind, Mode
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import Plan, build
from pytest_housekeeping.plan.problems import problems_of
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.sql.project_files import ProjectFiles

FILES = {
    **{f"sql/migrations/000{n}_m.sql": f"CREATE TABLE t{n} (id int);" for n in (1, 2, 3)},
    **{f"sql/rollback/000{n}_m.sql": f"DROP TABLE t{n};" for n in (1, 2, 3)},
    "checks/queries/q.sql": "SELECT id FROM t1",
}
IRREVERSIBLE = "-- hk: irreversible, the values were hashed\nCREATE TABLE t2 (id int);"


def plan(
    root: Path,
    files: dict[str, str | None],
    *,
    required: bool = False,
    past: int = 0,
    proved: tuple[str, ...] = (),
) -> Plan:
    for name, text in {**FILES, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            (root / name).unlink(missing_ok=True)
        else:
            (root / name).write_text(text, encoding="utf-8")
    config = Config(root=root, lint=False, require_rollback=required)
    known = build(config, Mode.STAGING, tests=TestNames(), sources=ProjectFiles(config.root)).files
    applied = [
        AppliedFile(path=file.path, sha256=file.sha256, kind=Kind.MIGRATION, commit="c" * 40)
        for file in known
        if file.kind is Kind.MIGRATION and int(file.version) <= past
    ]
    return build(
        config,
        Mode.STAGING,
        tests=TestNames(),
        sources=ProjectFiles(config.root),
        past=applied,
        proved=lambda _: proved,
    )


def steps(made: Plan) -> list[str]:
    return [step.id for step in made.steps if step.kind is Kind.ROLLBACK]


def test_each_file_is_an_item_the_newest_first_and_the_batch_is_one(tmp_path: Path) -> None:
    assert steps(plan(tmp_path, {})) == [
        "sql/rollback/0003_m.sql::round-trip",
        "sql/rollback/0002_m.sql::round-trip",
        "sql/rollback/0001_m.sql::round-trip",
        "rollback::batch",
    ]


def test_without_rollback_files_nothing_is_asked_for(tmp_path: Path) -> None:
    none: dict[str, str | None] = {name: None for name in FILES if "rollback" in name}
    assert steps(plan(tmp_path, none)) == []
    required = plan(tmp_path, none, required=True)
    assert steps(required) == [f"sql/migrations/000{n}_m.sql::rollback" for n in (1, 2, 3)]


def test_a_missing_one_in_the_batch_strands_those_below(tmp_path: Path) -> None:
    made = plan(tmp_path, {"sql/rollback/0002_m.sql": None}, required=True)
    assert steps(made) == [
        "sql/migrations/0002_m.sql::rollback",
        "sql/rollback/0003_m.sql::round-trip",
        "sql/rollback/0001_m.sql::round-trip",
    ]
    assert [file.path for file in made.rollbacks.stranded] == ["sql/rollback/0001_m.sql"]


def test_an_irreversible_one_is_the_floor_and_says_why(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        {"sql/migrations/0002_m.sql": IRREVERSIBLE, "sql/rollback/0002_m.sql": None},
        required=True,
    )
    assert steps(made) == [
        "sql/migrations/0002_m.sql::rollback",
        "sql/rollback/0003_m.sql::round-trip",
    ]
    assert made.rollbacks.floor is not None
    assert made.rollbacks.floor.irreversible == "the values were hashed"
    assert [file.path for file in made.rollbacks.unreachable] == ["sql/rollback/0001_m.sql"]


def test_what_is_applied_and_proved_is_only_walked_through(tmp_path: Path) -> None:
    newest, oldest = "sql/rollback/0003_m.sql", "sql/rollback/0001_m.sql"
    assert steps(plan(tmp_path, {}, past=3, proved=(oldest, newest))) == [
        "sql/rollback/0002_m.sql::round-trip"
    ]
    walked = plan(tmp_path, {}, past=3, proved=(newest,)).rollbacks
    assert [link.rollback.path for link in walked.links if link.proved] == [newest]
    assert walked.ends == {"sql/migrations/0001_m.sql"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"sql/rollback/0009_m.sql": "SELECT 1;"},
            "sql/rollback/0009_m.sql undoes nothing: there is no sql/migrations/0009_m.sql",
        ),
        (
            {"sql/migrations/0002_m.sql": IRREVERSIBLE},
            "which says that it is irreversible (the values were hashed)",
        ),
        ({"sql/rollback/undo.sql": "SELECT 1;"}, "sql/rollback/undo.sql: the name does not fit"),
    ],
)
def test_what_is_no_rollback_file(tmp_path: Path, files: dict[str, str | None], said: str) -> None:
    with pytest.raises(MisuseError) as raised:
        plan(tmp_path, files)
    assert said in str(raised.value)


@pytest.mark.parametrize("header", ["irreversible", "irreversible,", "irreversible = yes"])
def test_irreversible_takes_a_reason(tmp_path: Path, header: str) -> None:
    made = plan(tmp_path, {"sql/migrations/0003_m.sql": f"-- hk: {header}\nCREATE TABLE t3 ();"})
    (problem,) = (problem for _, problem in problems_of(Config(root=tmp_path), made))
    assert problem.found.startswith("unknown header 'irreversible")
    assert "irreversible, REASON" in problem.fix


def test_a_rollback_that_commits_is_found_before_anything_runs(tmp_path: Path) -> None:
    made = plan(tmp_path, {"sql/rollback/0003_m.sql": "DROP TABLE t3; COMMIT;"})
    (found,) = problems_of(Config(root=tmp_path), made)
    assert (found[0].path, found[1].found) == ("sql/rollback/0003_m.sql", "COMMIT in the file")
