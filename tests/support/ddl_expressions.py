"""Types, defaults and conditions for the columns of a model schema, by family of type."""

from __future__ import annotations

from support.ddl_build import Builder
from support.ddl_model import Expr, Model, Thing
from support.ddl_tables import Column, Table
from support.ddl_things import Composite, Domain, Enum, Function, Label, Sequence_, Type

TYPES = (
    *(Type("number", name) for name in ("integer", "bigint", "smallint", "numeric(12, 2)")),
    *(Type("text", name) for name in ("text", "varchar(40)")),
    *(Type("moment", name) for name in ("timestamptz", "date", "timestamp(3)")),
    Type("bool", "boolean"),
    Type("json", "jsonb"),
    Type("uuid", "uuid"),
    Type("array", "text[]"),
)
SORTABLE = ("number", "text", "moment", "bool", "uuid", "enum", "domain")
_CONDITIONS = {
    "number": ("{0} >= 0", "{0} IN (1, 2, 3)", "{0} BETWEEN 1 AND 99", "{0} <> 13"),
    "text": ("{0} <> ''", "{0} IN ('a', 'b')", "length({0}) < 200", "{0} ~ '^[a-z]'"),
    "moment": ("{0} > '2020-01-01 00:00+00'",),
    "bool": ("{0}", "{0} IS NOT TRUE"),
    "json": ("jsonb_typeof({0}) = 'object'",),
    "array": ("cardinality({0}) < 9",),
}
_DEFAULTS = {
    "number": ("0", "42", "1 + 1"),
    "text": ("'a'", "'it''s'", "upper('b')"),
    "moment": ("now()", "'2020-01-01 00:00+00'"),
    "bool": ("true", "false"),
    "json": ("'{{}}'",),
    "uuid": ("gen_random_uuid()",),
    "array": ("'{{}}'", "ARRAY['a', 'b']"),
}
_GENERATED = {
    "number": ("bigint", "{0} * 2"),
    "text": ("text", "lower({0})"),
    "json": ("text", "{0} ->> 'k'"),
    "array": ("integer", "cardinality({0})"),
}


def any_type(b: Builder) -> Type:
    """A type of PostgreSQL, or one of the model."""
    own = [
        *(Type("enum", "", each) for each in b.model.of(Enum)),
        *(Type("domain", "", each) for each in b.model.of(Domain)),
        *(Type("composite", "", each) for each in b.model.of(Composite)),
    ]
    return b.pick(own) if own and b.number(2) == 0 else b.pick(TYPES)


def condition(b: Builder, column: Column) -> Expr:
    """What holds for every type of the family of the column."""
    labels = label_of(column.type)
    if labels:
        return Expr("{0} <> {1}", (column, b.pick(labels)))
    functions = callable_ones(b.model)
    if column.type.family == "number" and functions and b.number(3) == 0:
        return Expr("{0} < {1}(7)", (column, b.pick(functions)))
    return Expr(b.pick(_CONDITIONS.get(column.type.family, ("{0} IS NOT NULL",))), (column,))


def default_for(b: Builder, type_: Type) -> Expr | None:
    labels = label_of(type_)
    if labels:
        return Expr("{0}", (b.pick(labels),))
    if type_.family == "number":
        calls: list[tuple[str, Thing]] = [
            *(("nextval({0})", each) for each in b.model.of(Sequence_)),
            *(("{0}(1)", each) for each in callable_ones(b.model)),
        ]
        if calls and b.number(2) == 0:
            call, thing = b.pick(calls)
            return Expr(call, (thing,))
    known = _DEFAULTS.get(type_.family)
    return Expr(b.pick(known)) if known else None


def new_column(
    b: Builder, table: Table, *, type_: Type | None = None, bare: bool = False
) -> Column:
    """A column that is not yet in the model; a bare one has a type and a default at most."""
    column = Column(name=b.name("c"), table=table, type=type_ or any_type(b))
    column.not_null = b.number(2) == 0
    sources = [each for each in table.columns if generates(each)]
    shape = b.number(5)
    if shape == 0 and not bare and column.type.text in ("integer", "bigint", "smallint"):
        column.identity = b.pick(("ALWAYS", "BY DEFAULT"))
        column.not_null = True
        column.sequence = b.name("ids")
        column.sequence_acl = b.model.first_acl("SEQUENCES", table.schema)
    elif shape == 1 and sources and type_ is None:
        source = b.pick(sources)
        name, expression = _GENERATED[source.type.family]
        column.type = Type("number" if name != "text" else "text", name)
        column.generated, column.not_null = Expr(expression, (source,)), False
    elif shape < 4:
        column.default = default_for(b, column.type)
    return column


def generates(column: Column) -> bool:
    return column.type.family in _GENERATED and not column.generated


def label_of(type_: Type) -> list[Label]:
    return type_.of.labels if isinstance(type_.of, Enum) else []


def callable_ones(model: Model) -> list[Function]:
    forms = ("sql", "atomic", "plpgsql")
    return [each for each in model.of(Function) if each.form in forms and not each.extra]
