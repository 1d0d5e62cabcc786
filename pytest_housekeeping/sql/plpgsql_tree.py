"""The tree of a PL/pgSQL body of which only the text is known.

The parser asks for a whole function, and refuses a body that names what the function was given or
returns, or a type that it does not know. So the body is read as that of each kind of function in
turn; what is declared to be of one of the project's own types is read as a text or a row, and a
name that nothing declares, of an OUT parameter or a column of RETURNS TABLE, as a variable.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pytest_housekeeping.sql.identifiers import in_quotes
from pytest_housekeeping.sql.parser import ParseError, parse_plpgsql

_TAG = "$hk_body$"
# The last is returned by rows that OUT parameters make up.
_KINDS = ("void", "text", "SETOF record", "trigger", "event_trigger", "SETOF text")
_DECLARED = re.compile(r"\bdeclare\b.*?\bbegin\b", re.IGNORECASE | re.DOTALL)
_OWN_TYPE = re.compile(
    r"""((?:^|;|\bdeclare)\s*(?:"[^"]+"|\w+)(?:\s+constant)?)\s+"""
    r"""((?:"[^"]+"|\w+)(?:\s*\.\s*(?:"[^"]+"|\w+))+(?:%(?:row)?type)?)(?:\[\])*""",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r'"(.+)" is not a known variable', re.DOTALL)
_LOOP = re.compile(r"\bfor\s+((?:\w+\s*,\s*)*\w+)\s+in\b", re.IGNORECASE)


def plpgsql_tree(source: str, arguments: Sequence[str] = ()) -> Any:
    """The parser's tree; ``arguments`` are names, empty where they have none. Raises ParseError."""
    plain = _DECLARED.sub(lambda part: _OWN_TYPE.sub(_known_type, part[0]), source)
    for body in dict.fromkeys((source, plain)):
        for kind in _KINDS:
            if (tree := _read(body, kind, arguments)) is not None:
                return tree
    raise ParseError("no kind of function has such a body")


def _read(body: str, kind: str, arguments: Sequence[str]) -> Any:
    """The tree of a body as that of a function of one kind, or None."""
    named = [f"{in_quotes(name) if name else ''} text" for name in arguments]
    if kind == _KINDS[-1]:
        named.append("OUT hk_told text")
    taken = "" if kind.endswith("trigger") else ", ".join(named)
    given: dict[str, str] = {}
    while True:
        known = " ".join(f"{name} {held};" for name, held in given.items())
        whole = f"DECLARE {known} BEGIN {body}\n; END" if given else body
        try:
            return parse_plpgsql(
                f"CREATE FUNCTION f({taken}) RETURNS {kind} LANGUAGE plpgsql AS {_TAG}{whole}{_TAG}"
            )
        except ValueError:
            return None
        except ParseError as error:
            more = {name: held for name, held in _unknown(error, body) if name not in given}
            if not more:
                return None
            given |= more


def _unknown(error: ParseError, body: str) -> list[tuple[str, str]]:
    """The names that the parser misses, with a type for each; the rows of a trigger are no such."""
    if missed := _UNKNOWN.search(error.message):
        name, dot, _ = missed[1].partition(".")
        rows = name in ("new", "old")
        return [] if rows else [(in_quotes(name), "record" if dot else "text")]
    if error.message.startswith("loop variable"):
        return [(name.strip(), "text") for loop in _LOOP.findall(body) for name in loop.split(",")]
    return []


def _known_type(declared: re.Match[str]) -> str:
    return f"{declared[1]} {'record' if declared[2].lower().endswith('%rowtype') else 'text'}"
