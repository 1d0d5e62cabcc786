"""docs/from/ and docs/beside_your_tool.md are true, on productions as the tools have left them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from support.console_blocks import Block, blocks_of, missing_line
from support.files import write
from support.fresh_copy import ROOT, commit_all, git
from support.postgres_service import postgres_service
from support.production_project import OFF
from support.tool_productions import TOOLS, migrate, page_of, project_of

SECRET = "the-superuser-0f-this-server"
BESIDE = ROOT / "docs/beside_your_tool.md"
_FOREIGN = ("HK_", "PG", "GITHUB_", "PYTEST_", "GIT_", "CI")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with postgres_service(SECRET) as found:
        yield found


@pytest.fixture
def production(port: int) -> dict[str, str]:
    """An empty database of a role of its own, by the five variables."""
    with _connected(port, "postgres", "postgres", SECRET) as connection:
        connection.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        connection.execute("DROP ROLE IF EXISTS app")
        connection.execute("CREATE ROLE app LOGIN PASSWORD 'app'")
        connection.execute("CREATE DATABASE shop OWNER app")
    return {
        "PGHOST_PROD": "127.0.0.1",
        "PGPORT_PROD": str(port),
        "PGDATABASE_PROD": "shop",
        "PGUSER_PROD": "app",
        "PGPASSWORD_PROD": "app",
    }


def _connected(port: int, database: str, user: str, password: str) -> psycopg.Connection[object]:
    return psycopg.connect(
        host="127.0.0.1", port=port, dbname=database, user=user, password=password, autocommit=True
    )


def _project(place: Path, tool: str) -> Path:
    """The files of a page, committed, in an empty folder."""
    root = place / "project"
    write(root, project_of(tool))
    git(place, "init", "--quiet", "--initial-branch=main", str(root))
    commit_all(root, "The files of the page")
    return root


def _run(block: Block, folder: Path, production: dict[str, str]) -> str:
    """A block of a page, by somebody whose pytest is that of these tests."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_FOREIGN)}
    kept |= production | {
        "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
        "PYTEST_ADDOPTS": " ".join(f"-p no:{name}" for name in OFF),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.script],
        cwd=folder,
        env=kept,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{block.place}\n{done.stdout}"
    assert missing_line(block.shown, done.stdout) is None, f"{block.place}\n{done.stdout}"
    return done.stdout


@pytest.mark.parametrize("tool", TOOLS)
def test_a_project_of_the_tool_is_taken_in(
    tool: str, tmp_path: Path, port: int, production: dict[str, str]
) -> None:
    root = _project(tmp_path, tool)
    with _connected(port, "shop", "app", "app") as connection:
        migrate(connection, tool, project_of(tool))
    for number, block in enumerate(blocks_of(page_of(tool), ROOT)):
        if block.no_run is None:
            # The page sets the five variables behind its first block.
            _run(block, root, production if number else {})
    first = git(root, "rev-list", "--max-parents=0", "HEAD")
    changed = git(root, "diff", "--stat", first, "--", *project_of(tool))
    # The plan of the one and the journal of the other have one more line.
    assert changed == "" or tool in ("sqitch", "drizzle")


@pytest.mark.parametrize("tool", ["dbmate", "flyway"])
def test_a_production_is_watched_beside_the_tool(
    tool: str, tmp_path: Path, port: int, production: dict[str, str]
) -> None:
    root = _project(tmp_path, tool)
    with _connected(port, "shop", "app", "app") as connection:
        migrate(connection, tool, project_of(tool))
        before = connection.execute("SELECT oid, relname FROM pg_class ORDER BY 1").fetchall()
        for number, block in enumerate(blocks_of(BESIDE, ROOT)):
            _run(block, root, production if number else {})
        # Nothing was left there, not even a table of this tool's own.
        after = connection.execute("SELECT oid, relname FROM pg_class ORDER BY 1").fetchall()
        assert after == before
