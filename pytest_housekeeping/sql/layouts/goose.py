"""goose: ``00001_name.sql`` by number, ``-- +goose Up`` and ``-- +goose Down`` in it.

https://pressly.github.io/goose/documentation/annotations/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.layout import (
    Ground,
    Layout,
    Listing,
    Reading,
    not_run_here,
)
from pytest_housekeeping.sql.layouts.numbered import by_version, version_key
from pytest_housekeeping.sql.layouts.placeholders import replaced
from pytest_housekeeping.sql.layouts.two_halves import Halves

_NAME = re.compile(r"(\d+)_[^/]*\.sql")
_CODE = re.compile(r"\d+_.*(?<!_test)\.go")
_FLAGS = re.MULTILINE | re.IGNORECASE
_UP = re.compile(r"^--[ \t]*\+goose[ \t]+up[ \t]*\r?$", _FLAGS)
_DOWN = re.compile(r"^--[ \t]*\+goose[ \t]+down[ \t]*\r?$", _FLAGS)
_OUTSIDE = re.compile(r"^--[ \t]*\+goose[ \t]+no[ \t]+transaction[ \t]*\r?$", _FLAGS)
_ENVSUB = re.compile(r"^--[ \t]*\+goose[ \t]+envsubs?t?[ \t]+(on|off)[ \t]*\r?$", _FLAGS)
# Without braces as well; a value of its own for what is not set needs them.
_BARE = re.compile(r"\$([A-Za-z_]\w*)")

_HALVES = Halves(
    tool="goose",
    name=_NAME,
    up=_UP,
    down=_DOWN,
    up_mark="-- +goose Up",
    # Wherever it stands, it is meant for both halves.
    outside=lambda text, _: _OUTSIDE.search(text) is not None,
)


def _listing(ground: Ground) -> Listing:
    found = _HALVES.listing(ground)
    code = ground.named("*.go", _CODE)
    written = {by_version(entry): entry.path for entry in found.of(Kind.MIGRATION)}
    instead = {path: written[_number(path)] for path in code if _number(path) in written}
    told = {path: f"{other} holds what it does" for path, other in instead.items()}
    return replace(
        found,
        passed_over={**found.passed_over, **told},
        errors=(*found.errors, *_code([path for path in code if path not in instead])),
    )


def _number(path: str) -> tuple[int, ...]:
    return version_key(path.rpartition("/")[2].partition("_")[0])


def _code(paths: Sequence[str]) -> Iterator[SqlFileError]:
    return not_run_here(
        paths,
        "is a migration of goose in Go",
        "are migrations of goose in Go",
        fix="write beside each a SQL file of the same number that holds what it does, or has done:"
        " it is read in the place of the one in Go, which stays as it is",
    )


def _reading(ground: Ground, path: str, text: str) -> Reading:
    half = _HALVES.reading(ground, path, text)
    if not _ENVSUB.search(half.text):
        return half
    texts, problems = [], list(half.problems)
    line = 0
    for part, is_on in _parts(half.text):
        done = _with_values(part, ground) if is_on else Reading(text=part)
        texts.append(done.text)
        problems += [replace(each, line=each.line + line) for each in done.problems]
        line += part.count("\n")
    return replace(half, text="".join(texts), problems=tuple(problems))


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text cut where replacing is switched on and off."""
    place, is_on = 0, False
    for mark in _ENVSUB.finditer(text):
        yield text[place : mark.start()], is_on
        place, is_on = mark.start(), mark[1].lower() == "on"
    yield text[place:], is_on


def _with_values(text: str, ground: Ground) -> Reading:
    return replaced(_BARE.sub(r"${\1}", text), ground.config.placeholders)


LAYOUT = Layout(
    name="goose",
    tool="goose",
    listing=_listing,
    reading=_reading,
    marks=("goose",),
    outside_mark="-- +goose NO TRANSACTION",
)
