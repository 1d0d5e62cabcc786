"""Steps of a chain that make something new."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from support.ddl_build import (
    Builder,
    Change,
    children,
    columns,
    live,
    plain,
    step,
    tables,
    text,
    together,
)
from support.ddl_expressions import (
    SORTABLE,
    TYPES,
    any_type,
    condition,
    default_for,
    new_column,
)
from support.ddl_model import PUBLIC, ROLES, DefaultPrivileges, Expr, Model, Schema, quoted
from support.ddl_parts import (
    Check,
    Constraint,
    ForeignKey,
    Index,
    Policy,
    Statistics,
    Trigger,
    Unique,
)
from support.ddl_tables import Column, MaterializedView, Ownership, Partition, Table, View
from support.ddl_things import Composite, Domain, DomainCheck, Enum, Function, Label, Sequence_


def _once(model: Model) -> list[None]:
    return [None]


def _schemas(model: Model) -> list[Schema]:
    return model.of(Schema)


def _parents(model: Model) -> list[Table]:
    """Tables that others can inherit: what their columns have beside type and default, stays."""
    return [
        each
        for each in plain(model)
        if each.parent is None
        and all(constraint.valid for constraint in model.of(Constraint) if constraint.table is each)
        and not any(column.identity or column.storage for column in each.columns)
    ]


def _sorting(model: Model) -> list[Table]:
    return [each for each in tables(model) if sortable(each)]


def sortable(table: Table) -> list[Column]:
    return [each for each in table.columns if each.type.family in SORTABLE]


@step("schema", _once)
def schema(b: Builder, _: None) -> Change:
    return b.create("schema", Schema(name=b.name("s")))


@step("table", _schemas)
def table(b: Builder, schema: Schema) -> Change:
    made = Table(name=b.name("t"), schema=schema)
    for _ in range(1 + b.number(4)):
        made.columns.append(new_column(b, made))
    if b.number(3) == 0:
        made.options["fillfactor"] = str(b.pick((50, 70, 90)))
    return b.create("table", made)


@step("table that inherits", _parents)
def child(b: Builder, parent: Table) -> Change:
    made = Table(name=b.name("t"), schema=parent.schema, parent=parent)
    made.columns = [new_column(b, made) for _ in range(1 + b.number(1))]
    return b.create("table that inherits", made)


@step("partitioned table", _schemas)
def partitioned(b: Builder, schema: Schema) -> Change:
    """With a primary key now and then, and with partitions."""
    made = Table(name=b.name("t"), schema=schema, partition_by=b.pick(("RANGE", "LIST", "HASH")))
    made.key = Column(name=b.name("c"), table=made, type=TYPES[0], not_null=True)
    made.columns = [made.key, new_column(b, made, bare=True)]
    first = b.create("", made)
    others = []
    if b.flag():
        primary = Unique(name=b.name("pk"), table=made, columns=[made.key], primary=True)
        others.append(b.create("", primary))
    others += [partition(b, made) for _ in range(1 + b.number(1))]
    return together("partitioned table", [first, *others])


@step("partition", lambda model: [each for each in tables(model) if each.key])
def partition(b: Builder, parent: Table) -> Change:
    """The number of the names makes the bounds of each different."""
    name = b.name("p")
    number = b.model.names
    bound = {
        "RANGE": f"FOR VALUES FROM ({number * 10}) TO ({number * 10 + 10})",
        "LIST": f"FOR VALUES IN ({number})",
        "HASH": f"FOR VALUES WITH (MODULUS 1000, REMAINDER {number})",
    }[parent.partition_by]
    made = Partition(name=name, schema=parent.schema, parent=parent, bound=bound)
    return b.create("partition", made)


@step("column", tables)
def column(b: Builder, table: Table) -> Change:
    bare = table.key is not None or bool(children(b.model, table))
    made = new_column(b, table, bare=bare)
    table.columns.append(made)
    return b.create("column", made)


@step("check", columns)
def check(b: Builder, column: Column) -> Change:
    alone = not column.table.key and not children(b.model, column.table)
    valid = not alone or b.flag()
    expression = condition(b, column)
    made = Check(name=b.name("ck"), table=column.table, expression=expression, valid=valid)
    return b.create("check", made)


@step("unique", _sorting)
def unique(b: Builder, table: Table) -> Change:
    columns = b.some(sortable(table), 2)
    if table.key and table.key not in columns:
        columns.insert(0, table.key)
    suffix = b.pick(("", "", " DEFERRABLE INITIALLY DEFERRED")) if not table.key else ""
    return b.create(
        "unique", Unique(name=b.name("uq"), table=table, columns=columns, suffix=suffix)
    )


def _without_primary_key(model: Model) -> list[Table]:
    having = {each.table for each in model.of(Unique) if each.primary}
    return [each for each in _sorting(model) if each not in having]


@step("primary key", _without_primary_key)
def primary_key(b: Builder, table: Table) -> Change:
    """Its columns are made NOT NULL by a word of their own: they stay so without the key."""
    columns = [table.key] if table.key else [b.pick(sortable(table))]
    up, down = [], []
    for each in columns:
        if not each.not_null:
            each.not_null = True
            up.append(f"{each.altered} SET NOT NULL")
            down.append(f"{each.altered} DROP NOT NULL")
    made = Unique(name=b.name("pk"), table=table, columns=columns, primary=True)
    not_null = Change(up=text(up), down=text(down))
    return together("primary key", [not_null, b.create("", made)] if up else [b.create("", made)])


def _targets(model: Model) -> list[Unique]:
    return [
        each
        for each in model.of(Unique)
        if live(each) and not each.table.key and "DEFERRABLE" not in each.suffix
    ]


@step("foreign key", _targets)
def foreign_key(b: Builder, target: Unique) -> Change:
    """From new columns of any table, its own included."""
    table = b.pick(tables(b.model))
    new = [Column(name=b.name("c"), table=table, type=each.type) for each in target.columns]
    changes = []
    for each in new:
        table.columns.append(each)
        changes.append(b.create("", each))
    valid = bool(table.key) or b.flag()
    suffix = b.pick(("", " ON DELETE CASCADE", " ON UPDATE SET NULL DEFERRABLE"))
    made = ForeignKey(
        name=b.name("fk"), table=table, columns=new, target=target, valid=valid, suffix=suffix
    )
    return together("foreign key", [*changes, b.create("", made)])


def _indexable(model: Model) -> list[Column]:
    """Where PostgreSQL makes up the names of indexes, one for each column is enough."""
    taken = {
        arg
        for index in model.of(Index)
        if isinstance(index.on, Table) and index.on.key
        for key in index.keys
        for arg in key.args
    }
    return [each for each in columns(model) if each not in taken]


@step("index", lambda model: [e for e in _indexable(model) if e.type.family in SORTABLE])
def index(b: Builder, column: Column) -> Change:
    table, keys = column.table, [Expr("{0}", (column,))]
    made = Index(name=b.name("ix"), on=table, keys=keys)
    if not table.key:
        made.unique = b.flag()
        keys[0] = Expr(b.pick(("{0}", "{0} DESC NULLS LAST", "{0} ASC")), (column,))
        keys += [Expr("{0}", (each,)) for each in b.some(sortable(table), 1) if each is not column]
        made.options = b.pick(({}, {}, {"fillfactor": "60"}))
    return b.create("index", made)


@step("partial index", lambda model: [e for e in _sorting(model) if not e.key])
def partial_index(b: Builder, table: Table) -> Change:
    column = b.pick(sortable(table))
    where = Expr(b.pick(("{0} IS NOT NULL", "{0} IS NULL")), (b.pick(table.columns),))
    made = Index(name=b.name("ix"), on=table, keys=[Expr("{0}", (column,))], where=where)
    return b.create("partial index", made)


_EXPRESSIONS = {
    "number": ("btree", "(abs({0}) + 1)"),
    "text": ("btree", 'lower({0}) COLLATE "C" text_pattern_ops'),
    "json": ("gin", "{0}"),
    "array": ("gin", "{0}"),
    "bool": ("hash", "(NOT {0})"),
}


@step(
    "expression index",
    lambda model: [e for e in columns(model) if not e.table.key and e.type.family in _EXPRESSIONS],
)
def expression_index(b: Builder, column: Column) -> Change:
    method, expression = _EXPRESSIONS[column.type.family]
    keys = [Expr(expression, (column,))]
    made = Index(name=b.name("ix"), on=column.table, keys=keys, method=method)
    return b.create("expression index", made)


def _view(b: Builder, kind: type[View], stem: str, table: Table) -> View:
    other = b.pick([each for each in tables(b.model) if each.columns])
    columns = b.some(table.columns, 3)
    if other is not table and b.flag():
        columns.append(b.pick(other.columns))
    return kind(
        name=b.name(stem),
        schema=b.pick(b.model.of(Schema)),
        sources=[(each, b.name("out")) for each in columns],
        where=condition(b, b.pick(table.columns)) if b.flag() else None,
    )


@step("view", lambda model: [each for each in tables(model) if each.columns])
def view(b: Builder, table: Table) -> Change:
    made = _view(b, View, "v", table)
    made.options = b.pick(({}, {"security_invoker": "true"}, {"security_barrier": "true"}))
    return b.create("view", made)


@step("materialized view", lambda model: [each for each in tables(model) if each.columns])
def materialized_view(b: Builder, table: Table) -> Change:
    made = _view(b, MaterializedView, "mv", table)
    first = b.create("materialized view", made)
    family = made.sources[0][0].type.family
    if family not in SORTABLE or b.flag():
        return first
    keys = [Expr(quoted(made.sources[0][1]))]
    index = Index(name=b.name("ix"), on=made, keys=keys)  # type: ignore[arg-type]
    return together("materialized view", [first, b.create("", index)])


def _function(kind: str, *forms: str) -> None:
    @step(kind, _schemas)
    def function(b: Builder, schema: Schema) -> Change:
        made = Function(name=b.name("f"), schema=schema, form=b.pick(forms), number=1 + b.number(8))
        made.volatility = b.pick(("IMMUTABLE", "STABLE", "VOLATILE"))
        made.definer, made.path = (b.flag(), b.flag()) if made.form != "atomic" else (False, False)
        if made.form != "trigger" and b.number(2) == 0:
            made.extra = any_type(b)
        return b.create(kind, made)


_function("function", "sql", "atomic", "plpgsql")
_function("trigger function", "trigger")
_function("procedure", "procedure")


@step("trigger", lambda model: _pairs(model, lambda f: f.form == "trigger"))
def trigger(b: Builder, pair: tuple[Table, Function]) -> Change:
    table, function = pair
    watched = [each for each in table.columns if not each.generated]
    columns = b.some(watched, 2) if watched and b.flag() else []
    made = Trigger(
        name=b.name("tr"),
        table=table,
        columns=columns,
        function=function,
        timing=b.pick(("BEFORE", "AFTER")),
    )
    return b.create("trigger", made)


def _pairs(model: Model, fits: Callable[[Function], bool]) -> Sequence[tuple[Table, Function]]:
    return [(one, f) for one in tables(model) for f in model.of(Function) if fits(f)]


@step("enum", _schemas)
def enum(b: Builder, schema: Schema) -> Change:
    labels = [Label(name=b.name(stem)) for stem in ("new", "it's", "done")[: 1 + b.number(2)]]
    return b.create("enum", Enum(name=b.name("e"), schema=schema, labels=labels))


@step("domain", _schemas)
def domain(b: Builder, schema: Schema) -> Change:
    base = b.pick(TYPES[:6])
    made = Domain(name=b.name("d"), schema=schema, base=base, not_null=b.number(3) == 0)
    default = default_for(b, base) if b.flag() else None
    made.default = default.sql if default and not default.args else ""
    return b.create("domain", made)


_DOMAIN_CHECKS = {"number": "VALUE > -5", "text": "VALUE <> ''"}


@step("domain check", lambda model: model.of(Domain))
def domain_check(b: Builder, domain: Domain) -> Change:
    expression = _DOMAIN_CHECKS.get(domain.base.family, "VALUE IS NOT NULL")
    made = DomainCheck(name=b.name("ck"), domain=domain, expression=expression, valid=b.flag())
    return b.create("domain check", made)


@step("composite type", _schemas)
def composite(b: Builder, schema: Schema) -> Change:
    attributes = [(b.name("a"), b.pick(TYPES).text) for _ in range(1 + b.number(2))]
    made = Composite(name=b.name("ct"), schema=schema, attributes=attributes)
    return b.create("composite type", made)


@step("sequence", _schemas)
def sequence(b: Builder, schema: Schema) -> Change:
    made = Sequence_(name=b.name("q"), schema=schema, increment=1 + b.number(4), cycle=b.flag())
    return b.create("sequence", made)


def _ownable(model: Model) -> list[tuple[Sequence_, Column]]:
    """A sequence and its table have to be in one schema, and of one owner."""
    owned = {each.sequence for each in model.of(Ownership)}
    return [
        (one, column)
        for one in model.of(Sequence_)
        for column in columns(model)
        if one not in owned and one.schema is column.table.schema and not column.table.owner
    ]


@step("sequence owned", _ownable)
def sequence_owned(b: Builder, pair: tuple[Sequence_, Column]) -> Change:
    return b.create("sequence owned", Ownership(name="", sequence=pair[0], column=pair[1]))


@step("policy", lambda model: [each for each in tables(model) if each.columns])
def policy(b: Builder, table: Table) -> Change:
    command = b.pick(("ALL", "SELECT", "INSERT", "UPDATE", "DELETE"))
    expressions = [condition(b, b.pick(table.columns)), Expr("true")]
    made = Policy(
        name=b.name("po"),
        table=table,
        command=command,
        roles=b.pick(((ROLES[0],), ROLES, (PUBLIC,))),
        using=None if command == "INSERT" else b.pick(expressions),
        check=None if command in ("SELECT", "DELETE") else b.pick(expressions),
        restrictive=b.number(3) == 0,
    )
    return b.create("policy", made)


@step("statistics", lambda model: [each for each in tables(model) if len(_measured(each)) > 1])
def statistics(b: Builder, table: Table) -> Change:
    made = Statistics(
        name=b.name("st"),
        table=table,
        columns=_measured(table)[:3],
        kinds=b.pick(("dependencies", "ndistinct, mcv", "ndistinct")),
    )
    return b.create("statistics", made)


def _measured(table: Table) -> list[Column]:
    return [e for e in table.columns if e.type.family in ("number", "text", "moment", "bool")]


_DEFAULT_PRIVILEGES = {"TABLES": "SELECT", "SEQUENCES": "USAGE", "TYPES": "USAGE"}


@step("default privileges", lambda model: [None, *_schemas(model)])
def default_privileges(b: Builder, schema: Schema | None) -> Change:
    on = b.pick(("FUNCTIONS", *_DEFAULT_PRIVILEGES))
    everybody = schema is None and on in ("FUNCTIONS", "TYPES") and b.flag()
    role = PUBLIC if everybody else b.pick(ROLES)
    privilege = _DEFAULT_PRIVILEGES.get(on, "EXECUTE")
    made = DefaultPrivileges(name="", schema=schema, on=on, privilege=privilege, role=role)
    if any(each.made() == made.made() for each in b.model.of(DefaultPrivileges)):
        return b.create("schema", Schema(name=b.name("s")))
    return b.create("default privileges", made)
