"""SQL as PostgreSQL's own parser reads it: statements and their trees, and trees as SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

Node = Mapping[str, Any]


class SyntaxRefused(Exception):
    """The parser's message, and the offset in characters from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement: where its text starts (characters from 0), its node's name and body.

    ``sets`` tells whether set_config stands anywhere in it.
    """

    offset: int
    name: str
    body: Node
    sets: bool = False


def parse(text: str) -> list[Statement]:
    """The statements of a text, in order. Raises SyntaxRefused."""
    parser = _parser()
    try:
        printed = parser.parse_sql_json(text)
        tree = json.loads(printed).get("stmts", [])
    except parser.ParseError as error:
        message, offset = (*error.args, 0)[:2]
        raise SyntaxRefused(str(message), offset if isinstance(offset, int) else 0) from None
    raw = text.encode()
    sets = "set_config" in printed
    found = []
    done = offset = 0
    for entry in tree:
        # The parser counts bytes, and starts where the statement before it ended.
        location, length = entry.get("stmt_location", 0), entry.get("stmt_len")
        offset += len(raw[done:location].decode())
        done = location
        statement = raw[location : location + length if length else None].decode()
        name, body = next(iter(entry["stmt"].items()))
        found.append(
            Statement(
                offset=offset + _before_first_token(statement),
                name=name,
                body=body,
                sets=sets and "set_config" in repr(body),
            )
        )
    return found


def same_meaning(one: str, other: str) -> bool:
    """Whether two texts differ in white space and comments at most."""
    try:
        left, right = parse(one), parse(other)
    except SyntaxRefused:
        return False
    return [(each.name, placeless(each.body)) for each in left] == [
        (each.name, placeless(each.body)) for each in right
    ]


def without_concurrently(text: str) -> str:
    """The one statement of a ``transaction=none`` file in the form that a transaction can hold.

    The index is the same; what only maintains (VACUUM, REINDEX) becomes nothing.
    """
    from pglast import parse_sql

    (statement,) = parse_sql(text)
    node: Any = statement.stmt
    if type(node).__name__ in ("VacuumStmt", "ReindexStmt"):
        return ""
    if getattr(node, "concurrent", False):
        node.concurrent = False
    return printed(node)


def printed(node: Any) -> str:
    """A tree of pglast's as SQL."""
    from pglast.stream import RawStream

    text: str = RawStream()(node)
    return text


def placeless(node: Any) -> Any:
    """A parse tree without where things stood in the text."""
    if isinstance(node, dict):
        return {k: placeless(v) for k, v in node.items() if not k.endswith("location")}
    return [placeless(each) for each in node] if isinstance(node, list) else node


@cache
def _parser() -> Any:
    from pglast import parser

    return parser


def _before_first_token(statement: str) -> int:
    """How many characters of white space and comments stand at the beginning of a statement."""
    blank = len(statement) - len(statement.lstrip())
    if not statement.startswith(("--", "/*"), blank):
        return blank  # nearly all of them: a scan of the statement is saved
    tokens = _parser().scan(statement)
    return int(next(each.start for each in tokens if not each.name.endswith("_COMMENT")))
