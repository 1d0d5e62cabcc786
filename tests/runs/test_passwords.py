"""Whatever the password is and whatever goes wrong: it works, and nothing ever shows it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

from support.production_project import OFF, PASSWORD, Production
from support.staging_project import Project, Run

OF_SOMETHING_ELSE = True

# A test that shows all that it can get hold of, and then fails.
TELLTALE = """
import logging
import os

import pytest


@pytest.mark.parametrize("by_name", [os.environ["PGPASSWORD_PROD"]])
def test_its_name(by_name, record_testsuite_property):
    record_testsuite_property("of the run", by_name)


def test_it(hk_connection, request, record_property):
    password = os.environ["PGPASSWORD_PROD"]
    record_property(password, {"a": [password]})
    logging.error("it is %s, %r", password, password.encode())
    shown = f"postgresql://promoter:{password}@127.0.0.1/production"
    environment = dict(os.environ)
    dsn = hk_connection.info.dsn
    print(password, shown, dsn, environment, hk_connection, request.config.option)
    hk_connection.execute("SELECT nothing", ())
    assert not password
"""
DUMPED = """
import os


def pytest_report_header(config):
    return [f"{name}={value}" for name, value in os.environ.items()]


def pytest_metadata(metadata):
    metadata.update(os.environ)


def pytest_runtest_setup(item):
    print(item, os.environ)
"""


def test_it_works_and_nothing_shows_it(production: Production, tmp_path: Path) -> None:
    known = {"PATH": _recording(production, "git"), "HK_TEST_CHILDREN": str(tmp_path / "children")}
    watched = ("-p", "support.child_watch", "--showlocals", "--tb=long", "-v")
    staged = production.project.run(*watched, **production.server.environment(**known))
    assert (staged.code, staged.outcome) == (0, "promoted"), staged.output
    with watched_processes(production) as commands:
        run = production.promote(*watched, **known)
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert any("pg_dump" in command for command in commands)
    # pg_dump alone is given the password, by the variable that it reads. uname is started by
    # Python's platform module, of which pytest-metadata asks what machine this is.
    started = [json.loads(line) for line in (tmp_path / "children").read_text().splitlines()]
    assert {"git", "postgres", "pg_dump", "psql"} <= {program for program, _ in started}
    assert {(program, *holding) for program, holding in started if holding} - _UNAME == {
        ("pg_dump", "PGPASSWORD")
    }
    recorded = (tmp_path / "recorded").read_text()
    assert "GIT_OPTIONAL_LOCKS=0" in recorded
    assert "PG" not in {name[:2] for name in recorded.splitlines()}
    assert shown_in("\n".join(commands)) == []
    nothing_shows_it(production, run)


def test_a_failing_test_that_prints_it(production: Production) -> None:
    settings = "[tool.housekeeping]\nlint = false\nrequire_staging_evidence = false\n"
    production.change({"pyproject.toml": settings, "checks/test_a.py": TELLTALE})
    token = "ghs_16C7e42F292c6912E7"
    told = ("--junitxml=junit.xml", "-o", "junit_family=legacy", "--log-file=run.log")
    all_of_it = (*told, "--capture=tee-sys", "--debug=debug.log", "-o", "cache_dir=cache")
    kept = tuple(name for name in OFF if name != "cacheprovider")
    shown = ("--showlocals", "--tb=long", "-rA", "-vv")
    run = production.promote(*shown, *all_of_it, without=kept, SERVICE_TOKEN=token)
    assert run.code == 1, run.output
    remembered = "cache/v/cache/nodeids"
    for name in ("junit.xml", "run.log", "debug.log", remembered):
        assert "[secret]" in (production.root / name).read_text()
    assert run.tells(token) == []
    assert run.outcome == "rolled_back"
    assert run.steps["checks/test_a.py::test_it"] == "failed"
    assert "[secret]" in run.output
    nothing_shows_it(production, run)


def test_a_report_that_dumps_the_environment(production: Production) -> None:
    settings = "[tool.housekeeping]\nlint = false\nrequire_staging_evidence = false\n"
    production.change({"pyproject.toml": settings, "conftest.py": DUMPED})
    run = production.promote("-s")
    assert "PGPASSWORD_PROD': '[secret]'" in run.output
    nothing_shows_it(production, run)


def test_a_password_that_is_refused(production: Production) -> None:
    """libpq quotes what it was given in some of its errors."""
    for changed in ({"PGDATABASE_PROD": PASSWORD}, {"PGUSER_PROD": PASSWORD}, {"PGHOST_PROD": ""}):
        run = production.promote("--showlocals", "--tb=long", **changed)
        assert run.code == 4, run.output
        nothing_shows_it(production, run)


def test_a_cut_connection_shows_nothing(production: Production) -> None:
    run = production.promote("--showlocals", "--tb=long", "--full-trace", PGPORT_PROD="1")
    assert run.code == 4, run.output
    nothing_shows_it(production, run)


def test_a_schema_that_holds_it(production: Production) -> None:
    literal = PASSWORD.replace("'", "''")
    production.execute(
        f"CREATE FUNCTION public.leaky() RETURNS text LANGUAGE sql AS $f$ SELECT '{literal}' $f$"
    )
    drifted = re.search(r"--hk-accept-drift=\w+", production.promote().output)
    assert drifted is not None
    run = production.promote(drifted[0])
    assert (run.code, run.steps["backup::snapshot"]) == (1, "failed"), run.output
    assert "the schema holds the password of this run" in run.output
    nothing_shows_it(production, run)


def test_one_that_stands_in_a_failing_file(tmp_path: Path) -> None:
    """By the server's message, by its context, and by an excerpt."""
    project = Project.make(tmp_path, files={"sql/migrations/0003_role.sql": _LITERAL})
    run = project.run("--showlocals", "--tb=long", "-v")
    assert run.code == 1, run.output
    assert run.steps["sql/migrations/0003_role.sql::apply"] == "failed"
    assert "0003_role.sql:2" in run.message("sql/migrations/0003_role.sql::apply")
    assert "SQLSTATE 22007" in run.message("sql/migrations/0003_role.sql::apply")
    written = [path for path in (project.root / "ops").rglob("*") if path.is_file()]
    assert {path.suffix for path in written} == {".json", ".html"}
    for text in (run.output, *(path.read_text(encoding="utf-8") for path in written)):
        assert "q7z" not in text


_LITERAL = """CREATE ROLE  app PASSWORD 'q7z';
DO $$
BEGIN
    EXECUTE format('ALTER ROLE app PASSWORD %L VALID UNTIL %L', 'q7z', 'no moment: q7z');
END
$$;
"""


def _recording(production: Production, program: str) -> str:
    """A PATH on which a program first writes its environment to a file."""
    real = shutil.which(program)
    recorded, folder = production.root.parent / "recorded", production.root.parent / "bin"
    folder.mkdir()
    script = f'#!/bin/sh\nenv >> "{recorded}"\nexec {real} "$@"\n'
    (folder / program).write_text(script, encoding="utf-8")
    (folder / program).chmod(0o755)
    return f"{folder}:{production.environment()['PATH']}"


# -- where it could be ----------------------------------------------------------------------------


def nothing_shows_it(production: Production, run: Run) -> None:
    """Output, every file of the project and around it, every object of both repositories."""
    place = production.root.parent
    found = {"output": shown_in(run.output)}
    for path in place.rglob("*"):
        if path.is_file() and not path.is_symlink():
            found[str(path)] = shown_in(path.read_bytes().decode(errors="replace"))
    for repository in (production.root, place / "remote.git"):
        found[f"objects of {repository}"] = shown_in(_objects(repository))
    assert {name: forms for name, forms in found.items() if forms} == {}


def shown_in(text: str) -> list[str]:
    """Which writings of the password, or of eight characters of it, stand in a text."""
    return [form for form in FORMS if form in text]


def _objects(repository: Path) -> str:
    command = ["git", "cat-file", "--batch-all-objects", "--batch"]
    done = subprocess.run(command, cwd=repository, check=True, capture_output=True)
    return done.stdout.decode(errors="replace")


def _forms() -> Iterator[str]:
    pieces = [PASSWORD[at : at + 8] for at in range(len(PASSWORD) - 7)]
    for piece in (PASSWORD, *pieces):
        yield piece
        yield quote(piece, safe="")
        yield quote_plus(piece)
        yield json.dumps(piece)[1:-1]
        yield repr(piece)[1:-1]
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + PASSWORD.encode()).decode()
        yield from (whole[at : at + 16] for at in range(4, len(whole) - 18))
    yield PASSWORD.encode().hex()


FORMS = sorted({form for form in _forms() if len(form) >= 8})


_UNAME = {("uname", "PGPASSWORD_PROD")}


class watched_processes:  # noqa: N801
    """The command lines of all processes that a run starts, as everybody on the machine sees."""

    def __init__(self, production: Production) -> None:
        self._mark = os.fsencode(production.root.parent / "mark")
        self._seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> set[str]:
        self._thread.start()
        return self._seen

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            for entry in Path("/proc").glob("[0-9]*"):
                try:
                    if self._mark in (entry / "environ").read_bytes():
                        line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                        self._seen.add(line.decode(errors="replace"))
                except OSError:
                    continue
            time.sleep(0.005)
