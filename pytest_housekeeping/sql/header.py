"""The header of a SQL file: ``-- hk: key=value`` among the comments at its top."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_housekeeping.sql.problems import Problem

_LINE = re.compile(r"--\s*hk:\s*(.*)")
_IRREVERSIBLE = re.compile(r"irreversible\s*,\s*(\S.*)")
_EMPTY = re.compile(r"empty\s*,\s*(\S.*)")
_ACCEPTS = re.compile(r"accepts\s+([a-z0-9-]+)\s+of\s+(\S.*?)\s*:\s+(\S.*)")
_OPTIONS = {
    "row-security": ("on", "off"),
    "transaction": ("batch", "own", "none"),
    "placeholders": ("none",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """What the file does to an object is known and wanted, and no finding of this rule."""

    rule: str
    object: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What a file says of how it runs. ``irreversible`` is the reason why nothing can undo it,
    ``empty`` why it holds no statement; ``accepts`` are findings that it lets stand; ``plain``,
    that what looks like a placeholder is meant as it stands; ``insists``, that
    ``transaction=batch`` is written there, which is the default, and ``transaction_said``, that
    any is."""

    row_security: bool
    transaction: str
    insists: bool
    transaction_said: bool
    irreversible: str
    empty: str
    accepts: tuple[Acceptance, ...]
    plain: bool
    problems: tuple[Problem, ...]


def read_header(text: str) -> Header:
    """The ``-- hk:`` lines among the comments at the top: options, ``irreversible, REASON``,
    ``empty, REASON``, and ``accepts RULE of OBJECT: REASON``."""
    options: dict[str, str] = {}
    irreversible = empty = ""
    accepts = []
    problems = []
    for number, line in enumerate(text.splitlines() if "hk:" in text else (), start=1):
        if line.strip() and not line.lstrip().startswith("--"):
            break
        found = _LINE.match(line.strip())
        if found is None:
            continue
        said = found[1].strip()
        key, _, value = (part.strip() for part in said.partition("="))
        if reason := _IRREVERSIBLE.fullmatch(said):
            irreversible = reason[1]
        elif reason := _EMPTY.fullmatch(said):
            empty = reason[1]
        elif known := _ACCEPTS.fullmatch(said):
            accepts.append(Acceptance(rule=known[1], object=known[2], reason=known[3]))
        elif value in _OPTIONS.get(key, ()):
            options[key] = value
        else:
            problems.append(_unknown(number, said))
    return Header(
        row_security=options.get("row-security") == "on",
        transaction=options.get("transaction", "batch"),
        insists=options.get("transaction") == "batch",
        transaction_said="transaction" in options,
        irreversible=irreversible,
        empty=empty,
        accepts=tuple(accepts),
        plain="placeholders" in options,
        problems=tuple(problems),
    )


def _unknown(line: int, said: str) -> Problem:
    known = ", ".join(f"{key}={'|'.join(values)}" for key, values in _OPTIONS.items())
    return Problem(
        line=line,
        column=1,
        found=f"unknown header {said!r}",
        why="a header that is misread would change how the file runs",
        fix=f"known: {known}; irreversible, REASON; empty, REASON; accepts RULE of OBJECT: REASON",
    )
