"""The production workflow does what it says: its steps run here against a sandbox and a remote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.sandbox import DATABASE, Sandbox
from pytest_housekeeping.sandbox import start as start_sandbox
from pytest_housekeeping.sandbox import stop as stop_sandbox
from support.fresh_copy import ROOT, fresh_repository, git
from support.gh_program import Gh
from support.git_http_server import git_over_http
from support.prepared_python import lock_installed, prepared_python
from support.staged_project import prove
from support.workflow_runner import JobRun, Machine, run_job

WORKFLOW = ROOT / ".github/workflows/housekeeping-prod-promotion.yml"
ROLLBACK = ROOT / ".github/workflows/housekeeping-prod-rollback.yml"
WATCH = ROOT / ".github/workflows/housekeeping-verify.yml"
PROVE = "Prove, then commit"
UNDO = "Show, prove, then commit"
TOKEN = "a-token-for-the-push"
# No project here has its list of databases from a registry.
_NO_REGISTRY = {
    f"PG{part}_REGISTRY": ""
    for part in ("HOST", "PORT", "DATABASE", "USER", "PASSWORD", "SSLMODE", "SSLROOTCERT")
}
pytestmark = pytest.mark.xdist_group("workflows")


@dataclass(frozen=True, kw_only=True)
class Hosting:
    """A bare repository in the place of the hosted one, a sandbox in that of production."""

    folder: Path
    bare: Path
    url: str
    production: Sandbox
    python_bin: Path
    gh: Gh

    def run(self, confirm: str) -> JobRun:
        others = ("plan", "segments", "baseline", "accept_drift", "emergency")
        inputs = {"confirm": confirm, **dict.fromkeys(others, "")}
        return run_job(WORKFLOW, "promote", self._machine("run", inputs=inputs), github=_GITHUB)

    def roll_back(self, to: str, confirm: str = "ROLLBACK") -> JobRun:
        inputs = {"confirm": confirm, "to": to, "segments": "", "accept_drift": ""}
        machine = self._machine("rollback", inputs=inputs)
        return run_job(ROLLBACK, "rollback", machine, github=_GITHUB)

    def verify(self, number: int) -> JobRun:
        return run_job(WATCH, "verify", self._machine(f"verify{number}"), github=_GITHUB)

    def _machine(self, name: str, **contexts: Any) -> Machine:
        return Machine(
            folder=self.folder / name,
            python_bin=self.python_bin,
            origin=self.url,
            contexts={
                "secrets": {**self.address, "HK_TWIN": "", **_NO_REGISTRY},
                "vars": {"PGSSLMODE_PROD": "", "PGSSLROOTCERT_PROD": "", **_NO_REGISTRY},
                **contexts,
            },
            programs=self.gh.programs,
        )

    @property
    def address(self) -> dict[str, str]:
        lines = self.production.exports().splitlines()
        return dict(line.removeprefix("export ").split("=", 1) for line in lines)

    def refs(self) -> str:
        return git(self.bare, "for-each-ref")

    def branch(self, mode: str = "prod") -> str:
        """The one branch that a promotion, or a rollback, has pushed."""
        found = git(self.bare, "branch", "--list", "--format=%(refname:short)", f"*/audit/{mode}_*")
        assert len(found.split()) == 1, found
        return found

    def audit(self, mode: str = "prod", branch: str = "") -> dict[str, Any]:
        branch = branch or self.branch(mode)
        names = git(self.bare, "ls-tree", "-r", "--name-only", branch, "ops/audit")
        (name,) = (name for name in names.splitlines() if f"/{mode}_" in name and ".json" in name)
        audit: dict[str, Any] = json.loads(git(self.bare, "show", f"{branch}:{name}"))
        return audit

    def tables(self) -> int:
        """How many tables production has."""
        host, port, database, user, password = self.address.values()
        with psycopg.connect(
            host=host, port=int(port), dbname=database, user=user, password=password
        ) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'"
            ).fetchone()
        assert row is not None
        return int(row[0])


_GITHUB = {
    "event_name": "workflow_dispatch",
    "event": {},
    "repository": "somebody/somewhere",
    "server_url": "https://github.example.invalid",
    "ref": "refs/heads/main",
    "ref_name": "main",
    "actor": "somebody",
    "run_id": "101",
    "run_attempt": "1",
}


@pytest.fixture(scope="module")
def clean_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a runner has one after its cache was restored; of the project nothing is installed.

    That an empty one does as well is shown by the block of CONTRIBUTING.md.
    """
    return prepared_python(tmp_path_factory.mktemp("python"))


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone for which the staging workflow has done its work: the proof is on a branch.

    That it does is shown in test_workflows.py; here it is what such a run would leave.
    """
    source = fresh_repository(tmp_path_factory.mktemp("proved") / "source")
    lock_installed(source)
    prove(source)
    return source


@contextmanager
def hosted(folder: Path, source: Path, clean_python: Path) -> Iterator[Hosting]:
    """A remote with the branches of ``source``, and a sandbox with nothing in it."""
    bare = folder / "origin.git"
    git(folder, "clone", "--quiet", "--bare", str(source), str(bare))
    git(bare, "config", "http.receivepack", "true")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        production, _ = start_sandbox(source)
        stack.callback(stop_sandbox)
        yield Hosting(
            folder=folder,
            bare=bare,
            url=stack.enter_context(git_over_http(bare, user="x-access-token", token=TOKEN)),
            production=production,
            python_bin=clean_python,
            gh=Gh.make(folder / "programs", token=TOKEN),
        )


@pytest.fixture
def hosting(tmp_path: Path, proved: Path, clean_python: Path) -> Iterator[Hosting]:
    with hosted(tmp_path, proved, clean_python) as made:
        yield made


@dataclass(frozen=True, kw_only=True)
class Done:
    """A job that has run, and what was true behind it: later jobs change all of it."""

    hosting: Hosting
    run: JobRun
    tables: int
    asked: list[list[str]]
    bodies: list[str]


def done(hosting: Hosting, job: Callable[[], JobRun]) -> Done:
    """What is to be seen now, and what this job alone has asked GitHub for."""
    asked, bodies = len(hosting.gh.asked), len(hosting.gh.bodies)
    run = job()
    return Done(
        hosting=hosting,
        run=run,
        tables=hosting.tables(),
        asked=hosting.gh.asked[asked:],
        bodies=hosting.gh.bodies[bodies:],
    )


@pytest.fixture(scope="module")
def promoted(
    tmp_path_factory: pytest.TempPathFactory, proved: Path, clean_python: Path
) -> Iterator[Done]:
    """A promotion whose evidence nobody has merged yet: nights and a rollback follow it."""
    with hosted(tmp_path_factory.mktemp("promoted"), proved, clean_python) as hosting:
        yield done(hosting, lambda: hosting.run("PROMOTE"))


@pytest.fixture(scope="module")
def nights(promoted: Done) -> tuple[Done, Done]:
    """Two nights: one on which all is well, and one behind a slip, which is then made good."""
    hosting = promoted.hosting
    quiet = done(hosting, lambda: hosting.verify(1))
    by_hand(hosting, _SLIP)
    loud = done(hosting, lambda: hosting.verify(2))
    by_hand(hosting, _SLIP.replace("NO FORCE", "FORCE"))
    return quiet, loud


@pytest.fixture(scope="module")
def undone(promoted: Done, nights: tuple[Done, Done]) -> Done:
    """The promotion, taken back; behind the nights, which need it."""
    hosting = promoted.hosting
    return done(hosting, lambda: hosting.roll_back(hosting.audit()["run"]["id"]))


def by_hand(hosting: Hosting, statement: str) -> None:
    command, login = hosting.production.psql("-c", statement)
    subprocess.run(command, env=os.environ | login, check=True, capture_output=True)


def test_a_confirmed_run_promotes_and_opens_the_pull_request(promoted: Done) -> None:
    hosting, run, (asked,) = promoted.hosting, promoted.run, promoted.asked
    head = git(hosting.bare, "rev-parse", "main")

    assert [(s.name, s.outcome, s.output) for s in run.steps if s.outcome != "success"] == []
    assert promoted.tables > 20
    audit = hosting.audit()
    assert (audit["run"]["outcome"], audit["source"]["commit"]) == ("promoted", head)
    assert audit["target"]["database"] == DATABASE
    # The branch adds evidence to the commit that it attests, and main is as it was.
    assert git(hosting.bare, "rev-parse", f"{hosting.branch()}^") == head
    changed = git(hosting.bare, "diff", "--name-only", "main", hosting.branch()).splitlines()
    assert {name.split("/")[0] for name in changed} == {"ops"}
    assert "ops/production.json" in changed
    assert f"pushed: {hosting.branch()} to origin" in run.step(PROVE).output
    assert asked[:6] == ["pr", "create", "--base", "main", "--head", hosting.branch()]
    assert asked[asked.index("--title") + 1].startswith("Promoted")
    assert promoted.bodies == [run.summary]
    assert "Promoted" in run.summary
    (artifact,) = run.artifacts.iterdir()
    assert {path.suffix for path in artifact.iterdir()} >= {".json", ".html"}
    assert_no_secret(run, hosting)


def test_no_job_moves_main(proved: Path, promoted: Done, undone: Done) -> None:
    head = git(proved, "rev-parse", "main")
    assert git(promoted.hosting.bare, "rev-parse", "main") == head


def test_a_rollback_is_a_pull_request_too(promoted: Done, undone: Done) -> None:
    """The promotion's evidence is a branch that nobody has merged yet."""
    hosting, run, (asked,) = undone.hosting, undone.run, undone.asked

    assert promoted.run.outcome == "success"
    assert [(s.name, s.outcome, s.output) for s in run.steps if s.outcome != "success"] == []
    assert undone.tables == 2  # the two of the history
    audit = hosting.audit("rollback")["run"]
    assert (audit["outcome"], audit["reverts"]) == ("promoted", hosting.audit()["run"]["id"])
    changed = git(hosting.bare, "diff", "--name-only", "main", hosting.branch("rollback"))
    assert any(name.startswith("ops/incidents/") for name in changed.splitlines())
    assert asked[:6] == ["pr", "create", "--base", "main", "--head", hosting.branch("rollback")]
    assert asked[asked.index("--title") + 1].startswith("Rolled back")
    assert "this rollback undoes, the newest first:" in run.step(UNDO).output
    (artifact,) = run.artifacts.iterdir()
    assert {path.suffix for path in artifact.rglob("*.*")} >= {".json", ".html", ".md"}
    assert_no_secret(run, hosting)


def test_a_night_that_finds_something_opens_an_issue(
    promoted: Done, nights: tuple[Done, Done]
) -> None:
    quiet, loud = nights

    assert promoted.run.outcome == "success"
    assert [(s.name, s.output) for s in quiet.run.steps if s.outcome == "failure"] == []
    assert [each[:2] for each in quiet.asked] == [["issue", "list"]]
    assert "Verified" in quiet.run.summary
    assert [s.name for s in loud.run.steps if s.outcome == "failure"] == ["Verify"]
    listed, labelled, asked = loud.asked
    assert (listed[:2], labelled[:2]) == (["issue", "list"], ["label", "create"])
    assert asked[:3] == ["issue", "create", "--title"]
    assert asked[3].startswith("Production failed a check")
    (body,) = loud.bodies
    assert body.startswith(loud.run.summary)
    assert body.endswith("/somebody/somewhere/actions/runs/101\n")
    assert "venture.orders" in body
    # Both nights stand in one log, which has no other ancestors.
    assert git(promoted.hosting.bare, "rev-list", "--count", "housekeeping/audit/verify") == "2"
    for night in nights:
        assert_no_secret(night.run, promoted.hosting)


_SLIP = "ALTER TABLE venture.orders NO FORCE ROW LEVEL SECURITY"


def test_a_failed_promotion_fails_the_job_and_is_on_record(hosting: Hosting) -> None:
    """What staging cannot know, and the copy shows: a schema of that name, made by hand. Refused
    attempts share a log, and nobody is asked to merge it."""
    by_hand(hosting, "CREATE SCHEMA venture")

    run = hosting.run("PROMOTE")

    assert run.outcome == "failure"
    assert [s.name for s in run.steps if s.outcome == "failure"] == [PROVE]
    assert hosting.tables() == 0
    assert hosting.audit(branch="housekeeping/audit/refused")["run"]["outcome"] == "refused"
    assert hosting.gh.asked == []
    assert any(run.artifacts.iterdir())
    assert_no_secret(run, hosting)


def test_another_word_stops_at_the_first_step(hosting: Hosting) -> None:
    refs = hosting.refs()

    for word in ("promote", "", "PROMOTE ", "Promote", '" ] || true; [ "'):
        run = hosting.run(word)

        outcomes = [step.outcome for step in run.steps]
        assert outcomes == ["failure", *["skipped"] * (len(outcomes) - 1)], word
        assert "nothing was touched" in run.steps[0].output
        assert list(run.workspace.iterdir()) == list(run.artifacts.iterdir()) == []
        shutil.rmtree(run.workspace.parent)
    run = hosting.roll_back("1a2b3c4d", "PROMOTE")
    assert [step.outcome for step in run.steps][:2] == ["failure", "skipped"]
    assert (hosting.tables(), hosting.refs(), hosting.gh.asked) == (0, refs, [])


def assert_no_secret(run: JobRun, hosting: Hosting) -> None:
    texts = [step.output for step in run.steps] + [run.summary]
    texts += [path.read_text(encoding="utf-8") for path in run.artifacts.glob("*/*")]
    texts += [(run.workspace / ".git/config").read_text(encoding="utf-8")]
    for secret in (hosting.production.password, TOKEN):
        assert not any(secret in text for text in texts)
    password = hosting.production.password
    found = subprocess.run(["grep", "-rlF", "--", password, run.workspace], capture_output=True)
    assert found.stdout == b""
