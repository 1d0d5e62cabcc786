"""The things of a model schema that belong to no table: types, sequences, functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from support.ddl_model import InSchema, Thing, literal, quoted


@dataclass(frozen=True)
class Type:
    """A type of columns. Expressions that fit one type of a family fit them all."""

    family: str
    text: str
    of: Thing | None = None

    @property
    def sql(self) -> str:
        return self.of.said if self.of else self.text


@dataclass(eq=False, kw_only=True)
class _UserType(InSchema):
    word = "TYPE"
    grant_on = "TYPE"
    privileges = ("USAGE",)
    builtin = ("USAGE",)
    defaults_on = "TYPES"


@dataclass(eq=False, kw_only=True)
class Label(Thing):
    """A value of an enum."""

    @property
    def ref(self) -> str:
        return literal(self.name)


@dataclass(eq=False, kw_only=True)
class Enum(_UserType):
    """``labels`` were there when it was made. PostgreSQL lets only those be used at once."""

    labels: list[Label]
    later: list[Label] = field(default_factory=list)

    def made(self) -> list[str]:
        labels = ", ".join(each.ref for each in (*self.labels, *self.later))
        return [f"CREATE TYPE {self.said} AS ENUM ({labels})"]


@dataclass(eq=False, kw_only=True)
class Composite(_UserType):
    attributes: list[tuple[str, str]]

    def made(self) -> list[str]:
        attributes = ", ".join(f"{quoted(name)} {type_}" for name, type_ in self.attributes)
        return [f"CREATE TYPE {self.said} AS ({attributes})"]


@dataclass(eq=False, kw_only=True)
class Domain(_UserType):
    base: Type
    default: str = ""
    not_null: bool = False
    word = "DOMAIN"

    def made(self) -> list[str]:
        default = f" DEFAULT {self.default}" if self.default else ""
        not_null = " NOT NULL" if self.not_null else ""
        return [f"CREATE DOMAIN {self.said} AS {self.base.sql}{default}{not_null}"]


@dataclass(eq=False, kw_only=True)
class DomainCheck(Thing):
    domain: Domain
    expression: str
    valid: bool = True
    word = "CONSTRAINT"

    @property
    def said(self) -> str:
        return f"{quoted(self.name)} ON DOMAIN {self.domain.said}"

    def needs(self) -> Sequence[Thing]:
        return (self.domain,)

    def made(self) -> list[str]:
        valid = "" if self.valid else " NOT VALID"
        return [
            (
                f"ALTER DOMAIN {self.domain.said} ADD CONSTRAINT {quoted(self.name)}"
                f" CHECK ({self.expression}){valid}"
            )
        ]

    def dropped(self) -> str:
        return f"ALTER DOMAIN {self.domain.said} DROP CONSTRAINT {quoted(self.name)}"

    def renamed(self, name: str) -> str:
        return (
            f"ALTER DOMAIN {self.domain.said} RENAME CONSTRAINT {quoted(self.name)}"
            f" TO {quoted(name)}"
        )


@dataclass(eq=False, kw_only=True)
class Sequence_(InSchema):  # noqa: N801 - collections.abc has the name
    increment: int = 1
    cycle: bool = False
    word = "SEQUENCE"
    grant_on = "SEQUENCE"
    privileges = ("USAGE", "SELECT", "UPDATE")
    defaults_on = "SEQUENCES"

    @property
    def ref(self) -> str:
        return f"{literal(self.said)}::regclass"

    def made(self) -> list[str]:
        cycle = " CYCLE" if self.cycle else ""
        return [f"CREATE SEQUENCE {self.said} INCREMENT {self.increment}{cycle}"]


_BODIES = {
    "sql": "SELECT $1 + {number}",
    "atomic": "RETURN $1 + {number}",
    "plpgsql": "BEGIN RETURN $1 * {number}; END",
    "trigger": "BEGIN PERFORM {number}; RETURN NEW; END",
    "procedure": "BEGIN PERFORM {number}; END",
}


@dataclass(eq=False, kw_only=True)
class Function(InSchema):
    """``form`` says in what it is written; those of the first three take a number and give one."""

    form: str
    number: int
    extra: Type | None = None
    volatility: str = "IMMUTABLE"
    definer: bool = False
    path: bool = False
    grant_on = "ROUTINE"
    privileges = ("EXECUTE",)
    builtin = ("EXECUTE",)
    defaults_on = "FUNCTIONS"
    word = "ROUTINE"

    @property
    def kind(self) -> str:
        return "PROCEDURE" if self.form == "procedure" else "FUNCTION"

    @property
    def ref(self) -> str:
        return super().said

    @property
    def said(self) -> str:
        return f"{super().said}({', '.join(self._arguments)})"

    @property
    def _arguments(self) -> list[str]:
        first = [] if self.form in ("trigger", "procedure") else ["integer"]
        return [*first, self.extra.sql] if self.extra else first

    def needs(self) -> Sequence[Thing]:
        return (self.schema, self.extra.of) if self.extra and self.extra.of else (self.schema,)

    def commented(self) -> str:
        return super().commented().replace("ON ROUTINE", f"ON {self.kind}", 1)

    def made(self) -> list[str]:
        return [self.replaced("CREATE"), *self._settings()]

    def replaced(self, verb: str = "CREATE OR REPLACE") -> str:
        returns = {"procedure": "", "trigger": " RETURNS trigger"}.get(
            self.form, " RETURNS integer"
        )
        body = _BODIES[self.form].format(number=self.number)
        if self.form != "atomic":
            body = f"AS $body$ {body} $body$"
        language = "sql" if self.form in ("sql", "atomic") else "plpgsql"
        volatility = "" if self.form in ("procedure", "trigger") else f" {self.volatility}"
        definer = " SECURITY DEFINER" if self.definer else ""
        path = " SET search_path = pg_catalog, pg_temp" if self.path else ""
        head = f"{verb} {self.kind} {self.said}{returns} LANGUAGE {language}"
        return f"{head}{volatility}{definer}{path} {body}"

    def _settings(self) -> list[str]:
        return [f"ALTER ROUTINE {self.said} OWNER TO {self.owner}"] if self.owner else []
