"""From two schema dumps, a proposal of SQL that leads from the later back to the earlier schema.

A person reviews and completes it: dumps know nothing of the data. It is never run by the tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pytest_housekeeping.snapshot.way_back.inverse import (
    Mark,
    Proposed,
    Said,
    statements,
    undo,
    unknown,
)
from pytest_housekeeping.sql.identifiers import quoted, text_literal
from pytest_housekeeping.sql.parse import printed
from pytest_housekeeping.sql.parser import Node

_GONE = {
    "CreateStmt": "its rows are gone; they have to come out of a backup of the data",
    "CreateTableAsStmt": "it is filled anew by REFRESH MATERIALIZED VIEW",
}
_ATTACHED = ("IndexStmt", "CreatePolicyStmt", "CreateTrigStmt", "GrantStmt", "CommentStmt")


def propose(before: str, after: str) -> tuple[Proposed, ...]:
    """Statements from the schema of ``after`` to that of ``before``, each with its mark.

    What came is dropped, the last one first, for pg_dump writes in the order of dependencies; what
    went is made again in the order of ``before``. A difference for which no statement is known is
    named in a comment. Raises ParseError for a text that is no dump.
    """
    old, new = statements(before), statements(after)
    old_texts, new_texts = {said.text for said in old}, {said.text for said in new}
    came = [said for said in new if said.text not in old_texts]
    went = [said for said in old if said.text not in new_texts]
    here = {said.subject: said for said in went if said.makes}
    there = {said.subject: said for said in came if said.makes}
    changed = {name for name in here if name in there and _in_place(here[name])}
    dropped = {name for name in there if name not in changed}
    # What is dropped and made again has lost what was said of it and has not changed.
    again = [said for said in old if said in went or _about(said) & dropped & here.keys()]
    return (
        *_backward(came, here, changed, dropped),
        *_forward(again, there, changed),
    )


def _backward(
    came: Sequence[Said], here: dict[str, Said], changed: set[str], dropped: set[str]
) -> Iterator[Proposed]:
    for said in reversed(came):
        if said.subject in changed and said.makes:
            yield from _shrunk(here[said.subject], said)
        elif _goes_along(said) and _about(said) & dropped:
            continue
        else:
            proposed = undo(said)
            if proposed.sql:
                yield proposed


def _forward(
    again: Sequence[Said], there: dict[str, Said], changed: set[str]
) -> Iterator[Proposed]:
    for said in again:
        if said.subject in changed and said.makes:
            yield from _grown(said, there[said.subject])
            continue
        why = _GONE.get(said.node.tag, "")
        mark = Mark.CANNOT_BE_UNDONE if said.node.tag == "CreateStmt" else Mark.SAFE
        yield Proposed(sql=said.text, mark=mark, why=why)


def _goes_along(said: Said) -> bool:
    """What goes with the object that it is about. A foreign key goes first, for it holds two
    tables, and so does a default that calls a sequence."""
    if said.node.tag == "AlterTableStmt":
        return bool(said.node.cmds[0].subtype.endswith("RowSecurity"))
    return said.node.tag in _ATTACHED


def _in_place(said: Said) -> bool:
    """Whether an object is changed in place: it holds rows, or others depend on it."""
    return said.node.tag in ("CreateStmt", "CreateEnumStmt", "CreateFunctionStmt")


def _about(said: Said) -> set[str]:
    """The objects that a statement is about, under each kind that they could be of."""
    node = said.node
    relation = getattr(node, "relation", None) or getattr(node, "table", None)
    if relation is None:
        text = f" {printed(node)} ".replace("(", " (")
        kinds = ("SCHEMA", "TYPE", "DOMAIN", "SEQUENCE", "TABLE", "VIEW", "MATERIALIZED VIEW")
        words = {word.rstrip(",;") for word in text.split()}
        return {f"{kind} {word}" for kind in kinds for word in words}
    name = printed(relation).removeprefix("ONLY ")
    return {f"{kind} {name}" for kind in ("TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE")}


# -- what is changed where it stands ---------------------------------------------------------------


def _shrunk(old: Said, new: Said) -> Iterator[Proposed]:
    """First part of changing an object back in place: what it has got since is taken away."""
    name = old.node.tag
    if name == "CreateStmt":
        yield from _columns_dropped(old, new)
    elif name == "CreateEnumStmt":
        labels = [label.sval for label in old.node.vals]
        more = [label.sval for label in new.node.vals if label.sval not in labels]
        if not more:
            return
        yield Proposed(
            sql=f"-- {old.subject}: the values {', '.join(more)} came and stay.\n"
            "-- To be rid of them: make a type of the old values, ALTER each column to it with"
            " USING, drop this one, rename.",
            mark=Mark.CANNOT_BE_UNDONE,
            why="PostgreSQL has no DROP VALUE, and rows may hold them",
        )


def _grown(old: Said, new: Said) -> Iterator[Proposed]:
    """Second part of changing an object back in place: what it has lost since is made again."""
    name = old.node.tag
    if name == "CreateStmt":
        yield from _columns_made(old, new)
    elif name == "CreateEnumStmt":
        yield from _values_made(old, new)
    elif name == "CreateFunctionStmt":
        if printed(old.node.returnType or old.node) != printed(new.node.returnType or new.node):
            yield Proposed(sql=f"DROP {old.subject}", mark=Mark.SAFE, why="its result has changed")
        text = old.text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
        text = text.replace("CREATE PROCEDURE", "CREATE OR REPLACE PROCEDURE", 1)
        yield Proposed(sql=text, mark=Mark.SAFE, why="its body of before")


def _values_made(old: Said, new: Said) -> Iterator[Proposed]:
    """The values that an enum lacks, each where it was."""
    there = [label.sval for label in new.node.vals]
    labels = [label.sval for label in old.node.vals]
    for place, label in enumerate(labels):
        if label not in there:
            after = f" AFTER {text_literal(labels[place - 1])}" if place else ""
            after = after or (f" BEFORE {text_literal(there[0])}" if there else "")
            there.insert(place, label)
            sql = f"ALTER {old.subject} ADD VALUE {text_literal(label)}{after}"
            yield Proposed(sql=sql, mark=Mark.SAFE, why="")


def _columns_dropped(old: Said, new: Said) -> Iterator[Proposed]:
    table = f"ALTER TABLE {printed(new.node.relation)}"
    was, now = _columns(old.node), _columns(new.node)
    for constraint in _missing(new.node, old.node):
        sql = f"{table} DROP CONSTRAINT {quoted(constraint.conname)}"
        yield Proposed(sql=sql, mark=Mark.SAFE, why="")
    for name in now:
        if name not in was:
            sql = f"{table} DROP COLUMN {quoted(name)}"
            yield Proposed(sql=sql, mark=Mark.DESTROYS_DATA, why="its values go with it")
    for name in was.keys() & now.keys():
        yield from _column_back(table, name, was[name], now[name])
    if _rest(old.node) != _rest(new.node):
        yield unknown(Said(text=f"{old.text}", node=old.node, subject=old.subject), "bring back")


def _columns_made(old: Said, new: Said) -> Iterator[Proposed]:
    table = f"ALTER TABLE {printed(new.node.relation)}"
    was, now = _columns(old.node), _columns(new.node)
    for name, column in was.items():
        if name not in now:
            yield Proposed(
                sql=f"{table} ADD COLUMN {printed(column)}",
                mark=Mark.CANNOT_BE_UNDONE,
                why="its values are gone; NOT NULL needs a value for each row that is there",
            )
    for constraint in _missing(old.node, new.node):
        yield Proposed(
            sql=f"{table} ADD {printed(constraint)}",
            mark=Mark.SAFE,
            why="rows that came meanwhile may not satisfy it",
        )


def _column_back(table: str, name: str, was: Node, now: Node) -> Iterator[Proposed]:
    """Type, default and NOT NULL of a column that is in both."""
    column = f"{table} ALTER COLUMN {quoted(name)}"
    kind = printed(was.typeName)
    if kind != printed(now.typeName):
        yield Proposed(
            sql=f"{column} TYPE {kind} USING {quoted(name)}::{kind}",
            mark=Mark.DESTROYS_DATA,
            why="values that the type of before cannot hold are refused or cut",
        )
    old_default, new_default = _default(was), _default(now)
    if old_default != new_default:
        sql = f"{column} SET DEFAULT {old_default}" if old_default else f"{column} DROP DEFAULT"
        yield Proposed(sql=sql, mark=Mark.SAFE, why="")
    if _not_null(was) != _not_null(now):
        sql = f"{column} {'SET' if _not_null(was) else 'DROP'} NOT NULL"
        yield Proposed(
            sql=sql, mark=Mark.SAFE, why="a row that lacks it refuses this" * _not_null(was)
        )
    if _others(was) != _others(now):
        yield Proposed(
            sql=f"-- {table} column {quoted(name)}, bring back by hand: {printed(was)}",
            mark=Mark.CANNOT_BE_UNDONE,
            why="no statement is known that does it",
        )


def _columns(node: Node) -> dict[str, Node]:
    return {e.colname: e for e in node.tableElts if e.tag == "ColumnDef"}


def _missing(node: Node, other: Node) -> list[Node]:
    """The constraints of a table that the other text of it does not have."""
    known = {printed(e) for e in other.tableElts if e.tag == "Constraint"}
    return [e for e in node.tableElts if e.tag == "Constraint" and printed(e) not in known]


def _constraint(column: Node, kind: str) -> Iterable[Node]:
    return (each for each in column.constraints if each.contype == kind)


def _default(column: Node) -> str:
    return "".join(printed(each.raw_expr) for each in _constraint(column, "CONSTR_DEFAULT"))


def _not_null(column: Node) -> bool:
    return any(True for _ in _constraint(column, "CONSTR_NOTNULL"))


def _others(column: Node) -> list[Node | None]:
    """All of a column but its type, default and NOT NULL: how it is generated, its collation."""
    plain = ("CONSTR_DEFAULT", "CONSTR_NOTNULL")
    return [*(e for e in column.constraints if e.contype not in plain), column.collClause]


def _rest(node: Node) -> list[Any]:
    """What is neither column nor constraint: partitioning, inheritance, storage parameters."""
    parts = [node.partspec, node.partbound, node.inhRelations, node.options]
    return [*parts, node.relation.relpersistence]


def proposal_text(
    proposed: Sequence[Proposed], *, run: str, migrations: Sequence[str], folder: str
) -> str:
    """The file: what it is, and each statement below its mark."""
    head = [
        f"-- A PROPOSAL to undo promotion {run}. Nothing of it was run.",
        "--",
        "-- It was made of the schema before and after, and knows nothing of your data.",
        *(
            [
                "-- What a rollback file does already is left out. Review and complete it, and",
                "-- commit it as rollback files; what has none yet:",
            ]
            if migrations
            else ["-- Each migration has its rollback file: what is left here, none of them does."]
        ),
        *(f"--   {folder}/{path.rpartition('/')[2]}" for path in migrations),
        "-- Prove them in staging, then run the rollback again. Views and policies of repeatable",
        "-- files are taken down and brought back by the tool: leave them out.",
    ]
    if not proposed:
        head += ["--", "-- The two schemas do not differ: what the promotion did was data alone."]
    parts = []
    for each in proposed:
        why = f" {each.why}" if each.why else ""
        end = "" if each.sql.startswith("--") else ";"
        parts.append(f"\n-- {each.mark}:{why}\n{each.sql}{end}\n")
    return "\n".join(head) + "\n" + "".join(parts)
