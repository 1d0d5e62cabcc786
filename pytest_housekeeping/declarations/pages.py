"""Where the pages of the documentation are, that of a rule and what they say of a finding."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest_housekeeping

_OF_FINDINGS = ("findings.md", "changes.md")
_ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (.+?) \| (.*?) ?\|$", re.MULTILINE)
_LINK = re.compile(r"\[(.+)\]\((\w+)\.md")
_NOTE = re.compile(r"^<!-- .* -->\n\n?", re.MULTILINE)
_SECTION = re.compile(r"^### (\S+)\n+(.+?)\s*(?=^##|\Z)", re.MULTILINE | re.DOTALL)


def docs_folder() -> Path:
    """Beside the modules in a wheel, beside the package in a clone that is installed editable."""
    package = Path(pytest_housekeeping.__file__).parent
    carried = package / "docs"
    return carried if carried.is_dir() else package.parent / "docs"


def page_text(path: Path) -> str:
    """A page as a reader wants it: without the note of what it was rendered from."""
    return _NOTE.sub("", path.read_text(encoding="utf-8"))


def rule_pages(rules: Iterable[str]) -> dict[str, str]:
    """The page of each rule that has one, by its id: those of other packages have none here."""
    folder = docs_folder() / "rules"
    there = {path.stem: path for path in folder.glob("*.md")}
    return {rule: page_text(there[rule]) for rule in dict.fromkeys(rules) if rule in there}


def told_of_findings() -> dict[str, str]:
    """What is said of each finding that has no page of its own, by its id: a row of findings.md as
    text, or the section of changes.md. Capitals in an id stand for any word."""
    page, changes = ((docs_folder() / name).read_text("utf-8") for name in _OF_FINDINGS)
    told: dict[str, str] = dict(_SECTION.findall(changes))
    for name, level, said, more in _ROW.findall(page):
        told[name] = f"{name} [{level}]: {said}"
        for title, link in _LINK.findall(more):
            told[name] += f"\n  more: python -m pytest_housekeeping docs {link}, under {title!r}"
    return told


def told_of_finding(name: str) -> str:
    """The same of one; "" where nothing is."""
    ways = ((re.sub("[A-Z]+", r"\\S+", each), text) for each, text in told_of_findings().items())
    return next((text for way, text in ways if re.fullmatch(way, name)), "")
