"""GitHub's API for pull requests, as a workflow's ``gh`` asks it: a program and its state."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# It takes the arguments that `gh api` takes, and no other; what it refuses ends the step.
_GH = """#!{python}
import argparse, json, os, pathlib, re, sys

parser = argparse.ArgumentParser(prog="gh", allow_abbrev=False)
parser.add_argument("command", choices=["api"])
parser.add_argument("path")
parser.add_argument("--paginate", action="store_true")
parser.add_argument("--silent", action="store_true")
parser.add_argument("--method", default="GET")
parser.add_argument("--field", action="append", default=[])
given = parser.parse_args()
place = pathlib.Path(__file__).parent / "github.json"
state = json.loads(place.read_text(encoding="utf-8"))
if os.environ.get("GH_TOKEN") != state["token"]:
    sys.exit("gh: HTTP 401: Bad credentials")
fields = dict(each.split("=", 1) for each in given.field)
for name, value in fields.items():
    if value.startswith("@"):
        fields[name] = pathlib.Path(value[1:]).read_text(encoding="utf-8")
state["asked"].append([given.method, given.path])
route = f"{{given.method}} {{given.path.removeprefix('repos/' + state['repository'] + '/')}}"
request, number = state["request"], state["request"]["number"]
answers = []
if route == f"GET pulls/{{number}}":
    answers = [request]
elif route == f"GET issues/{{number}}/comments?per_page=100":
    pages = state["comments"]
    answers = [pages[at : at + 2] for at in range(0, len(pages) or 1, 2)]
    answers = answers if given.paginate else answers[:1]
else:
    if len(fields["body"]) > 65536:
        sys.exit("gh: HTTP 422: body is too long (maximum is 65536 characters)")
    known = {{str(each["id"]): each for each in state["comments"]}}
    patched = re.fullmatch(r"PATCH issues/comments/(\\d+)", route)
    if route == f"POST issues/{{number}}/comments":
        made = {{"id": 1000 + len(known), "user": {{"login": "github-actions[bot]"}}}}
        state["comments"].append({{**made, "body": fields["body"]}})
    elif patched and patched[1] in known:
        known[patched[1]]["body"] = fields["body"]
    else:
        sys.exit(f"gh: HTTP 404: {{route}}")
place.write_text(json.dumps(state), encoding="utf-8")
if not given.silent:
    sys.stdout.write("".join(map(json.dumps, answers)))
"""


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """One pull request, and what has been said there. ``programs`` is for the PATH of a step."""

    programs: Path

    @classmethod
    def make(cls, programs: Path, *, repository: str, number: int, token: str) -> GitHub:
        programs.mkdir()
        program = programs / "gh"
        program.write_text(_GH.format(python=sys.executable), encoding="utf-8")
        program.chmod(0o755)
        made = cls(programs=programs)
        request = {"number": number, "head": {"sha": ""}}
        comments = [
            {"id": 1, "user": {"login": "ada"}, "body": "looks good"},
            {"id": 2, "user": None, "body": None},
        ]
        made._write(
            {
                "token": token,
                "repository": repository,
                "request": request,
                "comments": comments,
                "asked": [],
            }
        )
        return made

    def at(self, sha: str) -> None:
        """Somebody has pushed this commit."""
        state = self._state()
        state["request"]["head"]["sha"] = sha
        self._write(state)

    def say(self, login: str, body: str) -> None:
        state = self._state()
        number = 500 + len(state["comments"])
        state["comments"].append({"id": number, "user": {"login": login}, "body": body})
        self._write(state)

    @property
    def comments(self) -> list[str]:
        """What the workflow has said, each comment as it stands now."""
        return [
            each["body"]
            for each in self._state()["comments"]
            if (each["user"] or {}).get("login") == "github-actions[bot]"
        ]

    @property
    def others(self) -> list[str]:
        """What anybody else has said."""
        return [each["body"] for each in self._state()["comments"] if each["id"] < 1000]

    @property
    def changes(self) -> list[str]:
        """The methods of all that was asked for beside reading."""
        return [method for method, _ in self._state()["asked"] if method != "GET"]

    def files(self, folder: Path) -> tuple[Path, Path]:
        """The pull request and its comments, as ``gh api`` would have written them."""
        state = self._state()
        request, comments = folder / "request.json", folder / "comments.json"
        request.write_text(json.dumps(state["request"]), encoding="utf-8")
        pages = [json.dumps([each]) for each in state["comments"]] or ["[]"]
        comments.write_text("".join(pages), encoding="utf-8")
        return request, comments

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.programs / "github.json").read_text("utf-8"))
        return state

    def _write(self, state: dict[str, Any]) -> None:
        (self.programs / "github.json").write_text(json.dumps(state), encoding="utf-8")
