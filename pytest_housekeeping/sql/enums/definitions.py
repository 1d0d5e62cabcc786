"""What the statements of a file make, and which enum values stand in what they store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_housekeeping.sql.enums.expressions import Scope
from pytest_housekeeping.sql.enums.known import (
    Enum,
    Known,
    Routine,
    RowType,
    Type,
    relation_names,
)
from pytest_housekeeping.sql.enums.queries import Queries, renamed
from pytest_housekeeping.sql.parse import PLANNED, Node, parsed, strings

# What is evaluated at once; all else is only stored.
_RUNS = (*PLANNED, "CreateTableAsStmt", "CopyStmt", "CallStmt")
_GIVEN = ("FUNC_PARAM_DEFAULT", "FUNC_PARAM_IN", "FUNC_PARAM_INOUT", "FUNC_PARAM_VARIADIC")


class Definitions:
    """Reads statements one after the other. ``take`` gives the values of enums that one names."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.queries = Queries(known)

    def take(self, name: str, body: Node) -> list[tuple[Enum, str]]:
        """The enum and the label of each use in a statement, in the order of the text."""
        expressions = self.queries.expressions
        expressions.used, expressions.runs = [], name in _RUNS
        if name in PLANNED:
            self.queries.read({name: body}, Scope())
        elif (define := _DEFINE.get(name)) is not None:
            define(self, body)
        else:
            expressions.see(body, Scope())
        return expressions.used

    def _see(self, node: Any, scope: Scope, into: Type | None = None) -> None:
        if node:
            self.queries.expressions.put(self.queries.expressions.see(node, scope), into)

    def _of(self, relation: Node, *aliases: str) -> Scope:
        row = self.known.row_of(relation)
        names = aliases or (relation["relname"],)
        return Scope(relations=tuple((name, row) for name in names))

    # -- relations -------------------------------------------------------------------------

    def _table(self, body: Node) -> None:
        relation = body["relation"]
        row = RowType()
        for each in body.get("inhRelations", ()):
            parent = self.known.row_of(each["RangeVar"])
            row.columns.update(parent.columns if parent else {})
            self._bound(body.get("partbound", {}), parent)
        elements = body.get("tableElts", ())
        for each in elements:
            if column := each.get("ColumnDef"):
                row.columns.setdefault(
                    column["colname"], self.known.type_of(column.get("typeName"))
                )
            elif like := each.get("TableLikeClause"):
                other = self.known.row_of(like["relation"])
                row.columns.update(other.columns if other else {})
        self._add(relation, row)
        scope = self._of(relation)
        params = body.get("partspec", {}).get("partParams", ())
        row.keys = tuple(row.columns.get(each["PartitionElem"].get("name", "")) for each in params)
        for each in elements:
            self._element(each, row, scope)
        for each in body.get("constraints", ()):
            self._element(each, row, scope)

    def _add(self, relation: Node, row: RowType) -> None:
        self.known.relations[self.known.place_for(relation_names(relation))] = row

    def _element(self, element: Node, row: RowType, scope: Scope) -> None:
        column = element.get("ColumnDef", {})
        type_ = row.columns.get(column.get("colname", ""))
        for each in (*column.get("constraints", ()), element):
            if constraint := each.get("Constraint"):
                into = (
                    type_
                    if constraint["contype"] in ("CONSTR_DEFAULT", "CONSTR_GENERATED")
                    else None
                )
                self._see(constraint.get("raw_expr"), scope, into)
                self._see(constraint.get("where_clause"), scope)

    def _bound(self, bound: Node, parent: RowType | None) -> None:
        keys = parent.keys if parent else ()
        for each in bound.get("listdatums", ()):
            self._see(each, Scope(), keys[0] if keys else None)
        for side in ("lowerdatums", "upperdatums"):
            for key, each in zip(keys, bound.get(side, ()), strict=False):
                self._see(each, Scope(), key)

    def _alter_table(self, body: Node) -> None:
        relation = body["relation"]
        row = self.known.row_of(relation) or RowType()
        scope = Scope(relations=((relation["relname"], row),))
        for each in body.get("cmds", ()):
            command = each["AlterTableCmd"]
            definition, subtype = command.get("def", {}), command.get("subtype")
            name = command.get("name", "")
            if subtype == "AT_AddColumn":
                column = definition["ColumnDef"]
                row.columns[column["colname"]] = self.known.type_of(column.get("typeName"))
                self._element(definition, row, scope)
            elif subtype == "AT_ColumnDefault":
                self._see(definition, scope, row.columns.get(name))
            elif subtype == "AT_AlterColumnType":
                column = definition["ColumnDef"]
                type_ = self.known.type_of(column.get("typeName"))
                self._see(column.get("raw_default"), scope, type_)
                row.columns[name] = type_
            elif subtype == "AT_DropColumn":
                row.columns.pop(name, None)
            elif subtype == "AT_AttachPartition":
                self._bound(definition["PartitionCmd"].get("bound", {}), row)
            else:
                self._element(definition, row, scope)

    def _view(self, body: Node) -> None:
        row = self.queries.row_of(body["query"], Scope())
        into = body.get("view") or body["into"]["rel"]
        names = body.get("aliases") or body.get("into", {}).get("colNames")
        self._add(into, renamed(row, names) or row)

    def _index(self, body: Node) -> None:
        scope = self._of(body["relation"])
        self._see(body.get("whereClause"), scope)
        for each in body.get("indexParams", ()):
            self._see(each["IndexElem"].get("expr"), scope)

    def _policy(self, body: Node) -> None:
        scope = self._of(body["table"])
        self._see(body.get("qual"), scope)
        self._see(body.get("with_check"), scope)

    def _trigger(self, body: Node) -> None:
        self._see(body.get("whenClause"), self._of(body["relation"], "new", "old"))

    def _rule(self, body: Node) -> None:
        scope = self._of(body["relation"], "new", "old")
        self._see(body.get("whereClause"), scope)
        for each in body.get("actions", ()):
            self.queries.read(each, scope)

    # -- types -----------------------------------------------------------------------------

    def _enum(self, body: Node) -> None:
        names = strings(body["typeName"])
        self.known.types.pop(self.known.place_for(names), None)
        enum = self.known.enum(names)
        enum.labels = list(strings(body.get("vals", ())))
        enum.made_since_commit = True

    def _composite(self, body: Node) -> None:
        columns = [each["ColumnDef"] for each in body.get("coldeflist", ())]
        types = {each["colname"]: self.known.type_of(each["typeName"]) for each in columns}
        self._add(body["typevar"], RowType(columns=types))

    def _domain(self, body: Node) -> None:
        type_ = self.known.type_of(body["typeName"])
        if type_ is not None:
            self.known.types[self.known.place_for(strings(body["domainname"]))] = type_
        self._constrain(body.get("constraints", ()), type_)

    def _alter_domain(self, body: Node) -> None:
        type_ = self.known.find(self.known.types, strings(body["typeName"]))
        definition = body.get("def", {})
        if "Constraint" in definition:
            self._constrain([definition], type_)
        else:
            self._see(definition, Scope(), type_)

    def _constrain(self, constraints: Sequence[Any], type_: Type | None) -> None:
        scope = Scope(parameters={"value": type_})
        for each in constraints:
            constraint = each["Constraint"]
            into = type_ if constraint["contype"] == "CONSTR_DEFAULT" else None
            self._see(constraint.get("raw_expr"), scope, into)

    # -- functions, and what runs a query ----------------------------------------------------

    def _function(self, body: Node) -> None:
        parameters = [each["FunctionParameter"] for each in body.get("parameters", ())]
        types = [self.known.type_of(each["argType"]) for each in parameters]
        given = [at for at, each in enumerate(parameters) if each.get("mode") in _GIVEN]
        for at, each in enumerate(parameters):
            self._see(each.get("defexpr"), Scope(), types[at])
        routine = Routine(
            names=tuple(parameters[at].get("name", "") for at in given),
            parameters=tuple(types[at] for at in given),
            result=self.known.type_of(body.get("returnType")),
        )
        key = self.known.place_for(strings(body["funcname"]))
        others = self.known.routines.get(key, [])
        alike = [each for each in others if each.parameters != routine.parameters]
        self.known.routines[key] = [*alike, routine]
        names = {each["name"]: types[at] for at, each in enumerate(parameters) if "name" in each}
        places = {f"${number}": types[at] for number, at in enumerate(given, start=1)}
        self._body(body, Scope(parameters={**names, **places}))

    def _body(self, body: Node, scope: Scope) -> None:
        """A body in SQL is read by PostgreSQL at once; one in PL/pgSQL when it is called."""
        for each in _statements(body.get("sql_body", {})):
            self._inside(each, scope)
        options = {
            each["DefElem"]["defname"]: each["DefElem"].get("arg", {})
            for each in body.get("options", ())
        }
        if options.get("language", {}).get("String", {}).get("sval", "").lower() != "sql":
            return
        for text in strings(options.get("as", {}).get("List", {}).get("items", ())):
            for statement in parsed(text):
                self._inside({statement.name: statement.body}, scope)

    def _inside(self, statement: Node, scope: Scope) -> None:
        if "ReturnStmt" in statement:
            self._see(statement["ReturnStmt"].get("returnval"), scope)
        else:
            self.queries.read(statement, scope)

    def _query(self, body: Node) -> None:
        """EXPLAIN, DECLARE CURSOR, COPY and PREPARE."""
        types = [self.known.type_of(each["TypeName"]) for each in body.get("argtypes", ())]
        scope = Scope(parameters={f"${at}": t for at, t in enumerate(types, start=1)})
        if "query" in body:
            self.queries.read(body["query"], scope)
        if "relation" in body:
            self._see(body.get("whereClause"), self._of(body["relation"]))

    def _call(self, body: Node) -> None:
        self._see({"FuncCall": body["funccall"]}, Scope())

    def _set(self, body: Node) -> None:
        if body.get("name") == "search_path" and body.get("args"):
            texts = [each["A_Const"].get("sval", {}).get("sval", "") for each in body["args"]]
            parts = [part.strip().strip('"') for text in texts for part in text.split(",")]
            self.known.path = tuple(part for part in parts if part)


def _statements(node: Node) -> list[Any]:
    """The statements of BEGIN ATOMIC, or the one RETURN."""
    if "List" not in node:
        return [node] if node else []
    return [each for item in node["List"]["items"] for each in _statements(item)]


_DEFINE: Mapping[str, Callable[[Definitions, Node], None]] = {
    "CreateStmt": Definitions._table,
    "AlterTableStmt": Definitions._alter_table,
    "ViewStmt": Definitions._view,
    "CreateTableAsStmt": Definitions._view,
    "IndexStmt": Definitions._index,
    "CreatePolicyStmt": Definitions._policy,
    "AlterPolicyStmt": Definitions._policy,
    "CreateTrigStmt": Definitions._trigger,
    "RuleStmt": Definitions._rule,
    "CreateEnumStmt": Definitions._enum,
    "CompositeTypeStmt": Definitions._composite,
    "CreateDomainStmt": Definitions._domain,
    "AlterDomainStmt": Definitions._alter_domain,
    "CreateFunctionStmt": Definitions._function,
    "ExplainStmt": Definitions._query,
    "DeclareCursorStmt": Definitions._query,
    "CopyStmt": Definitions._query,
    "PrepareStmt": Definitions._query,
    "CallStmt": Definitions._call,
    "VariableSetStmt": Definitions._set,
}
