"""What Python has compiled of this project already, for copies of its files."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

_PACKAGE = "pytest_housekeeping"


def bring_bytecode(folder: Path) -> None:
    """A copy or clone of the repository need not compile it: a second for the first run there.

    Bytecode counts for a source of the same size and time; one of other text gets neither.
    """
    spec = find_spec(_PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    (place,) = map(Path, spec.submodule_search_locations)
    for cache in place.rglob("__pycache__"):
        here, there = cache.parent, folder / _PACKAGE / cache.parent.relative_to(place)
        same = {each for each in _sources(there) & _sources(here) if _made_one(here, there, each)}
        for compiled in cache.iterdir():
            if compiled.name.partition(".")[0] in same:
                link(compiled, there / "__pycache__" / compiled.name)
    if (folder / ".git").is_dir():
        # It holds the time of each file, and would have all of them read again by each command.
        subprocess.run(["git", "update-index", "-q", "--refresh"], cwd=folder, check=True)


def link(source: Path, copy: Path) -> None:
    """The same file at another place, if none is there; a copy where that is on another disk.

    A RECORD of installed files may name folders of bytecode: they come with their files.
    """
    if source.is_dir():
        return
    try:
        os.link(source, copy)
    except FileExistsError:
        pass
    except FileNotFoundError:
        if source.exists():
            copy.parent.mkdir(parents=True)
            link(source, copy)
    except OSError:
        shutil.copy2(source, copy)


def _sources(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")}


def _made_one(here: Path, there: Path, name: str) -> bool:
    """Give a source the time of the other, if it has the same text."""
    source, copy = here / f"{name}.py", there / f"{name}.py"
    if source.read_bytes() != copy.read_bytes():
        return False
    found = source.stat()
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
    return True
