"""A module is read as a whole, a function at a glance: each ends before it is too long for that."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from support.fresh_copy import ROOT

MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 50
MODULES = [*(ROOT / "pytest_housekeeping").rglob("*.py")]
TESTS = [*(ROOT / "tests").rglob("*.py")]


def test_no_module_is_too_long() -> None:
    sizes = {str(path.relative_to(ROOT)): path.read_bytes().count(b"\n") for path in MODULES}
    assert {path: size for path, size in sizes.items() if size > MOST_LINES} == {}


def test_no_function_is_too_long() -> None:
    sizes = {
        f"{path.relative_to(ROOT)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in (*MODULES, *TESTS)
        for node in _functions(ast.parse(path.read_bytes()).body)
    }
    assert {name: size for name, size in sizes.items() if size > MOST_LINES_OF_A_FUNCTION} == {}


def _functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Of a module and its classes; what stands inside a function is shorter than that."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
