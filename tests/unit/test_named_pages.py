"""Messages name a page by the command that prints it: a path leads nowhere from a wheel."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from pytest_housekeeping.declarations.rules import shipped_rules
from support.documents import DOCUMENTS
from support.fresh_copy import ROOT

PACKAGE = ROOT / "pytest_housekeeping"
PAGES = {path.stem for path in DOCUMENTS if path.is_relative_to(ROOT / "docs")} | {"rules"}
NAMES = PAGES | {rule.id for rule in shipped_rules()}


def texts(path: Path, pattern: str) -> Iterator[str]:
    """The strings of a module that are no docstrings, if it is found anywhere in the module."""
    source = path.read_text(encoding="utf-8")
    if not re.search(pattern, source):
        return
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_no_message_names_a_file_of_the_documentation() -> None:
    for path in PACKAGE.rglob("*.py"):
        for text in texts(path, r"\.md"):
            assert not re.search(r"\bdocs/\w+\.md|\b(?:README|CONTRIBUTING)\.md", text), text


def test_every_page_that_a_message_names_is_there() -> None:
    named = {
        match[1]
        for path in PACKAGE.rglob("*.py")
        for text in texts(path, r"\bdocs[ \"']")
        for match in re.finditer(r"python -m pytest_housekeeping docs ([\w-]+)", text)
    }

    assert named <= NAMES
    assert {"checks", "configuration"} <= named
