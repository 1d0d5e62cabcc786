"""SQL as PostgreSQL's own parser reads it: statements and their trees, and trees as SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.sql import parser

Node = Mapping[str, Any]
# What PostgreSQL plans.
PLANNED = ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt")
MAINTAIN = ("VacuumStmt", "ReindexStmt")
_OUTSIDE = re.compile(r"\b(?:concurrently|vacuum|reindex)\b", re.IGNORECASE)


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
    try:
        printed = parser.parse_json(text)
        tree = parser.read_json(printed)
    except parser.ParseError as error:
        raise SyntaxRefused(error.message, error.location or 0) from None
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


def parsed(text: str) -> list[Statement]:
    """The same; none where the parser refuses the text, which is told elsewhere."""
    try:
        return parse(text)
    except SyntaxRefused:
        return []


def extents(statements: Sequence[Statement], text: str) -> Iterator[tuple[Statement, int]]:
    """Each statement of a text with where its own ends: at the next one."""
    # A text of comments alone has an end and no statement.
    return zip(statements, [*(each.offset for each in statements[1:]), len(text)], strict=False)


def strings(nodes: Iterable[Any]) -> tuple[str, ...]:
    """The texts of those nodes that are String nodes."""
    return tuple(each["String"].get("sval", "") for each in nodes if "String" in each)


def statements_of(text: str) -> Iterator[str]:
    """Each statement by itself, in the lines in which it stands. Raises SyntaxRefused."""
    for statement, end in extents(parse(text), text):
        start = statement.offset
        yield "\n" * text.count("\n", 0, start) + text[start:end]


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
    """A file in the form that a transaction can hold; as it is where it holds nothing else.

    The index is the same; what only maintains (VACUUM, REINDEX) becomes nothing.
    """
    if not _OUTSIDE.search(text):
        return text
    nodes = [statement.stmt for statement in parser.parse(text)]
    if not any(_builds(node) or node.tag in MAINTAIN for node in nodes):
        return text
    return "".join(
        f"{printed(parser.changed(node, concurrent=False) if _builds(node) else node)};\n"
        for node in nodes
        if node.tag not in MAINTAIN
    )


def _builds(node: parser.Node) -> bool:
    return bool(getattr(node, "concurrent", False))


def printed(node: parser.Node) -> str:
    """A node of a parse tree as SQL."""
    return parser.deparse(node)


def placeless(node: Any) -> Any:
    """A parse tree without where things stood in the text."""
    if isinstance(node, dict):
        return {k: placeless(v) for k, v in node.items() if not k.endswith("location")}
    return [placeless(each) for each in node] if isinstance(node, list) else node


def _before_first_token(statement: str) -> int:
    """How many characters of white space and comments stand at the beginning of a statement."""
    blank = len(statement) - len(statement.lstrip())
    if not statement.startswith(("--", "/*"), blank):
        return blank  # nearly all of them: a scan of the statement is saved
    tokens = parser.scan(statement)
    return next(each.start for each in tokens if not each.name.endswith("_COMMENT"))


def nodes_of(tree: Any) -> Iterator[tuple[str, Any]]:
    """Each key of a tree with what stands under it, in the order of the text."""
    if isinstance(tree, list):
        for each in tree:
            yield from nodes_of(each)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield key, value
            yield from nodes_of(value)
