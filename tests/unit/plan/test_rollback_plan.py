"""In how many transactions a rollback runs, and which files are in which."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import Contracts
from pytest_housekeeping.model import Kind, Phase
from pytest_housekeeping.plan.rollback_plan import (
    RollbackWork,
    UndoneMigration,
    build_rollback,
    files_by_step,
)
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.project_files import ProjectFiles

NOTHING = Contracts(objects=None, rls=None, boundaries=None, rules=())


def file(name: str, kind: Kind = Kind.ROLLBACK, transaction: str = "batch") -> SqlFile:
    return SqlFile(
        path=f"sql/{name}.sql", kind=kind, sha256="0" * 64, statements=1, transaction=transaction
    )


def undoing(name: str, run: str, segment: int, transaction: str = "batch") -> UndoneMigration:
    return UndoneMigration(
        path=f"sql/migrations/{name}.sql",
        rollback=file(name, transaction=transaction),
        place=(run, segment),
    )


VIEW = file("view", Kind.VIEW)
GONE = file("gone")


@pytest.mark.parametrize(
    ("undone", "segments"),
    [
        ([], ["gone view"]),
        ([undoing("b", "second", 1), undoing("a", "first", 1)], ["gone b a view"]),
        # A promotion that was cut is undone in as many parts, in reverse.
        ([undoing("b", "one", 2), undoing("a", "one", 1)], ["gone b", "a view"]),
        (
            [undoing("c", "two", 1), undoing("b", "one", 2), undoing("a", "one", 1)],
            ["gone c b", "a view"],
        ),
        # What runs outside of a transaction is alone, and views come and go beside it.
        (
            [undoing("b", "one", 2, "none"), undoing("a", "one", 1)],
            ["gone", "b", "a view"],
        ),
        (
            [undoing("b", "one", 2), undoing("a", "one", 1, "none")],
            ["gone b", "a", "view"],
        ),
        ([UndoneMigration(path="m", rollback=None, place=("one", 1))], ["gone view"]),
    ],
)
def test_a_rollback_has_the_segments_of_what_it_undoes(
    undone: list[UndoneMigration], segments: list[str]
) -> None:
    work = RollbackWork(drops=(GONE,), undone=tuple(undone), restored=(VIEW,))
    plan = build_rollback(
        Config(root=Path.cwd()),
        work,
        sources=ProjectFiles(Path()),
        past=(),
        contracts=NOTHING,
        verify=(),
    )

    assert [
        " ".join(each.path.removeprefix("sql/").removesuffix(".sql") for each in segment.files)
        for segment in plan.segments
    ] == segments
    assert [segment.number for segment in plan.segments] == list(range(1, len(segments) + 1))
    commits = [step.segment for step in plan.steps if step.id.startswith("promote")]
    assert commits == [segment.number for segment in plan.segments]
    # Each file meets the copy first, and each step has the file that it stands for.
    files = files_by_step(plan)
    met = [files[step.id] for step in plan.steps if step.kind is Kind.REHEARSAL and step.path]
    assert met == [files[step.id] for step in plan.steps if step.phase is Phase.APPLY]
    assert "rollback::backup" in [s.id for s in plan.steps if s.phase is Phase.REHEARSE]
