"""A folder as one file: every bit of it is looked at; and what is kept stays within its room."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server import data_folder, kept_folders, packed_folder
from pytest_housekeeping.server.os_account import is_ours, server_account
from pytest_housekeeping.server.packed_folder import HALF_MADE, lay
from pytest_housekeeping.server.sources import find_programs

ACCOUNT = server_account()
PROGRAMS = find_programs("embedded", 16)
SEGMENT = "000000010000000000000001"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like one of PostgreSQL's."""
    monkeypatch.setattr(packed_folder, "_current_segment", lambda *_: SEGMENT)
    folder = tmp_path / "data"
    for name, content in {
        "PG_VERSION": b"16\n",
        "global/pg_control": b"c" * 8192,
        "base/1/1259": b"row" * 9000 + bytes(50_000),
        "base/1/1259_fsm": b"free",
        "base/1/pg_internal.init": b"known again",
        f"pg_wal/{SEGMENT}": b"log" + bytes(20_000),
        "pg_wal/000000010000000000000009": b"recycled",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def laid(image: Path, target: Path, *, verify: bool = True) -> dict[str, bytes]:
    about = list(lay(image, target, ACCOUNT, verify=verify))
    assert about == [about[0]] * 2
    return {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables are many enough to be laid by a process of their own."""
    monkeypatch.setattr(packed_folder, "_WORTH_A_PROCESS", 1)


@pytest.mark.usefixtures("apart")
def test_what_is_laid_apart_is_of_the_file_that_was_looked_at(data: Path, tmp_path: Path) -> None:
    image, other = tmp_path / "image", tmp_path / "other"
    packed_folder.pack(data, image, PROGRAMS, ACCOUNT, level=1)
    (data / "base/1/1259").write_bytes(b"another")
    packed_folder.pack(data, other, PROGRAMS, ACCOUNT, level=1)
    laying = lay(image, tmp_path / "laid", ACCOUNT, verify=True)
    next(laying)
    other.replace(image)
    next(laying)
    assert (tmp_path / "laid/base/1/1259").read_bytes() == b"row" * 9000 + bytes(50_000)


@pytest.mark.usefixtures("apart")
def test_what_cannot_be_laid_apart_is_an_error(data: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    packed_folder.pack(data, image, PROGRAMS, ACCOUNT, level=1)
    index = {"tables": [(1, [("nowhere/1", 1, 1)])]}
    with (
        image.open("rb") as opened,
        packed_folder._tables_apart(opened.fileno(), index, str(tmp_path), ()) as laid,
        pytest.raises(OSError, match=r"could not be laid: (?s:.*)No such file"),
    ):
        laid()


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("process", [1, 2000], ids=["apart", "here"])
def test_what_a_server_needs_comes_back_byte_for_byte(
    data: Path, tmp_path: Path, level: int, process: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_folder, "_WORTH_A_PROCESS", process)
    image = tmp_path / "image"
    packed_folder.pack(data, image, PROGRAMS, ACCOUNT, level=level, about={"key": "k"})
    found = laid(image, tmp_path / "laid")
    needless = {"base/1/1259_fsm", "base/1/pg_internal.init", "pg_wal/000000010000000000000009"}
    kept = {p.relative_to(data).as_posix() for p in data.rglob("*") if p.is_file()} - needless
    assert found == {name: (data / name).read_bytes() for name in kept}
    assert image.stat().st_size < (2_000 if level else 60_000)


@pytest.mark.parametrize("level", [0, 1])
def test_what_is_compressed_side_by_side_comes_back_in_its_order(
    data: Path, tmp_path: Path, level: int
) -> None:
    """The first block is by far the dearest, so that it is done behind the others."""
    dear = Random(1).randbytes(4_000_000)
    tables = {f"base/1/{50000 + n}": bytes([n]) * 1_100_000 for n in range(6)}
    tables |= {"base/1/49999": dear, "base/1/60000": b""}
    for name, content in tables.items():
        (data / name).write_bytes(content)
    packed_folder.pack(data, tmp_path / "image", PROGRAMS, ACCOUNT, level=level)
    found = laid(tmp_path / "image", tmp_path / "laid")
    assert {name: found[name] == content for name, content in tables.items()} == dict.fromkeys(
        tables, True
    )


def test_no_byte_of_what_is_kept_can_change_unseen(data: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    packed_folder.pack(data, image, PROGRAMS, ACCOUNT, level=1)
    whole = image.read_bytes()
    header = whole.index(b"\n", 65)
    for place in (
        0,
        63,
        64,
        65,
        90,
        header,
        header + 1,
        (header + len(whole)) // 2,
        len(whole) - 1,
    ):
        image.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r".+"):
            next(lay(image, tmp_path / f"laid-{place}", ACCOUNT, verify=True))
        assert not (tmp_path / f"laid-{place}").exists()
    for length in (0, 66, len(whole) - 1):
        image.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r".+"):
            next(lay(image, tmp_path / "short", ACCOUNT, verify=True))


def test_a_tablespace_elsewhere_is_not_kept(data: Path, tmp_path: Path) -> None:
    (data / "pg_tblspc").mkdir()
    (data / "pg_tblspc" / "16400").symlink_to(tmp_path)
    with pytest.raises(ServerError, match=r"pg_tblspc/16400 .* a tablespace"):
        packed_folder.pack(data, tmp_path / "image", PROGRAMS, ACCOUNT)
    assert not (tmp_path / "image").exists()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "cache"
    place.mkdir()
    monkeypatch.setattr(kept_folders, "cache_folder", lambda: place)
    monkeypatch.setattr(kept_folders, "ROOM", 100)
    return place


def file(path: Path, size: int, age: int) -> Path:
    path.write_bytes(b"x" * size)
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    return path


def test_what_was_not_used_longest_makes_room(cache: Path) -> None:
    image = file(cache / "data-16-a-b", 5_000, 9)
    oldest, older, newest = (file(cache / f"kept-{n}", 40, 3 - n) for n in (1, 2, 3))
    half, young = file(cache / f"{HALF_MADE}a", 40, 4000), file(cache / f"{HALF_MADE}b", 40, 40)
    kept_folders.bound(newest)
    assert sorted(cache.iterdir()) == sorted([image, older, newest, young])
    assert not oldest.exists()
    assert not half.exists()


def test_what_has_no_room_is_not_kept_and_costs_nothing_else(cache: Path) -> None:
    other, newest = file(cache / "kept-1", 90, 3), file(cache / "kept-2", 101, 0)
    with pytest.raises(ServerError, match="larger than"):
        kept_folders.bound(newest)
    assert list(cache.iterdir()) == [other]


def test_a_key_is_of_one_build_and_its_family_is_known(cache: Path) -> None:
    path = kept_folders.kept_path(PROGRAMS, "abc-1")
    assert path.parent == cache
    assert path != kept_folders.kept_path(PROGRAMS, "abc-2")
    assert path != kept_folders.kept_path(find_programs("embedded", 18), "abc-1")
    assert not kept_folders.family_is_kept("abc-2")
    path.touch()
    assert kept_folders.family_is_kept("abc-2")
    assert not kept_folders.family_is_kept("abd-1")


def test_another_tool_extension_or_locale_is_another_ground(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that puts a file beside the server leaves the server as it is."""
    share, known = tmp_path / "share", [kept_folders.build_facts("embedded", 16)]
    (share / "extension").mkdir(parents=True)
    monkeypatch.setattr(kept_folders, "share_folder", lambda _: share)
    known.append(kept_folders.build_facts("embedded", 16))
    (share / "extension/vector.control").touch()
    known.append(kept_folders.build_facts("embedded", 16))
    monkeypatch.setattr(kept_folders, "this_tool", lambda: "another")
    known.append(kept_folders.build_facts("embedded", 16))
    monkeypatch.setattr(data_folder, "_LOCALES", (tmp_path,))
    known.append(kept_folders.build_facts("embedded", 16))
    image = data_folder.image_path(PROGRAMS)
    (tmp_path / "de_DE.utf8").mkdir()
    assert kept_folders.build_facts("embedded", 16) not in known
    assert data_folder.image_path(PROGRAMS) != image
    assert len(set(known)) == len(known)


def test_only_a_file_of_our_own_counts(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.write_bytes(b"")
    ours.chmod(0o600)
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(ours)
    os.mkfifo(pipe, 0o600)
    assert [is_ours(each) for each in (ours, link, pipe)] == [True, False, False]
    ours.chmod(0o620)
    assert not is_ours(ours)
    if os.geteuid() == 0:
        ours.chmod(0o600)
        os.chown(ours, 65534, -1)
        assert not is_ours(ours)
