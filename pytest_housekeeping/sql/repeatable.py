"""What a repeatable file leaves in a database, and the statements that take it down again."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.sql.created_object import created_object, dotted
from pytest_housekeeping.sql.identifiers import in_quotes
from pytest_housekeeping.sql.parse import printed
from pytest_housekeeping.sql.parser import Node, changed, parse, walk

_VIEWS = ("VIEW", "MATERIALIZED VIEW")
_TAKEN = (*_VIEWS, "POLICY", "TRIGGER", "RULE", "FUNCTION", "PROCEDURE")
_GRANT = "GRANT"
_STAYING = ("FUNCTION", "PROCEDURE", _GRANT)
# What a comment is of: the relation itself, or what is called by its relation.
_RELATIONS = ("VIEW", "MATVIEW", "TABLE", "FOREIGN_TABLE", "INDEX", "SEQUENCE")
_OF_A_RELATION = ("COLUMN", "POLICY", "RULE", "TRIGGER", "TABCONSTRAINT")
# REVOKE knows no IF EXISTS.
_IF_EXISTS = (
    "DO $hk$ BEGIN {}; EXCEPTION WHEN undefined_table OR undefined_function OR undefined_object"
    " OR invalid_schema_name THEN NULL; END $hk$"
)


def take_down(text: str, *, kept: str = "") -> str:
    """The statements that remove what a file makes, the last one first; "" where there are none.

    Views and policies go in any case, for nothing below them can be changed while they stand. A
    routine or a grant that ``kept``, the text that will be applied again, makes as well stays:
    others may hold on to it, and CREATE OR REPLACE gives it its old body back. Row-level security
    is never switched off. That all of it is gone is shown by the fingerprint and not by this.
    Raises ParseError for a text that PostgreSQL would refuse.
    """
    staying = {each for each in _made(kept) if each[0] in _STAYING}
    taken = [each for each in dict.fromkeys(_made(text)) if each not in staying]
    return "".join(f"{_gone(*each)};\n" for each in reversed(taken))


def makes(text: str) -> Iterator[tuple[str, str]]:
    """Kind and name of each view, policy and routine that a file makes. Raises ParseError."""
    return ((kind, name) for kind, name in _made(text) if kind != _GRANT)


def views_of(text: str) -> tuple[str, ...]:
    """The views, materialized or not, that a file makes, as it names them."""
    return tuple(dict.fromkeys(name for kind, name in _made(text) if kind in _VIEWS))


def relations_in(text: str) -> tuple[str, ...]:
    """The relations that a file names, as it names them: what it reads, grants on, comments."""
    found: dict[str, None] = {}
    for node in walk(parse(text)):
        if node.tag == "RangeVar":
            names = (node.schemaname, node.relname)
            found[in_quotes(*(name for name in names if name))] = None
        elif node.tag == "CommentStmt":
            kind = node.objtype.removeprefix("OBJECT_")
            if kind in _OF_A_RELATION:
                found[dotted(node.object[:-1], in_quotes)] = None
            elif kind in _RELATIONS:
                found[dotted(node.object, in_quotes)] = None
    return tuple(found)


def _gone(kind: str, name: str) -> str:
    return _IF_EXISTS.format(name) if kind == _GRANT else f"DROP {kind} IF EXISTS {name}"


def _made(text: str) -> Iterator[tuple[str, str]]:
    """Kind and name of what is taken down; of a grant, the REVOKE that does it."""
    for raw in parse(text):
        node = raw.stmt
        found = created_object(node, in_quotes)
        if found is not None and found[0] in _TAKEN:
            yield found
        elif _is_grant_by_name(node):
            yield _GRANT, printed(changed(node, is_grant=False, grant_option=False))


def _is_grant_by_name(node: Node) -> bool:
    """ALL IN SCHEMA would take what other files have granted."""
    return node.tag == "GrantStmt" and node.is_grant and node.targtype == "ACL_TARGET_OBJECT"
