"""Statements that are handed to a database: tagged templates, and calls such as ``db.query()``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.readers.script.chains import is_database
from pytest_housekeeping.checks.code.readers.script.script_file import ScriptFile
from pytest_housekeeping.checks.code.readers.script.text import TAGS
from pytest_housekeeping.checks.code.readers.script.tree import (
    arguments,
    callee,
    pairs,
    tagged,
    unwrapped,
    words,
)
from pytest_housekeeping.checks.code.sqltext.parse import parse_template
from pytest_housekeeping.checks.code.sqltext.recognize import starts_like_sql
from pytest_housekeeping.checks.code.sqltext.template import visible_text
from pytest_housekeeping.checks.code.vocabulary import vocabulary

if TYPE_CHECKING:
    from tree_sitter import Node

_SINKS = vocabulary(
    """
    query execute raw unsafe $queryRawUnsafe $executeRawUnsafe literal any one none many
    oneOrNone manyOrNone multi stream prepare queryRaw executeSql each map result
    """
)
# Names that other things bear as well: read only where what is called is plainly a database.
_AMBIGUOUS = vocabulary("any one none many multi stream prepare each map result literal")
_BUILT = ("compile", "select", "insert", "update")


def read(file: ScriptFile) -> None:
    """Take in every statement that a call or a tag hands to a database."""
    for call in file.nodes.get("call", ()):
        if (inner := tagged(call)) is not None:
            _tagged(file, call, inner)
        else:
            _sink(file, call)


def _tagged(file: ScriptFile, call: Node, inner: Node) -> None:
    _, name = callee(call)
    if name not in TAGS:
        return
    text = file.template(call) or ()
    file.done.add(inner.id)
    sink = starts_like_sql(visible_text(text))
    if _is_nested(call) and not sink:
        return  # a part of the statement around it
    file.collector.add_text(text, file.span(inner), how=f"{name}``", sink=sink)


def _is_nested(call: Node) -> bool:
    parent = call.parent
    return parent is not None and parent.type == "template_substitution"


def _sink(file: ScriptFile, call: Node) -> None:
    base, name = callee(call)
    if name not in _SINKS or (base is None and name != "query"):
        return
    given = arguments(call)
    if not given or (name in _AMBIGUOUS and not is_database(base)):
        return
    argument = given[0]
    if argument.type == "object":
        argument = next((v for k, v in pairs(argument) if k in ("text", "sql")), argument)
    if _is_tagged(argument) or (base is not None and _is_tagged(base)):
        return  # read as a tagged template
    # Surely for a database: what cannot be followed is undecided.
    sure = is_database(base) and name not in _AMBIGUOUS
    choices = _choices(file, argument)
    for node in choices:
        text = file.template(node)
        sink = sure or (text is not None and starts_like_sql(visible_text(text)))
        if text is not None and (sink or parse_template(text, sink=False)):
            file.add_text(node, how=f"{name}()", sink=sink)
    taken = all(node.id in file.done or _is_built(node) for node in choices)
    if sure and not taken and argument.type not in ("object", "array", "arrow_function"):
        said = " ".join(words(argument).split())[:60]
        reason = f"{name}() of a statement that is made elsewhere: {said}"
        file.collector.add_undecided(file.span(argument), reason)


def _is_tagged(node: Node) -> bool:
    return node.type == "call_expression" and tagged(node) is not None


def _choices(file: ScriptFile, argument: Node) -> list[Node]:
    """The expressions that an argument may be; for a name, the values that it was given."""
    if argument.type == "ternary_expression":
        return [unwrapped(each) for each in argument.named_children[1:]]
    given = file.names.given(argument)
    if given and all(operation == "=" for operation, _ in given):
        nodes = [unwrapped(value) for _, value in given]
        return [
            each
            for node in nodes
            for each in (_choices(file, node) if node.type == "ternary_expression" else [node])
        ]
    return [argument]


def _is_built(node: Node) -> bool:
    """A tagged template or a chain of a query builder, which are read as such."""
    return _is_tagged(node) or (node.type == "call_expression" and callee(node)[1] in _BUILT)
