"""Evaluates the expressions of GitHub workflows; what it does not know is an error, never empty.

The language: https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Context = Mapping[str, Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>&&|\|\||==|!=|[!()\[\].,]))"
)
_LITERALS: dict[str, Any] = {"true": True, "false": False, "null": None}


class UnknownExpression(Exception):
    """An expression that GitHub may know and this evaluator does not."""


def interpolate(text: str, context: Context) -> str:
    """``text`` with every ``${{ … }}`` replaced by its value."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: as_text(evaluate(found[1], context)), text)


def condition(text: str, context: Context, *, failed: bool) -> bool:
    """Whether an ``if:`` lets its step run; without a status function it asks for success too."""
    bare = re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", text)
    status = {"always": True, "success": not failed, "failure": failed, "cancelled": False}
    functions = {name: (lambda value=value: value) for name, value in status.items()}
    if failed and not any(f"{name}()" in bare for name in status):
        return False
    return bool(evaluate(bare, context, functions=functions))


def evaluate(
    text: str, context: Context, *, functions: Mapping[str, Callable[[], Any]] | None = None
) -> Any:
    """The value of one expression. Raises UnknownExpression for what it cannot read or find."""
    parser = _Parser(text, functions or {})
    value = parser.either()
    if parser.token != ("end", ""):
        raise UnknownExpression(f"{text!r}: {parser.token[1]!r} was not expected")
    return value(context)


_Value = Callable[[Context], Any]


class _Parser:
    """Recursive descent; what it builds is evaluated later, so `||` and `&&` can skip."""

    def __init__(self, text: str, functions: Mapping[str, Callable[[], Any]]) -> None:
        self._text = text
        self._functions = functions
        self._tokens = self._scan()
        self.token = next(self._tokens)

    def _scan(self) -> Iterator[tuple[str, str]]:
        position, text = 0, self._text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                raise UnknownExpression(f"{self._text!r}: cannot read {text[position:]!r}")
            position = found.end()
            yield found.lastgroup, found[found.lastgroup]
        while True:
            yield "end", ""

    def _take(self, sign: str | None = None) -> str:
        kind, text = self.token
        if sign is not None and (kind, text) != ("sign", sign):
            raise UnknownExpression(f"{self._text!r}: {sign!r} expected, {text!r} found")
        self.token = next(self._tokens)
        return text

    def either(self) -> _Value:
        left = self._both()
        while self.token == ("sign", "||"):
            self._take()
            left = _or(left, self._both())
        return left

    def _both(self) -> _Value:
        left = self._equal()
        while self.token == ("sign", "&&"):
            self._take()
            left = _and(left, self._equal())
        return left

    def _equal(self) -> _Value:
        left = self._negated()
        if self.token in (("sign", "=="), ("sign", "!=")):
            same = self._take() == "=="
            right = self._negated()
            return lambda context: _same(left(context), right(context)) is same
        return left

    def _negated(self) -> _Value:
        if self.token == ("sign", "!"):
            self._take()
            value = self._negated()
            return lambda context: not value(context)
        return self._path()

    def _path(self) -> _Value:
        kind, text = self.token
        if (kind, text) == ("sign", "("):
            self._take()
            inner = self.either()
            self._take(")")
            return inner
        self._take()
        if kind == "text":
            return lambda _: text[1:-1].replace("''", "'")
        if kind == "number":
            return lambda _: float(text)
        if kind != "name":
            raise UnknownExpression(f"{self._text!r}: a value expected, {text!r} found")
        if text in _LITERALS:
            return lambda _: _LITERALS[text]
        if self.token == ("sign", "("):
            return self._call(text)
        return self._members(_member(lambda context: context, text))

    def _call(self, name: str) -> _Value:
        self._take("(")
        if name == "format":
            return self._format()
        self._take(")")
        if name not in self._functions:
            raise UnknownExpression(f"{self._text!r}: the function {name}() is not known here")
        return lambda _: self._functions[name]()

    def _format(self) -> _Value:
        parts = [self.either()]
        while self.token == ("sign", ","):
            self._take()
            parts.append(self.either())
        self._take(")")
        return lambda context: str(parts[0](context)).format(*(p(context) for p in parts[1:]))

    def _members(self, value: _Value) -> _Value:
        while self.token in (("sign", "."), ("sign", "[")):
            if self._take() == ".":
                value = _member(value, self._take())
            else:
                value = _member(value, self._take()[1:-1])
                self._take("]")
        return value


def _member(value: _Value, name: str) -> _Value:
    def find(context: Context) -> Any:
        owner = value(context)
        if not isinstance(owner, Mapping) or name not in owner:
            raise UnknownExpression(f"no {name!r} in the contexts that the test gave")
        return owner[name]

    return find


def _or(left: _Value, right: _Value) -> _Value:
    return lambda context: left(context) or right(context)


def _and(left: _Value, right: _Value) -> _Value:
    return lambda context: left(context) and right(context)


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    if type(left) is not type(right):
        raise UnknownExpression(f"{left!r} and {right!r}: comparing kinds is not built")
    return bool(left == right)


def as_text(value: Any) -> str:
    """A value as a workflow writes it into a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
