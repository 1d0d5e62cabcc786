"""A changeset of a file is looked for in commits as it was, whatever stands around it by now."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pytest_housekeeping.config import Config
from pytest_housekeeping.evidence import open_repository
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.promotion.repository.applied import promoted_file
from pytest_housekeeping.promotion.repository.staging_evidence import other_texts
from pytest_housekeeping.sql.project_files import ProjectFiles, named_bytes
from support.files import write
from support.fresh_copy import commit_all, git

FILE = "db/1.sql"
ONE, TWO = f"{FILE}#ada:1", f"{FILE}#ada:2"
TEXT = "--liquibase formatted sql\n--changeset ada:1\nSELECT 1;\n\n--changeset ada:2\nSELECT 2;\n"


def test_the_text_that_was_promoted_is_that_of_its_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    write(tmp_path, {FILE: TEXT})
    commit_all(tmp_path, "Two changesets")
    config = Config(root=tmp_path, layout="liquibase", migrations="db")
    then = {path: ProjectFiles(tmp_path).digest(path) for path in (ONE, TWO)}
    assert named_bytes(ONE, TEXT.encode()) == b"--changeset ada:1\nSELECT 1;"
    commit = git(tmp_path, "rev-parse", "HEAD")
    write(tmp_path, {FILE: TEXT.replace("SELECT 1", "SELECT 10") + "\n--changeset ada:3\nX\n"})
    now = ProjectFiles(tmp_path)
    assert {path: now.digest(path) == then[path] for path in then} == {ONE: False, TWO: True}
    assert now.lines(TWO) == range(5, 7)
    assert not now.has(f"{FILE}#ada:4")
    past = AppliedFile(path=ONE, sha256=then[ONE], kind=Kind.MIGRATION, commit=commit)
    with cast(Any, open_repository(tmp_path)) as repository:
        assert "SELECT 1;" in promoted_file(config, now, repository, past).text
        steps = [SimpleNamespace(path=f"{path}#down", sha256=then[path]) for path in then]
        audit = SimpleNamespace(source=SimpleNamespace(code=()), plan=SimpleNamespace(steps=steps))
        ground = SimpleNamespace(repository=repository, config=config)
        assert list(other_texts(cast(Any, ground), cast(Any, audit), commit)) == []
        steps[0].sha256 = then[TWO]
        [said] = other_texts(cast(Any, ground), cast(Any, audit), commit)
        assert f"has another {ONE} than" in said
