"""Which constants of a query are values of an enum: SELECT, INSERT, UPDATE, DELETE and MERGE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_housekeeping.sql.enums.expressions import (
    NOTHING,
    Expressions,
    Output,
    Scope,
    Seen,
    items,
)
from pytest_housekeeping.sql.enums.known import Known, RowType, Type
from pytest_housekeeping.sql.parse import Node, strings

_CLAUSES = (
    "whereClause",
    "groupClause",
    "havingClause",
    "windowClause",
    "sortClause",
    "distinctClause",
    "limitCount",
    "limitOffset",
)
Relations = Iterator[tuple[str, RowType | None]]


class Queries:
    """Reads queries; ``expressions.used`` holds what was found."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.expressions = Expressions(known=known, query=self.read)

    def read(self, node: Node, scope: Scope) -> Output:
        """The columns that a query gives; those of what is none are empty."""
        ((tag, body),) = node.items()
        read = _READ.get(tag)
        return read(self, body, scope) if read else []

    def row_of(self, node: Node, scope: Scope) -> RowType:
        """The columns of a query as others see them: a constant in it has become a text."""
        return RowType(columns={name: seen.type for name, seen in self.read(node, scope)})

    # -- one method a kind of query --------------------------------------------------------

    def _select(self, body: Node, scope: Scope) -> Output:
        scope = self._with(body, scope)
        if body.get("op", "SETOP_NONE") != "SETOP_NONE":
            halves = [self._select(body[side], scope) for side in ("larg", "rarg")]
            return [
                (name, Seen(type=self.expressions.same((left, right)).type))
                for (name, left), (_, right) in zip(*halves, strict=False)
            ]
        if rows := body.get("valuesLists"):
            columns = zip(*(items(row) for row in rows), strict=False)
            return [
                (
                    f"column{at}",
                    self.expressions.same([self.expressions.see(each, scope) for each in column]),
                )
                for at, column in enumerate(columns, start=1)
            ]
        scope = self._among(body.get("fromClause", ()), scope)
        for clause in _CLAUSES:
            self._see(body.get(clause), scope)
        return list(self._output(body.get("targetList", ()), scope))

    def _insert(self, body: Node, scope: Scope) -> Output:
        scope = self._with(body, scope)
        relation = body["relation"]
        row = self.known.row_of(relation)
        given = self.read(body["selectStmt"], scope) if "selectStmt" in body else []
        for type_, (_, seen) in zip(_targets(body.get("cols"), row), given, strict=False):
            self.expressions.put(seen, type_)
        scope = self._of_row(relation, row, scope, "excluded")
        conflict = body.get("onConflictClause", {})
        self._assign(conflict.get("targetList", ()), row, scope)
        self._see(conflict.get("whereClause"), scope)
        self._see(conflict.get("infer", {}).get("whereClause"), scope)
        return self._returned(body, scope)

    def _change(self, body: Node, scope: Scope) -> Output:
        """UPDATE and DELETE."""
        scope = self._with(body, scope)
        row = self.known.row_of(body["relation"])
        others = (*body.get("fromClause", ()), *body.get("usingClause", ()))
        scope = self._among(({"RangeVar": body["relation"]}, *others), scope)
        self._assign(body.get("targetList", ()), row, scope)
        self._see(body.get("whereClause"), scope)
        return self._returned(body, scope)

    def _merge(self, body: Node, scope: Scope) -> Output:
        scope = self._with(body, scope)
        row = self.known.row_of(body["relation"])
        scope = self._among(({"RangeVar": body["relation"]}, body["sourceRelation"]), scope)
        self._see(body.get("joinCondition"), scope)
        for each in body.get("mergeWhenClauses", ()):
            clause = each["MergeWhenClause"]
            self._see(clause.get("condition"), scope)
            if values := clause.get("values"):
                targets = _targets(clause.get("targetList"), row)
                for type_, value in zip(targets, values, strict=False):
                    self.expressions.put(self.expressions.see(value, scope), type_)
            else:
                self._assign(clause.get("targetList", ()), row, scope)
        return self._returned(body, scope)

    # -- parts of queries ------------------------------------------------------------------

    def _see(self, node: Any, scope: Scope) -> None:
        self.expressions.see(node, scope)

    def _with(self, body: Node, scope: Scope) -> Scope:
        for each in body.get("withClause", {}).get("ctes", ()):
            query = each["CommonTableExpr"]
            name = query["ctename"]
            # A query that names itself: what it gives is not known inside.
            inner = replace(scope, queries={**scope.queries, name: None})
            row = renamed(self.row_of(query["ctequery"], inner), query.get("aliascolnames"))
            scope = replace(scope, queries={**scope.queries, name: row})
        return scope

    def _among(self, nodes: Sequence[Any], scope: Scope) -> Scope:
        """The scope inside of a FROM."""
        found: list[tuple[str, RowType | None]] = []
        inner = Scope(outer=scope)
        for node in nodes:
            found += self._from(node, inner)
            inner = Scope(relations=tuple(found), outer=scope)
        for node in nodes:
            self._joins(node, inner)
        return inner

    def _from(self, node: Any, scope: Scope) -> Relations:
        ((tag, body),) = node.items()
        alias = body.get("alias", {})
        row: RowType | None = None
        if tag == "JoinExpr":
            yield from self._from(body["larg"], scope)
            yield from self._from(body["rarg"], scope)
            return
        if tag == "RangeTableSample":
            yield from self._from(body["relation"], scope)
            return
        if tag == "RangeVar":
            if "schemaname" not in body and scope.has_query(body["relname"]):
                row = scope.query(body["relname"])
            else:
                row = self.known.row_of(body)
        elif tag == "RangeSubselect":
            row = self.row_of(body["subquery"], scope)
        else:
            self._see(body, scope)
        yield alias.get("aliasname", body.get("relname", "")), renamed(row, alias.get("colnames"))

    def _joins(self, node: Any, scope: Scope) -> None:
        ((tag, body),) = node.items()
        if tag == "JoinExpr":
            self._see(body.get("quals"), scope)
            self._joins(body["larg"], scope)
            self._joins(body["rarg"], scope)

    def _output(self, targets: Iterable[Any], scope: Scope) -> Iterator[tuple[str, Seen]]:
        for each in targets:
            target = each["ResTarget"]
            value = target.get("val", {})
            fields = value.get("ColumnRef", {}).get("fields", ())
            if fields and "A_Star" in fields[-1]:
                aliases = strings(fields)[-1:] or tuple(alias for alias, _ in scope.relations)
                for alias, row in scope.relations:
                    if alias in aliases and row is not None:
                        yield from ((name, Seen(type=t)) for name, t in row.columns.items())
                continue
            seen = self.expressions.see(value, scope)
            yield target.get("name", _name_of(value)), seen

    def _returned(self, body: Node, scope: Scope) -> Output:
        clause = body.get("returningClause", {})
        exprs = clause.get("exprs", ()) or body.get("returningList", ())
        return list(self._output(exprs, scope))

    def _of_row(self, relation: Node, row: RowType | None, scope: Scope, *also: str) -> Scope:
        name = relation.get("alias", {}).get("aliasname", relation["relname"])
        return Scope(relations=tuple((each, row) for each in (name, *also)), outer=scope)

    def _assign(self, targets: Iterable[Any], row: RowType | None, scope: Scope) -> None:
        for each in targets:
            target = each["ResTarget"]
            value = target.get("val", {})
            if several := value.get("MultiAssignRef"):
                parts = self.expressions.see(several["source"], scope).parts
                at = several.get("colno", 1) - 1
                seen = parts[at] if at < len(parts) else NOTHING
            else:
                seen = self.expressions.see(value, scope)
            for type_ in _targets([each], row):
                self.expressions.put(seen, type_)


def _targets(columns: Iterable[Any] | None, row: RowType | None) -> list[Type | None]:
    """The types of the columns that are written: of all where none is named."""
    if row is None:
        return []
    if not columns:
        return list(row.columns.values())
    found: list[Type | None] = []
    for each in columns:
        target = each["ResTarget"]
        type_ = row.columns.get(target.get("name", ""))
        for step in target.get("indirection", ()):
            if type_ is not None and isinstance(type_.of, RowType) and "String" in step:
                type_ = type_.of.columns.get(strings([step])[0])
            elif type_ is not None and not step.get("A_Indices", {}).get("is_slice"):
                type_ = type_.element
        found.append(type_)
    return found


def renamed(row: RowType | None, names: Sequence[Any] | None) -> RowType | None:
    """A row under an alias that gives its first columns other names."""
    if row is None or not names:
        return row
    new = strings(names)
    all_names = (*new, *list(row.columns)[len(new) :])
    return RowType(columns=dict(zip(all_names, row.columns.values(), strict=False)))


def _name_of(value: Node) -> str:
    """What PostgreSQL calls a column of a query that has no name of its own."""
    if "ColumnRef" in value:
        return "".join(strings(value["ColumnRef"]["fields"])[-1:])
    if "FuncCall" in value:
        return "".join(strings(value["FuncCall"]["funcname"])[-1:])
    if "TypeCast" in value:
        cast = value["TypeCast"]
        return _name_of(cast["arg"]) or "".join(strings(cast["typeName"]["names"])[-1:])
    if "CoalesceExpr" in value:
        return "coalesce"
    return "case" if "CaseExpr" in value else ""


_READ: Mapping[str, Callable[[Queries, Node, Scope], Output]] = {
    "SelectStmt": Queries._select,
    "InsertStmt": Queries._insert,
    "UpdateStmt": Queries._change,
    "DeleteStmt": Queries._change,
    "MergeStmt": Queries._merge,
}
