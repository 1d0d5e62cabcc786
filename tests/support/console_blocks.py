"""Finds the command blocks of a Markdown file, and compares what they show with what is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"^```(?P<info>(?:console|bash|sh)\b[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
_NO_RUN = re.compile(r"\bno-run\b(?P<reason>:\s*\S.*)?")


@dataclass(frozen=True, kw_only=True)
class Block:
    """The commands of one fenced block and the lines that it shows after them."""

    place: str
    script: str
    shown: tuple[str, ...]
    no_run: str | None = None


def blocks_of(path: Path, root: Path) -> Iterator[Block]:
    """Every block of a file. In ``console`` a command follows ``$ ``; a ``bash`` block is all one.

    Raises ValueError where a block is not to be run and gives no reason, or has no command.
    """
    text = path.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        place = f"{path.relative_to(root)}:{text.count(chr(10), 0, found.start()) + 1}"
        commands, shown = _parted(found["info"], found["body"])
        marked = _NO_RUN.search(found["info"])
        if marked and not marked["reason"]:
            raise ValueError(f"{place}: no-run needs its reason, as in `console no-run: why`")
        if not any(commands):
            raise ValueError(f"{place}: no line begins with `$ `")
        yield Block(
            place=place,
            script="\n".join(commands),
            shown=tuple(shown),
            no_run=marked["reason"].lstrip(": ") if marked else None,
        )


_SIGNS_OF_LIFE = re.compile(r"\n(?:still at [^\n]*\n(?:  in its way[^\n]*\n)*)+")


def missing_line(shown: tuple[str, ...], output: str) -> str | None:
    """The first shown line that the output lacks, in order; digits and ``…`` are placeholders.

    On a busy machine a line may be broken by one that says what takes so long.
    """
    missing = _missing(shown, output)
    return missing and _missing(shown, _SIGNS_OF_LIFE.sub("", output))


def _missing(shown: tuple[str, ...], output: str) -> str | None:
    lines = iter(output.splitlines())
    for expected in shown:
        pattern = re.compile(_loosely(expected))
        if not any(pattern.search(line) for line in lines):
            return expected
    return None


def _parted(info: str, body: str) -> tuple[list[str], list[str]]:
    lines = [line.rstrip() for line in body.splitlines()]
    if not info.startswith("console"):
        return lines, []
    commands: list[str] = []
    shown: list[str] = []
    continued = False
    for line in lines:
        if line.startswith("$ ") or continued:
            commands.append(line.removeprefix("$ "))
            continued = line.endswith("\\")
        elif line.strip(" …"):
            shown.append(line)
    return commands, shown


def _loosely(line: str) -> str:
    text = re.escape(line.strip())
    text = re.sub(r"\d+(?:\\\.\d+)*", r"[\\d.]+", text)
    text = re.sub(r"(?:\\ )+", r"\\s+", text)
    text = re.sub(r"(?:=|-|_){4,}|(?:\\-){4,}", r"[=_-]+", text)
    return text.replace("…", ".*")
