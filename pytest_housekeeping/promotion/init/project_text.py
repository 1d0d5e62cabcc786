"""What `init` adds to a project's own files: settings, and what git is not to take."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import SETTINGS
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence.git.committed import incidents_of

_HEAD = """\
# pytest-housekeeping: pytest --hk-mode=staging proves this project's SQL files on a throwaway
# PostgreSQL. All keys: python -m pytest_housekeeping docs configuration
[tool.housekeeping]
"""
# pytest takes the folder for its root that has this table; without one, an outer folder may be.
_PYTEST = "[tool.pytest.ini_options]\n"
_IGNORED = """\
# Evidence is committed to branches of its own, by the run that makes it: that of production, of
# each target and of each database of a fleet.
{audit}/staging_*
{audit}/plan_*
{audit}/prod_*
{audit}/verify_*
{audit}/rollback_*
{audit}/fleet_*
{audit}/*.journal.jsonl
{audit}/.*.part
{incidents}/*
"""
_SQLFLUFF = """\
# The style of the SQL files, a required step of every run. What the files of today break is left
# out; put a rule back when it is kept. The rules: https://docs.sqlfluff.com
[sqlfluff]
dialect = postgres
templater = raw
"""
_IGNORED_BY_STYLE = """\
# Too large for the linter, which takes minutes for them; PostgreSQL's parser reads them as well.
"""
# sqlfluff's own limit, in bytes: large_file_skip_byte_limit.
LARGE = 20_000
# sqlfluff's own code for what its parser does not understand; PostgreSQL's reads every file.
_UNPARSED = "PRS"


def sqlfluff_text(broken: Iterable[str]) -> str:
    """The settings of the style: everything is required but the rules that are ``broken``."""
    codes = sorted(set(broken) - {_UNPARSED})
    text = _SQLFLUFF
    if codes:
        text += f"exclude_rules = {', '.join(codes)}\n"
    if _UNPARSED in set(broken):
        text += "# What sqlfluff's parser does not understand.\nignore = parsing\n"
    return text


def ignored_by_style(sizes: Iterable[tuple[str, int]]) -> str:
    """The files that are too large for sqlfluff; "" where none is."""
    large = sorted(path for path, size in sizes if size > LARGE)
    return _IGNORED_BY_STYLE + "".join(f"{path}\n" for path in large) if large else ""


def with_settings(root: Path) -> str | None:
    """pyproject.toml with a table of settings; None where it has one already.

    Raises MisuseError for a file that is not TOML.
    """
    text, known = _read(root)
    if "housekeeping" in known.get("tool", {}):
        return None
    table = _HEAD
    if not text and not any((root / name).is_file() for name in ("pytest.ini", ".pytest.ini")):
        table = f"{_PYTEST}\n{table}"
    return "\n".join(part for part in (text.rstrip("\n") + "\n" if text else "", table) if part)


def checks_folder(root: Path) -> str:
    """What the settings call the folder of the checks, before they are looked through."""
    named = _read(root)[1].get("tool", {}).get("housekeeping", {}).get("checks")
    return named if isinstance(named, str) and named else Config(root=root).checks


def _read(root: Path) -> tuple[str, dict[str, Any]]:
    place = root / SETTINGS
    text = place.read_text(encoding="utf-8") if place.is_file() else ""
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MisuseError(
            f"{SETTINGS} is not TOML: {error}",
            why="the settings are read from it",
            fix="correct it, and run init again",
        ) from None


def with_ignored(root: Path, audit: str, environment: Path) -> str | None:
    """.gitignore with the lines that keep evidence, and a virtual environment, out of commits."""
    place = root / ".gitignore"
    text = place.read_text(encoding="utf-8") if place.is_file() else ""
    folder, _, last = f"/{audit}".rpartition("/")
    wanted = _IGNORED.format(
        audit=f"{folder}/**/{last}", incidents=f"{folder}/**/{incidents_of(audit).split('/')[-1]}"
    )
    there = {line for line in text.splitlines() if not line.startswith("#")}
    lacking = [line for line in wanted.splitlines() if line not in there]
    lacking += _environment(root, environment, there)
    if all(line.startswith("#") for line in lacking):
        return None
    return (text.rstrip("\n") + "\n\n" if text.strip() else "") + "\n".join((*lacking, ""))


def _environment(root: Path, environment: Path, there: set[str]) -> list[str]:
    """Its line, where it lies in the project; from Python 3.13 on it ignores itself."""
    if not environment.is_relative_to(root) or (environment / ".gitignore").is_file():
        return []
    name = environment.relative_to(root).as_posix()
    ignored = {line.strip("/") for line in there} & {name, environment.name}
    return [] if ignored or name == "." else [f"/{name}/"]
