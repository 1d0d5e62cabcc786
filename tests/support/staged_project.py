"""A project whose staging is on record without a server: every step of its plan has passed.

The files, the commit, the plan and the log in git are real; that the steps have passed is said.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.evidence import Repository, StartFacts, stem
from pytest_housekeeping.evidence.audit import make_audit
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.chain import latest_digest
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.model import Mode, Outcome, RunOutcome, StepResult, TargetIdentity
from pytest_housekeeping.plan.code_files import hold_all
from pytest_housekeeping.plan.plan import build
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.promotion.context import RunContext, new_context
from pytest_housekeeping.promotion.repository.applied import promoted_before
from pytest_housekeeping.promotion.repository.attestation import source_of
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.evidence_samples import TARGET
from support.files import write
from support.fresh_copy import commit_all, git
from support.git_folders import forget_own_git, opened

LOG = "housekeeping/audit/staging"
PRODUCTION = replace(TARGET, system_identifier="7000000000000000001")
FILES = {
    "sql/migrations/0001_a.sql": "CREATE TABLE a (id int);\n",
    "sql/migrations/0002_b.sql": "CREATE TABLE b (id int);\n",
    "sql/views/v.sql": "CREATE OR REPLACE VIEW v AS SELECT id FROM a;\n",
    "sql/seeds/s.sql": "INSERT INTO a VALUES (1);\n",
    "checks/objects.toml": 'schemas = ["public"]\n[tables."public.a"]\nid = "integer"\n',
    "checks/rls.toml": 'schemas = ["public"]\nroles = ["app"]\ncontext = ["app.tenant"]\n',
    "checks/queries/q.sql": "SELECT id FROM a WHERE id < 0\n",
    "checks/test_it.py": "def test_it(): ...\n",
    "conftest.py": "x = 1\n",
    "pyproject.toml": "[tool.housekeeping]\n",
    ".gitignore": "__pycache__/\n/ops/audit/staging_*\n",
}


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A project, its repository, and a run of it for a target that ends well if it is said to."""

    root: Path
    repository: Repository
    target: str = "prod"

    def context(self, mode: Mode) -> RunContext:
        """What a run of a mode on it would know."""
        options = RunOptions(root=self.root, mode=mode, tests=TestNames(), inifile="pyproject.toml")
        sources = ProjectFiles(self.root)
        config = load_config(self.root, sources, target=self.target)
        hold_all(config, sources, options.inifile)
        past = promoted_before(self.repository, self.root / config.audit)
        plan = build(
            config,
            mode,
            tests=options.tests,
            sources=sources,
            inifile=options.inifile,
            past=past if mode is Mode.STAGING else (),
        )
        source = source_of(config, sources, self.repository)
        return new_context(options, config, plan, self.repository, source)

    def audit(
        self,
        mode: Mode = Mode.STAGING,
        outcome: RunOutcome = RunOutcome.PROMOTED,
        target: TargetIdentity = TARGET,
        previous: str | None = None,
    ) -> Audit:
        """The audit of a run in which every step has passed; ``previous`` is the one before."""
        context = self.context(mode)
        plan = context.plan
        facts = StartFacts(
            run=context.run,
            source=context.source,
            digest=plan.digest,
            steps=plan.steps,
            segments=len(plan.segments),
        )
        results = [StepResult(step=step, outcome=Outcome.PASSED, examined=1) for step in plan.steps]
        return make_audit(
            facts,
            outcome=outcome,
            finished_at=datetime.now(UTC),
            results=results,
            target=target,
            previous=previous,
        )

    def keep(self, audit: Audit, *, name: str = "", branch: str = LOG, sign: bool = False) -> str:
        """Commit an audit to its log, as a run does; its path."""
        path = f"ops/audit/{name or f'{stem(audit.run)}.json'}"
        self.keep_file(path, to_json(audit).encode(), branch=branch, sign=sign)
        return path

    def keep_file(self, path: str, data: bytes, *, branch: str = LOG, sign: bool = False) -> str:
        """Commit a file to a log; the commit."""
        return self.repository.commit_evidence(branch, {path: data}, "it", None, sign=sign)

    def write(self, files: Mapping[str, str | bytes]) -> None:
        write(self.root, files)

    def commit(self, files: Mapping[str, str | bytes], message: str = "a change") -> str:
        self.write(files)
        return commit_all(self.root, message)


def make_project(root: Path, files: Mapping[str, str | bytes] = FILES) -> None:
    """A repository with two commits: an earlier text of the last migration, and the present one."""
    git(root.parent, "init", "--quiet", "--initial-branch=main", root.name)
    earlier = {**files, "sql/migrations/0002_b.sql": "CREATE TABLE b (id bigint);\n"}
    for texts in (earlier, files):
        write(root, texts)
        commit_all(root, "the project")


def prove(root: Path, *, target: str = "prod") -> None:
    """What staging of the project for a target would leave on its log, had every step passed."""
    with opened(root) as repository:
        staged = Staged(root=root, repository=repository, target=target)
        previous = latest_digest(repository, Mode.STAGING, root / "ops/audit")
        staged.keep(staged.audit(previous=previous))


def copied(source: Path, target: Path) -> Path:
    """A copy of a project, its repository included."""
    shutil.copytree(source, target, symlinks=True)
    return target


@contextmanager
def staged_copy(template: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    """A copy of a project that ``make_project`` has made, with nothing of the user's own git."""
    forget_own_git(monkeypatch)
    root = copied(template, place)
    with opened(root) as repository:
        yield Staged(root=root, repository=repository)
