"""What the bodies of functions do with their arguments and with rows, read with PostgreSQL's own
parser: what a rule's query cannot say.

Each proof takes the functions that the rule's query returns, and finds those whose body lets a
value of the wrong kind through. What cannot be read is undecided, which is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.code.sqltext.bodies import QUERY_RUNNERS
from pytest_housekeeping.checks.rls.expressions.body_flow import (
    BodyFlow,
    Leaf,
    constants_in,
    read_flow,
)
from pytest_housekeeping.checks.rls.expressions.plpgsql_body import FlowUnread
from pytest_housekeeping.checks.rls.proofs.request import ProofRequest
from pytest_housekeeping.checks.rules.evaluation import evaluate, findings_of
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection

_SET = re.compile(r"\b(set|set_config)\b", re.IGNORECASE)
_NOTIFY = re.compile(r"\bnotify\b", re.IGNORECASE)
_RECORDS = ("new", "old")
# Functions that run a text which they are handed: of PostgreSQL, and of its extensions.
_RUNNERS = (
    *QUERY_RUNNERS,
    *("connectby", "xpath_table"),
    *("dblink", "dblink_exec", "dblink_open", "dblink_send_query"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Function:
    """A row of the rule's query. ``quiet`` are columns that tell who a row is and no more."""

    row: Mapping[str, Any]
    flow: BodyFlow
    quiet: frozenset[str]

    def argument(self, leaf: Leaf, *, text: bool = False) -> str:
        """The argument that a value comes from, in words; ``text``: one that may be any text."""
        for number, each in enumerate(self.row["arguments"], start=1):
            names = ((each["name"],), (self.row["name"], each["name"]), (f"${number}",))
            if (number == leaf.number or leaf.parts in names) and (each["text"] or not text):
                return each["name"] or f"${number}"
        return ""


def prove_no_text_run(connection: Connection, request: ProofRequest) -> Verdict:
    """No function that runs with its owner's rights runs a text that its caller has written."""
    return _prove(connection, request, _runs)


def prove_rows_not_told(connection: Connection, request: ProofRequest) -> Verdict:
    """No notification carries what a protected row holds, its key and its identity aside."""
    return _prove(connection, request, _tells)


def prove_context_not_taken(connection: Connection, request: ProofRequest) -> Verdict:
    """No function that an untrusted role may call sets the context to what its argument says."""
    context = frozenset(name.lower() for name in request.contract.context)
    return _prove(connection, request, lambda function: _takes(function, context))


def row_values_sent(source: str, language: str, quiet: frozenset[str]) -> str:
    """What of the row of a trigger its body puts into a notification, in words; empty where nothing
    is, or where it cannot be read."""
    try:
        flow = read_flow(source, language, [])
    except FlowUnread:
        return ""
    row = {"name": "", "arguments": (), "helpers": ()}
    return ", ".join(dict.fromkeys(_tells(_Function(row=row, flow=flow, quiet=quiet))))


def _prove(
    connection: Connection, request: ProofRequest, judge: Callable[[_Function], Iterable[str]]
) -> Verdict:
    rule = request.rule
    seen = evaluate(connection, request.scope, rule)
    found = [{**row, "detail": detail} for row in seen.rows for detail in _details(row, judge)]
    return Verdict(
        examined=seen.examined,
        findings=findings_of(rule, found),
        evidence=(f"{len(seen.rows)} bodies were read",),
    )


def _details(
    row: Mapping[str, Any], judge: Callable[[_Function], Iterable[str]]
) -> tuple[str, ...]:
    arguments = [each["name"] or "" for each in row["arguments"]]
    try:
        flow = read_flow(row["source"], row["language"], arguments)
        function = _Function(row=row, flow=flow, quiet=frozenset(row.get("quiet") or ()))
        words = tuple(dict.fromkeys(judge(function)))
    except FlowUnread:
        return (f"undecided: its body, in {row['language']}, could not be read",)
    return (f"{', '.join(words)} {row['detail']}",) if words else ()


def _runs(function: _Function) -> Iterator[str]:
    handed = [call.args for name in _RUNNERS for call, _ in function.flow.calls(name, own=True)]
    for expression in (*function.flow.dynamic, *handed):
        for leaf in function.flow.leaves(expression, unquoted=True):
            if leaf.parts == ("current_setting",):
                yield "a setting"
            elif name := function.argument(leaf, text=True):
                yield name


def _takes(function: _Function, context: frozenset[str]) -> Iterator[str]:
    flow = function.flow
    for call, _ in flow.calls("set_config"):
        name, value = call.args[:2]
        chosen = constants_in(name).replace(" ", "").lower()
        named = any(function.argument(leaf) for leaf in flow.leaves(name))
        if named or chosen in context:
            yield from (word for leaf in flow.leaves(value) if (word := _chosen(function, leaf)))
    for expression in flow.dynamic:
        text = constants_in(expression)
        if _SET.search(text) and any(name in text.lower() for name in context):
            yield from (
                word for leaf in flow.leaves(expression) if (word := _chosen(function, leaf))
            )


def _chosen(function: _Function, leaf: Leaf) -> str:
    """What of a value its caller has chosen: an argument, or the new row of a trigger."""
    if leaf.parts[:1] == ("new",):
        return f"the new row's {leaf.key or leaf.parts[-1]}"
    return function.argument(leaf)


def _tells(function: _Function) -> Iterator[str]:
    flow = function.flow
    told: list[tuple[Any, bool]] = [(call.args, reads) for call, reads in flow.calls("pg_notify")]
    told += [(each, False) for each in flow.dynamic if _NOTIFY.search(constants_in(each))]
    # What is handed to a function that sends its argument on is told by that.
    told += [
        (call.args, reads)
        for helper in function.row["helpers"] or ()
        for call, reads in flow.calls(helper, own=True)
    ]
    for expression, reads in told:
        for leaf in flow.leaves(expression, reads=reads):
            if not function.argument(leaf) and (word := _held(function, leaf)):
                yield word


def _held(function: _Function, leaf: Leaf) -> str:
    """What of a row a value shows, in words; empty where it shows its key or identity at most."""
    record = leaf.parts[:1] and leaf.parts[0] in _RECORDS
    if not record and not leaf.source:
        return ""
    name = leaf.key or leaf.parts[-1]
    if name in function.quiet:
        return ""
    whole = not leaf.key and (len(leaf.parts) == 1 if record else leaf.parts[-1] == "*")
    return "the whole row" if whole else name
