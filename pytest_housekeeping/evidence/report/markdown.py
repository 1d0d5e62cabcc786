"""Markdown in which foreign text stands as code: there it is no markup, mention, reference or link.

In ``<code>`` and with entities it would not do: GitHub makes links of what an entity spells.
https://spec.commonmark.org/0.31.2/#code-spans
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_housekeeping.evidence.report.display import no_command, one_line, shortened, visible

_TICKS = re.compile("`+")
_BARS = re.compile(r"(\\*)\|")


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading and what stands below it, entry by entry: none is cut in the middle. ``head`` is
    that of a table; ``folded``: only the heading is seen at first."""

    title: str
    entries: tuple[str, ...]
    between: str = "\n"
    head: str = ""
    folded: bool = False

    def within(self, room: int, rest: str) -> str:
        """As many entries as fit into so many bytes; how many are left out, and where they are."""
        shown: list[str] = []
        left = room - size(self._text(shown, rest))
        for entry in self.entries:
            left -= size(entry + self.between)
            if left < 0:
                break
            shown.append(entry)
        return self._text(shown, rest)

    def _text(self, shown: Sequence[str], rest: str) -> str:
        out = len(self.entries) - len(shown)
        more = [f"… and {out:,} more: {rest}."] if out else []
        body = [self.head + self.between.join(shown), *more]
        if self.folded:
            heading = f"<details><summary><b>{self.title}</b></summary>"
            return "\n\n".join([heading, *body, "</details>"])
        return "\n\n".join([f"### {self.title}", *body])


def fitted(sections: Sequence[Section], room: int, rest: str) -> list[str]:
    """Each section as text, in their order; what the short ones do not need, the long ones get."""
    texts = [""] * len(sections)
    whole = [size(each.within(room, rest)) for each in sections]
    for done, at in enumerate(sorted(range(len(sections)), key=whole.__getitem__)):
        texts[at] = sections[at].within(room // (len(sections) - done), rest)
        room -= size(texts[at])
    return texts


def size(text: str) -> int:
    """In bytes, which are never fewer than the characters, however those are counted."""
    return len(text.encode())


def code(text: str, most: int = 300) -> str:
    """A code span on one line, which the text cannot close; nothing for nothing."""
    return _span(_line(text, most))


def cell(text: str) -> str:
    """The same for a table, where a bar ends a cell even in code, unless it is escaped.

    https://github.github.com/gfm/#example-200. Backslashes before one are doubled, and shown so.
    """
    return _span(_BARS.sub(r"\1\1\\|", _line(text, 300)))


def block(text: str, most: int = 1500, language: str = "text") -> str:
    """A fenced block that the text cannot close, without a line that a log would obey."""
    shown = "\n".join(no_command(line) for line in shortened(visible(text), most).splitlines())
    fence = "`" * max(3, _longest(shown) + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def _line(text: str, most: int) -> str:
    """On one line, and never nothing where there was something."""
    return (no_command(shortened(one_line(text), most)) or " ") if text else ""


def _span(line: str) -> str:
    if not line:
        return ""
    fence = "`" * (_longest(line) + 1)
    around = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{around}{line}{around}{fence}"


def _longest(text: str) -> int:
    return max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
