"""Where values in a function's body come from: its arguments, rows, or what is written out.

An expression is followed through the variables that it names to whatever these were given. Tests
and conditions are left out: they choose between values, and are none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pytest_housekeeping.checks.rls.expressions.plpgsql_body import FlowUnread, read_plpgsql
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.sql.parser import Node, ParseError, children, is_a, parse

# What asks about values gives none of them away.
_TESTS = frozenset(
    ("=", "<>", "!=", "<", ">", "<=", ">=", "~", "!~", "~*", "!~*", "~~", "!~~", "@>", "<@", "?")
)
_NO_VALUE = ("BooleanTest", "NullTest", "RangeVar")
_QUOTED = frozenset({"quote_ident", "quote_literal", "quote_nullable"})
# Of these types a value is written in digits, letters of PostgreSQL's own, or with quotes.
_TAME = re.compile(
    r"(int\d?|integer|bigint|smallint|numeric|decimal|real|float\d?|bool(ean)?|uuid|date"
    r"|time(stamp)?(tz)?|interval|oid|reg\w+)$"
)
_PLACE = re.compile(r"%(?:(\d+)\$)?-?(?:\*(?:\d+\$)?|\d+)?([sIL%])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaf:
    """Where a value comes from: a column or variable by its name's parts, lower-case as PostgreSQL
    folds them, an argument by its number, or a setting. ``source`` is the statement that it is read
    in, where that reads a table; ``key`` is the field that is taken out of it."""

    parts: tuple[str, ...]
    number: int = 0
    source: bool = False
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class BodyFlow:
    """A body: what it runs, the expressions of what it puts together at run time (``dynamic``), and
    what each variable is given, by its name."""

    trees: tuple[Node, ...]
    dynamic: tuple[Node, ...] = ()
    given: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def leaves(self, node: Any, *, unquoted: bool = False, reads: bool = False) -> Iterator[Leaf]:
        """Where the value of an expression comes from. ``unquoted``: only what stands in a text as
        it is, neither quoted nor a number. ``reads``: it stands in a statement that reads a table.
        """
        yield from _Walk(flow=self, unquoted=unquoted).leaves(node, reads=reads)

    def calls(self, name: str, *, own: bool = False) -> Iterator[tuple[Node, bool]]:
        """Every call of a function by this name, one of PostgreSQL's or of the project's ``own``,
        and whether its statement reads a table."""
        for node, reads in self._calls:
            *schema, called = names_of(node.funcname)
            if called == name and (own or schema in ([], ["pg_catalog"])):
                yield node, reads

    @cached_property
    def _calls(self) -> tuple[tuple[Node, bool], ...]:
        return tuple(
            (node, reads)
            for tree in self.trees
            for reads in (_reads(tree),)
            for node in _every(tree)
            if is_a(node, "FuncCall")
        )


def read_flow(source: str, language: str, arguments: Sequence[str]) -> BodyFlow:
    """Read a body in SQL or PL/pgSQL; ``arguments`` are their names, empty where they have none.

    Raises FlowUnread.
    """
    try:
        if language == "sql":
            return BodyFlow(trees=tuple(each.stmt for each in parse(source)))
        if language == "plpgsql":
            body = read_plpgsql(source, arguments)
            return BodyFlow(
                trees=body.trees, dynamic=body.dynamic, given=body.given, aliases=body.aliases
            )
    except (ParseError, ValueError):
        pass
    raise FlowUnread


def constants_in(node: Any) -> str:
    """The texts that stand written out in an expression, one after the other."""
    return " ".join(
        each.val.sval for each in _every(node) if is_a(each, "A_Const") and is_a(each.val, "String")
    )


@dataclass(kw_only=True)
class _Walk:
    flow: BodyFlow
    unquoted: bool
    seen: set[str] = field(default_factory=set)

    def leaves(self, node: Any, *, reads: bool) -> Iterator[Leaf]:
        follow = self._followed().get(node.tag) if isinstance(node, Node) else None
        if follow is not None:
            yield from follow(node, reads)
        elif not is_a(node, *_NO_VALUE):
            for child in node if isinstance(node, tuple) else children(node):
                yield from self.leaves(child, reads=reads)

    def _followed(self) -> Mapping[str, Callable[[Node, bool], Iterator[Leaf]]]:
        return {
            "A_Expr": self._operator,
            "CaseExpr": self._case,
            "ColumnRef": self._name,
            "DeleteStmt": self._change,
            "FuncCall": self._call,
            "InsertStmt": self._change,
            "JoinExpr": self._join,
            "ParamRef": self._number,
            "SelectStmt": self._select,
            "TypeCast": self._cast,
            "UpdateStmt": self._change,
        }

    def _select(self, node: Node, reads: bool) -> Iterator[Leaf]:
        reads = reads or _reads(node.fromClause)
        for part in (node.targetList, node.valuesLists, node.fromClause, node.larg, node.rarg):
            yield from self.leaves(part, reads=reads)

    def _change(self, node: Node, _: bool) -> Iterator[Leaf]:
        yield from self.leaves(node.returningList, reads=True)

    def _join(self, node: Node, reads: bool) -> Iterator[Leaf]:
        yield from self.leaves((node.larg, node.rarg), reads=reads)

    def _case(self, node: Node, reads: bool) -> Iterator[Leaf]:
        results = (*(each.result for each in node.args), node.defresult)
        yield from self.leaves(results, reads=reads)

    def _cast(self, node: Node, reads: bool) -> Iterator[Leaf]:
        if not (self.unquoted and _TAME.match(names_of(node.typeName.names)[-1])):
            yield from self.leaves(node.arg, reads=reads)

    def _number(self, node: Node, _: bool) -> Iterator[Leaf]:
        yield Leaf(parts=(), number=node.number)

    def _operator(self, node: Node, reads: bool) -> Iterator[Leaf]:
        name = names_of(node.name)[-1]
        if node.kind != "AEXPR_OP" or name in _TESTS:
            if node.kind == "AEXPR_NULLIF":
                yield from self.leaves(node.lexpr, reads=reads)
            return
        key = node.rexpr
        if name in ("->", "->>") and is_a(key, "A_Const") and is_a(key.val, "String"):
            for leaf in self.leaves(node.lexpr, reads=reads):
                yield Leaf(
                    parts=leaf.parts, number=leaf.number, source=leaf.source, key=key.val.sval
                )
        else:
            yield from self.leaves((node.lexpr, node.rexpr), reads=reads)

    def _call(self, node: Node, reads: bool) -> Iterator[Leaf]:
        name = names_of(node.funcname)[-1]
        if self.unquoted and name in _QUOTED:
            return
        if name == "count" or (name == "current_setting" and not self.unquoted):
            return
        if name == "current_setting":
            yield Leaf(parts=("current_setting",))
        elif self.unquoted and name == "format" and node.args:
            yield from self.leaves(_plain(node.args), reads=reads)
        else:
            yield from self.leaves(node.args, reads=reads)

    def _name(self, node: Node, reads: bool) -> Iterator[Leaf]:
        parts = tuple("*" if is_a(each, "A_Star") else str(each.sval) for each in node.fields)
        name = self.flow.aliases.get(parts[0], parts[0])
        given = self.flow.given.get(name)
        if given is None or parts == ("*",):
            yield Leaf(parts=(name, *parts[1:]), source=reads)
        elif parts[1:] in ((), ("*",)):
            if name not in self.seen:
                self.seen.add(name)
                yield from self.leaves(given, reads=False)
        else:
            # A field of a record that was given another record is that one's field.
            copied = [each for one in given for each in self.leaves(one, reads=False)]
            records = [each for each in copied if len(each.parts) == 1 and not each.source]
            for record in records or (Leaf(parts=(name,)),):
                source = any(_reads(each) for each in given)
                yield Leaf(parts=(*record.parts, *parts[1:]), source=source)


def _plain(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """What ``format`` puts in as it is (%s); all of it where its text is not written out."""
    first, *rest = arguments
    if not (is_a(first, "A_Const") and is_a(first.val, "String")):
        return arguments
    plain, following = [], 0
    for number, kind in _PLACE.findall(first.val.sval):
        if kind == "%":
            continue
        following = int(number) if number else following + 1
        if kind == "s" and following <= len(rest):
            plain.append(rest[following - 1])
    return tuple(plain)


def _reads(node: Any) -> bool:
    return any(is_a(each, "RangeVar") for each in _every(node))


def _every(item: Any) -> Iterator[Node]:
    if isinstance(item, Node):
        yield item
    for child in children(item):
        yield from _every(child)
