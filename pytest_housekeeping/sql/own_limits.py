"""Where a SQL file sets for itself how long it may wait: a dump of pg_dump begins with no limit.

What is said in a function or a DO block is not looked for. A limit lasts to the end of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_housekeeping.config import milliseconds
from pytest_housekeeping.sql.parse import Node, parsed


def limits_lifted(text: str, limits: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """Of each statement that lets one of the ``limits``, in milliseconds, be more than that: its
    offset, and what it sets."""
    low = text.lower()
    if not any(name in low for name in limits):
        return  # nearly every file: nothing has to be parsed
    for statement in parsed(text):
        name = str(statement.body.get("name", "")).lower()
        if statement.name == "VariableSetStmt" and name in limits:
            value = _value(statement.body)
            if value is None or not 0 < value <= limits[name]:
                yield statement.offset, f"{name} = {f'{value} ms' if value else 'none'}"


def _value(body: Node) -> int | None:
    """In milliseconds, 0 where there is no limit, None where nobody can tell."""
    if body.get("kind") != "VAR_SET_VALUE":
        return 0  # back to what the session has begun with
    constant = body["args"][0].get("A_Const", {})
    if "ival" in constant:
        return int(constant["ival"].get("ival", 0))
    said = str(constant.get("sval", {}).get("sval", "")).replace(" ", "").lower()
    try:
        return int(said) if said.isdecimal() else milliseconds(said)
    except (KeyError, ValueError):
        return None
