"""A user's cache of one test, in which only the empty data folder is ready."""

from __future__ import annotations

import shutil
from pathlib import Path

from pytest_housekeeping.server.data_folder import image_path
from pytest_housekeeping.server.sources import find_programs


def own_cache(home: Path) -> tuple[dict[str, str], Path]:
    """The environment of a process that has it, and where it lies."""
    place = home / "pytest-housekeeping"
    place.mkdir(parents=True, mode=0o700)
    image = image_path(find_programs("embedded", 16))
    if image.exists():
        shutil.copy(image, place)
    return {"XDG_CACHE_HOME": str(home)}, place
