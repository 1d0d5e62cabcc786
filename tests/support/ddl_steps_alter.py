"""Steps of a chain that change what is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from support.ddl_build import Builder, Change, columns, live, plain, step, tables, text
from support.ddl_expressions import TYPES, condition, default_for
from support.ddl_model import Model, Thing, quoted
from support.ddl_parts import Check, Constraint, ForeignKey, Index, Policy, Trigger, Unique
from support.ddl_tables import Column, Ownership, Partition, Relation, Table, View
from support.ddl_things import (
    Composite,
    Domain,
    DomainCheck,
    Enum,
    Function,
    Label,
    Sequence_,
    Type,
)

_T = TypeVar("_T")


def living(*kinds: type[_T]) -> Callable[[Model], list[_T]]:
    """Candidates: the things of these kinds that may be changed."""

    def found(model: Model) -> list[_T]:
        return [each for each in model.things if isinstance(each, kinds) and live(each)]

    return found


def _changed(kind: str, up: list[str], down: list[str]) -> Change:
    return Change(up=text(up), down=text(down), kind=kind)


def _renames(kind: str, stem: str, candidates: Callable[[Model], list[_T]]) -> None:
    @step(f"rename of {kind}", candidates)
    def renamed(b: Builder, thing: _T) -> Change:
        assert isinstance(thing, Thing)
        was, name = thing.name, b.name(stem)
        up = thing.renamed(name)
        thing.name = name
        return _changed(f"rename of {kind}", [up], [thing.renamed(was)])


def _free_columns(model: Model) -> list[Column]:
    """The names of a partition's indexes follow from those of the columns."""
    named = {
        column
        for thing in (*model.of(Index), *model.of(Unique))
        for column in thing.needs()
        if isinstance(column, Column) and column.table.key
    }
    return [each for each in columns(model) if each not in named]


_renames("schema", "s", lambda model: [e for e in model.things if e.word == "SCHEMA"])
_renames("table", "t", tables)
_renames("column", "c", _free_columns)
_renames("constraint", "con", living(Constraint))
_renames("index", "ix", living(Index))
_renames("view", "v", living(View))
_renames("routine", "f", living(Function))
_renames("type", "ty", living(Enum, Composite, Domain))
_renames("sequence", "q", living(Sequence_))
_renames("trigger or policy", "n", living(Trigger, Policy))


@step("column default", lambda model: [e for e in columns(model) if _may_default(e)])
def column_default(b: Builder, column: Column) -> Change:
    was = column.defaulted()
    column.default = default_for(b, column.type) if not column.default or b.flag() else None
    return _changed("column default", [column.defaulted()], [was])


def _may_default(column: Column) -> bool:
    return not (column.generated or column.identity)


@step("column type", lambda model: [e for e in columns(model) if _retypable(model, e)])
def column_type(b: Builder, column: Column) -> Change:
    """An expression is read anew for the new type: the server's own rewriting adds casts."""
    family = [each for each in TYPES if each.family == column.type.family]
    others = [each for each in family if each != column.type]
    around = [each for each in b.model.dependents(column) if each is not column]
    was, default = column.type, column.default
    drops = b.removed(around)
    before = [column.defaulted()] if default else []
    column.default = None
    bare = [column.defaulted()] if default else []
    column.default = default
    column.type = b.pick(others)
    makes = b.remade(around)
    up = [*drops, *bare, _retyped(column, column.type), *before, *makes]
    down = [*drops, *bare, _retyped(column, was), *before, *makes]
    return _changed("column type", up, down)


def _retyped(column: Column, type_: Type) -> str:
    return f"{column.altered} TYPE {type_.sql} USING {column.ref}::{type_.sql}"


def _retypable(model: Model, column: Column) -> bool:
    return (
        column.type.family in ("number", "text", "moment")
        and not (column.identity or column.generated or column.storage)
        and column is not column.table.key
        and not any(isinstance(each, ForeignKey) for each in model.dependents(column))
        and not any(not live(each) for each in model.dependents(column))
    )


@step("not null", lambda model: [e for e in columns(model) if _loosens(model, e)])
def not_null(b: Builder, column: Column) -> Change:
    words = ("SET", "DROP") if not column.not_null else ("DROP", "SET")
    column.not_null = not column.not_null
    up, down = (f"{column.altered} {word} NOT NULL" for word in words)
    return _changed("not null", [up], [down])


def _loosens(model: Model, column: Column) -> bool:
    keys = {each for one in model.of(Unique) if one.primary for each in one.columns}
    return column not in keys and not column.identity


@step(
    "column storage",
    lambda model: [
        column
        for table in plain(model)
        for column in table.columns
        if column.type.family in ("text", "json", "array") and not table.parent
    ],
)
def column_storage(b: Builder, column: Column) -> Change:
    was = column.storage or "EXTENDED"
    column.storage = "MAIN" if was == "EXTERNAL" else "EXTERNAL"
    said = f"{column.altered} SET STORAGE"
    return _changed("column storage", [f"{said} {column.storage}"], [f"{said} {was}"])


@step("column statistics", columns)
def column_statistics(b: Builder, column: Column) -> Change:
    was = -1 if column.statistics is None else column.statistics
    column.statistics = 200 + b.number(99)
    said = column.altered.replace("ALTER TABLE", "ALTER TABLE ONLY", 1) + " SET STATISTICS"
    return _changed("column statistics", [f"{said} {column.statistics}"], [f"{said} {was}"])


@step(  # type: ignore[arg-type]
    "validation", lambda model: [e for e in living(Check, ForeignKey)(model) if not e.valid]
)
def validation(b: Builder, constraint: Check | ForeignKey) -> Change:
    down = [constraint.dropped(), *b.remade([constraint])]
    constraint.valid = True
    return _changed("validation", [constraint.validated()], down)


@step("domain validation", lambda model: [e for e in model.of(DomainCheck) if not e.valid])
def domain_validation(b: Builder, check: DomainCheck) -> Change:
    down = [check.dropped(), *b.remade([check])]
    check.valid = True
    up = f"ALTER DOMAIN {check.domain.said} VALIDATE CONSTRAINT {quoted(check.name)}"
    return _changed("domain validation", [up], down)


@step("domain default", lambda model: model.of(Domain))
def domain_default(b: Builder, domain: Domain) -> Change:
    def said() -> str:
        default = f"SET DEFAULT {domain.default}" if domain.default else "DROP DEFAULT"
        return f"ALTER DOMAIN {domain.said} {default}"

    was = said()
    new = default_for(b, domain.base)
    domain.default = "" if domain.default or new is None or new.args else new.sql
    return _changed("domain default", [said()], [was])


@step("row security", tables)
def row_security(b: Builder, table: Table) -> Change:
    said = f"ALTER TABLE {table.said}"
    if b.flag():
        words = ("DISABLE", "ENABLE") if table.secured else ("ENABLE", "DISABLE")
        table.secured = not table.secured
    else:
        words = ("NO FORCE", "FORCE") if table.forced else ("FORCE", "NO FORCE")
        table.forced = not table.forced
    up, down = (f"{said} {word} ROW LEVEL SECURITY" for word in words)
    return _changed("row security", [up], [down])


@step("policy change", lambda model: [e for e in living(Policy)(model) if e.table.columns])
def policy_change(b: Builder, policy: Policy) -> Change:
    was = policy.altered()
    policy.roles = b.pick((("app_one",), ("app_two",), ("app_one", "app_two")))
    new = condition(b, b.pick(policy.table.columns))
    if policy.using and b.flag():
        policy.using = new
    elif policy.check:
        policy.check = new
    return _changed("policy change", [policy.altered()], [was])


@step("replica identity", plain)
def replica_identity(b: Builder, table: Table) -> Change:
    was = table.replica
    table.replica = b.pick([e for e in ("DEFAULT", "FULL", "NOTHING") if e != was])
    said = f"ALTER TABLE {table.said} REPLICA IDENTITY"
    return _changed("replica identity", [f"{said} {table.replica}"], [f"{said} {was}"])


_OPTIONS = {
    "TABLE": {"fillfactor": "85", "autovacuum_enabled": "false"},
    "MATERIALIZED VIEW": {"fillfactor": "75"},
    "VIEW": {"security_barrier": "true", "security_invoker": "true"},
    "INDEX": {"fillfactor": "55"},
}


def _with_options(model: Model) -> list[Relation | Index]:
    """A partitioned table has no storage, nor has its index."""
    return [
        each  # type: ignore[misc]
        for each in living(Relation, Index)(model)
        if not (isinstance(each, Table) and each.key)
        and not (
            isinstance(each, Index)
            and (each.method == "gin" or (isinstance(each.on, Table) and each.on.key))
        )
    ]


@step("options", _with_options)
def options(b: Builder, thing: Relation | Index) -> Change:
    known = _OPTIONS[thing.word]
    option = b.pick(list(known))
    was = thing.options.get(option)
    said = f"ALTER {thing.word} {thing.said}"
    back = f"{said} SET ({option} = {was})" if was else f"{said} RESET ({option})"
    if was == known[option]:
        del thing.options[option]
        return _changed("options", [f"{said} RESET ({option})"], [back])
    thing.options[option] = known[option]
    return _changed("options", [f"{said} SET ({option} = {known[option]})"], [back])


@step("comment", lambda model: [e for e in living(Thing)(model) if _commentable(e)])
def comment(b: Builder, thing: Thing) -> Change:
    was = thing.commented()
    thing.comment = "" if thing.comment and b.flag() else b.name("what it's for; see")
    return _changed("comment", [thing.commented()], [was])


def _commentable(thing: Thing) -> bool:
    return thing.word not in ("", "DEFAULT PRIVILEGES")


@step("function body", living(Function))
def function_body(b: Builder, function: Function) -> Change:
    was = function.replaced()
    function.number += 1
    if function.form not in ("trigger", "procedure") and b.flag():
        function.volatility = b.pick(("IMMUTABLE", "STABLE", "VOLATILE"))
    return _changed("function body", [function.replaced()], [was])


@step("view replaced", lambda model: [e for e in living(View)(model) if e.word == "VIEW"])
def view_replaced(b: Builder, view: View) -> Change:
    """A column more at its end; that can be taken away only with the view."""
    table = view.tables[0]
    was, around = list(view.sources), b.model.dependents(view)
    down = [*b.removed(around), *b.remade(around)]
    if b.flag():
        back = view.replaced()
        view.where = condition(b, b.pick(table.columns))
        return _changed("view replaced", [view.replaced()], [back])
    view.sources = [*was, (b.pick(table.columns), b.name("out"))]
    return _changed("view replaced", [view.replaced()], down)


@step("trigger switched", lambda model: [e for e in living(Trigger)(model) if not e.table.key])
def trigger_switched(b: Builder, trigger: Trigger) -> Change:
    was = trigger.switched()
    others = [e for e in ("ENABLE", "DISABLE", "ENABLE ALWAYS") if e != trigger.enabled]
    trigger.enabled = b.pick(others)
    return _changed("trigger switched", [trigger.switched()], [was])


@step("sequence change", living(Sequence_))
def sequence_change(b: Builder, sequence: Sequence_) -> Change:
    was, sequence.increment = sequence.increment, sequence.increment + 1
    said = f"ALTER SEQUENCE {sequence.said} INCREMENT"
    return _changed("sequence change", [f"{said} {sequence.increment}"], [f"{said} {was}"])


@step("identity", lambda model: [e for e in columns(model) if e.identity])
def identity(b: Builder, column: Column) -> Change:
    was = column.identity
    column.identity = "BY DEFAULT" if was == "ALWAYS" else "ALWAYS"
    said = f"{column.altered} SET GENERATED"
    return _changed("identity", [f"{said} {column.identity}"], [f"{said} {was}"])


@step("enum label", lambda model: model.of(Enum))
def enum_label(b: Builder, enum: Enum) -> Change:
    label = b.pick(enum.labels)
    was, name = label.ref, b.name("label")
    label.name = name
    said = f"ALTER TYPE {enum.said} RENAME VALUE"
    return _changed(
        "enum label", [f"{said} {was} TO {label.ref}"], [f"{said} {label.ref} TO {was}"]
    )


@step("enum value", lambda model: model.of(Enum), reversible=False)
def enum_value(b: Builder, enum: Enum) -> Change:
    """It comes last: what was made from its labels as they were, is the same."""
    label = Label(name=b.name("late"))
    enum.later.append(label)
    return Change(
        up=text([f"ALTER TYPE {enum.said} ADD VALUE {label.ref}"]),
        down="",
        irreversible="PostgreSQL cannot drop a value of an enum",
        kind="enum value",
    )


@step("attribute", lambda model: [e for e in model.of(Composite) if model.dependents(e) == [e]])
def attribute(b: Builder, composite: Composite) -> Change:
    name, type_ = b.name("a"), b.pick(TYPES).text
    composite.attributes.append((name, type_))
    said = f"ALTER TYPE {composite.said}"
    up = f"{said} ADD ATTRIBUTE {quoted(name)} {type_}"
    return _changed("attribute", [up], [f"{said} DROP ATTRIBUTE {quoted(name)}"])


def _detachable(model: Model) -> list[Partition]:
    """Not where keys reach: what a partition keeps of them would be a key of its own."""
    tied = {each.table for each in model.of(ForeignKey)}
    return [each for each in living(Partition)(model) if each.parent not in tied]


@step("partition detached", _detachable)
def detached(b: Builder, partition: Partition) -> Change:
    parent = partition.parent
    parent.frozen = True
    said = f"ALTER TABLE {parent.said}"
    return _changed(
        "partition detached",
        [f"{said} DETACH PARTITION {partition.said}"],
        [f"{said} ATTACH PARTITION {partition.said} {partition.bound}"],
    )


@step("owner", living(Table, Function))  # type: ignore[arg-type]
def owner(b: Builder, thing: Table | Function) -> Change:
    """To another role where the owner is a member of one; to itself otherwise.

    The new owner needs CREATE on the schema.
    """
    was = thing.owner or "CURRENT_USER"
    owns = any(isinstance(each, Ownership) for each in b.model.dependents(thing))
    new = b.pick(b.owners) if b.owners and not owns else "CURRENT_USER"
    thing.owner = "" if new == "CURRENT_USER" else new
    kind = "ROUTINE" if isinstance(thing, Function) else "TABLE"
    said = f"ALTER {kind} {thing.said} OWNER TO"
    up, down = [f"{said} {new}"], [f"{said} {was}"]
    held = thing.schema.acl.setdefault(new, set())
    if thing.owner and "CREATE" not in held:
        held.add("CREATE")
        up.insert(0, f"GRANT CREATE ON SCHEMA {thing.schema.said} TO {new}")
        down.append(f"REVOKE CREATE ON SCHEMA {thing.schema.said} FROM {new}")
    return _changed("owner", up, down)
