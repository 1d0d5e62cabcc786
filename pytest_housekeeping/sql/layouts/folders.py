"""Tools that give each migration a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.sql.layouts.layout import Ground


def folders_in(ground: Ground) -> Iterator[tuple[str, frozenset[str]]]:
    """The folders directly in that of the tool, in name order, each with the names in it."""
    found: dict[str, set[str]] = {}
    for path in ground.files.find(ground.folder, "*", below=True):
        name, _, rest = path.removeprefix(ground.at("")).partition("/")
        if rest and not name.startswith("."):
            found.setdefault(name, set()).add(rest)
    for name in sorted(found):
        yield name, frozenset(found[name])
