"""What the compiler has said of a bytecode is kept, and counts for these very bytes alone."""

from __future__ import annotations

import marshal
import py_compile
import sys
from pathlib import Path
from types import CodeType, SimpleNamespace

import pytest

from pytest_housekeeping.checks.json_cache import read_entries
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plugin import known_code
from pytest_housekeeping.plugin.known_code import KnownCode, kept_in

SOURCE = b"x = 1\n\ndef f(a):\n    return {a, 'b'} <= frozenset({'c', 'd', a})\n"
CONFIG = SimpleNamespace(getini=lambda _: False)


@pytest.fixture(autouse=True)
def _one_is_worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_code, "_WORTH_KEEPING", 1)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The sources that the compiler was asked about."""
    sources: list[bytes] = []
    compiles = known_code._compiles_to

    def asking(data: bytes, code: CodeType, config: object) -> bool:
        sources.append(data)
        return compiles(data, code, config)

    monkeypatch.setattr(known_code, "_compiles_to", asking)
    return sources


def code_of(data: bytes, name: str = "/a/module.py") -> CodeType:
    code = compile(data, name, "exec", dont_inherit=True)
    assert isinstance(code, CodeType)
    return code


def known(folder: Path | None, *, top: str = "/a") -> KnownCode:
    return KnownCode(CONFIG, top=top, folder=folder)


def remember(folder: Path) -> None:
    once = known(folder)
    assert once.is_made_of(SOURCE, code_of(SOURCE))
    once.save()


def test_what_is_known_is_not_compiled_again(tmp_path: Path, asked: list[bytes]) -> None:
    remember(tmp_path)
    assert asked == [SOURCE]
    assert known(tmp_path).is_made_of(SOURCE, code_of(SOURCE))
    assert asked == [SOURCE]
    assert known(tmp_path, top="/other").is_made_of(SOURCE, code_of(SOURCE))
    assert asked == [SOURCE, SOURCE]


def test_a_few_modules_are_not_worth_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_code, "_WORTH_KEEPING", 2)
    remember(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_it_is_known_when_it_comes_from_a_file_too(tmp_path: Path, asked: list[bytes]) -> None:
    source = tmp_path / "module.py"
    source.write_bytes(SOURCE)
    compiled = tmp_path / "module.pyc"
    py_compile.compile(str(source), str(compiled), doraise=True)
    loaded = marshal.loads(compiled.read_bytes()[16:])
    once = known(tmp_path / "kept")
    assert once.is_made_of(SOURCE, code_of(SOURCE, str(source)))
    once.save()
    assert known(tmp_path / "kept").is_made_of(SOURCE, loaded)
    assert asked == [SOURCE]


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
def test_another_bytecode_is_not_that_of_the_source(tmp_path: Path, other: bytes) -> None:
    """One that was known with its own source is not known with another."""
    remember(tmp_path)
    assert not known(tmp_path).is_made_of(SOURCE, code_of(other))
    assert not known(tmp_path).is_made_of(other, code_of(SOURCE))


def test_bytecode_of_another_path_is_asked_about(tmp_path: Path, asked: list[bytes]) -> None:
    remember(tmp_path)
    assert known(tmp_path).is_made_of(SOURCE, code_of(SOURCE, "/b/module.py"))
    assert asked == [SOURCE, SOURCE]


def test_what_was_refused_is_not_known(tmp_path: Path) -> None:
    once = known(tmp_path)
    assert not once.is_made_of(SOURCE, code_of(b"x = 2"))
    once.save()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b'{"format": 0, "entries": {}}'])
def test_a_broken_file_is_no_answer(tmp_path: Path, asked: list[bytes], broken: bytes) -> None:
    remember(tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(broken)
    assert known(tmp_path).is_made_of(SOURCE, code_of(SOURCE))
    assert not known(tmp_path).is_made_of(SOURCE, code_of(b"x = 2"))
    assert len(asked) == 3


def test_an_interpreter_answers_for_itself(
    tmp_path: Path, asked: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(tmp_path)
    (kept,) = tmp_path.iterdir()
    entries = read_entries(kept)
    monkeypatch.setattr(sys, "version", "4.0")
    assert known(tmp_path).is_made_of(SOURCE, code_of(SOURCE))
    assert asked == [SOURCE, SOURCE]
    assert len(entries) == 1


def test_it_says_whether_the_compiler_had_to_be_asked(tmp_path: Path) -> None:
    remember(tmp_path)
    once = known(tmp_path)
    assert once.is_made_of(SOURCE, code_of(SOURCE))
    assert not once.asked
    assert not once.is_made_of(SOURCE, code_of(b""))
    assert once.asked


def test_where_a_real_database_is_at_stake_nothing_is_kept(asked: list[bytes]) -> None:
    assert [mode for mode in Mode if kept_in(mode)] == [Mode.STAGING]
    everything = known(None)
    for _ in range(2):
        assert everything.is_made_of(SOURCE, code_of(SOURCE))
    everything.save()
    assert asked == [SOURCE, SOURCE]
