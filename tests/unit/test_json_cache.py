"""What is kept between runs: bounded, whole after any end, and never a reason to fail."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_housekeeping.checks import json_cache
from pytest_housekeeping.checks.json_cache import FORMAT, read_entries, write_entries


def add(file: Path, used: dict[str, object]) -> None:
    write_entries(file, read_entries(file), used)


def content_of(file: Path) -> str:
    """What stands behind its digest."""
    return file.read_text().partition("\n")[2]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "c.json"
    assert read_entries(file) == {}
    add(file, {"a": [1, "x"], "b": None})
    assert read_entries(file) == {"a": [1, "x"], "b": None}
    assert json.loads(content_of(file))["format"] == FORMAT


def test_the_cache_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_cache, "KEPT_ENTRIES", 3)
    monkeypatch.setattr(json_cache, "KEPT_FILES", 2)
    file = tmp_path / "c.json"
    add(file, dict.fromkeys("abc"))
    add(file, dict.fromkeys("ad"))
    assert list(read_entries(file)) == ["c", "a", "d"]
    add(file, dict.fromkeys("vwxyz"))
    assert list(read_entries(file)) == list("vwxyz")
    for number in range(4):
        add(tmp_path / f"{number}.json", {"a": []})
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_a_file_that_is_read_outlives_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_cache, "KEPT_FILES", 2)
    for age, name in enumerate("cb"):
        add(tmp_path / f"{name}.json", {"a": 1})
        os.utime(tmp_path / f"{name}.json", (age, age))
    read_entries(tmp_path / "c.json")
    add(tmp_path / "d.json", {"a": 1})
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["c.json", "d.json"]


def test_writing_at_once_leaves_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "c.json"

    def work(name: str) -> None:
        for number in range(50):
            add(file, {f"{name}{number}": []})

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if file.exists():
            json.loads(content_of(file))
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format":0,"entries":{}}',
        f'{{"format":{FORMAT}}}',
        f'{{"format":{FORMAT},"entries":7}}',
    ],
)
def test_a_file_of_another_form_has_no_entries_and_is_made_anew(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.json"
    file.write_bytes(json_cache._digest(file, text.encode()) + f"\n{text}".encode())
    file.chmod(0o600)
    assert read_entries(file) == {}
    add(file, {"a": 1})
    assert read_entries(file) == {"a": 1}


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    add(tmp_path / "file" / "c.json", {"a": 1})
    assert (tmp_path / "file").read_text() == ""


def renamed(file: Path) -> Path:
    return file.rename(file.with_name("of_another_key.json"))


def edited(file: Path) -> Path:
    file.write_bytes(file.read_bytes().replace(b'"a":1', b'"a":2'))
    return file


def writable(file: Path) -> Path:
    file.chmod(0o620)
    return file


def linked(file: Path) -> Path:
    there = file.rename(file.with_name("elsewhere"))
    file.symlink_to(there)
    return file


@pytest.mark.parametrize("change", [renamed, edited, writable, linked])
def test_what_is_not_as_it_was_written_is_not_known(
    tmp_path: Path, change: Callable[[Path], Path]
) -> None:
    file = tmp_path / "c.json"
    add(file, {"a": 1})
    assert read_entries(file) == {"a": 1}
    assert read_entries(change(file)) == {}


def test_nobody_else_can_write_where_it_lies(tmp_path: Path) -> None:
    file = tmp_path / "pytest-housekeeping/proofs/a.json"
    before = os.umask(0)
    try:
        write_entries(file, {}, {"a": 1})
    finally:
        os.umask(before)
    for place in (file, *file.parents[:2]):
        assert place.stat().st_mode & 0o077 == 0, place
