"""The version of PostgreSQL that the files of a project ask for: by the settings that they name,
and by what they say that an older one does not read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.pinned_settings import known_since, young_names
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.folder import all_paths
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.literal_tokens import tokens_of
from pytest_housekeeping.sql.parse import SyntaxRefused, parse
from pytest_housekeeping.sql.project_files import ProjectFiles


def needed_version(config: Config, files: ProjectFiles) -> tuple[int, str]:
    """The oldest major version that knows every setting that a file sets and reads all of its
    words, and the setting or the words that say so; 0 and "" where any does. A dump that was taken
    with pg_dump 17 names a setting of 17."""
    found = [each for path in all_paths(config, files) for each in _asked_in(config, files, path)]
    return max(found, default=(0, ""))


# What an older version takes for a syntax error.
_WORDS = (
    (17, re.compile(r"\b(JSON_TABLE)\s*\(", re.IGNORECASE)),
    (17, re.compile(r"\b(merge_action)\s*\(\s*\)", re.IGNORECASE)),
    (18, re.compile(r"\)\s*(VIRTUAL)\b", re.IGNORECASE)),
    (18, re.compile(r"\b(WITHOUT\s+OVERLAPS)\b", re.IGNORECASE)),
    (18, re.compile(r"\b(NOT\s+ENFORCED)\b", re.IGNORECASE)),
    (18, re.compile(r"\bRETURNING\s+(WITH\s*\(\s*(?:OLD|NEW)\s+AS)\b", re.IGNORECASE)),
)


def _asked_in(config: Config, files: ProjectFiles, path: str) -> Iterator[tuple[int, str]]:
    # What cannot be read is told where the files are looked at.
    with suppress(SqlFileError, SyntaxRefused, OSError):
        text = text_of(config, files, path)
        for name in _settings_in(text):
            if since := known_since(name):
                yield since, name
        for since, words in _WORDS:
            if words.search(text) and (found := words.search(_said(text))):
                yield since, " ".join(found[1].upper().split())


def _said(text: str) -> str:
    """Its words and signs, those of bodies of functions too: what a comment or a string says asks
    nothing of the server."""
    return " ".join(
        _said(token.text) if token.body else token.text
        for token in tokens_of(text)
        if token.body or token.kind in ("word", "sign")
    )


def _settings_in(text: str) -> Iterator[str]:
    if any(name in text.lower() for name in young_names()):
        for statement in parse(text):
            if statement.name == "VariableSetStmt":
                yield statement.body.get("name", "").lower()
