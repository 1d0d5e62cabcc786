"""What a statement makes: its kind and its name, as DROP wants to hear them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.parse import printed

Quote = Callable[..., str]
# Whatever a function gives back is no part of its name: OUT parameters and columns of a table.
_RESULTS = ("FUNC_PARAM_OUT", "FUNC_PARAM_TABLE")


def created_object(node: Any, quote: Quote = quoted) -> tuple[str, str] | None:
    """Kind and name, ``("POLICY", "own ON shop.item")``; None where a statement makes nothing that
    has a DROP of its own."""
    known = _KINDS.get(node.tag)
    return known(node, quote) if known else None


def dotted(names: Any, quote: Quote = quoted) -> str:
    """A qualified name."""
    return quote(*(name.sval for name in names))


def _qualified(kind: str, field: str) -> Callable[[Any, Quote], tuple[str, str]]:
    return lambda node, quote: (kind, dotted(getattr(node, field), quote))


def _named(kind: str, field: str) -> Callable[[Any, Quote], tuple[str, str]]:
    return lambda node, quote: (kind, quote(getattr(node, field)))


def _relation(kind: str, field: str) -> Callable[[Any, Quote], tuple[str, str]]:
    return lambda node, _: (kind, printed(getattr(node, field)))


def _on_table(kind: str, field: str, table: str) -> Callable[[Any, Quote], tuple[str, str]]:
    return lambda node, quote: (
        kind,
        f"{quote(getattr(node, field))} ON {printed(getattr(node, table))}",
    )


def _table_as(node: Any, _: Quote) -> tuple[str, str] | None:
    kinds = {"OBJECT_MATVIEW": "MATERIALIZED VIEW"}
    return (kinds[node.objtype], printed(node.into.rel)) if node.objtype in kinds else None


def _index(node: Any, quote: Quote) -> tuple[str, str]:
    """It lies in the schema of its table."""
    names = (node.relation.schemaname, node.idxname)
    return "INDEX", quote(*(name for name in names if name))


def _routine(node: Any, quote: Quote) -> tuple[str, str]:
    types = [
        printed(each.argType)
        for each in node.parameters
        if each.mode not in _RESULTS or node.is_procedure
    ]
    kind = "PROCEDURE" if node.is_procedure else "FUNCTION"
    return kind, f"{dotted(node.funcname, quote)}({', '.join(types)})"


_KINDS: dict[str, Callable[[Any, Quote], tuple[str, str] | None]] = {
    "CreateSchemaStmt": _named("SCHEMA", "schemaname"),
    "CreateExtensionStmt": _named("EXTENSION", "extname"),
    "CreateEnumStmt": _qualified("TYPE", "typeName"),
    "CreateRangeStmt": _qualified("TYPE", "typeName"),
    "CompositeTypeStmt": _relation("TYPE", "typevar"),
    "CreateDomainStmt": _qualified("DOMAIN", "domainname"),
    "CreateSeqStmt": _relation("SEQUENCE", "sequence"),
    "CreateStmt": _relation("TABLE", "relation"),
    "CreateForeignTableStmt": lambda node, _: ("FOREIGN TABLE", printed(node.base.relation)),
    "ViewStmt": _relation("VIEW", "view"),
    "CreateTableAsStmt": _table_as,
    "CreateFunctionStmt": _routine,
    "IndexStmt": _index,
    "CreateStatsStmt": _qualified("STATISTICS", "defnames"),
    "CreatePublicationStmt": _named("PUBLICATION", "pubname"),
    "CreateEventTrigStmt": _named("EVENT TRIGGER", "trigname"),
    "CreatePolicyStmt": _on_table("POLICY", "policy_name", "table"),
    "CreateTrigStmt": _on_table("TRIGGER", "trigname", "relation"),
    "RuleStmt": _on_table("RULE", "rulename", "relation"),
}
