"""``python -m pytest_housekeeping objects``: what must exist, read off the schema once more."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.promotion.init.made_schema import made_schema
from pytest_housekeeping.promotion.init.objects_text import (
    HEAD,
    objects_toml,
)
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.whole_file import write_whole


def write_objects(root: Path) -> Iterator[str]:
    """Write ``checks/objects.toml`` anew; the comment at its top stays, everything else is read
    off the schema that the files make. Yields the difference.

    Raises SqlFailed for files that do not run, MisuseError for such as can be no part of a plan.
    """
    config = load_config(root)
    place = root / config.checks / "objects.toml"
    before = place.read_text(encoding="utf-8") if place.is_file() else ""
    with made_schema(config, ProjectFiles(root)) as made:
        roles = made.own_roles(config.migrator)
        made.connection.execute("BEGIN")
        text = objects_toml(made.connection, made.schemas, roles)
        made.connection.execute("ROLLBACK")
    if before:
        head = takewhile(lambda line: line.startswith("#"), before.splitlines(keepends=True))
        text = "".join(head) + text.removeprefix(HEAD)
    if text == before:
        yield f"nothing to change: {config.checks}/objects.toml says what is there"
        return
    write_whole(place, text)
    old, new = before.splitlines(), text.splitlines()
    name = f"{config.checks}/objects.toml"
    yield from difflib.unified_diff(old, new, f"{name} as it was", name, n=1, lineterm="")
    yield f"written: {name}"
