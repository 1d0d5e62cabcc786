"""Markdown as GitHub's own parser reads it, and what a hostile name could be made of."""

from __future__ import annotations

from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

TOKENS = (
    "@team",
    "#123",
    "`",
    "``",
    "```",
    "~~~",
    "|",
    "\\|",
    "<!--",
    "-->",
    "<img src=x>",
    "</code>",
    "[a](https://evil.example)",
    "https://evil.example",
    "www.evil.example",
    "a@evil.example",
    "::error::x",
    "##[error]x",
    "\n",
    "\r",
    "\n\n# x\n",
    "\n> x",
    "$`x`$",
    "&#64;x",
    ":+1:",
    "**b**",
    "evil",
    "\x1b[31m",
    "\u202e",
    "\u2028",
    "\ud800",
    "\\",
    "😀",
    "c" * 40,
    "GH-1",
    "a/b#1",
    "${{ x }}",
)


class Page(HTMLParser):
    """What a browser makes of it: tags, links, comments, cells, and the text outside of code."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str | None] = []
        self.comments: list[str] = []
        self.cells = 0
        self.prose = ""
        self._in_code = 0
        self.feed(cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.cells += tag == "td"
        self._in_code += tag in ("code", "pre")
        self.links += [dict(attrs).get("href")] if tag == "a" else []

    def handle_endtag(self, tag: str) -> None:
        self._in_code -= tag in ("code", "pre")

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        self.prose += "" if self._in_code else data
