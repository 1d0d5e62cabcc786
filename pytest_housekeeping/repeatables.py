"""What a repeatable file leaves in a database, and the statements that take it down again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Whatever a routine gives back is no part of its name: OUT parameters and columns of a table.
_RESULTS = ("o", "t")
_STAYING = ("DROP FUNCTION", "DROP PROCEDURE", "DO ")
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
    Raises pglast.parser.ParseError for a text that PostgreSQL would refuse.
    """
    staying = set(_drops(kept))
    statements = [
        drop
        for drop in dict.fromkeys(_drops(text))
        if not (drop in staying and drop.startswith(_STAYING))
    ]
    return "".join(f"{drop};\n" for drop in reversed(statements))


def views_of(text: str) -> tuple[str, ...]:
    """The views, materialized or not, that a file makes, as it names them."""
    starts = ("DROP VIEW IF EXISTS ", "DROP MATERIALIZED VIEW IF EXISTS ")
    return tuple(
        drop.removeprefix(start)
        for drop in dict.fromkeys(_drops(text))
        for start in starts
        if drop.startswith(start)
    )


def _drops(text: str) -> Iterator[str]:
    from pglast import parse_sql

    for raw in parse_sql(text) or ():
        node = raw.stmt
        made = _KINDS.get(type(node).__name__)
        if made is not None and (drop := made(node)):
            yield drop


def _view(node: Any) -> str:
    return f"DROP VIEW IF EXISTS {_printed(node.view)}"


def _materialized(node: Any) -> str:
    from pglast.enums import ObjectType

    if node.objtype is not ObjectType.OBJECT_MATVIEW:
        return ""
    return f"DROP MATERIALIZED VIEW IF EXISTS {_printed(node.into.rel)}"


def _policy(node: Any) -> str:
    return f"DROP POLICY IF EXISTS {_quoted(node.policy_name)} ON {_printed(node.table)}"


def _trigger(node: Any) -> str:
    return f"DROP TRIGGER IF EXISTS {_quoted(node.trigname)} ON {_printed(node.relation)}"


def _rule(node: Any) -> str:
    return f"DROP RULE IF EXISTS {_quoted(node.rulename)} ON {_printed(node.relation)}"


def _routine(node: Any) -> str:
    name = ".".join(_quoted(part.sval) for part in node.funcname)
    types = [
        _printed(each.argType)
        for each in node.parameters or ()
        if each.mode.value not in _RESULTS or node.is_procedure
    ]
    kind = "PROCEDURE" if node.is_procedure else "FUNCTION"
    return f"DROP {kind} IF EXISTS {name}({', '.join(types)})"


def _grant(node: Any) -> str:
    """Of what is granted by name: ALL IN SCHEMA would take what other files have granted."""
    from pglast.enums import GrantTargetType

    if not node.is_grant or node.targtype is not GrantTargetType.ACL_TARGET_OBJECT:
        return ""
    node.is_grant, node.grant_option = False, False
    return _IF_EXISTS.format(_printed(node))


def _printed(node: Any) -> str:
    from pglast.stream import RawStream

    text: str = RawStream()(node)
    return text


def _quoted(name: str) -> str:
    from psycopg import sql

    return sql.Identifier(name).as_string(None)


_KINDS: dict[str, Any] = {
    "ViewStmt": _view,
    "CreateTableAsStmt": _materialized,
    "CreatePolicyStmt": _policy,
    "CreateTrigStmt": _trigger,
    "RuleStmt": _rule,
    "CreateFunctionStmt": _routine,
    "GrantStmt": _grant,
}
