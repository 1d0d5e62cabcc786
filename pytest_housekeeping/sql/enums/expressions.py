"""Which string constants of an expression PostgreSQL reads as values of which enum.

A constant without a type takes that of what it is compared with or put into:
https://www.postgresql.org/docs/16/typeconv.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_housekeeping.sql.enums.known import Enum, Known, Routine, RowType, Type
from pytest_housekeeping.sql.parse import Node, strings

_COMPARING = {"=", "<>", "<", ">", "<=", ">=", "@>", "<@", "&&"}
_ARRAY_FIRST = {"array_append", "array_remove", "array_replace", "array_position"}
_KEEPS_TYPE = {"array_append", "array_remove", "array_replace", "array_prepend"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What an expression is: its type where that is an enum, the constants in it that have no type
    yet (text, and whether each is an element of an array), and the parts of a row."""

    type: Type | None = None
    constants: tuple[tuple[str, bool], ...] = ()
    parts: tuple[Seen, ...] = ()


NOTHING = Seen()
Output = list[tuple[str, Seen]]
"""The columns that a query gives, with their names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What a column's name can mean: relations by alias (None: columns unknown), the queries of
    WITH, the parameters of a function, and what stands around."""

    relations: tuple[tuple[str, RowType | None], ...] = ()
    queries: Mapping[str, RowType | None] = field(default_factory=dict)
    parameters: Mapping[str, Type | None] = field(default_factory=dict)
    outer: Scope | None = None

    def column(self, names: Sequence[str]) -> Type | None:
        """The type of a column, or of a parameter; None where it is no enum or not known."""
        if not names:
            return None
        alias, name = (names[-2] if len(names) > 1 else None), names[-1]
        near = [row for each, row in self.relations if alias in (None, each)]
        for row in near:
            if row is not None and name in row.columns:
                return row.columns[name]
        if None in near:
            return None
        if name in self.parameters:
            return self.parameters[name]
        return self.outer.column(names) if self.outer else None

    def query(self, name: str) -> RowType | None:
        """What a query of WITH gives, where that is known."""
        if name in self.queries:
            return self.queries[name]
        return self.outer.query(name) if self.outer else None

    def has_query(self, name: str) -> bool:
        """Whether a query of WITH bears the name."""
        return name in self.queries or bool(self.outer and self.outer.has_query(name))


@dataclass(kw_only=True)
class Expressions:
    """Reads expressions. ``used`` are the enum and the label of each constant found so far.

    ``query`` reads a SELECT; ``runs`` says that what is read is carried out, not only stored.
    """

    known: Known
    query: Callable[[Node, Scope], Output]
    used: list[tuple[Enum, str]] = field(default_factory=list)
    runs: bool = True

    def see(self, node: Any, scope: Scope) -> Seen:
        """One expression; of a node that is none, all below it."""
        if not isinstance(node, dict) or len(node) != 1:
            self._below(node, scope)
            return NOTHING
        ((tag, body),) = node.items()
        if (read := _READ.get(tag)) is not None:
            return read(self, body, scope)
        self._below(body, scope)
        return NOTHING

    def _below(self, value: Any, scope: Scope) -> None:
        children = value.values() if isinstance(value, dict) else value
        for child in children if isinstance(children, list | type({}.values())) else ():
            if isinstance(child, dict | list):
                self.see(child, scope)

    def put(self, seen: Seen, into: Type | None) -> None:
        """An expression becomes a value of a type: its constants are read as such."""
        if into is None:
            return
        if isinstance(into.of, RowType):
            for part, type_ in zip(seen.parts, into.of.columns.values(), strict=False):
                self.put(part, type_)
            return
        for text, is_element in seen.constants:
            labels = [text] if is_element or not into.array else _elements(text)
            self.used += [(into.of, label) for label in labels]

    def same(self, seen: Iterable[Seen]) -> Seen:
        """Expressions that have one type, as those of CASE or UNION."""
        all_seen = list(seen)
        type_ = next((each.type for each in all_seen if each.type), None)
        if type_ is None:
            constants = tuple(found for each in all_seen for found in each.constants)
            columns = zip(*(each.parts for each in all_seen if each.parts), strict=False)
            return Seen(constants=constants, parts=tuple(self.same(each) for each in columns))
        for each in all_seen:
            self.put(each, type_)
        return Seen(type=type_)

    def _compare(self, left: Seen, right: Seen) -> None:
        if left.parts and right.parts:
            for one, other in zip(left.parts, right.parts, strict=False):
                self._compare(one, other)
        else:
            self.same((left, right))

    # -- one method a kind of node ---------------------------------------------------------

    def _constant(self, body: Node, _: Scope) -> Seen:
        text = body.get("sval")
        return NOTHING if text is None else Seen(constants=((text.get("sval", ""), False),))

    def _cast(self, body: Node, scope: Scope) -> Seen:
        seen, type_ = self.see(body.get("arg"), scope), self.known.type_of(body.get("typeName"))
        self.put(seen, type_)
        return Seen(type=type_)

    def _column(self, body: Node, scope: Scope) -> Seen:
        return Seen(type=scope.column(strings(body.get("fields", ()))))

    def _parameter(self, body: Node, scope: Scope) -> Seen:
        return Seen(type=scope.column((f"${body.get('number', 0)}",)))

    def _operator(self, body: Node, scope: Scope) -> Seen:
        kind = body.get("kind", "AEXPR_OP")
        left, right = body.get("lexpr"), body.get("rexpr")
        name = strings(body.get("name", ()))[-1:]
        if kind in ("AEXPR_IN", "AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN", "AEXPR_BETWEEN_SYM"):
            one = self.see(left, scope)
            members = [self.see(each, scope) for each in items(right)]
            if one.parts:
                for each in members:
                    self._compare(one, each)
            else:
                self.same((one, *members))
        elif kind in ("AEXPR_OP_ANY", "AEXPR_OP_ALL"):
            self._any(self.see(left, scope), self.see(right, scope))
        elif kind == "AEXPR_NULLIF":
            return self.same((self.see(left, scope), self.see(right, scope)))
        elif kind in ("AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT") or set(name) & _COMPARING:
            self._compare(self.see(left, scope), self.see(right, scope))
        else:
            self.see(left, scope)
            self.see(right, scope)
        return NOTHING

    def _any(self, one: Seen, many: Seen) -> None:
        if one.type is not None:
            self.put(many, Type(of=one.type.of, array=True))
        elif many.type is not None:
            self.put(one, many.type.element)

    def _case(self, body: Node, scope: Scope) -> Seen:
        whens = [each["CaseWhen"] for each in body.get("args", ())]
        conditions = [self.see(each.get("expr"), scope) for each in whens]
        if "arg" in body:
            self.same((self.see(body["arg"], scope), *conditions))
        results = [each.get("result") for each in whens] + [body.get("defresult")]
        return self.same(self.see(each, scope) for each in results if each)

    def _alike(self, body: Node, scope: Scope) -> Seen:
        return self.same([self.see(each, scope) for each in body.get("args", ())])

    def _array(self, body: Node, scope: Scope) -> Seen:
        seen = self.same([self.see(each, scope) for each in body.get("elements", ())])
        if seen.type is not None:
            return Seen(type=Type(of=seen.type.of, array=True))
        return Seen(constants=tuple((text, True) for text, _ in seen.constants))

    def _row(self, body: Node, scope: Scope) -> Seen:
        return Seen(parts=tuple([self.see(each, scope) for each in body.get("args", ())]))

    def _part(self, body: Node, scope: Scope) -> Seen:
        """A field of a row, or an element or a slice of an array."""
        type_ = self.see(body.get("arg"), scope).type
        for step in body.get("indirection", ()):
            self._below(step, scope)
            if type_ is not None and "A_Indices" in step:
                type_ = type_ if step["A_Indices"].get("is_slice") else type_.element
            elif type_ is not None and isinstance(type_.of, RowType):
                type_ = type_.of.columns.get("".join(strings([step])))
            else:
                type_ = None
        return Seen(type=type_)

    def _wrapped(self, body: Node, scope: Scope) -> Seen:
        return self.see(body.get("arg"), scope)

    def _sublink(self, body: Node, scope: Scope) -> Seen:
        columns = [seen for _, seen in self.query(body["subselect"], scope)]
        # The constants of a query of its own are texts.
        typed = [Seen(type=each.type) for each in columns]
        tested = self.see(body.get("testexpr"), scope)
        if body.get("subLinkType") in ("ANY_SUBLINK", "ALL_SUBLINK"):
            for one, other in zip(tested.parts or (tested,), typed, strict=False):
                self.same((one, other))
        elif body.get("subLinkType") == "EXPR_SUBLINK" and typed:
            return typed[0]
        elif body.get("subLinkType") == "ARRAY_SUBLINK" and typed and typed[0].type:
            return Seen(type=Type(of=typed[0].type.of, array=True))
        return NOTHING

    def _call(self, body: Node, scope: Scope) -> Seen:
        arguments = [self.see(each, scope) for each in body.get("args", ())]
        for other in ("agg_order", "agg_filter", "over"):
            self.see(body.get(other), scope)
        names = strings(body.get("funcname", ()))
        routines = self.known.find(self.known.routines, names) or []
        fit = [each for each in routines if len(each.parameters) >= len(arguments)]
        if len(fit) == 1:
            self._pass(body.get("args", ()), arguments, fit[0])
            return Seen(type=fit[0].result)
        return NOTHING if routines else self._built_in(names[-1], arguments)

    def _pass(self, nodes: Sequence[Any], arguments: Sequence[Seen], routine: Routine) -> None:
        for at, (node, seen) in enumerate(zip(nodes, arguments, strict=True)):
            name = node.get("NamedArgExpr", {}).get("name")
            if name in routine.names:
                self.put(seen, routine.parameters[routine.names.index(name)])
            elif name is None:
                self.put(seen, routine.parameters[at])

    def _built_in(self, name: str, arguments: Sequence[Seen]) -> Seen:
        first = arguments[0].type if arguments else None
        if name in _ARRAY_FIRST and first is not None:
            for each in arguments[1:]:
                self.put(each, first.element)
        elif name == "array_prepend" and len(arguments) > 1:
            first = arguments[1].type
            self.put(arguments[0], first.element if first else None)
        elif name in ("min", "max"):
            return Seen(type=first)
        elif first is not None and isinstance(first.of, Enum) and self.runs:
            self.used += [(first.of, label) for label in _walked(name, first.of, arguments)]
        return Seen(type=first) if name in _KEEPS_TYPE else NOTHING


def _walked(name: str, enum: Enum, arguments: Sequence[Seen]) -> Sequence[str]:
    """The labels that a function gives out of the type itself."""
    whole = list(enum.added) if len(arguments) == 1 else []
    ends = {"enum_first": enum.labels[:1], "enum_last": enum.labels[-1:]}
    return {"enum_range": whole, **ends}.get(name, [])


def items(node: Any) -> list[Any]:
    """What stands in a List node, or in a list."""
    if isinstance(node, dict):
        found: list[Any] = node.get("List", {}).get("items", [])
        return found
    return list(node or ())


def _elements(text: str) -> Iterator[str]:
    """The elements of an array written as text, ``{a,"b c"}``."""
    for part in text.strip().strip("{}").split(","):
        yield part.strip().strip('"{}')


_READ: Mapping[str, Callable[[Expressions, Node, Scope], Seen]] = {
    "A_Const": Expressions._constant,
    "TypeCast": Expressions._cast,
    "ColumnRef": Expressions._column,
    "ParamRef": Expressions._parameter,
    "A_Expr": Expressions._operator,
    "CaseExpr": Expressions._case,
    "CoalesceExpr": Expressions._alike,
    "MinMaxExpr": Expressions._alike,
    "A_ArrayExpr": Expressions._array,
    "RowExpr": Expressions._row,
    "A_Indirection": Expressions._part,
    "CollateClause": Expressions._wrapped,
    "NamedArgExpr": Expressions._wrapped,
    "SubLink": Expressions._sublink,
    "FuncCall": Expressions._call,
}
