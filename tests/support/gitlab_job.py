"""A job of a GitLab pipeline, run on this machine as it stands in the YAML.

https://docs.gitlab.com/ci/yaml/ What it does not know, of the keys of a job, is an error.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_KEYS = {"extends", "image", "stage", "variables", "before_script", "script", "artifacts", "rules"}
_KEYS |= {"environment", "services", "resource_group", "interruptible", "timeout"}
# GitLab's API for issues and merge requests, as curl asks it: a folder of files is its state.
_CURL = """#!{python}
import json, pathlib, re, sys
from urllib.parse import unquote
state = pathlib.Path(__file__).parent / "gitlab.json"
known = json.loads(state.read_text(encoding="utf-8"))
words, fields, method, url, said = sys.argv[1:], {{}}, "", "", True
while words:
    word = words.pop(0)
    if word == "--config":
        assert words.pop(0) == "-"
        assert sys.stdin.read() == 'header = "PRIVATE-TOKEN: %s"\\n' % known["token"], "HTTP 401"
    elif word in ("--data", "--data-urlencode"):
        name, how, value = re.fullmatch(r"(\\w+)([=@])(.*)", words.pop(0), re.S).groups()
        fields[name] = pathlib.Path(value).read_text(encoding="utf-8") if how == "@" else value
        method = method or "POST"
    elif word == "--request":
        method = words.pop(0)
    elif word == "--output":
        said = words.pop(0) != "/dev/null"
    elif word.startswith("https://"):
        url = word.removeprefix("https://gitlab.example.invalid/api/v4/projects/7/")
    else:
        assert word in ("--fail", "--silent", "--show-error"), word
issues, answer = known["issues"], {{}}
if url == "merge_requests" and method == "POST":
    known["merge_requests"].append(fields)
elif url == "issues" and method == "POST":
    issues.append({{"iid": len(issues) + 1, "state": "opened", **fields}})
elif re.match(r"issues\\?labels=housekeeping-verify[\\w-]*&state=opened", url) and not method:
    answer = [each for each in issues if each["state"] == "opened"][:1]
elif url.startswith("issues/") and method == "PUT":
    issue = issues[int(url.removeprefix("issues/")) - 1]
    if fields.pop("state_event", "") == "close":
        issue["state"] = "closed"
    issue.update(fields)
else:
    sys.exit(f"HTTP 404: {{method}} {{url}}")
state.write_text(json.dumps(known), encoding="utf-8")
print(json.dumps(answer) if said else "", end="")
"""
# In the place of a run of pytest: its words are kept, and it tells what the test says.
_PYTEST = """#!/bin/bash
printf '%s\\0' "$@" > "$0.words"
env > "$0.env"
cat "$0.output" >> "${GITHUB_OUTPUT:-/dev/null}"
cat "$0.summary" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
exit "$(cat "$0.code")"
"""


@dataclass(frozen=True, kw_only=True)
class Programs:
    """Stand-ins in front of the PATH: curl, and pytest where a test does not mean the real one."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *, token: str) -> Programs:
        folder.mkdir()
        state = f'{{"token": "{token}", "issues": [], "merge_requests": []}}'
        (folder / "gitlab.json").write_text(state, encoding="utf-8")
        for name, text in (("curl", _CURL.format(python=sys.executable)), ("pytest", _PYTEST)):
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o755)
        return cls(folder=folder)

    def pytest_says(self, *, code: int = 0, summary: str = "", **outputs: str) -> None:
        lines = "".join(f"{name}={value}\n" for name, value in outputs.items())
        for name, text in (("output", lines), ("summary", summary), ("code", str(code))):
            (self.folder / f"pytest.{name}").write_text(text, encoding="utf-8")

    def words(self) -> list[str]:
        """What pytest was given."""
        text = (self.folder / "pytest.words").read_text(encoding="utf-8")
        return text.split("\0")[:-1]

    def environment(self) -> str:
        return (self.folder / "pytest.env").read_text(encoding="utf-8")


def load(template: Path) -> dict[str, Any]:
    """The jobs of a template by their names, each with what it extends."""
    document: dict[str, Any] = yaml.safe_load(template.read_text(encoding="utf-8"))

    def whole(job: Mapping[str, Any]) -> Mapping[str, Any]:
        return _merged(whole(document[job["extends"]]), job) if "extends" in job else job

    return {name: dict(whole(job)) for name, job in document.items() if "extends" in job}


def _merged(base: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    """Maps within each other, everything else as the job has it."""
    if unknown := set(job) - _KEYS:
        raise ValueError(f"keys of a job that are not built: {sorted(unknown)}")
    merged = dict(base)
    for key, value in job.items():
        old = merged.get(key)
        within = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = {**(old or {}), **value} if within else value
    return merged


def script_of(job: Mapping[str, Any], *parts: str) -> str:
    """What the runner gives to one shell: the parts behind each other."""
    return "\n".join(line for part in parts for line in job[part]) + "\n"


def run(
    job: Mapping[str, Any], folder: Path, environment: Mapping[str, str], *parts: str
) -> subprocess.CompletedProcess[str]:
    """Run the parts of a job in a clone, as GitLab's runner for bash does."""
    variables = {
        name: re.sub(r"\$\$", "$", str(value)) for name, value in job.get("variables", {}).items()
    }
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script_of(job, *parts)],
        cwd=folder,
        env={**variables, "CI_PROJECT_DIR": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
