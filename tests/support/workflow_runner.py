"""Runs the steps of a GitHub workflow's job on this machine, as they stand in the YAML.

`run:` texts run unchanged under GitHub's own shell line; the few actions that the project uses are
replaced by what they do to a machine. Any key, action or expression that is not known is an error.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.workflow_actions import ACTIONS, UnknownStep
from support.workflow_expressions import as_text, condition, interpolate

_PASSED_ON = ("PIP_", "SSL_", "REQUESTS_", "UV_", "LANG", "LC_")
_STEP_KEYS = frozenset({"name", "id", "if", "uses", "with", "run", "env", "working-directory"})


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a hosted runner has: a folder, a Python, the remote, the ports of its services.

    ``contexts`` are inputs, secrets and vars; ``programs`` is a folder in front of the PATH.
    """

    folder: Path
    python_bin: Path
    origin: str
    ref: str = "main"
    ports: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    contexts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    programs: Path | None = None


@dataclass(frozen=True, kw_only=True)
class StepRun:
    """How one step ended, with all that it printed."""

    name: str
    outcome: str
    output: str = ""


@dataclass(frozen=True, kw_only=True)
class JobRun:
    """How the job ended and what it left: the clone, the artifacts, the page's summary."""

    steps: tuple[StepRun, ...]
    workspace: Path
    artifacts: Path
    summary: str

    @property
    def outcome(self) -> str:
        return "failure" if any(s.outcome == "failure" for s in self.steps) else "success"

    def step(self, name: str) -> StepRun:
        return next(step for step in self.steps if step.name == name)


def load_job(workflow: Path, job: str) -> dict[str, Any]:
    """One job of the workflow, as YAML has it."""
    document = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    loaded: dict[str, Any] = document["jobs"][job]
    return loaded


def run_job(workflow: Path, job: str, machine: Machine, *, github: Mapping[str, Any]) -> JobRun:
    """Run the job's steps in order; after a failure only those whose `if:` says so."""
    state = RunnerState(machine, github, load_job(workflow, job))
    runs = []
    for step in state.job["steps"]:
        if unknown := set(step) - _STEP_KEYS:
            raise UnknownStep(f"{step.get('name')}: {sorted(unknown)}")
        runs.append(state.run(step))
    return JobRun(
        steps=tuple(runs),
        workspace=state.workspace,
        artifacts=state.artifacts,
        summary="".join(
            path.read_text(encoding="utf-8") for path in sorted(state.files.glob("summary_*"))
        ),
    )


class Given(dict[str, str]):
    """Inputs, or what a step wrote to GITHUB_OUTPUT; as on GitHub, what is not there is empty."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return ""


class RunnerState:
    """The machine while the job runs: its folders, environment and whether something failed."""

    def __init__(self, machine: Machine, github: Mapping[str, Any], job: dict[str, Any]) -> None:
        self.machine, self.job = machine, job
        self.workspace = machine.folder / "workspace"
        self.artifacts = machine.folder / "artifacts"
        self.files = machine.folder / "runner_files"
        home, temporary = machine.folder / "home", machine.folder / "temporary"
        for folder in (self.workspace, self.artifacts, self.files, home, temporary):
            folder.mkdir(parents=True)
        self.failed = False
        self.deadline = time.monotonic() + 60 * job.get("timeout-minutes", 360)
        self.path = "/usr/local/bin:/usr/bin:/bin"
        if machine.programs is not None:
            self.path = f"{machine.programs}:{self.path}"
        self.github = {"token": "a-token-for-the-push", **github}
        services = {name: {"ports": ports} for name, ports in machine.ports.items()}
        if set(services) != set(job.get("services", {})):
            raise UnknownStep(f"services other than the given {sorted(services)}")
        self.context: dict[str, Any] = {
            "github": self.github,
            "job": {"services": services},
            "steps": {},
            **machine.contexts,
            "inputs": Given(machine.contexts.get("inputs", {})),
        }
        # Nothing of this machine's user, no git identity. Only the style of SQL that other tests
        # have looked at is known: each job would take seven seconds to look at it again.
        self.environment = {
            name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)
        } | {
            "HOME": str(home),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache/pip")),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "CI": "true",
            "GITHUBACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(temporary),
        }
        self.environment |= {
            f"GITHUB_{name.upper()}": value
            for name, value in github.items()
            if isinstance(value, str)
        }
        self.environment |= self._interpolated(job.get("env", {}))
        self.context["env"] = dict(self.environment)

    def _interpolated(self, values: Mapping[str, Any]) -> dict[str, str]:
        return {name: interpolate(as_text(value), self.context) for name, value in values.items()}

    def run(self, step: Mapping[str, Any]) -> StepRun:
        name = step.get("name") or step.get("uses") or step["run"]
        told: dict[str, Any] = {"outcome": "skipped", "outputs": Given()}
        self.context["steps"][step.get("id", "")] = told
        if not condition(str(step.get("if", "success()")), self.context, failed=self.failed):
            return StepRun(name=name, outcome="skipped")
        if "uses" in step:
            ok, output = self._use(step)
        else:
            ok, output = self._shell(step, told["outputs"])
        self.failed = self.failed or not ok
        told["outcome"] = "success" if ok else "failure"
        return StepRun(name=name, outcome=told["outcome"], output=output)

    def _shell(self, step: Mapping[str, Any], outputs: Given) -> tuple[bool, str]:
        number = len(list(self.files.glob("script_*")))
        script = self.files / f"script_{number:02}.sh"
        script.write_text(interpolate(step["run"], self.context), encoding="utf-8")
        commands = {
            "GITHUB_STEP_SUMMARY": self.files / f"summary_{number:02}.md",
            "GITHUB_ENV": self.files / f"env_{number:02}",
            "GITHUB_OUTPUT": self.files / f"output_{number:02}",
            "GITHUB_PATH": self.files / f"path_{number:02}",
        }
        for file in commands.values():
            file.touch()
        environment = (
            self.environment
            | {"PATH": self.path}
            | {name: str(file) for name, file in commands.items()}
            | self._interpolated(step.get("env", {}))
        )
        usual = self.job.get("defaults", {}).get("run", {}).get("working-directory", ".")
        given = interpolate(step.get("working-directory", usual), self.context)
        folder, seconds = self.workspace / given, self.deadline - time.monotonic()
        if not folder.is_dir():
            return False, f"no such folder: {folder}"
        done, output = _bash(script, folder, environment, seconds)
        written = commands["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
        for name, _, value in (line.partition("=") for line in written):
            outputs[name] = value
        for used in ("GITHUB_ENV", "GITHUB_PATH"):
            if commands[used].stat().st_size:
                raise UnknownStep(f"{step.get('name')} writes {used}: not built")
        return done, output

    def _use(self, step: Mapping[str, Any]) -> tuple[bool, str]:
        action = step["uses"].partition("@")[0]
        if action not in ACTIONS:
            raise UnknownStep(f"the action {action}")
        known, run = ACTIONS[action]
        given = self._interpolated(step.get("with", {}))
        if unknown := set(given) - known:
            raise UnknownStep(f"{action}: {sorted(unknown)}")
        try:
            return True, run(self, given)
        except subprocess.CalledProcessError as error:
            return False, f"{error}\n{error.output}"
        except FileNotFoundError as error:
            return False, str(error)


def _bash(
    script: Path, folder: Path, environment: Mapping[str, str], seconds: float
) -> tuple[bool, str]:
    """GitHub's shell line. A step that runs over is ended with everything that it started."""
    process = subprocess.Popen(
        ["bash", "-e", str(script)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=max(seconds, 0))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return False, f"{output}\nthe job's timeout-minutes are over"
    return process.returncode == 0, output
