"""A module counts as its source where the compiler makes this very bytecode of it."""

from __future__ import annotations

import marshal
import py_compile
from pathlib import Path
from types import CodeType, SimpleNamespace

import pytest

from pytest_housekeeping.plugin.bytecode import is_made_of

SOURCE = b"x = 1\n\ndef f(a):\n    return {a, 'b'} <= frozenset({'c', 'd', a})\n"
CONFIG = SimpleNamespace(getini=lambda _: False)


def code_of(data: bytes) -> CodeType:
    code = compile(data, "/a/module.py", "exec", dont_inherit=True)
    assert isinstance(code, CodeType)
    return code


def test_bytecode_of_its_source_counts_compiled_here_or_kept_in_a_file(tmp_path: Path) -> None:
    assert is_made_of(SOURCE, code_of(SOURCE), CONFIG)
    source, compiled = tmp_path / "module.py", tmp_path / "module.pyc"
    source.write_bytes(SOURCE)
    py_compile.compile(str(source), str(compiled), doraise=True)
    assert is_made_of(SOURCE, marshal.loads(compiled.read_bytes()[16:]), CONFIG)


@pytest.mark.parametrize(
    "other",
    [
        SOURCE.replace(b"1", b"2"),
        SOURCE.replace(b"1", b"True"),
        SOURCE.replace(b"1", b"1.0"),
        SOURCE.replace(b"'b'", b"'B'"),
        SOURCE.replace(b"{a, 'b'} <=", b"{a, 'b'} <"),
        SOURCE.replace(b"x = 1", b"y = 1"),
        SOURCE.replace(b"\n\n", b"\n\n\n"),
        SOURCE.replace(b"f(a)", b"f(a=None)"),
        b"",
    ],
)
def test_another_bytecode_is_not_that_of_the_source(other: bytes) -> None:
    assert not is_made_of(SOURCE, code_of(other), CONFIG)
    assert not is_made_of(other, code_of(SOURCE), CONFIG)


def test_what_is_no_python_has_no_bytecode() -> None:
    assert not is_made_of(b"def f(:\n", code_of(SOURCE), CONFIG)
    assert not is_made_of(b"\0", code_of(SOURCE), CONFIG)
