"""The files of a project's CI: callers of what stands in pytest-housekeeping's own repository."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

from pytest_housekeeping import __version__

GITHUB, GITLAB = "github", "gitlab"
_LOCKED_FROM = "requirements-housekeeping.in"
_FOLDERS = {GITHUB: ".github/workflows", GITLAB: ".gitlab"}
_CONTRIB = 17
_FLEET = "housekeeping-fleet.yml"
_PIPELINE = ".gitlab-ci.yml"
_INCLUDE = """\
# The pipeline of this project; the jobs on its database are in the file that is included.
include:
  - local: .gitlab/housekeeping.gitlab-ci.yml
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What differs from project to project in the files of its CI.

    ``paths`` are the patterns of the files that a change of the schema is made of; with a ``fleet``
    in its settings a project has a workflow for that as well. ``superuser`` is the one that the
    server of staging is made with.
    """

    paths: tuple[str, ...]
    branch: str
    postgres: int
    fleet: bool = False
    superuser: str = "postgres"


def ci_files(kind: str, place: Place) -> dict[str, str]:
    """The files of a CI, by their paths in the repository."""
    words = {
        "@branch@": place.branch,
        "@postgres@": str(place.postgres),
        "@image@": f"postgres:{place.postgres}",
        "@superuser@": place.superuser,
        "@url@": f"postgresql://{place.superuser}:of-this-job@postgres:5432/postgres",
    }
    folder = files(__name__)
    requirements = folder.joinpath(_LOCKED_FROM).read_text(encoding="utf-8")
    made = {_LOCKED_FROM: requirements.replace("@tool@", _tool(place))}
    if kind == GITLAB:
        made[_PIPELINE] = _INCLUDE
    for each in sorted(folder.joinpath(kind).iterdir(), key=lambda file: file.name):
        if each.name == _FLEET and not place.fleet:
            continue
        lines = each.read_text(encoding="utf-8").splitlines(keepends=True)
        filled = (line for text in lines for line in _filled(text, words, place.paths))
        made[f"{_FOLDERS[kind]}/{each.name}"] = "".join(filled)
    return made


def _tool(place: Place) -> str:
    """Of its embedded servers, one comes as an extra."""
    extra = "[contrib]" if place.postgres == _CONTRIB else ""
    return f"pytest-housekeeping{extra}=={__version__}"


def _filled(line: str, words: Mapping[str, str], paths: tuple[str, ...]) -> Iterator[str]:
    """A line with its words; one that holds a pattern of paths is there once for each of them."""
    for word, value in words.items():
        # A text of JSON is one of YAML as well, whatever is in it.
        line = line.replace(word, json.dumps(value))
    for path in paths if "@path@" in line else ("",):
        yield line.replace("@path@", json.dumps(path))
