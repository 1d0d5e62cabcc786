"""Files read once: whoever asks again, however late, gets what the first one got."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.sql.project_files import ProjectFiles


def test_what_was_read_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_bytes(b"one")
    files = ProjectFiles(tmp_path)
    assert files.read("a.sql") == b"one"

    (tmp_path / "a.sql").write_bytes(b"two")
    assert files.read("a.sql") == b"one"
    (tmp_path / "a.sql").unlink()
    assert (files.read("a.sql"), files.has("a.sql")) == (b"one", True)


def test_what_was_not_there_stays_away(tmp_path: Path) -> None:
    files = ProjectFiles(tmp_path)
    assert not files.has("a.sql")

    (tmp_path / "a.sql").write_bytes(b"late")
    assert not files.has("a.sql")
    with pytest.raises(FileNotFoundError):
        files.read("a.sql")
    assert files.held == {}


def test_a_folder_is_listed_once_and_in_order(tmp_path: Path) -> None:
    for name in ("b.sql", "a.sql", "a.txt", "below/c.sql"):
        (tmp_path / "sql" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sql" / name).touch()
    (tmp_path / "sql" / "folder.sql").mkdir()
    files = ProjectFiles(tmp_path)
    assert files.find("sql", "*.sql") == ("sql/a.sql", "sql/b.sql")
    assert files.find("sql", "*.sql", below=True) == ("sql/a.sql", "sql/b.sql", "sql/below/c.sql")

    (tmp_path / "sql" / "late.sql").touch()
    assert files.find("sql", "*.sql") == ("sql/a.sql", "sql/b.sql")
    assert files.find("nowhere", "*.sql") == ()


def test_when_the_plan_is_made_nothing_is_read_any_more(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_bytes(b"one")
    (tmp_path / "b.sql").write_bytes(b"never looked at")
    files = ProjectFiles(tmp_path)
    files.read("a.sql")
    files.seal()

    assert files.read("a.sql") == b"one"
    assert not files.has("b.sql")
    with pytest.raises(FileNotFoundError):
        files.read("b.sql")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.sql").mkdir()
    assert not ProjectFiles(tmp_path).has("a.sql")


def test_what_was_read_with_other_files_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    for name in ("a/1.sql", "a/2.sql", "a/b/3.sql"):
        (tmp_path / name).write_text(name)
    files = ProjectFiles(tmp_path)
    assert files.read("a/1.sql") == b"a/1.sql"
    assert files.find("a", "*.sql") == ("a/1.sql", "a/2.sql")
    assert files.find("a", "*.sql", below=True) == ("a/1.sql", "a/2.sql", "a/b/3.sql")
    files.seal()
    other = files.as_if({"a/0.sql": b"new", "a/1.sql": b"else", "a/2.sql": None, "a/b/4.txt": b""})
    assert (other.read("a/0.sql"), other.read("a/1.sql")) == (b"new", b"else")
    assert not other.has("a/2.sql")
    assert other.find("a", "*.sql") == ("a/0.sql", "a/1.sql")
    assert other.find("a", "*.sql", below=True) == ("a/0.sql", "a/1.sql", "a/b/3.sql")
    assert files.read("a/1.sql") == b"a/1.sql"


def test_what_is_asked_of_the_files_is_asked_once(tmp_path: Path) -> None:
    files, asked = ProjectFiles(tmp_path), list[str]()

    def ask() -> int:
        asked.append("again")
        return len(asked)

    assert [files.once("listing", given, ask) for given in ("a", "a", "b", "b")] == [1, 1, 2, 2]
    assert files.as_if({}).once("listing", "b", ask) == 3
