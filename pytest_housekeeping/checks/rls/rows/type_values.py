"""Values of PostgreSQL's own types, written as texts: typical ones, and ones no row should have."""

from __future__ import annotations

import hashlib
import uuid

from pytest_housekeeping.checks.rls.rows.table_shape import ColumnShape

_FRESH = 8

# Texts that PostgreSQL reads as values of its own types; two of each, so that rows can differ.
_KNOWN: dict[str, tuple[str, ...]] = {
    "bool": ("false", "true"),
    "date": ("2026-06-15", "2026-06-16", "1970-01-01", "2999-01-01"),
    "timestamp": ("2026-06-15 12:00", "2026-06-16 12:00", "1970-01-01", "2999-01-01"),
    "timestamptz": ("2026-06-15 12:00+00", "2026-06-16 12:00+00", "1970-01-01 00:00+00"),
    "time": ("12:00", "13:00"),
    "timetz": ("12:00+00", "13:00+00"),
    "interval": ("1 day", "2 hours", "0"),
    "json": ("{}", "[]", '{"hk": 1}', '"hk"', "1"),
    "jsonb": ("{}", "[]", '{"hk": 1}', '"hk"', "1"),
    "bytea": ("\\x686b", "\\x686b02", "\\x" + "ab" * 32, "\\x"),
    "inet": ("192.0.2.1", "192.0.2.2"),
    "cidr": ("192.0.2.0/24", "198.51.100.0/24"),
    "macaddr": ("08:00:2b:01:02:03", "08:00:2b:01:02:04"),
    "macaddr8": ("08:00:2b:01:02:03:04:05", "08:00:2b:01:02:03:04:06"),
    "xml": ("<hk/>", "<hk>2</hk>"),
    "tsvector": ("hk", "canary"),
    "tsquery": ("hk", "canary"),
    "point": ("(0,0)", "(1,1)"),
    "line": ("{1,1,0}", "{1,2,0}"),
    "lseg": ("[(0,0),(1,1)]", "[(0,0),(2,2)]"),
    "box": ("(1,1),(0,0)", "(2,2),(0,0)"),
    "path": ("[(0,0),(1,1)]", "[(0,0),(2,2)]"),
    "polygon": ("((0,0),(1,1),(1,0))", "((0,0),(2,2),(2,0))"),
    "circle": ("<(0,0),1>", "<(0,0),2>"),
    "pg_lsn": ("0/1", "0/2"),
    "oid": ("1", "2"),
    "xid": ("1", "2"),
    "xid8": ("1", "2"),
    "tid": ("(0,1)", "(0,2)"),
    "name": ("hk_canary", "hk_canary_2"),
    "regclass": ("pg_catalog.pg_class", "pg_catalog.pg_type"),
    "regtype": ("pg_catalog.int4", "pg_catalog.text"),
    "regrole": ("pg_monitor", "pg_signal_backend"),
    "jsonpath": ("$.hk", "$.canary"),
    "hstore": ("", "hk=>1"),
    "ltree": ("hk", "hk.canary"),
    "money": ("1", "2"),
    "txid_snapshot": ("1:1:", "2:2:"),
    "pg_snapshot": ("1:1:", "2:2:"),
    "int2vector": ("1", "2"),
    '"char"': ("a", "b"),
    "char": ("a", "b"),
}
# By type, a number from which on no row is likely to have one.
WHOLE_NUMBERS = {"int2": 30_000, "int4": 2_000_000_000, "int8": 9_000_000_000_000}
FRACTIONS = ("float4", "float8", "numeric", "money")
TEXTS = ("text", "varchar", "bpchar", "citext")
_WORDS = (
    "hk canary",
    "hk_canary",
    "hk-canary",
    "hk@canary.example",
    "https://canary.example/hk",
    "A",
    "AB",
    "ABC",
    "a",
    "1",
    "12345678",
    "2026-06-15",
    "{}",
    "",
)


def fresh(column: ColumnShape) -> tuple[str, ...]:
    """Values that no row is likely to have, for keys and identities.

    They are the same each time, so that two verdicts on one schema read alike; none for a type
    whose values are too few.
    """
    digests = [hashlib.sha256(f"hk {column.name} {step}".encode()) for step in range(_FRESH)]
    number = int(digests[0].hexdigest(), 16) % 90_000_000
    if column.plain == "uuid":
        return tuple(str(uuid.UUID(each.hexdigest()[:32], version=4)) for each in digests)
    if column.plain in WHOLE_NUMBERS:
        size = 2_000 if column.plain == "int2" else 90_000_000
        base = WHOLE_NUMBERS[column.plain]
        return tuple(str(base + (number + step) % size) for step in range(_FRESH))
    if column.plain in TEXTS:
        length = length_of(column)
        if length and length < 16:
            return tuple(each.hexdigest()[:length] for each in digests)
        return tuple(f"hk canary {number}{step}"[: length or None] for step in range(_FRESH))
    if column.plain in ("date", "timestamp", "timestamptz"):
        return tuple(f"{2030 + step}-01-{number % 28 + 1:02}" for step in range(_FRESH))
    if column.plain == "bytea":
        return tuple(f"\\x{each.hexdigest()}" for each in digests)
    return ()


def typical(column: ColumnShape) -> tuple[str, ...]:
    """Values that the type accepts, the likeliest to satisfy a constraint first."""
    # pg_type.typtype: enum, composite, range, multirange.
    by_kind = {
        "e": column.labels,
        "c": ("(" + "," * max(column.arity - 1, 0) + ")",),
        "r": _range_of(column.element),
        "m": tuple(f"{{{each}}}" for each in _range_of(column.element)),
    }
    if column.kind in by_kind:
        return tuple(by_kind[column.kind])
    if column.category == "A":
        return ("{}",) if column.plain.startswith("_") else ("1",)
    if column.plain == "uuid":
        return fresh(column)
    if column.plain in _KNOWN:
        return _KNOWN[column.plain]
    if column.plain in WHOLE_NUMBERS:
        return ("1", "2", "0", "-1", "10", "100", "2026", "1000")
    if column.plain in FRACTIONS:
        return ("0.5", "0", "1", "2", "-1", "10.5", "100", "1000")
    if column.plain in ("bit", "varbit"):
        length = max(column.typmod, 1)
        return ("0" * length, "1" * length)
    if column.plain in TEXTS:
        return tuple(word[: length_of(column) or None] for word in _WORDS)
    if column.plain == "vector":
        return tuple(f"[{','.join([sign] * max(column.typmod, 1))}]" for sign in "12")
    return ("hk", "1", "{}", "", "(0,0)")


def narrowness(column: ColumnShape) -> int:
    """How few values a type has: a value for the narrowest column fits the others as well."""
    if column.kind == "e" or column.plain == "bool":
        return 60
    if length_of(column):
        return max(70 - length_of(column), 10)
    return {"uuid": 50, "int2": 40, "int4": 30, "int8": 20}.get(column.plain, 0)


def length_of(column: ColumnShape) -> int:
    """The declared length of a varchar or char, 0 where there is none."""
    # atttypmod counts the four bytes of the length word.
    return column.typmod - 4 if column.plain in ("varchar", "bpchar") and column.typmod > 4 else 0


def _range_of(element: str) -> tuple[str, ...]:
    low, high, next_low, next_high = {
        "date": ("2026-06-15", "2026-06-16", "2026-07-15", "2026-07-16"),
        "timestamp without time zone": ("2026-06-15", "2026-06-16", "2026-07-15", "2026-07-16"),
        "timestamp with time zone": ("2026-06-15", "2026-06-16", "2026-07-15", "2026-07-16"),
    }.get(element, ("1", "2", "11", "12"))
    return (f"[{low},{high})", f"[{next_low},{next_high})", "empty")
