"""Text made fit to be shown to a person: on a page, in a terminal, in Markdown."""

from __future__ import annotations

import re

# Control characters, those that reorder text, and lone surrogates: shown as what they are.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def visible(text: str) -> str:
    """The text with what a screen would not show, or would obey, written out: ``\\x1b[31m``."""
    return _UNSEEN.sub(lambda char: ascii(char[0])[1:-1], text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The same on a single line, with single blanks."""
    return " ".join(visible(text).split())


def no_command(line: str) -> str:
    """A line that GitHub does not take for a command, which begins with ``::``."""
    harmless = line.replace("##[", "# #[")
    return f"| {harmless}" if harmless.lstrip().startswith("::") else harmless


def shortened(text: str, length: int) -> str:
    """The text, or its beginning and an ellipsis: never more than ``length`` characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def plural(count: int, noun: str) -> str:
    """``1 step``, ``1,200 steps``, ``2 branches``."""
    ending = "es" if noun.endswith(("ch", "x")) else "s"
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}{ending}"


def duration(seconds: float) -> str:
    """``250 ms``, ``12.3 s``, ``4 min 5 s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def byte_size(size: int) -> str:
    """``512 bytes``, ``12 MB``."""
    left, unit = float(size), 0
    while left >= 1024 and unit < len(_UNITS) - 1:
        left, unit = left / 1024, unit + 1
    return f"{left:,.0f} {_UNITS[unit]}"
