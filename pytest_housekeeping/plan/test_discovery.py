"""The tests that a Python file defines, read from its text and not from what pytest collects."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch

from pytest_housekeeping.errors import MisuseError

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, kw_only=True, slots=True)
class TestNames:
    """Which files, functions and classes pytest takes for tests: its own ini options."""

    __test__ = False
    files: tuple[str, ...] = ("test_*.py", "*_test.py")
    functions: tuple[str, ...] = ("test",)
    classes: tuple[str, ...] = ("Test",)


def defined_tests(data: bytes, path: str, names: TestNames) -> Iterator[str]:
    """The tests that a file defines, by its syntax tree: pytest may be told not to collect them.

    Raises MisuseError for a file that does not parse, or that defines a test twice.
    """
    try:
        tree = ast.parse(data, filename=path)
    except (SyntaxError, ValueError) as error:
        raise MisuseError(
            f"{path} is no Python file: {error}",
            why="the tests in it are required, and nobody knows which they are",
            fix="correct the file",
        ) from None
    return iter(dict.fromkeys(_defined(tree, path, names, names.functions)))


def tests_in(data: bytes, names: TestNames) -> list[str]:
    """The same of any file; none where it does not parse, for whoever runs it says so."""
    with suppress(SyntaxError, ValueError, MisuseError):
        return list(_defined(ast.parse(data), "", names, names.functions))
    return []


def _defined(
    node: ast.AST, relative: str, names: TestNames, functions: Iterable[str], prefix: str = ""
) -> Iterator[str]:
    """Also below ``if``, ``try`` and their like: a test that is not defined has not passed."""
    for block in _blocks(node):
        _refuse_twice(block, relative, names, functions)
        for entry in block:
            if isinstance(entry, _Function):
                if _is_test(entry, functions):
                    yield f"{prefix}{entry.name}"
            elif not isinstance(entry, ast.ClassDef):
                yield from _defined(entry, relative, names, functions, prefix)
            elif (members := _test_class(entry, names)) is not None:
                yield from _defined(entry, relative, names, members, f"{prefix}{entry.name}::")


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The lists of statements that stand directly in a statement."""
    for _, value in ast.iter_fields(node):
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            yield value
        elif isinstance(value, list):
            for part in value:
                if isinstance(part, ast.ExceptHandler | ast.match_case):
                    yield part.body


def _is_test(function: _Function, patterns: Iterable[str]) -> bool:
    decorators = {_last_name(each) for each in function.decorator_list}
    return _matches(function.name, patterns) and "fixture" not in decorators


def _test_class(node: ast.ClassDef, names: TestNames) -> Iterable[str] | None:
    """How the tests of a class are called; None when it holds none."""
    if any(_last_name(base).endswith("TestCase") for base in node.bases):
        return ("test",)  # unittest's own prefix; pytest takes such a class whatever its name
    return names.functions if _matches(node.name, names.classes) else None


def _last_name(node: ast.expr) -> str:
    """``b`` of ``b``, ``a.b`` and ``a.b(...)``."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _refuse_twice(
    block: Iterable[ast.stmt], relative: str, names: TestNames, functions: Iterable[str]
) -> None:
    """Of two definitions side by side Python forgets the first, and nothing would say so."""
    lines: dict[str, int] = {}
    for entry in block:
        if isinstance(entry, _Function):
            test = _is_test(entry, functions)
        else:
            test = isinstance(entry, ast.ClassDef) and _test_class(entry, names) is not None
        if not test or not isinstance(entry, _NAMED):
            continue
        first = lines.setdefault(entry.name, entry.lineno)
        if first != entry.lineno:
            raise MisuseError(
                f"{relative}:{entry.lineno}: {entry.name} is defined again, after line {first}",
                why="Python keeps the second one only, so the first test would never run",
                fix="give one of them another name",
            )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """As pytest does it: a prefix, or a glob when it holds one of ``*?[``."""
    return any(
        name.startswith(pattern) or (any(c in pattern for c in "*?[") and fnmatch(name, pattern))
        for pattern in patterns
    )
