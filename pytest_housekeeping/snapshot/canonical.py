"""One spelling for expressions that PostgreSQL prints differently once they were printed and read.

``status IN ('a', 'b')`` on a varchar is printed ``(ARRAY['a'::varchar, ...])::text[]``; what is
made from that text is printed ``ARRAY[('a'::varchar)::text, ...]``. The second is canonical.
"""

from __future__ import annotations

import re

_OPENING = "(ARRAY["
_CAST = re.compile(r"\)::((?:[a-z_ ]+|\"[^\"]*\"|\.|\(\d+(?:,\d+)?\))+?)\[\]")
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[\[\](),]""")


def canonical(text: str) -> str:
    """The text with each cast of an array of elements written as an array of casts."""
    start = text.find(_OPENING)
    while start >= 0:
        elements, end = _elements(text, start + len(_OPENING))
        cast = _CAST.match(text, end)
        if cast:
            array = ", ".join(f"({element})::{cast[1]}" for element in elements)
            text = f"{text[:start]}ARRAY[{array}]{text[cast.end() :]}"
        start = text.find(_OPENING, start + 1)
    return text


def _elements(text: str, start: int) -> tuple[list[str], int]:
    """The elements between the brackets, and the offset behind the closing one."""
    elements, depth, begin = [], 0, start
    for token in _TOKEN.finditer(text, start):
        mark = token[0]
        if mark in "([":
            depth += 1
        elif depth and mark in ")]":
            depth -= 1
        elif not depth and mark in ",]":
            elements.append(text[begin : token.start()].strip())
            begin = token.end()
            if mark == "]":
                return elements, token.end()
    return [], len(text)
