"""What the statements of a file do to the transaction and the session around them."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_housekeeping.sql.own_transaction import (
    REFUSED_IF_PARTITIONED,
    refused_in_transaction,
)
from pytest_housekeeping.sql.parse import Node, Statement

_SAVEPOINTS = {"TRANS_STMT_SAVEPOINT", "TRANS_STMT_RELEASE", "TRANS_STMT_ROLLBACK_TO"}
_MODES = {"transaction_isolation", "transaction_read_only", "transaction_deferrable"}
# Statements that may leave something in the session: nobody knows what a DO block, or a function
# in a SELECT, does.
_TOUCH_SESSION = {
    "VariableSetStmt",
    "DoStmt",
    "CallStmt",
    "SelectStmt",
    "DiscardStmt",
    "ExecuteStmt",
    "PrepareStmt",
    "DeallocateStmt",
    "LoadStmt",
}
# What these make of a schema hangs on nothing but the schema: they run no function of anybody for
# what it answers, and look at no row to decide.
_DEFINITIONS = {
    "AlterDefaultPrivilegesStmt",
    "AlterDomainStmt",
    "AlterEnumStmt",
    "AlterFunctionStmt",
    "AlterObjectSchemaStmt",
    "AlterOwnerStmt",
    "AlterPolicyStmt",
    "AlterSeqStmt",
    "AlterTableStmt",
    "CommentStmt",
    "CompositeTypeStmt",
    "CreateDomainStmt",
    "CreateEnumStmt",
    "CreateFunctionStmt",
    "CreatePolicyStmt",
    "CreateRangeStmt",
    "CreateSchemaStmt",
    "CreateSeqStmt",
    "CreateStmt",
    "CreateTrigStmt",
    "DefineStmt",
    "DropStmt",
    "GrantStmt",
    "IndexStmt",
    "RenameStmt",
    "RuleStmt",
    "ViewStmt",
}
# Of these PostgreSQL works out an expression at once, for the rows that are there or as a bound: a
# function in it runs, and may answer otherwise the next time, or make something.
_WORKED_OUT = {
    "AlterDomainStmt": "",
    "AlterTableStmt": "",
    "CreateSchemaStmt": "schemaElts",
    "CreateStmt": "partbound",
    "IndexStmt": "",
}
_CALL = repr({"FuncCall": {}}).strip("{}")
# Locks that one statement leaves in the lock table: the relation, its TOAST table and that
# table's index, an index for each key, a sequence for each identity column.
_LOCKS = {"CreateStmt": 5, "IndexStmt": 2, "ViewStmt": 2, "CreateSeqStmt": 2, "CreateTrigStmt": 2}
MOST_LOCKS = max(_LOCKS.values())


@dataclass(kw_only=True, slots=True)
class Effects:
    """What the statements of one file, of which there are so many, do together.

    ``control`` would begin or end a transaction, ``modes`` say of which kind it is, ``alone``
    refuses to run in one, ``may_be_alone`` does so for some objects, ``client_copy`` reads rows
    from a client. ``values_added`` are those
    that enums get. ``only_defines``: what they make of a schema hangs on nothing but the schema;
    ``only_drops``: of no table that they leave is anything gone.
    """

    statements: int
    touches_session: bool = False
    only_defines: bool = True
    only_drops: bool = True
    locks: int = 0
    values_added: list[str] = field(default_factory=list)
    alone: list[tuple[Statement, str]] = field(default_factory=list)
    may_be_alone: bool = False
    control: list[tuple[Statement, str]] = field(default_factory=list)
    modes: list[Statement] = field(default_factory=list)
    client_copy: list[Statement] = field(default_factory=list)


def effects_of(statements: list[Statement]) -> Effects:
    """Gather what decides how a file has to run."""
    effects = Effects(statements=len(statements))
    for statement in statements:
        _add(effects, statement)
    return effects


def _add(effects: Effects, statement: Statement) -> None:
    name, body = statement.name, statement.body
    effects.locks += _LOCKS.get(name, 0)
    if name in _TOUCH_SESSION or statement.sets or _makes_temporary(body):
        effects.touches_session = True
    if name not in _DEFINITIONS or effects.touches_session or _runs_a_function(name, body):
        effects.only_defines = False
    if name != "DropStmt" or body.get("behavior") == "DROP_CASCADE":
        effects.only_drops = False
    if name == "TransactionStmt" and body.get("kind") not in _SAVEPOINTS:
        effects.control.append((statement, _command(body)))
    elif name == "VariableSetStmt" and _sets_a_mode(body):
        effects.modes.append(statement)
    elif name == "AlterEnumStmt" and "newVal" in body and "oldVal" not in body:
        effects.values_added.append(body["newVal"])
    elif name == "CopyStmt" and "filename" not in body and "is_program" not in body:
        effects.client_copy.append(statement)
    elif (what := refused_in_transaction(name, body)) is not None:
        effects.alone.append((statement, what))
    elif name in REFUSED_IF_PARTITIONED:
        effects.may_be_alone = True


def _sets_a_mode(body: Node) -> bool:
    """``SET TRANSACTION``, or one of the settings that it stands for."""
    name = str(body.get("name", "")).lower()
    return name in {"transaction", "transaction snapshot"} or (
        name in _MODES and body.get("kind") in {"VAR_SET_VALUE", "VAR_SET_DEFAULT"}
    )


def _runs_a_function(name: str, body: Node) -> bool:
    if name not in _WORKED_OUT:
        return False
    part = _WORKED_OUT[name]
    # A text that holds just this counts as well: it is believed less then, and that is all.
    return _CALL in repr(body.get(part) if part else body)


def _command(body: Node) -> str:
    """A kind that the tree leaves out is the first one: BEGIN."""
    kind = str(body.get("kind", "TRANS_STMT_BEGIN")).removeprefix("TRANS_STMT_")
    return {"START": "START TRANSACTION", "PREPARE": "PREPARE TRANSACTION"}.get(
        kind, kind.replace("_", " ")
    )


def _makes_temporary(body: Node) -> bool:
    relation = body.get("relation") or body.get("into", {}).get("rel") or body.get("view") or {}
    return bool(relation.get("relpersistence") == "t")
