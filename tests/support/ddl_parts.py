"""What belongs to a table of a model schema: constraints, indexes, triggers, policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from support.ddl_model import Expr, Thing, quoted
from support.ddl_tables import Column, MaterializedView, Table, options_in
from support.ddl_things import Function


@dataclass(eq=False, kw_only=True)
class OfTable(Thing):
    table: Table
    columns: list[Column] = field(default_factory=list)

    @property
    def said(self) -> str:
        return f"{quoted(self.name)} ON {self.table.said}"

    @property
    def listed(self) -> str:
        return ", ".join(each.ref for each in self.columns)

    def needs(self) -> Sequence[Thing]:
        return (self.table, *self.columns)


@dataclass(eq=False, kw_only=True)
class Constraint(OfTable):
    valid: bool = True
    suffix: str = ""
    word = "CONSTRAINT"

    def definition(self) -> str:
        raise NotImplementedError

    def made(self) -> list[str]:
        valid = "" if self.valid else " NOT VALID"
        return [
            (
                f"ALTER TABLE {self.table.said} ADD CONSTRAINT {quoted(self.name)}"
                f" {self.definition()}{self.suffix}{valid}"
            )
        ]

    def dropped(self) -> str:
        return f"ALTER TABLE {self.table.said} DROP CONSTRAINT {quoted(self.name)}"

    def validated(self) -> str:
        return f"ALTER TABLE {self.table.said} VALIDATE CONSTRAINT {quoted(self.name)}"

    def renamed(self, name: str) -> str:
        return (
            f"ALTER TABLE {self.table.said} RENAME CONSTRAINT {quoted(self.name)} TO {quoted(name)}"
        )


@dataclass(eq=False, kw_only=True)
class Check(Constraint):
    expression: Expr

    def needs(self) -> Sequence[Thing]:
        return (self.table, *self.expression.args)

    def definition(self) -> str:
        return f"CHECK ({self.expression.sql})"


@dataclass(eq=False, kw_only=True)
class Unique(Constraint):
    primary: bool = False

    def definition(self) -> str:
        return f"{'PRIMARY KEY' if self.primary else 'UNIQUE'} ({self.listed})"


@dataclass(eq=False, kw_only=True)
class ForeignKey(Constraint):
    target: Unique

    def needs(self) -> Sequence[Thing]:
        return (self.table, *self.columns, self.target, self.target.table)

    def definition(self) -> str:
        return (
            f"FOREIGN KEY ({self.listed}) REFERENCES"
            f" {self.target.table.said} ({self.target.listed})"
        )


@dataclass(eq=False, kw_only=True)
class Index(Thing):
    """An index is in the schema of its table."""

    on: Table | MaterializedView
    keys: list[Expr]
    unique: bool = False
    method: str = "btree"
    where: Expr | None = None
    options: dict[str, str] = field(default_factory=dict)
    word = "INDEX"

    @property
    def said(self) -> str:
        return f"{self.on.schema.said}.{quoted(self.name)}"

    def needs(self) -> Sequence[Thing]:
        expressions = [*self.keys, self.where] if self.where else self.keys
        return (self.on, *(each for expression in expressions for each in expression.args))

    def made(self) -> list[str]:
        unique = "UNIQUE " if self.unique else ""
        keys = ", ".join(each.sql for each in self.keys)
        options = f" WITH ({options_in(self.options)})" if self.options else ""
        where = f" WHERE {self.where.sql}" if self.where else ""
        return [
            (
                f"CREATE {unique}INDEX {quoted(self.name)} ON {self.on.said}"
                f" USING {self.method} ({keys}){options}{where}"
            )
        ]


@dataclass(eq=False, kw_only=True)
class Trigger(OfTable):
    function: Function
    timing: str
    enabled: str = "ENABLE"
    word = "TRIGGER"

    def needs(self) -> Sequence[Thing]:
        return (self.table, *self.columns, self.function)

    def made(self) -> list[str]:
        of = f" OF {self.listed}" if self.columns else ""
        made = [
            (
                f"CREATE TRIGGER {quoted(self.name)} {self.timing} UPDATE{of} ON {self.table.said}"
                f" FOR EACH ROW EXECUTE FUNCTION {self.function.ref}()"
            )
        ]
        return made if self.enabled == "ENABLE" else [*made, self.switched()]

    def switched(self) -> str:
        return f"ALTER TABLE {self.table.said} {self.enabled} TRIGGER {quoted(self.name)}"


@dataclass(eq=False, kw_only=True)
class Policy(OfTable):
    command: str
    roles: tuple[str, ...]
    using: Expr | None
    check: Expr | None
    restrictive: bool = False
    word = "POLICY"

    def needs(self) -> Sequence[Thing]:
        used = [each for each in (self.using, self.check) if each]
        return (self.table, *(each for expression in used for each in expression.args))

    def made(self) -> list[str]:
        kind = " AS RESTRICTIVE" if self.restrictive else ""
        return [
            (
                f"CREATE POLICY {quoted(self.name)} ON {self.table.said}{kind} FOR {self.command}"
                f" TO {', '.join(self.roles)}{self._clauses()}"
            )
        ]

    def altered(self) -> str:
        return f"ALTER POLICY {self.said} TO {', '.join(self.roles)}{self._clauses()}"

    def _clauses(self) -> str:
        using = f" USING ({self.using.sql})" if self.using else ""
        return f"{using} WITH CHECK ({self.check.sql})" if self.check else using


@dataclass(eq=False, kw_only=True)
class Statistics(OfTable):
    kinds: str
    word = "STATISTICS"

    @property
    def said(self) -> str:
        return f"{self.table.schema.said}.{quoted(self.name)}"

    def made(self) -> list[str]:
        return [
            f"CREATE STATISTICS {self.said} ({self.kinds}) ON {self.listed} FROM {self.table.said}"
        ]
