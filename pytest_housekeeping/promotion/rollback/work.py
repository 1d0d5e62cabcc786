"""What undoing takes: rollback files, what views and policies made, texts and rules of before."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import Contracts, load_contracts
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.model import Kind, Step
from pytest_housekeeping.plan.check_steps import check_steps
from pytest_housekeeping.plan.rollback_files import misfits
from pytest_housekeeping.plan.rollback_plan import RollbackWork, UndoneMigration
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.own_tables.history import Row
from pytest_housekeeping.postgres.view_dependents import standing_upon
from pytest_housekeeping.promotion.repository.applied import applied_files, promoted_file
from pytest_housekeeping.promotion.rollback.selection import Reverted
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.folder import read_all
from pytest_housekeeping.sql.path_names import whole_of
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.repeatable import take_down
from pytest_housekeeping.sql.text import digest

if TYPE_CHECKING:
    from pytest_housekeeping.declarations.rules import Rule

_REPEATABLE = (Kind.VIEW, Kind.POLICY)


def gather_work(
    config: Config,
    sources: ProjectFiles,
    repository: Repository | None,
    connection: LentConnection,
    reverted: Reverted,
) -> tuple[RollbackWork, dict[str, str]]:
    """What has to be dropped, undone and made again; and the texts that are on no disk, by digest.

    Raises MisuseError for a rollback file that undoes nothing, ProofFailed for a text that was
    applied and is nowhere to be found.
    """
    found = read_all(config, sources, (Kind.MIGRATION, Kind.ROLLBACK))
    migrations = {file.path: file for file in found.files[Kind.MIGRATION]}
    rollbacks = {file.path: file for file in found.files[Kind.ROLLBACK]}
    if wrong := [*found.errors, *misfits(migrations.values(), rollbacks)]:
        raise MisuseError("\n".join(str(error) for error in wrong))
    undoing = tuple(
        _undone(row, migrations.get(whole_of(row.path)), rollbacks, reverted)
        for row in _last_parts(reverted)
    )
    newest = _last_by_path((*reverted.standing, *reversed(reverted.rows)))
    older = _last_by_path(reverted.standing)

    def text_of(row: Row) -> str:
        return promoted_file(config, sources, repository, applied_files([row])[0]).text

    now = {path: text_of(row) for path, row in newest.items()}
    touched = [row.path for row in reverted.rows if row.kind in _REPEATABLE]
    paths = sorted(
        standing_upon(connection, now, touched),
        key=lambda path: (newest[path].kind != "view", path),
    )
    back = {path: text_of(older[path]) for path in paths if path in older}
    drops = [(path, take_down(now[path], kept=back.get(path, ""))) for path in reversed(paths)]
    texts = {digest(text.encode()): text for _, text in drops}
    texts |= {older[path].sha256: text for path, text in back.items()}
    work = RollbackWork(
        drops=tuple(_made(path, text) for path, text in drops),
        undone=undoing,
        restored=tuple(
            sqlfile.from_text(path, Kind(older[path].kind), back[path], older[path].sha256)
            for path in paths
            if path in back
        ),
    )
    return work, texts


def _last_parts(reverted: Reverted) -> Iterator[Row]:
    """The migrations that are undone, and of one that ran in parts what ran last of it.

    Raises MisuseError where its first parts would stand: its way back undoes all of them.
    """
    standing = {whole_of(row.path): row for row in reverted.standing if row.kind == Kind.MIGRATION}
    known: set[str] = set()
    for row in (row for row in reverted.rows if row.kind == Kind.MIGRATION):
        whole = whole_of(row.path)
        if whole in standing:
            raise MisuseError(
                f"{standing[whole].path} would stand, and {row.path} be undone",
                why="the way back of the file undoes all of its parts",
                fix=f"go back to before its first part: --hk-to={standing[whole].run}",
            )
        if whole not in known:
            known.add(whole)
            yield row


def _undone(
    row: Row, migration: SqlFile | None, rollbacks: Mapping[str, SqlFile], reverted: Reverted
) -> UndoneMigration:
    rollback = migration.rollback if migration else ""
    return UndoneMigration(
        path=whole_of(row.path),
        rollback=rollbacks.get(rollback),
        rollback_path=rollback,
        place=reverted.place(row),
    )


def _made(path: str, text: str) -> SqlFile:
    """A text that no file holds."""
    return SqlFile(
        path=path,
        kind=Kind.ROLLBACK,
        sha256=digest(text.encode()),
        statements=text.count(";\n"),
    )


def _last_by_path(rows: Iterable[Row]) -> dict[str, Row]:
    return {row.path: row for row in rows if row.kind in _REPEATABLE}


def contracts_of(
    config: Config,
    repository: Repository | None,
    reverted: Reverted,
    tests: TestNames,
    rules: Iterable[Rule],
) -> tuple[Contracts, list[Step]]:
    """The row-level security and the boundaries of the schema that is gone back to, as its commit
    has them; none before the first promotion. What stands there is judged by the backup."""
    commit = reverted.standing[-1].commit if reverted.standing else None
    with tempfile.TemporaryDirectory(prefix="hk-") as folder:
        there = replace(config, root=Path(folder))
        place = there.root / config.checks
        place.mkdir(parents=True)
        if commit and repository is not None:
            top = repository.relative(config.root / config.checks)
            for name, data in repository.files_in(commit, top):
                if name in ("rls.toml", "boundaries.toml"):
                    (place / name).write_bytes(data)
        files = ProjectFiles(there.root)
        contracts = load_contracts(there, files, rules)
        verify = [
            step
            for step in check_steps(there, files, contracts, tests)
            if step.kind in (Kind.RLS, Kind.BOUNDARY) and step.name not in contracts.code_contracts
        ]
    return contracts, verify
