"""Random small tables with random rows, and a random batch of each kind that rows can refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from support.row_cases import RowCase

_NAMES = ("a", "order", 'a"b', "x.y", "É", "value", "hk_place", "%s", "B c", "user", "key_1", "q{}")
_TABLES = ("t", "order", 'a"b', "x.y", "Ünder", "%(s)s {}")
_VALUES: Mapping[str, tuple[str, ...]] = {
    "int": ("0", "1", "2", "7", "-3", "70000", "2147483647"),
    "smallint": ("0", "1", "2", "7", "-3"),
    "bigint": ("0", "1", "2", "7", "99999999999"),
    "numeric(6,2)": ("0", "1.25", "1.2", "9999.99", "-7.5", "'NaN'"),
    "float8": ("0", "1.5", "'-0'", "1e300", "'NaN'", "'Infinity'"),
    "text": ("''", "'x'", "'X'", "'12'", "' 7 '", "'long and longer'", "'2026-01-02'", "'{1,2}'"),
    "varchar(6)": ("''", "'x'", "'X '", "'12'", "'long'", "'07'"),
    "char(4)": ("''", "'x'", "'12'", "'abcd'"),
    "boolean": ("true", "false"),
    "date": ("'2026-01-01'", "'2026-01-02'", "'infinity'"),
    "timestamptz": ("'2026-01-01 10:00'", "'2026-01-01 10:00:00.5'", "'2026-01-02'"),
    "int[]": ("'{}'", "'{1,2}'", "'{1,NULL}'", "'{70000}'"),
    "jsonb": ("'1'", "'{\"a\": 1}'", "'null'", "'\"x\"'"),
    "int4range": ("'[1,5)'", "'[4,8)'", "'[8,9)'", "'empty'"),
    "mood": ("'glad'", "'sad'"),
    "small": ("0", "1", "2", "7", "-3"),
}
_GROUND = "CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN small AS int"


class Table:
    """A table with random columns, and rows of random values: few of each, so that they meet."""

    def __init__(self, random: Random, *, types: tuple[str, ...] = tuple(_VALUES)) -> None:
        self.random = random
        self.plain = random.choice(_TABLES)
        self.name = quoted(self.plain)
        names = random.sample(_NAMES, random.randint(2, 4))
        self.columns = {quoted(name): random.choice(types) for name in names}
        self.keyed = random.random() < 0.7
        self.count = random.choice((0, 1, 2, 2, 3, 5, 9))
        self.nulls = random.choice((0, 0, 0.2, 0.6))

    @property
    def made(self) -> str:
        columns = [f"{name} {type_}" for name, type_ in self.columns.items()]
        key = ["id int PRIMARY KEY" if self.keyed else "id int"]
        every = self.random.sample(columns + key, len(columns) + 1)
        return f"CREATE TABLE {self.name} ({', '.join(every)})"

    @property
    def filled(self) -> str:
        rows = []
        for number in range(self.count):
            values = [str(number), *(self.value(type_) for type_ in self.columns.values())]
            rows.append(f"({', '.join(values)})")
        into = f"INSERT INTO {self.name} (id, {', '.join(self.columns)}) VALUES "
        return f"{into}{', '.join(rows)};" if rows else ""

    def value(self, type_: str) -> str:
        return "NULL" if self.random.random() < self.nulls else self.random.choice(_VALUES[type_])

    def some(self) -> str:
        return self.random.choice([*self.columns])

    def several(self) -> list[str]:
        return self.random.sample([*self.columns], self.random.randint(1, len(self.columns)))

    def case(self, name: str, batch: str, *, before: str = "", rows: str = "") -> RowCase:
        """The batch, now and then with a rename around it."""
        if self.random.random() < 0.25:
            batch = f"{batch}; ALTER TABLE {self.name} RENAME TO renamed"
        if self.random.random() < 0.25:
            old = self.some()
            if "TYPE" not in batch and "GENERATED" not in batch:
                batch = f"{batch}; ALTER TABLE IF EXISTS {self.name} RENAME {old} TO other"
        schema = "; ".join(filter(None, (_GROUND, before, self.made)))
        return RowCase(name=name, schema=schema, rows=self.filled + rows, batch=batch)

    def predicate(self) -> str:
        """A condition on one column, which may end in an error at some value."""
        name = self.some()
        return self.random.choice(_PREDICATES[_family(self.columns[name])]).format(c=name)

    def expression(self) -> str:
        name = self.some()
        return self.random.choice(_EXPRESSIONS[_family(self.columns[name])]).format(c=name)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _family(type_: str) -> str:
    if type_ in ("text", "varchar(6)", "char(4)"):
        return "text"
    if type_ in ("int", "smallint", "bigint", "numeric(6,2)", "float8", "small"):
        return "number"
    return "any"


_PREDICATES = {
    "text": ("{c} <> ''", "length({c}) < 5", "{c} LIKE '%%' || {c} || '%%'", "{c} IS NOT NULL"),
    "number": ("{c} > 0", "10 / {c} > 0", "{c} BETWEEN 0 AND 7", "{c} IS NULL OR {c} <> 7"),
    "any": ("{c} IS NOT NULL", "{c} IS NULL", "{c} = {c}", "{c}::text <> ''"),
}
_EXPRESSIONS = {
    "text": ("(lower({c}))", "(length({c}))", "({c} || 'x')", "(left({c}, 1))"),
    "number": ("(10 / {c})", "({c} % 2)", "(abs({c}))", "({c} + 1)"),
    "any": ("({c} IS NULL)", "({c} = {c})"),
}


def not_null(random: Random) -> RowCase:
    table = Table(random)
    name = table.some()
    forms = (
        f"ALTER TABLE {table.name} ALTER {name} SET NOT NULL",
        f"ALTER TABLE {table.name} ADD CHECK ({name} IS NOT NULL)",
        f"ALTER TABLE {table.name} ADD extra {random.choice([*_VALUES])} NOT NULL",
    )
    return table.case("not null", random.choice(forms))


def unique(random: Random) -> RowCase:
    table = Table(random)
    keys = [random.choice((name, name, table.expression())) for name in table.several()]
    if random.random() < 0.4:
        named = table.several()
        kind = random.choice(("UNIQUE", "UNIQUE NULLS NOT DISTINCT", "PRIMARY KEY"))
        drop = "DROP CONSTRAINT IF EXISTS {}, ".format(quoted(f"{table.plain}_pkey"))
        more = " INCLUDE (id)" if random.random() < 0.3 else ""
        batch = f"ALTER TABLE {table.name} {drop}ADD {kind} ({', '.join(named)}){more}"
        return table.case("unique", batch)
    distinct = random.choice(("", "", " NULLS NOT DISTINCT"))
    where = f" WHERE {table.predicate()}" if random.random() < 0.4 else ""
    only = random.choice(("UNIQUE ", "UNIQUE ", ""))
    batch = f"CREATE {only}INDEX ON {table.name} ({', '.join(keys)})"
    return table.case("unique", f"{batch}{distinct if only else ''}{where}")


def exclude(random: Random) -> RowCase:
    table = Table(random, types=("int4range", "int", "int4range", "date"))
    parts = [
        f"{name} WITH {'&&' if table.columns[name] == 'int4range' else '='}"
        for name in table.several()
    ]
    using = "gist" if any("&&" in part for part in parts) else "btree"
    where = f" WHERE ({table.predicate()})" if random.random() < 0.3 else ""
    return table.case(
        "exclude", f"ALTER TABLE {table.name} ADD EXCLUDE USING {using} ({', '.join(parts)}){where}"
    )


def check(random: Random) -> RowCase:
    table = Table(random)
    said = f" {random.choice(('AND', 'OR'))} ".join(
        table.predicate() for _ in range(random.randint(1, 3))
    )
    named = f"ALTER TABLE {table.name} ADD CONSTRAINT named CHECK ({said})"
    forms = (
        named,
        f"{named} NOT VALID",
        f"{named} NOT VALID; ALTER TABLE {table.name} VALIDATE CONSTRAINT named",
    )
    return table.case("check", random.choice(forms))


def foreign_key(random: Random) -> RowCase:
    table = Table(random, types=("int", "bigint", "smallint", "numeric(6,2)", "small"))
    columns = table.several()[: random.randint(1, 2)]
    keys = ["k", "l"][: len(columns)]
    types = [random.choice(("int", "bigint", "smallint")) for _ in keys]
    made = ", ".join(f"{key} {type_}" for key, type_ in zip(keys, types, strict=True))
    parted = random.random() < 0.4
    before = f"CREATE TABLE far (x text, {made}, PRIMARY KEY ({', '.join(keys)}))"
    if parted:
        before += (
            " PARTITION BY HASH (k); CREATE TABLE f0 PARTITION OF far"
            " FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE f1 PARTITION OF far"
            " FOR VALUES WITH (MODULUS 2, REMAINDER 1)"
        )
    pool = [str(number) for number in (0, 1, 2, 7, -3)]
    near = random.sample(pool, random.randint(0, 5))
    rows = "".join(
        f"INSERT INTO far ({', '.join(keys)}) VALUES ({', '.join([one, other][: len(keys)])})"
        " ON CONFLICT DO NOTHING;"
        for one in near
        for other in random.sample(pool, 3)
    )
    target = f"far ({', '.join(keys)})"
    if random.random() < 0.25 and len(columns) == 1 and table.keyed:
        target = f"{table.name} (id)"
    match = random.choice(("", " MATCH FULL"))
    act = random.choice(("", " NOT VALID"))
    batch = (
        f"ALTER TABLE {table.name} ADD CONSTRAINT named FOREIGN KEY ({', '.join(columns)})"
        f" REFERENCES {target}{match}{act}"
    )
    if act and random.random() < 0.6:
        batch += f"; ALTER TABLE {table.name} VALIDATE CONSTRAINT named"
    return table.case("foreign key", batch, before=before, rows=rows)


def domain(random: Random) -> RowCase:
    table = Table(random, types=("small", "small", "int", "text"))
    required = random.choice(("", "NOT NULL"))
    made = random.choice(
        (
            "ALTER DOMAIN small ADD CHECK (VALUE > 0)",
            "ALTER DOMAIN small ADD CHECK (10 / VALUE > 0)",
            "ALTER DOMAIN small ADD CHECK (VALUE IS NOT NULL)",
            "ALTER DOMAIN small SET NOT NULL",
            "ALTER DOMAIN small ADD CONSTRAINT n CHECK (VALUE > 0) NOT VALID",
            (
                "ALTER DOMAIN small ADD CONSTRAINT n CHECK (VALUE > 0) NOT VALID;"
                " ALTER DOMAIN small VALIDATE CONSTRAINT n"
            ),
            (
                f"CREATE DOMAIN fresh AS bigint CHECK (VALUE < 7) {required};"
                f"ALTER TABLE {table.name} ALTER {table.some()} TYPE fresh"
            ),
            (
                f"CREATE DOMAIN fresh AS int CHECK (VALUE < 7) {required};"
                f"ALTER TABLE {table.name} ADD extra fresh {random.choice(('', 'DEFAULT 3'))}"
            ),
        )
    )
    return table.case("domain", made)


def partition(random: Random) -> RowCase:
    table = Table(random, types=("int", "text", "date"))
    column = table.some()
    type_ = table.columns[column]
    values = random.sample(_VALUES[type_], 2)
    columns = ", ".join(f"{n} {t}" for n, t in table.columns.items())
    by = random.choice(("LIST", "RANGE", "HASH"))
    before = f"CREATE TABLE whole (id int, {columns}) PARTITION BY {by} ({column})"
    if by == "HASH":
        bound = f"WITH (MODULUS 3, REMAINDER {random.randint(0, 2)})"
    elif by == "LIST":
        bound = f"IN ({', '.join(random.choice((values, [*values, 'NULL'])))})"
    else:
        bound = f"FROM ({random.choice(('MINVALUE', values[0]))}) TO ({values[1]})"
    table.keyed = False
    if by != "HASH" and random.random() < 0.5:
        attach = f"ALTER TABLE whole ATTACH PARTITION {table.name} DEFAULT"
        new = f"CREATE TABLE part PARTITION OF whole FOR VALUES {bound}"
        if random.random() < 0.5:
            return table.case("partition", f"{attach}; {new}", before=before)
        return table.case("partition", f"{new}; {attach}", before=before)
    attach = f"ALTER TABLE whole ATTACH PARTITION {table.name} FOR VALUES {bound}"
    return table.case("partition", attach, before=before)


def converted(random: Random) -> RowCase:
    table = Table(random)
    name = table.some()
    target = random.choice(
        [*_VALUES, "varchar(2)", "char(2)", "numeric(3,1)", "text", "varchar(3)[]"]
    )
    using = random.choice(
        (
            "",
            f" USING {name}::{target}",
            f" USING {name}::text::{target}",
            f" USING CAST({name} AS text)",
            f" USING {table.expression()}",
        )
    )
    required = f", ALTER {name} SET NOT NULL" if random.random() < 0.2 else ""
    return table.case(
        "converted", f"ALTER TABLE {table.name} ALTER {name} TYPE {target}{using}{required}"
    )


def added(random: Random) -> RowCase:
    table = Table(random)
    type_ = random.choice([*_VALUES])
    default = random.choice(("", f" DEFAULT {random.choice(_VALUES[type_])}"))
    if type_ in ("int", "bigint") and random.random() < 0.4:
        default = random.choice(
            (" GENERATED ALWAYS AS IDENTITY", f" GENERATED ALWAYS AS ({table.expression()}) STORED")
        )
    more = random.sample(
        (" NOT NULL", " UNIQUE", " CHECK (extra IS NOT NULL)"), random.randint(0, 2)
    )
    if "IDENTITY" in default:
        more = [each for each in more if "CHECK" not in each]
    batch = f"ALTER TABLE {table.name} ADD extra {type_}{default}{''.join(more)}"
    if "DEFAULT" in default and random.random() < 0.3:
        batch += f"; ALTER TABLE {table.name} ALTER extra DROP DEFAULT"
    return table.case("added", batch)


KINDS: Mapping[str, Callable[[Random], RowCase]] = {
    "not null": not_null,
    "unique": unique,
    "exclude": exclude,
    "check": check,
    "foreign key": foreign_key,
    "domain": domain,
    "partition": partition,
    "converted": converted,
    "added": added,
}
