"""docs/production.md and docs/recovery.md can be followed to the letter, in the page's order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.sandbox import start as start_sandbox
from pytest_housekeeping.sandbox import stop as stop_sandbox
from support.console_blocks import blocks_of, missing_line
from support.documents import STORIES
from support.fresh_copy import ROOT, fresh_repository
from support.kept_bytecode import bring_bytecode
from support.prepared_python import python_program
from support.production_project import OFF
from support.staged_project import prove

PAGE = ROOT / "docs/setup.md"
# Of this run, not of somebody who types the commands.
_OURS = ("PYTEST_", "COV_", "VIRTUAL_ENV", "PYTHON", "TOX_", "GIT", "HK_", "PG")
_END = "=== end of block"
_FAILED = "=== failed: "


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Somebody else's: with a sandbox of their own; `python3` is the Python that runs the tests.

    What it makes has the dependencies: fetching them is shown by the block of CONTRIBUTING.md.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    programs = tmp_path / "programs"
    programs.mkdir()
    python_program(programs)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    yield kept | {
        "PATH": f"{programs}:{kept['PATH']}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    stop_sandbox()


@pytest.mark.parametrize("page", STORIES, ids=lambda page: page.name)
def test_the_page_is_one_story_that_happens_as_told(
    page: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """One shell for the whole page. What a block shows as failed has to fail, the rest must not."""
    blocks = [block for block in blocks_of(page, ROOT) if block.no_run is None]
    told = "\n".join(f"{block.script}\necho '{_END}'" for block in blocks)

    done = subprocess.run(
        ["bash", "-c", f"trap 'echo \"{_FAILED}$BASH_COMMAND\"' ERR\n{told}"],
        cwd=fresh_repository(tmp_path / "repository"),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )

    outputs = done.stdout.split(f"{_END}\n")
    assert len(outputs) == len(blocks) + 1, done.stdout
    for block, output in zip(blocks, outputs, strict=False):
        expected = any(re.search(r" failed, |: \d+ faults?$", line) for line in block.shown)
        assert output.count(_FAILED) == expected, f"{block.place}\n{output}"
        assert missing_line(block.shown, output) is None, f"{block.place}\n{output}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["programs", "repository", "state"]
    assert [path.name for path in tmp_path.glob("state/*/*")] == ["sandbox.lock"]


def test_the_grants_of_the_page_are_all_that_a_promotion_needs(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """The promoter of the page owns nothing and may create no role; it promotes the sample."""
    project = fresh_repository(tmp_path / "repository")
    bring_bytecode(project)
    grants = _sql("The promoter")[0].replace("DATABASE shop", "DATABASE granted")
    sandbox, _ = start_sandbox(project)
    _as_administrator(sandbox.superuser(), "CREATE DATABASE granted")
    _as_administrator(sandbox.superuser(), grants)
    _as_administrator(sandbox.superuser(), "ALTER ROLE promoter PASSWORD 'of a test'")
    # The sandbox has a promoter of its own, who may more: rules would ask who else connects there.
    _as_administrator(
        sandbox.superuser(),
        "\\c granted\nDROP DATABASE shop WITH (FORCE); DROP ROLE hk_migrator",
    )
    address = {
        "PGHOST_PROD": "127.0.0.1",
        "PGPORT_PROD": str(sandbox.port),
        "PGDATABASE_PROD": "granted",
        "PGUSER_PROD": "promoter",
        "PGPASSWORD_PROD": "of a test",
    }
    prove(project)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q"),
            *(word for name in OFF for word in ("-p", f"no:{name}")),
            *("--hk-mode=prod", "--hk-confirm=PROMOTE"),
        ],
        cwd=project,
        env=environment | address,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    with psycopg.connect(
        host="127.0.0.1",
        port=sandbox.port,
        dbname="granted",
        user="promoter",
        password="of a test",
    ) as connection:
        shape = connection.execute(
            "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb,"
            " pg_get_userbyid(datdba), (SELECT count(*) > 20 FROM housekeeping.history)"
            " FROM pg_roles, pg_database"
            " WHERE rolname = current_user AND datname = current_database()"
        ).fetchone()
    assert shape == (False, "postgres", True)


def _sql(heading: str) -> list[str]:
    """The SQL blocks under a heading of the page that says what to set up."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    return re.findall(r"^```sql\n(.*?)^```$", section.partition("\n#")[0], re.MULTILINE | re.DOTALL)


def _as_administrator(command: str, statements: str) -> None:
    from pytest_housekeeping.server.os_account import server_account

    done = subprocess.run(
        f"{command} -v ON_ERROR_STOP=1 -q -f -",
        shell=True,
        input=statements,
        capture_output=True,
        text=True,
        cwd="/",
        **server_account().switch(),
    )
    assert done.returncode == 0, done.stderr
