"""PL/pgSQL by libpg_query, and what has to be known before and after it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from pytest_housekeeping.sql.parser.errors import ParseError
from pytest_housekeeping.sql.parser.node import Node

_LANGUAGE = "plpgsql"
# A trigger's own variables (tg_op) are written as "{}}", which is no JSON. In valid JSON "{}" after
# "[" or "," is never followed by "}"; strings are passed over.
_HOLE = re.compile(r'"(?:[^"\\]|\\.)*"|(?<=[\[,])\{\}\}')


def parsed(text: str, statements: Iterable[Node]) -> list[dict[str, Any]]:
    """The functions and DO blocks of a text. Raises ParseError."""
    from pytest_housekeeping.sql.parser import library

    for statement in statements:
        _refuse_bodiless(statement.stmt)
    printed = library.parsed_plpgsql(text)
    try:
        read = json.loads(printed)
    except ValueError:
        read = json.loads(_HOLE.sub(lambda found: "{}" if found[0] == "{}}" else found[0], printed))
    functions: list[dict[str, Any]] = read
    return functions


def _refuse_bodiless(node: Node) -> None:
    """libpg_query ends the process when PL/pgSQL is to be read and there is none."""
    if node.tag not in ("CreateFunctionStmt", "DoStmt"):
        return
    given = node.options if node.tag == "CreateFunctionStmt" else node.args
    options = {option.defname: option.arg for option in given}
    language = options["language"].sval if "language" in options else _LANGUAGE
    if "as" not in options and language.lower() == _LANGUAGE:
        raise ParseError("no function body specified")
