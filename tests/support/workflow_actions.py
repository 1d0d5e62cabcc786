"""What the actions of the project's workflows do to a machine, for the runner of the tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from support.kept_bytecode import bring_bytecode

if TYPE_CHECKING:
    from support.workflow_runner import RunnerState


class UnknownStep(Exception):
    """A part of a workflow that the runner does not know how to do."""


def _checkout(state: RunnerState, given: Mapping[str, str]) -> str:
    if given.get("persist-credentials") != "false":
        raise UnknownStep("actions/checkout with credentials left behind")
    ref = state.machine.ref
    wanted = f"+refs/heads/{ref}:refs/remotes/origin/{ref}"
    depth = ["--depth", given.get("fetch-depth", "1")]
    if given.get("fetch-depth") == "0":
        depth, wanted = [], "+refs/heads/*:refs/remotes/origin/*"
    told = "".join(
        _git(state, *arguments)
        for arguments in (
            ("init", "--quiet"),
            ("remote", "add", "origin", state.machine.origin),
            ("fetch", "--quiet", *depth, "origin", wanted),
            ("checkout", "--quiet", "-B", ref, f"refs/remotes/origin/{ref}"),
        )
    )
    bring_bytecode(state.workspace)
    return told


def _git(state: RunnerState, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments],
        cwd=state.workspace,
        env=state.environment | {"PATH": state.path},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ).stdout


def _setup_python(state: RunnerState, given: Mapping[str, str]) -> str:
    depends = given.get("cache-dependency-path")
    if depends and not (state.workspace / depends).is_file():
        raise FileNotFoundError(f"no file matches {depends}")
    state.path = f"{state.machine.python_bin}:{state.path}"
    return f"the Python of {state.machine.python_bin}"


def _upload_artifact(state: RunnerState, given: Mapping[str, str]) -> str:
    patterns = given["path"].split()
    places = {path for pattern in patterns for path in state.workspace.glob(pattern)}
    found = sorted(path for path in places if path.is_file())
    if not found and given.get("if-no-files-found") == "error":
        raise FileNotFoundError(f"no file matches {given['path']}")
    folder = state.artifacts / given["name"]
    folder.mkdir()
    for path in found:
        shutil.copy(path, folder)
    return "\n".join(path.name for path in found)


ACTIONS: dict[str, tuple[frozenset[str], Callable[[RunnerState, Mapping[str, str]], str]]] = {
    "actions/checkout": (frozenset({"fetch-depth", "persist-credentials"}), _checkout),
    "actions/setup-python": (
        frozenset({"python-version", "cache", "cache-dependency-path"}),
        _setup_python,
    ),
    "actions/upload-artifact": (
        frozenset({"name", "path", "if-no-files-found", "retention-days"}),
        _upload_artifact,
    ),
}
