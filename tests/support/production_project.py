"""A production to break: a password-protected server, a promoted project, and what stands in it.

``Rehearsal`` is made once for all workers: a first promotion is really done, the second is proved
in staging and waits. ``Production`` is a fresh copy of both for one test.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from support.catalog_text import State, read_state
from support.fresh_copy import git
from support.postgres_service import service
from support.staged_project import prove
from support.staging_project import WITHOUT_RLS, Project, Run, needs_interpreter

DATABASE = "production"
PROMOTER = "promoter"
# It needs quoting everywhere; tests/runs/test_passwords.py looks for it wherever a run writes.
PASSWORD = 'it\'s a "pass\\word" 100%41 $HOME $(id) ünïcödé-Ж9 :@/?#&=+'
# The second promotion without its rules of row-level security, for tests of something else: a run
# of it takes a fifth less.
PLAIN = "plain"
UNPROVED = "[tool.housekeeping]\nlint = false\nrequire_staging_evidence = false\n"
_SECRET = "the-superuser-0f-this-server"
TENANT = "11111111-1111-1111-1111-111111111111"
# What only a person at work wants (hypothesis takes a second for its summary), and what a promotion
# refuses to run with.
OFF = (
    *("cacheprovider", "hypothesispytest", "randomly", "rerunfailures"),
    *("repeat", "pytest_repeat", "pytest_order"),
)
_OVERLAY = Path(__file__).parent / "projects" / "second_promotion"
_ROLES = """
CREATE ROLE desk_app LOGIN NOSUPERUSER NOBYPASSRLS;
CREATE ROLE {promoter} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD {password};
GRANT desk_app TO {promoter};
"""
_ROWS = """
INSERT INTO desk.ticket (tenant_id, subject) VALUES
('11111111-1111-1111-1111-111111111111', 'the printer is on fire'),
('22222222-2222-2222-2222-222222222222', 'the door is locked');
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """The server of production, and what a superuser does there behind the promoter's back."""

    port: int
    secret: str = field(repr=False)

    @contextmanager
    def superuser(self, database: str = DATABASE) -> Iterator[psycopg.Connection[Any]]:
        conninfo = make_conninfo(
            "",
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.secret,
            dbname=database,
        )
        with psycopg.connect(conninfo, autocommit=True) as connection:
            yield connection

    def copy(self, source: str, target: str) -> None:
        """``target`` becomes what ``source`` is; whoever is connected to either is thrown out."""
        with self.superuser("postgres") as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (%s, %s)",
                (source, target),
            )
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(target)))
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
            connection.execute(
                create.format(
                    sql.Identifier(target), sql.Identifier(source), sql.Identifier(PROMOTER)
                )
            )

    def state(self, database: str = DATABASE) -> State:
        """Everything in the database that a promotion could change."""
        with self.superuser(database) as connection:
            return read_state(connection)

    def environment(self, **changed: str) -> dict[str, str]:
        """The five variables, by which a promotion finds production."""
        return {
            "PGHOST_PROD": "127.0.0.1",
            "PGPORT_PROD": str(self.port),
            "PGDATABASE_PROD": DATABASE,
            "PGUSER_PROD": PROMOTER,
            "PGPASSWORD_PROD": PASSWORD,
        } | changed


@dataclass(frozen=True, kw_only=True)
class Production:
    """The project and the database of one test; ``before`` is the state that it starts from."""

    server: Server
    project: Project
    before: State

    @property
    def root(self) -> Path:
        return self.project.root

    @property
    def state(self) -> State:
        return self.server.state()

    @property
    def unchanged(self) -> bool:
        return self.state == self.before

    def start(
        self,
        *arguments: str,
        confirm: str | None = "PROMOTE",
        python: Sequence[str] = (),
        without: Sequence[str] = OFF,
        mode: str = "prod",
        **environment: str,
    ) -> subprocess.Popen[str]:
        """``pytest --hk-mode=prod`` in the background, ``without`` these plugins."""
        said = [*self.arguments(confirm, without, mode), *arguments]
        return self._spawn(said, python, self.environment(**environment))

    def _spawn(
        self, arguments: Sequence[str], python: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *python, "-m", "pytest", *arguments],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def arguments(
        self, confirm: str | None = "PROMOTE", without: Sequence[str] = OFF, mode: str = "prod"
    ) -> list[str]:
        """The command line of a promotion, or of a rollback."""
        confirmed = [] if confirm is None else [f"--hk-confirm={confirm}"]
        switched_off = [word for name in without for word in ("-p", f"no:{name}")]
        watched = ["-p", "support.folder_watch", f"--hk-mode={mode}"]
        return ["-W", "error", *switched_off, *watched, *confirmed]

    def environment(self, **changed: str) -> dict[str, str]:
        """The whole environment of a promotion."""
        return self.project.environment() | {"NO_COLOR": "1"} | self.server.environment(**changed)

    def promote(
        self,
        *arguments: str,
        confirm: str | None = "PROMOTE",
        python: Sequence[str] = (),
        without: Sequence[str] = OFF,
        mode: str = "prod",
        **environment: str,
    ) -> Run:
        """``pytest --hk-mode=prod --hk-confirm=PROMOTE``; nothing of it is left running.

        In a fork, if nothing is said of the interpreter: see `forked_runs`.
        """
        said = [*self.arguments(confirm, without, mode), *arguments]
        whole = self.environment(**environment)
        if python or needs_interpreter(environment):
            run = self.project.finish(self._spawn(said, python, whole))
        else:
            run = self.project.fork(said, whole)
        assert self.project.leftovers() == [], run.output
        return run

    def undo(self, to: str, *arguments: str, confirm: str | None = "ROLLBACK", **named: Any) -> Run:
        """``pytest --hk-mode=rollback --hk-confirm=ROLLBACK --hk-to=...``."""
        return self.promote(f"--hk-to={to}", *arguments, confirm=confirm, mode="rollback", **named)

    def stage(self, *arguments: str) -> Run:
        """Prove the project as it is now; its evidence is committed by the run itself."""
        return self.project.run(*arguments)

    def change(
        self,
        files: Mapping[str, str | bytes | None],
        *,
        stage: bool = False,
        proved: bool = False,
    ) -> None:
        """Commit a change of the project. With ``stage``, a staging run proves it as well.

        ``proved`` is for tests of what comes behind: the evidence of such a run, without the run.
        """
        self.project.write(files)
        self.project.commit("a change")
        if proved:
            prove(self.root)
        if stage:
            run = self.stage()
            assert (run.code, run.outcome) == (0, "promoted"), run.output

    def execute(self, statement: str) -> None:
        """As superuser, past every file."""
        with self.server.superuser() as connection:
            connection.execute(statement)


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What every test of production starts from; ``fresh`` makes a copy of it."""

    server: Server
    place: Path
    before: State
    empty: State

    def fresh(self, place: Path, *, first: bool = False, stem: str = "second") -> Production:
        """The second promotion, pending; with ``first``, the first one, on an empty database."""
        stem = "first" if first else stem
        for name in ("project", "remote.git"):
            shutil.copytree(self.place / stem / name, place / name, symlinks=True)
        scratch = place / "tmp"
        scratch.mkdir()
        project = Project(root=place / "project", scratch=scratch)
        audits = "".join(f"{path}\n" for path in project.audits())
        (place / "seen").write_text(audits, encoding="utf-8")
        self.server.copy(f"{stem}_promotion", DATABASE)
        return Production(
            server=self.server,
            project=project,
            before=self.empty if first else self.server.state(),
        )

    def keep(self, production: Production, stem: str) -> None:
        """What has become of a project and its database, for ``fresh`` to copy."""
        _keep(production.project, self.place / stem)
        self.server.copy(DATABASE, f"{stem}_promotion")


@contextmanager
def rehearsal(shared: Path, place: Path) -> Iterator[Rehearsal]:
    """Production, on a server and in a ``place`` of its own; what is ``shared`` is made once.

    Others of this machine may ask for the same at the same time, and wait for it.
    """
    made = shared / "rehearsal"
    with (shared / "rehearsal.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            making = Path(tempfile.mkdtemp(dir=shared))
            _make(making)
            making.rename(made)
    for stem in ("first", "second", PLAIN):
        shutil.copytree(made / stem, place / stem, symlinks=True)
    with service(_SECRET, taken=made / "data") as found:
        server = Server(port=found.port, secret=_SECRET)
        server.copy("first_promotion", DATABASE)
        empty, before = server.state(), server.state("second_promotion")
        yield Rehearsal(server=server, place=place, before=before, empty=empty)


def _make(place: Path) -> None:
    """Start production, do a first promotion, and prove the second in staging."""
    with service(_SECRET, kept=place / "data") as found:
        server = Server(port=found.port, secret=_SECRET)
        with server.superuser("postgres") as connection:
            connection.execute(
                sql.SQL(_ROLES).format(
                    promoter=sql.Identifier(PROMOTER), password=sql.Literal(PASSWORD)
                )
            )
        server.copy("template1", "first_promotion")
        server.copy("first_promotion", DATABASE)
        project = _first(place / "work")
        _keep(project, place / "first")
        production = Production(server=server, project=project, before=server.state())
        run = production.promote()
        assert (run.code, run.outcome) == (0, "promoted"), run.output
        production.execute(_ROWS)
        merge_audit(project.root)
        shutil.copytree(_OVERLAY, project.root, dirs_exist_ok=True)
        project.commit("the second promotion")
        run = project.run()
        assert (run.code, run.outcome) == (0, "promoted"), run.output
        _keep(project, place / "second")
        server.copy(DATABASE, "second_promotion")
        production.change(WITHOUT_RLS, proved=True)
        _keep(project, place / PLAIN)
        server.copy(DATABASE, f"{PLAIN}_promotion")


def _first(place: Path) -> Project:
    place.mkdir(parents=True)
    project = Project.make(place, "tenants", {"checks/test_desk.py": _TEST}, repository=True)
    git(place, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    git(project.root, "remote", "add", "origin", "../remote.git")
    git(project.root, "push", "--quiet", "origin", "main")
    run = project.run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    return project


def _keep(project: Project, place: Path) -> None:
    git(project.root, "clean", "-fdxq")
    # It is copied for each test: in a pack its history is a few files, and the samples are none.
    for repository in (project.root, project.root.parent / "remote.git"):
        git(repository, "repack", "-adq")
    for hooks in (project.root / ".git/hooks", project.root.parent / "remote.git/hooks"):
        shutil.rmtree(hooks, ignore_errors=True)
    place.mkdir()
    for name in ("project", "remote.git"):
        shutil.copytree(project.root.parent / name, place / name, symlinks=True)


def merge_audit(root: Path) -> None:
    """What a reviewer does with the pull request of a promotion."""
    listed = git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads/housekeeping/audit")
    for branch in listed.splitlines():
        # A log is never merged.
        if not branch.endswith(("/staging", "/refused")):
            git(root, "clean", "-fdxq")
            git(root, "merge", "--quiet", "--no-edit", branch)
            with contextlib.suppress(subprocess.CalledProcessError):
                git(root, "branch", "--quiet", "-D", branch)


_TEST = '''"""A test that acts as the application, in whatever database it runs."""

from __future__ import annotations

from typing import Any

A = "11111111-1111-1111-1111-111111111111"


def test_a_tenant_sees_its_own(hk_connection: Any, hk_role: Any) -> None:
    with hk_role("desk_app", **{"app.tenant_id": A}) as connection:
        before = connection.execute("SELECT count(*) FROM desk.ticket").fetchone()[0]
        connection.execute(f"INSERT INTO desk.ticket (tenant_id, subject) VALUES ('{A}', 'mine')")
        after = connection.execute("SELECT count(*) FROM desk.ticket").fetchone()[0]
    assert after == before + 1
'''
