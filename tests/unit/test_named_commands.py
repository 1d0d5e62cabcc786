"""A command that a message names leads to the database that the run was about, not to another."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from support.fresh_copy import ROOT

PACKAGE = ROOT / "pytest_housekeeping"
# What asks or changes one database, and production where no target is named.
COMMAND = re.compile(
    r"pytest --hk-mode=(?:plan|prod|verify|rollback)(?![\w-])"
    r"|pytest_housekeeping (?:adopt-drift|approve|audit --target)(?![\w-])"
)
# Where the target comes behind, in another place, or where the command is a form and no advice.
APART = {
    *("command_line.py", "evidence/finished.py", "evidence/proof/signatures.py"),
    *("evidence/report/plan_comment.py", "evidence/report/production.py"),
    "plugin/misplaced_options.py",
}
NAMED = ("\0", "{target}", " --hk-target=", " --hk-fleet=")


def test_messages_name_the_target() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text[at.start() : at.end() + 20]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).as_posix() not in APART
        for line, text in _texts(path)
        for at in COMMAND.finditer(text)
        if not text.startswith(NAMED, at.end())
    ]
    assert not found, found


def test_commands_find_a_database_of_a_fleet() -> None:
    """Its variables are the fleet's, and which database it is the list says."""
    commands = sorted((PACKAGE / "promotion" / "commands").glob("*.py"))
    asking = {path.name: path.read_text(encoding="utf-8") for path in commands}
    asking = {name: text for name, text in asking.items() if "read_address(" in text}
    assert {"adopt.py", "audit.py", "status.py"} <= asking.keys()
    assert [name for name, text in asking.items() if "located(" not in text] == []


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """Each text of a module, what is put into it as a mark; docstrings are none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    inside = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    inside |= {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = (each.value if isinstance(each, ast.Constant) else "\0" for each in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in inside:
            yield node.lineno, str(node.value)


def test_in_a_pipe_a_command_is_read_in_the_order_in_which_it_speaks() -> None:
    """Standard output is buffered there and standard error is not: both go into one log."""
    speak = (
        "from pytest_housekeeping import __main__ as m; m._out('1\\n'); m._say('2'); m._out('3\\n')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", speak],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["1", "2", "3"]
