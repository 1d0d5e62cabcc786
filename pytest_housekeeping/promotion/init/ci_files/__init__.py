"""The files of a project's CI: callers of what stands in pytest-housekeeping's own repository."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

from pytest_housekeeping import __version__
from pytest_housekeeping.evidence.report.plan_comment import caller_of

GITHUB, GITLAB = "github", "gitlab"
_LOCKED_FROM = "requirements-housekeeping.in"
_FOLDERS = {GITHUB: ".github/workflows", GITLAB: ".gitlab"}
_CONTRIB = 17
_FLEET = "housekeeping-fleet.yml"
_PIPELINE = ".gitlab-ci.yml"
# What stands between these two lines is for a project that has a fleet.
_OF_FLEET = re.compile(r" *# @fleet@\n(.*?) *# @end@\n", re.DOTALL)
_INCLUDE = """\
# The pipeline of this project; the jobs on its database are in the file that is included.
include:
  - local: {path}
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What differs from project to project in the files of its CI.

    ``paths`` are the patterns of the files that a change of the schema is made of; with a ``fleet``
    in its settings a project has a workflow, or jobs, for that as well. ``superuser`` is the one
    that the server of staging is made with, where it is not the ``embedded`` one. ``project`` is
    its folder in the repository, "" for the root.
    """

    paths: tuple[str, ...]
    branch: str
    postgres: int
    fleet: bool = False
    superuser: str = "postgres"
    embedded: bool = False
    project: str = ""


def ci_files(kind: str, place: Place) -> dict[str, str]:
    """The files of a CI, by their paths in the repository."""
    folder = files(__name__)
    words = _words(place)
    requirements = folder.joinpath(_LOCKED_FROM).read_text(encoding="utf-8")
    made = {words["@folder@"] + _LOCKED_FROM: requirements.replace("@tool@", _tool(place))}
    for each in sorted(folder.joinpath(kind).iterdir(), key=lambda file: file.name):
        if each.name == _FLEET and not place.fleet:
            continue
        words["@name@"] = name = caller_of(each.name, place.project)
        text = _OF_FLEET.sub(r"\1" if place.fleet else "", each.read_text(encoding="utf-8"))
        lines = text.splitlines(keepends=True)
        filled = (part for line in lines for part in _filled(line, words, place))
        path = f"{_FOLDERS[kind]}/{name}"
        made[path] = "".join(filled)
        if kind == GITLAB:
            made[_PIPELINE] = _INCLUDE.format(path=path)
    return made


def _words(place: Place) -> dict[str, str]:
    url = f"postgresql://{place.superuser}:of-this-job@postgres:5432/postgres"
    # A text of JSON is one of YAML as well, whatever is in it.
    return {
        "@branch@": json.dumps(place.branch),
        "@postgres@": json.dumps(str(place.postgres)),
        "@image@": json.dumps(f"postgres:{place.postgres}"),
        "@superuser@": json.dumps(place.superuser),
        "@embedded@": json.dumps(place.embedded),
        "@url@": json.dumps("" if place.embedded else url),
        "@project@": json.dumps(place.project),
        "@folder@": f"{place.project}/" if place.project else "",
        "@prefix@": f"{place.project}: " if place.project else "",
        "@slug@": re.sub(r"[/.]", "-", f"-{place.project}") if place.project else "",
    }


def _tool(place: Place) -> str:
    """Of its embedded servers, one comes as an extra."""
    extra = "[contrib]" if place.postgres == _CONTRIB else ""
    return f"pytest-housekeeping{extra}=={__version__}"


def _filled(line: str, words: Mapping[str, str], place: Place) -> Iterator[str]:
    """A line with its words; one that holds a pattern of paths is there once for each of them, one
    with the folder of the project only where it has one."""
    if "@project@" in line and not place.project:
        return
    for word, value in words.items():
        line = line.replace(word, value)
    for path in place.paths if "@path@" in line else ("",):
        yield line.replace("@path@", json.dumps(path))
