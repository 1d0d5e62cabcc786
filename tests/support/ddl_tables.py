"""Tables of a model schema, their columns, and views of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from support.ddl_model import PUBLIC, ROLES, Acl, Expr, InSchema, Thing, grants, quoted
from support.ddl_things import Sequence_, Type


def options_in(options: dict[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in sorted(options.items()))


@dataclass(eq=False, kw_only=True)
class Relation(InSchema):
    options: dict[str, str] = field(default_factory=dict)
    grant_on = "TABLE"
    privileges = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
    defaults_on = "TABLES"

    def with_options(self) -> str:
        return f" WITH ({options_in(self.options)})" if self.options else ""


@dataclass(eq=False, kw_only=True)
class Table(Relation):
    """``columns`` are its own: what it inherits is its parent's, and nothing here refers to it.

    A frozen one has lost a partition, which has to fit when it is attached again.
    """

    columns: list[Column] = field(default_factory=list)
    partition_by: str = ""
    key: Column | None = None
    parent: Table | None = None
    secured: bool = False
    forced: bool = False
    replica: str = "DEFAULT"
    frozen: bool = False
    word = "TABLE"

    def needs(self) -> Sequence[Thing]:
        return (self.schema, self.parent) if self.parent else (self.schema,)

    def made(self) -> list[str]:
        columns = ", ".join(each.definition() for each in self.columns)
        parent = f" INHERITS ({self.parent.said})" if self.parent else ""
        key = f" PARTITION BY {self.partition_by} ({self.key.ref})" if self.key else ""
        made = [f"CREATE TABLE {self.said} ({columns}){parent}{key}{self.with_options()}"]
        if self.owner:
            made.append(f"ALTER TABLE {self.said} OWNER TO {self.owner}")
        if self.secured:
            made.append(f"ALTER TABLE {self.said} ENABLE ROW LEVEL SECURITY")
        if self.forced:
            made.append(f"ALTER TABLE {self.said} FORCE ROW LEVEL SECURITY")
        if self.replica != "DEFAULT":
            made.append(f"ALTER TABLE {self.said} REPLICA IDENTITY {self.replica}")
        return made

    def after(self) -> list[str]:
        return [statement for each in self.columns for statement in each.after()]


@dataclass(eq=False, kw_only=True)
class Column(Thing):
    """The sequence of an identity has a name of its own: a rename of the column keeps it."""

    table: Table
    type: Type
    not_null: bool = False
    default: Expr | None = None
    generated: Expr | None = None
    identity: str = ""
    sequence: str = ""
    sequence_acl: Acl = field(default_factory=dict)
    statistics: int | None = None
    storage: str = ""
    word = "COLUMN"

    @property
    def said(self) -> str:
        return f"{self.table.said}.{quoted(self.name)}"

    @property
    def ref(self) -> str:
        return quoted(self.name)

    @property
    def altered(self) -> str:
        return f"ALTER TABLE {self.table.said} ALTER COLUMN {self.ref}"

    @property
    def sequence_said(self) -> str:
        return f"{self.table.schema.said}.{quoted(self.sequence)}"

    def needs(self) -> Sequence[Thing]:
        used: list[Thing] = [self.table]
        if self.type.of:
            used.append(self.type.of)
        for expression in (self.default, self.generated):
            used += expression.args if expression else ()
        return used

    def definition(self) -> str:
        text = f"{self.ref} {self.type.sql}"
        if self.generated:
            text += f" GENERATED ALWAYS AS ({self.generated.sql}) STORED"
        elif self.identity:
            text += f" GENERATED {self.identity} AS IDENTITY (SEQUENCE NAME {self.sequence_said})"
        elif self.default:
            text += f" DEFAULT {self.default.sql}"
        return f"{text} NOT NULL" if self.not_null else text

    def defaulted(self) -> str:
        default = f"SET DEFAULT {self.default.sql}" if self.default else "DROP DEFAULT"
        return f"{self.altered} {default}"

    def made(self) -> list[str]:
        return [f"ALTER TABLE {self.table.said} ADD COLUMN {self.definition()}"]

    def dropped(self) -> str:
        return f"ALTER TABLE {self.table.said} DROP COLUMN {self.ref}"

    def renamed(self, name: str) -> str:
        return f"ALTER TABLE {self.table.said} RENAME COLUMN {self.ref} TO {quoted(name)}"

    def granted(self) -> list[str]:
        return grants(self.acl, self.table.said, f" ({self.ref})")

    def after(self) -> list[str]:
        said = self.granted()
        if self.sequence:
            target = f"SEQUENCE {self.sequence_said}"
            said.append(f"REVOKE ALL ON {target} FROM {', '.join((PUBLIC, *ROLES))}")
            said += grants(self.sequence_acl, target)
        only = self.altered.replace("ALTER TABLE", "ALTER TABLE ONLY", 1)
        if self.statistics is not None:
            said.append(f"{only} SET STATISTICS {self.statistics}")
        if self.storage:
            said.append(f"{only} SET STORAGE {self.storage}")
        if self.comment:
            said.append(self.commented())
        return said


@dataclass(eq=False, kw_only=True)
class Partition(Relation):
    """The names that PostgreSQL gives to its indexes follow from its own, which stays therefore."""

    parent: Table
    bound: str
    word = "TABLE"

    def needs(self) -> Sequence[Thing]:
        return (self.schema, self.parent)

    def made(self) -> list[str]:
        return [
            (
                f"CREATE TABLE {self.said} PARTITION OF {self.parent.said} {self.bound}"
                f"{self.with_options()}"
            )
        ]


@dataclass(eq=False, kw_only=True)
class Ownership(Thing):
    """A sequence that goes with a column."""

    sequence: Sequence_
    column: Column

    def needs(self) -> Sequence[Thing]:
        return (self.sequence, self.column)

    def made(self) -> list[str]:
        return [f"ALTER SEQUENCE {self.sequence.said} OWNED BY {self.column.said}"]

    def dropped(self) -> str:
        return f"ALTER SEQUENCE {self.sequence.said} OWNED BY NONE"


@dataclass(eq=False, kw_only=True)
class View(Relation):
    """``sources`` are columns with their names in the view, which a rename of the column keeps."""

    sources: list[tuple[Column, str]]
    where: Expr | None = None
    word = "VIEW"

    @property
    def tables(self) -> list[Table]:
        return list(dict.fromkeys(column.table for column, _ in self.sources))

    def needs(self) -> Sequence[Thing]:
        columns = [column for column, _ in self.sources]
        return (self.schema, *self.tables, *columns, *(self.where.args if self.where else ()))

    def query(self) -> str:
        columns = ", ".join(f"{column.ref} AS {quoted(name)}" for column, name in self.sources)
        tables = " CROSS JOIN ".join(each.said for each in self.tables)
        where = f" WHERE {self.where.sql}" if self.where else ""
        return f"SELECT {columns} FROM {tables}{where}"

    def made(self) -> list[str]:
        return [self.replaced("CREATE")]

    def replaced(self, verb: str = "CREATE OR REPLACE") -> str:
        return f"{verb} VIEW {self.said}{self.with_options()} AS {self.query()}"


@dataclass(eq=False, kw_only=True)
class MaterializedView(View):
    word = "MATERIALIZED VIEW"

    def made(self) -> list[str]:
        """Where policies hold for the owner too, its rows may depend on who makes it."""
        data = " WITH NO DATA" if any(each.forced for each in self.tables) else ""
        return [
            f"CREATE MATERIALIZED VIEW {self.said}{self.with_options()} AS {self.query()}{data}"
        ]
