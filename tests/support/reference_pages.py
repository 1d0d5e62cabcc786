"""Reads the reference pages: the complete files that they show, and their tables of keys.

A line that ends in ``` `path`: ``` right above a block names the file that the block is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_FILE = re.compile(r"`(?P<name>[^`\n]+)`:\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```.*?^```$\n?", re.MULTILINE | re.DOTALL)


def files_of(page: Path) -> dict[str, str]:
    """The files that a page shows in full, by their path in the project."""
    found = list(_FILE.finditer(page.read_text(encoding="utf-8")))
    names = [match["name"] for match in found]
    assert len(names) == len(set(names)), f"{page.name} shows a file twice: {names}"
    return {match["name"]: match["text"] for match in found}


def section(page: Path, *headings: str) -> str:
    """What stands under a heading, and under a heading within it; blocks are left out."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for heading in headings:
        marks = heading.partition(" ")[0]
        assert f"\n{heading}\n" in text, f"{page.name} has no {heading!r}"
        text = text.partition(f"\n{heading}\n")[2]
        text = re.split(rf"^#{{1,{len(marks)}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    return text


def rows(text: str) -> Iterator[tuple[str, ...]]:
    """The rows of the first table in a text, without its head."""
    lines = iter(text.splitlines())
    for line in lines:
        if re.fullmatch(r"\|(?: *-+ *\|)+", line):
            break
    for line in lines:
        if not line.startswith("|"):
            return
        yield tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|")))
