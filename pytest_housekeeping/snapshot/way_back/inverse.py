"""Which statement takes back another one: CREATE by DROP, GRANT by REVOKE, and so on.

Statements are read by PostgreSQL's parser. Where there is none that does it, a comment says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pytest_housekeeping.sql.created_object import created_object, dotted
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.parse import printed
from pytest_housekeeping.sql.parser import Node, changed, parse, split


class Mark(StrEnum):
    """What a proposed statement does to what is there."""

    SAFE = "safe"
    DESTROYS_DATA = "destroys data"
    CANNOT_BE_UNDONE = "cannot be undone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """One statement to look at: what it does, and what is lost or to be decided."""

    sql: str
    mark: Mark
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """A statement of a dump: its text, its tree, and the object that it speaks of."""

    text: str
    node: Node
    subject: str

    @property
    def makes(self) -> bool:
        """Whether it makes its object, and does not only say something of it."""
        name = self.node.tag
        return name.startswith("Create") or name in _MAKERS or _adds_constraint(self.node)


_MAKERS = ("ViewStmt", "IndexStmt", "DefineStmt", "RuleStmt", "CompositeTypeStmt")
_NAMELESS = ("VariableSetStmt", "SelectStmt", "TransactionStmt")
_SUBTYPES: dict[str, tuple[str, Mark, str]] = {
    "AT_EnableRowSecurity": (
        "DISABLE ROW LEVEL SECURITY",
        Mark.SAFE,
        "row-level security is off again: see that nobody reaches the rows",
    ),
    "AT_ForceRowSecurity": (
        "NO FORCE ROW LEVEL SECURITY",
        Mark.SAFE,
        "its owner is not bound by the policies again",
    ),
    "AT_DisableRowSecurity": ("ENABLE ROW LEVEL SECURITY", Mark.SAFE, ""),
    "AT_NoForceRowSecurity": ("FORCE ROW LEVEL SECURITY", Mark.SAFE, ""),
}


def statements(dump: str) -> tuple[Said, ...]:
    """The statements of a schema dump, in its order, which is that of their dependencies."""
    text = "\n".join(line for line in dump.splitlines() if not line.startswith("\\"))
    found = []
    for each in split(text):
        node = parse(each)[0].stmt
        if node.tag not in _NAMELESS:
            found.append(Said(text=_bare(each), node=node, subject=subject(node)))
    return tuple(found)


def _bare(text: str) -> str:
    """Without the comments that pg_dump writes above a statement."""
    lines = text.strip().splitlines()
    while lines and (not lines[0].strip() or lines[0].startswith("--")):
        lines.pop(0)
    return "\n".join(lines)


def subject(node: Node) -> str:
    """The object that a statement makes, ``TABLE shop.item``, or the one that it is about."""
    if found := created_object(node):
        return " ".join(found)
    if node.tag == "AlterTableStmt":
        if _adds_constraint(node):
            constraint = node.cmds[0].def_.conname
            return f"CONSTRAINT {quoted(constraint)} ON {printed(node.relation)}"
        return f"TABLE {printed(node.relation)}"
    return printed(node)


def undo(said: Said) -> Proposed:
    """What takes a statement back; a comment that says so, where nothing does."""
    name = said.node.tag
    if name == "CreateStmt":
        return Proposed(
            sql=f"DROP {said.subject}", mark=Mark.DESTROYS_DATA, why="its rows go with it"
        )
    if created_object(said.node):
        return Proposed(sql=f"DROP {said.subject}", mark=Mark.SAFE, why="")
    work = _TAKEN_BACK.get(name)
    taken = work(said.node) if work else None
    return taken or unknown(said, "take back")


def unknown(said: Said, verb: str) -> Proposed:
    """A comment that names a difference for which no statement is known; none is left out."""
    shown = "\n".join(f"--   {line}" for line in said.text.splitlines())
    return Proposed(
        sql=f"-- {verb} by hand:\n{shown}",
        mark=Mark.CANNOT_BE_UNDONE,
        why="no statement is known that does it",
    )


def _altered(node: Node) -> Proposed | None:
    table = f"ALTER TABLE {printed(node.relation)}"
    command = node.cmds[0]
    kind, column = command.subtype, command.name
    if _adds_constraint(node):
        dropped = quoted(command.def_.conname)
        return Proposed(sql=f"{table} DROP CONSTRAINT {dropped}", mark=Mark.SAFE, why="")
    if kind in _SUBTYPES:
        words, mark, why = _SUBTYPES[kind]
        return Proposed(sql=f"{table} {words}", mark=mark, why=why)
    if kind == "AT_ColumnDefault":
        sql = f"{table} ALTER COLUMN {quoted(column)} DROP DEFAULT"
        return Proposed(sql=sql, mark=Mark.SAFE, why="")
    if kind == "AT_AddIdentity":
        sql = f"{table} ALTER COLUMN {quoted(column)} DROP IDENTITY"
        return Proposed(sql=sql, mark=Mark.SAFE, why="its values stay, and no new ones are made")
    if kind == "AT_AttachPartition":
        part = printed(command.def_.name)
        return Proposed(sql=f"{table} DETACH PARTITION {part}", mark=Mark.SAFE, why="")
    if kind == "AT_ChangeOwner":
        return Proposed(sql="", mark=Mark.SAFE, why="")
    return None


def _granted(node: Node) -> Proposed:
    """A grant is revoked, and what was revoked is granted again."""
    grant = getattr(node, "action", node)
    grant = changed(
        grant,
        is_grant=not grant.is_grant,
        grant_option=grant.grant_option and not grant.is_grant,
    )
    whole = grant if node.tag == "GrantStmt" else changed(node, action=grant)
    return Proposed(sql=printed(whole), mark=Mark.SAFE, why="")


def _commented(node: Node) -> Proposed:
    return Proposed(sql=printed(changed(node, comment=None)), mark=Mark.SAFE, why="")


def _defined(node: Node) -> Proposed | None:
    """An aggregate, a collation …: what is made by a list of its properties."""
    kind = node.kind.removeprefix("OBJECT_").replace("_", " ")
    if kind not in ("COLLATION", "TYPE"):
        return None
    return Proposed(sql=f"DROP {kind} {dotted(node.defnames)}", mark=Mark.SAFE, why="")


def _sequence(node: Node) -> Proposed:
    sql = f"ALTER SEQUENCE {printed(node.sequence)} OWNED BY NONE"
    return Proposed(sql=sql, mark=Mark.SAFE, why="")


def _nothing(_: Node) -> Proposed:
    """A change of owner is not taken back: what is dropped has none, what stays keeps its own."""
    return Proposed(sql="", mark=Mark.SAFE, why="")


_TAKEN_BACK: dict[str, Callable[[Node], Proposed | None]] = {
    "AlterTableStmt": _altered,
    "GrantStmt": _granted,
    "AlterDefaultPrivilegesStmt": _granted,
    "CommentStmt": _commented,
    "DefineStmt": _defined,
    "AlterSeqStmt": _sequence,
    "AlterOwnerStmt": _nothing,
}


def _adds_constraint(node: Node) -> bool:
    commands: tuple[Node, ...] = getattr(node, "cmds", ())
    return [each.subtype for each in commands] == ["AT_AddConstraint"]
