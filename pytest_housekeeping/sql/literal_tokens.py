"""A text as PostgreSQL cuts it into words, strings and comments, also where it is broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Possessive: nothing is tried twice, so that the time grows with the text and no faster.
_TOKEN = re.compile(
    r"""(?P<blank>\s++)|(?P<line>--[^\n]*+)|(?P<block>/\*)
    |[eE]'(?P<escaped>(?:[^'\\]|\\.|'')*+)(?P<e>'?)
    |(?:[uU]&|[nN])?'(?P<plain>[^']*+(?:''[^']*+)*+)(?P<p>'?)
    |\$(?P<tag>(?:[^\W\d]\w*+)?)\$
    |"(?P<quoted>[^"]*+(?:""[^"]*+)*+)(?P<q>"?)
    |(?P<word>\w++)|(?P<sign>=>|:=|->>?|\|\||.)""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT = re.compile(r"/\*|\*/")


@dataclass(frozen=True, kw_only=True, slots=True)
class LiteralToken:
    """A word, a sign, a quoted name, a string or a comment, without its quotes or marks.

    ``body`` is a string between dollars; ``whole`` is false where the end is missing.
    """

    kind: str
    text: str
    whole: bool = True
    body: bool = False

    @property
    def is_string(self) -> bool:
        return self.kind == "string"


def tokens_of(text: str) -> Iterator[LiteralToken]:
    """The tokens of a text, with its comments and without its blanks; in linear time."""
    at = 0
    while match := _TOKEN.match(text, at):
        kind, at = match.lastgroup or "", match.end()
        if kind == "block":
            end = _end_of_comment(text, at)
            yield LiteralToken(kind="comment", text=text[match.end() : end], whole=end < len(text))
            at = end + 2
        elif kind == "line":
            yield LiteralToken(kind="comment", text=match[0][2:])
        elif kind in ("e", "p"):
            written = match["escaped"] if kind == "e" else match["plain"]
            yield LiteralToken(
                kind="string", text=written.replace("''", "'"), whole=bool(match[kind])
            )
        elif kind == "tag":
            end = text.find(match[0], at)
            if end < 0:
                yield LiteralToken(kind="sign", text="$", whole=False)
                continue
            yield LiteralToken(kind="string", text=text[at:end], body=True)
            at = end + len(match[0])
        elif kind == "q":
            yield LiteralToken(kind="name", text=match["quoted"], whole=bool(match["q"]))
        elif kind != "blank":
            yield LiteralToken(kind=kind, text=match[0].lower())


def _end_of_comment(text: str, at: int) -> int:
    """Where the mark that closes a comment stands; PostgreSQL nests comments."""
    depth = 1
    for mark in _COMMENT.finditer(text, at):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.start()
    return len(text)
