"""GitHub's own client as workflows and the README use it: a program that records what it is asked.

It takes the commands and options that the project uses, and no other. Issues are kept, and a
workflow can be started that is in a folder, with inputs that it takes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = """#!{python}
import argparse, json, os, pathlib, sys

place = pathlib.Path(__file__).parent / "asked.json"
state = json.loads(place.read_text(encoding="utf-8"))
parser = argparse.ArgumentParser(prog="gh", allow_abbrev=False)
commands = parser.add_subparsers(dest="what", required=True)
def command(*words):
    known = groups.setdefault(words[0], None)
    if known is None:
        known = groups[words[0]] = commands.add_parser(words[0]).add_subparsers(
            dest="verb", required=True
        )
    return known.add_parser(words[1], allow_abbrev=False)
groups = {{}}
def text_of(parser, *names):
    for name in names:
        parser.add_argument("--" + name, required=name in ("title", "body-file", "label"))
text_of(command("pr", "create"), "base", "head", "title", "body-file")
text_of(command("issue", "create"), "title", "body-file", "label")
listed = command("issue", "list")
text_of(listed, "app", "label", "state", "limit", "json", "jq")
for verb in ("edit", "close"):
    each = command("issue", verb)
    each.add_argument("number", type=int)
    each.add_argument("--comment")
    if verb == "edit":
        text_of(each, "title", "body-file")
label = command("label", "create")
label.add_argument("name")
label.add_argument("--force", action="store_true")
label.add_argument("--description")
run = command("workflow", "run")
run.add_argument("workflow")
run.add_argument("-f", "--raw-field", action="append", default=[])
command("run", "list").add_argument("--workflow")
view = command("run", "view")
view.add_argument("id")
view.add_argument("--log-failed", action="store_true")
given = parser.parse_args()

if state["token"] and os.environ.get("GH_TOKEN") != state["token"]:
    sys.exit("gh: HTTP 401: Bad credentials")
state["asked"].append(sys.argv[1:])
file = getattr(given, "body_file", None)
body = pathlib.Path(file).read_text(encoding="utf-8") if file else ""
state["bodies"] += [body] if file else []
issues, done = state["issues"], (given.what, given.verb)
if done == ("issue", "create"):
    if given.label not in state["labels"]:
        sys.exit(f"could not add label: '{{given.label}}' not found")
    issues.append({{"title": given.title, "body": body, "open": True, "label": given.label}})
elif done == ("issue", "list"):
    if (given.json, given.jq, given.state) != ("number", ".[].number", "open"):
        sys.exit("gh: not built")
    found = [n for n, each in enumerate(issues, 1) if each["open"] and each["label"] == given.label]
    print(*found[: int(given.limit)], sep="\\n", end="\\n" if found else "")
elif done == ("issue", "edit"):
    issues[given.number - 1].update(title=given.title, body=body)
elif done == ("issue", "close"):
    issues[given.number - 1].update(open=False, comment=given.comment)
elif done == ("label", "create"):
    state["labels"].append(given.name)
elif done == ("workflow", "run"):
    inputs = state["workflows"].get(given.workflow)
    if inputs is None:
        sys.exit(f"could not find any workflows named {{given.workflow}}")
    fields = dict(each.split("=", 1) for each in given.raw_field)
    if unknown := set(fields) - set(inputs):
        sys.exit(f"HTTP 422: Unexpected inputs provided: {{sorted(unknown)}}")
    if missing := {{name for name, needed in inputs.items() if needed}} - set(fields):
        sys.exit(f"HTTP 422: Required input {{sorted(missing)}} not provided")
elif done == ("run", "list") and given.workflow not in state["workflows"]:
    sys.exit(f"could not find any workflows named {{given.workflow}}")
place.write_text(json.dumps(state), encoding="utf-8")
"""


@dataclass(frozen=True, kw_only=True)
class Gh:
    """The program's folder, for the PATH of a step, and what it was asked."""

    programs: Path

    @classmethod
    def make(
        cls, programs: Path, *, token: str = "", workflows: dict[str, dict[str, bool]] | None = None
    ) -> Gh:
        """``workflows``: of each file its inputs, and whether they are required."""
        programs.mkdir(exist_ok=True)
        program = programs / "gh"
        program.write_text(_PROGRAM.format(python=sys.executable), encoding="utf-8")
        program.chmod(0o755)
        lists: dict[str, list[Any]] = {n: [] for n in ("asked", "bodies", "issues", "labels")}
        state = {"token": token, "workflows": workflows or {}, **lists}
        (programs / "asked.json").write_text(json.dumps(state), encoding="utf-8")
        return cls(programs=programs)

    @property
    def asked(self) -> list[list[str]]:
        """The words after ``gh``, of each call that it took."""
        asked: list[list[str]] = self._state()["asked"]
        return asked

    @property
    def bodies(self) -> list[str]:
        """What the files said that it was given."""
        bodies: list[str] = self._state()["bodies"]
        return bodies

    @property
    def issues(self) -> list[dict[str, Any]]:
        issues: list[dict[str, Any]] = self._state()["issues"]
        return issues

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.programs / "asked.json").read_text("utf-8"))
        return state
