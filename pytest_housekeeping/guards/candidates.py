"""Values to try for a column, by its type and by the literals of its constraints."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence

from pytest_housekeeping.guards.patterns import matching
from pytest_housekeeping.guards.shapes import Field
from pytest_housekeeping.sql.parser import ParseError, is_a, parse, walk

_MOST = 24
_FRESH = 8
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d.*|-?infinity)")
_REGEX = ("~", "~*")
_LIKE = ("~~", "~~*")

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
_WHOLE = {"int2": 30_000, "int4": 2_000_000_000, "int8": 9_000_000_000_000}
_FRACTIONS = ("float4", "float8", "numeric", "money")
_TEXTS = ("text", "varchar", "bpchar", "citext")
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


def fresh(field: Field) -> tuple[str, ...]:
    """Values that no row is likely to have, for keys and identities: the same ones each time, so
    that two judgements of one schema read alike."""
    digests = [hashlib.sha256(f"hk {field.name} {step}".encode()) for step in range(_FRESH)]
    number = int(digests[0].hexdigest(), 16) % 90_000_000
    if field.plain == "uuid":
        return tuple(str(uuid.UUID(each.hexdigest()[:32], version=4)) for each in digests)
    if field.plain in _WHOLE:
        size = 2_000 if field.plain == "int2" else 90_000_000
        return tuple(str(_WHOLE[field.plain] + (number + step) % size) for step in range(_FRESH))
    if field.plain in _TEXTS:
        length = _length(field)
        if length and length < 16:
            return tuple(each.hexdigest()[:length] for each in digests)
        return tuple(f"hk canary {number}{step}"[: length or None] for step in range(_FRESH))
    if field.plain in ("date", "timestamp", "timestamptz"):
        return tuple(f"{2030 + step}-01-{number % 28 + 1:02}" for step in range(_FRESH))
    if field.plain == "bytea":
        return tuple(f"\\x{each.hexdigest()}" for each in digests)
    return ()


def narrowness(field: Field) -> int:
    """How few values a type has: what fits the narrowest column fits the others as well."""
    if field.kind == "e" or field.plain == "bool":
        return 60
    if _length(field):
        return max(70 - _length(field), 10)
    return {"uuid": 50, "int2": 40, "int4": 30, "int8": 20}.get(field.plain, 0)


def candidates_of(
    field: Field, texts: Sequence[str], conditions: Iterable[str] = (), *, unique: bool = False
) -> tuple[str, ...]:
    """Texts of values, the likeliest first. ``texts`` are the constraints that name the column."""
    found: dict[str, None] = {}
    hints = [hint for text in (*texts, *conditions) for hint in _hints(text)]
    groups = [_fitting(field, hints), _typical(field)]
    if unique:
        groups.insert(0 if not texts else 1, fresh(field))
    for group in groups:
        found.update(dict.fromkeys(group))
    return tuple(found)[:_MOST]


def _typical(field: Field) -> tuple[str, ...]:
    by_kind = {
        "e": field.labels,
        "c": ("(" + "," * max(field.arity - 1, 0) + ")",),
        "r": _range_of(field.element),
        "m": tuple(f"{{{each}}}" for each in _range_of(field.element)),
    }
    if field.kind in by_kind:
        return tuple(by_kind[field.kind])
    if field.category == "A":
        return ("{}",) if field.plain.startswith("_") else ("1",)
    if field.plain == "uuid":
        return fresh(field)
    if field.plain in _KNOWN:
        return _KNOWN[field.plain]
    if field.plain in _WHOLE:
        return ("1", "2", "0", "-1", "10", "100", "2026", "1000")
    if field.plain in _FRACTIONS:
        return ("0.5", "0", "1", "2", "-1", "10.5", "100", "1000")
    if field.plain in ("bit", "varbit"):
        length = max(field.typmod, 1)
        return ("0" * length, "1" * length)
    if field.plain in _TEXTS:
        return tuple(_cut(_WORDS, _length(field)))
    if field.plain == "vector":
        return tuple(f"[{','.join([sign] * max(field.typmod, 1))}]" for sign in "12")
    return ("hk", "1", "{}", "", "(0,0)")


def _range_of(element: str) -> tuple[str, ...]:
    low, high, next_low, next_high = {
        "date": ("2026-06-15", "2026-06-16", "2026-07-15", "2026-07-16"),
        "timestamp without time zone": ("2026-06-15", "2026-06-16", "2026-07-15", "2026-07-16"),
        "timestamp with time zone": ("2026-06-15", "2026-06-16", "2026-07-15", "2026-07-16"),
    }.get(element, ("1", "2", "11", "12"))
    return (f"[{low},{high})", f"[{next_low},{next_high})", "empty")


def _length(field: Field) -> int:
    return field.typmod - 4 if field.plain in ("varchar", "bpchar") and field.typmod > 4 else 0


def _cut(words: Iterable[str], length: int) -> Iterator[str]:
    for word in words:
        yield word[: length or None]


def _fitting(field: Field, hints: Sequence[str]) -> list[str]:
    """The literals that the type can hold, and their neighbours."""
    if field.kind == "e":
        return [hint for hint in hints if hint in field.labels]
    if field.plain in _TEXTS or field.plain == "name":
        length = _length(field)
        return [hint for hint in hints if not length or len(hint) <= length]
    if field.plain in _WHOLE or field.plain in _FRACTIONS:
        numbers = [hint for hint in hints if _NUMBER.fullmatch(hint)]
        whole = [int(float(number)) for number in numbers]
        near = [str(number + step) for number in whole for step in (0, 1, -1)]
        limit = 32_767 if field.plain == "int2" else 2**31 - 1
        near = [text for text in near if abs(int(text)) <= limit or field.plain != "int2"]
        return near if field.plain in _WHOLE else [*numbers, *near]
    if field.plain in ("date", "timestamp", "timestamptz"):
        return [hint for hint in hints if _MOMENT.fullmatch(hint)]
    return []


def _hints(text: str) -> Iterator[str]:
    """Literals of an expression, texts of their length, texts that match its patterns."""
    try:
        tree = parse(f"SELECT WHERE {text}")
    except ParseError:
        return
    for item in walk(tree[0].stmt):
        operator = item.name[-1].sval if item.tag == "A_Expr" and item.name else ""
        if operator in (*_REGEX, *_LIKE):
            literal = _literal(item.rexpr)
            if literal is not None:
                yield from matching(literal) if operator in _REGEX else _like(literal)
        elif item.tag == "A_Const" and item.val is not None:
            value = getattr(item.val, "sval", None)
            number = getattr(item.val, "ival", None)
            if value is None and number is None:
                number = getattr(item.val, "fval", None)
            yield str(value if value is not None else number)
            if isinstance(number, int) and 0 < number <= 200:
                yield from ("k" * number, "k" * (number + 1), "k" * (number - 1))


def _literal(node: object) -> str | None:
    while is_a(node, "TypeCast"):
        node = node.arg
    value = getattr(getattr(node, "val", None), "sval", None)
    return value if isinstance(value, str) else None


def _like(pattern: str) -> Iterator[str]:
    yield pattern.replace("%", "hk").replace("_", "a")
    yield pattern.replace("%", "").replace("_", "b")
