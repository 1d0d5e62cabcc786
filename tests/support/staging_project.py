"""One staging run of a small project, in a process of its own, and the proof that nothing is left.

``Project.make(tmp_path, "shop", {...}).run()`` is a whole end-to-end test but for its assertions.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import jsonschema

from support.forked_runs import shared_runs
from support.fresh_copy import ROOT, TESTS, commit_all, fresh_repository, git
from support.kept_bytecode import bring_bytecode

PROJECTS = Path(__file__).parent / "projects"
FINISHED = ROOT / "docs/finished.schema.json"
_FOREIGN = ("HK_", "PG", "GITHUB_", "PYTEST_", "GIT_")
STAGING = ("-p", "support.folder_watch", "--hk-mode=staging")
PATIENCE_S = 180.0
# Written over `tenants`, for tests of something else: a run judges no rows, in a third of the time.
WITHOUT_RLS: Mapping[str, None] = {"checks/rls.toml": None}
_END_S = 2.0
_RAN = re.compile(r"^(\S.*?) (?:PASSED|FAILED|SKIPPED|XFAIL|XPASS|ERROR)\b", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a run ended: exit code, what it printed, and the audit that it wrote, if it did."""

    code: int
    output: str
    audit_path: Path | None

    @cached_property
    def audit(self) -> dict[str, Any]:
        assert self.audit_path is not None, f"no audit was written\n{self.output}"
        audit: dict[str, Any] = json.loads(self.audit_path.read_text(encoding="utf-8"))
        return audit

    @cached_property
    def page(self) -> str:
        """Its report, if it wrote one."""
        path = self.audit_path and self.audit_path.with_suffix(".html")
        return path.read_text(encoding="utf-8") if path and path.exists() else ""

    def tells(self, *secrets: str) -> list[str]:
        """Those of the secrets that stand in what it printed and wrote."""
        assert self.audit_path is not None, f"no audit was written\n{self.output}"
        texts = (self.output, self.audit_path.read_text(encoding="utf-8"), self.page)
        return [secret for secret in secrets if any(secret in text for text in texts)]

    @property
    def outcome(self) -> str:
        """How the run ended, as its audit says."""
        return str(self.audit["run"]["outcome"])

    @cached_property
    def told(self) -> dict[str, Any]:
        """What ``--hk-json`` has printed, which its schema describes."""
        (line,) = (line for line in self.output.splitlines() if line.startswith('{"schema_version'))
        told: dict[str, Any] = json.loads(line)
        jsonschema.validate(told, json.loads(FINISHED.read_text(encoding="utf-8")))
        return told

    @property
    def steps(self) -> dict[str, str]:
        """The outcome of each step by its id, in the order of the audit."""
        return {step["id"]: step["outcome"] for step in self.audit["steps"]}

    @property
    def ran(self) -> list[str]:
        """The ids of the items in the order in which they ran; of a run with ``-v``."""
        return _RAN.findall(re.sub(r"\x1b\[[0-9;]*m", "", self.output))

    def message(self, step: str) -> str:
        """What the audit says of a step."""
        return str(next(each["message"] for each in self.audit["steps"] if each["id"] == step))

    def findings(self, rule: str) -> list[str]:
        """The objects of which a rule complained."""
        return [each["object"] for each in self.audit["findings"] if each["rule"] == rule]


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project of its own in a temporary folder."""

    root: Path
    scratch: Path

    @classmethod
    def make(
        cls,
        place: Path,
        template: str = "shop",
        files: Mapping[str, str | bytes | None] | None = None,
        *,
        repository: bool = False,
    ) -> Self:
        """A copy of ``projects/<template>`` with ``files`` written over it (None removes)."""
        root = place / "project"
        shutil.copytree(PROJECTS / template, root, ignore=shutil.ignore_patterns("__pycache__"))
        project = cls(root=root, scratch=place / "tmp")
        project.scratch.mkdir()
        project.write(files or {})
        if repository:
            git(root, "init", "--quiet", "--initial-branch=main")
            project.commit()
        return project

    @classmethod
    def sample(cls, place: Path) -> Self:
        """This repository's own schema, committed, in a folder of its own."""
        scratch = place / "tmp"
        scratch.mkdir()
        project = cls(root=fresh_repository(place / "project"), scratch=scratch)
        bring_bytecode(project.root)
        return project

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        for name, content in files.items():
            path = self.root / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "as it is") -> str:
        """Commit everything but the records of staging; the name of HEAD then."""
        ignored = "__pycache__/\n/ops/audit/staging_*\n"
        (self.root / ".gitignore").write_text(ignored, encoding="utf-8")
        if not git(self.root, "status", "--porcelain"):
            return git(self.root, "rev-parse", "HEAD")
        return commit_all(self.root, message)

    def run(self, *arguments: str, prefix: Sequence[str] = (), **environment: str) -> Run:
        """``pytest --hk-mode=staging`` with further arguments; nothing of it is left afterwards.

        In a fork, if nothing is said of the interpreter: see `forked_runs`.
        """
        if prefix or needs_interpreter(environment):
            run = self.finish(self.start(*arguments, prefix=prefix, **environment))
        else:
            run = self.fork(self.plain_arguments(*STAGING, *arguments), environment)
        assert self.leftovers() == [], run.output
        return run

    def fork(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: str = "."
    ) -> Run:
        """pytest in a folder of this project, in a fork of a process that has imported all."""
        self.begin(arguments, environment, folder)
        return self.ended()

    def begin(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: str = "."
    ) -> int:
        """The same, and not waited for; its process id. The next one begins when it has ended."""
        runs, output = shared_runs(), self.root.parent / "output"
        whole = {**self.environment(), **environment}
        group = runs.start(self.root / folder, [*arguments], whole, output)
        with self._groups.open("a", encoding="utf-8") as file:
            file.write(f"{group}\n")
        return group

    def ended(self) -> Run:
        """How the run ended that was begun."""
        ended = shared_runs().wait(PATIENCE_S)
        return Run(code=ended.code, output=ended.output, audit_path=self._new_audit())

    def start(
        self, *arguments: str, prefix: Sequence[str] = (), **environment: str
    ) -> subprocess.Popen[str]:
        """The same, and not waited for; ``prefix`` is a program that starts it."""
        return self.spawn(*STAGING, *arguments, prefix=prefix, **environment)

    def spawn(
        self, *arguments: str, prefix: Sequence[str] = (), **environment: str
    ) -> subprocess.Popen[str]:
        """pytest in this project, without the plugins that only a person at work wants."""
        return subprocess.Popen(
            [*prefix, sys.executable, "-m", "pytest", *self.plain_arguments(*arguments)],
            cwd=self.root,
            env=self.environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def plain_arguments(self, *arguments: str) -> list[str]:
        """What a run is given that somebody else watches, and the arguments."""
        made = ["-W", "error", "--color=no", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
        made += ["-p", "no:anyio", "-p", "no:django"]
        if not any(argument.startswith("--randomly") for argument in arguments):
            made += ["-p", "no:randomly"]
        return [*made, *arguments]

    def environment(self) -> dict[str, str]:
        """That of the tests, without what would change a run; PATH names the run's processes."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN) and k != "CI"}
        return kept | {
            "PATH": f"{os.environ['PATH']}:{self._mark}",
            "PYTHONPATH": str(TESTS),
            "TMPDIR": str(self.scratch),
            "HK_TEST_FOLDERS": str(self._list),
        }

    def finish(self, process: subprocess.Popen[str], patience_s: float = PATIENCE_S) -> Run:
        """Wait for the end of a run and read what it has left."""
        try:
            output, _ = process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Run(code=process.returncode, output=output, audit_path=self._new_audit())

    def _new_audit(self) -> Path | None:
        audits = sorted(self.audits(), key=lambda path: path.stat().st_mtime_ns)
        new = [path for path in audits if str(path) not in self._seen]
        self._note_seen(new)
        return new[-1] if new else None

    def audits(self) -> list[Path]:
        return sorted((self.root / "ops" / "audit").glob("*.json"))

    def leftovers(self) -> list[str]:
        """Folders outside of the project and processes of its runs that are still there.

        What was there at once counts, for any other run clears what a dead one has left. Only a
        process that was killed may take a moment.
        """
        folders, processes = self._folders(), self._processes()
        deadline = time.monotonic() + _END_S
        while processes and "postgres" not in str(processes) and time.monotonic() < deadline:
            time.sleep(0.02)
            processes = self._processes()
        return [*folders, *processes]

    def _folders(self) -> list[str]:
        made = self._list.read_text(encoding="utf-8").splitlines() if self._list.exists() else []
        outside = (Path("/dev/shm"), Path("/tmp"), self.scratch)
        return [
            name
            for name in made
            if Path(name).exists()
            and not Path(name).is_relative_to(self.root)
            and any(Path(name).parent == place for place in outside)
        ] + [str(path) for path in self.scratch.iterdir()]

    def _processes(self) -> list[str]:
        """Those that bear the mark of a run, and those of its group: a fork bears no mark."""
        groups = self._groups.read_text(encoding="utf-8").split() if self._groups.exists() else []
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                marked = str(self._mark).encode() in (entry / "environ").read_bytes()
                if marked or _group(entry) in groups:
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found.append(f"{entry.name}: {command}")
            except (OSError, UnicodeDecodeError):
                continue
        return found

    @property
    def _mark(self) -> Path:
        return self.root.parent / "mark"

    @property
    def _groups(self) -> Path:
        return self.root.parent / "groups"

    @property
    def _list(self) -> Path:
        return self.root.parent / "folders"

    @property
    def _seen(self) -> list[str]:
        path = self.root.parent / "seen"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def _note_seen(self, paths: list[Path]) -> None:
        with (self.root.parent / "seen").open("a", encoding="utf-8") as file:
            file.writelines(f"{path}\n" for path in paths)


def needs_interpreter(environment: Mapping[str, str]) -> bool:
    """Whether it says something that only a new interpreter heeds; a fork has a path of its own."""
    return any(name.startswith("PYTHON") and name != "PYTHONPATH" for name in environment)


def _group(process: Path) -> str:
    """The process group; the name before it, in brackets, may hold anything."""
    return (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[2]
