"""Stubs as extensions: a copy of PostgreSQL's programs in which CREATE EXTENSION finds them.

An extension is a control file and a script beside the programs. So the files of a project run as
they are, and what they make is a member of the extension, dumped and restored with it.
https://www.postgresql.org/docs/16/extend-extensions.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from pytest_housekeeping.config import Stub
from pytest_housekeeping.declarations.stubs import OPAQUE
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.parse import parse

_TRUSTED = re.compile(r"^\s*trusted\s*=\s*'?(?:true|on|yes|1)", re.MULTILINE | re.IGNORECASE)
# What a server says of an extension that is none; how a stub is known from the extension itself.
COMMENT = "stub of [tool.housekeeping.stubs]"


def stubs_key(stubs: tuple[Stub, ...]) -> str:
    """Names these very stubs."""
    return sha256(repr(stubs).encode()).hexdigest()[:16]


def lacking(extensions: Path, stubs: tuple[Stub, ...]) -> tuple[Stub, ...]:
    """Those whose extension is not in the folder, for where it is, it is taken itself; and marks of
    those that are, and that a superuser alone may make: a stub says so as well."""
    found: dict[str, Stub] = {}
    for each in stubs:
        if not each.is_mark and not (extensions / f"{each.name}.control").exists():
            found[each.name] = each
        elif each.trusted and each.name in untrusted(extensions):
            found[each.name] = Stub(name=each.name, trusted=True)
    return tuple(found.values())


def untrusted(extensions: Path) -> frozenset[str]:
    """The extensions of the folder that a superuser alone may make."""
    found = ((path.stem, path.read_text(encoding="utf-8")) for path in extensions.glob("*.control"))
    return frozenset(name for name, text in found if not _TRUSTED.search(text))


def write_stubs(extensions: Path, stubs: tuple[Stub, ...]) -> None:
    """The files of the stubs, and the lines of the marks, in the folder of the extensions."""
    for stub in stubs:
        if stub.is_mark:
            with (extensions / f"{stub.name}.control").open("a", encoding="utf-8") as control:
                control.write("\ntrusted = true\n")
            continue
        text = "".join(f"{each};\n" for each in script(stub))
        (extensions / f"{stub.name}--{stub.version}.sql").write_text(text, encoding="utf-8")
        (extensions / f"{stub.name}.control").write_text(_control(stub), encoding="utf-8")


def _control(stub: Stub) -> str:
    lines = [f"comment = '{COMMENT}'", f"default_version = '{stub.version}'"]
    lines += [f"schema = '{stub.schema}'", "relocatable = false"] if stub.schema else []
    lines += [] if stub.schema else ["relocatable = true"]
    lines += ["trusted = true"] if stub.trusted else []
    return "".join(f"{line}\n" for line in lines)


def script(stub: Stub) -> Iterator[str]:
    """The statements that make it, with the schemas that its functions name."""
    for each in _schemas(stub):
        # A dump makes the schema before it; IF NOT EXISTS takes none that is no member.
        there = f"IF pg_catalog.to_regnamespace('{quoted(each)}') IS NULL"
        yield f"DO $hk$ BEGIN {there} THEN CREATE SCHEMA {quoted(each)}; END IF; END $hk$"
    for each in stub.types:
        opaque = OPAQUE.fullmatch(each)
        yield from _opaque(opaque[1], bool(opaque[2])) if opaque else [f"CREATE TYPE {each}"]
    for each in stub.tables:
        yield f"CREATE TABLE {each}"
        yield f"GRANT SELECT ON {_table(each)} TO PUBLIC"
    for each in stub.functions:
        yield _function(stub, f"CREATE FUNCTION {each}")
    # An index of one is one of hashes: whatever its size, a value fits into it.
    for each in stub.access_methods:
        yield f"CREATE ACCESS METHOD {quoted(each)} TYPE INDEX HANDLER hashhandler"
    yield from (f"CREATE OPERATOR {each}" for each in stub.operators)
    yield from (f"CREATE OPERATOR CLASS {each}" for each in stub.operator_classes)


def _schemas(stub: Stub) -> list[str]:
    names = (parse(f"CREATE FUNCTION {each}")[0].body["funcname"] for each in stub.functions)
    said = {name[0]["String"]["sval"] for name in names if len(name) > 1}
    return sorted(said - {stub.schema})


def _table(declared: str) -> str:
    relation = parse(f"CREATE TABLE {declared}")[0].body["relation"]
    names = [relation[key] for key in ("schemaname", "relname") if relation.get(key)]
    return ".".join(map(quoted, names))


def _opaque(name: str, takes_number: bool) -> Iterator[str]:
    """A type that holds a text, and that can do nothing but be read and written."""
    typed, options = quoted(name), ""
    strict = "LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE"
    yield f"CREATE TYPE {typed}"
    into, out = quoted(f"{name}_in"), quoted(f"{name}_out")
    yield f"CREATE FUNCTION {into}(cstring) RETURNS {typed} {strict} AS 'textin'"
    yield f"CREATE FUNCTION {out}({typed}) RETURNS cstring {strict} AS 'textout'"
    if takes_number:
        limit, told = quoted(f"{name}_typmod_in"), quoted(f"{name}_typmod_out")
        yield f"CREATE FUNCTION {limit}(cstring[]) RETURNS int4 {strict} AS 'varbittypmodin'"
        yield f"CREATE FUNCTION {told}(int4) RETURNS cstring {strict} AS 'varbittypmodout'"
        options = f", TYPMOD_IN = {limit}, TYPMOD_OUT = {told}"
    yield f"CREATE TYPE {typed} (INPUT = {into}, OUTPUT = {out}, LIKE = pg_catalog.text{options})"


def _function(stub: Stub, statement: str) -> str:
    """With its own body, or with one that refuses whoever calls it."""
    (parsed,) = parse(statement)
    said = {each["DefElem"]["defname"] for each in parsed.body.get("options", [])}
    if "as" in said or "sql_body" in parsed.body:
        return statement
    name = parsed.body["funcname"][-1]["String"]["sval"]
    told = f"extension {stub.name} is a stub here, and {name} has no body in it".replace("'", "''")
    return (
        f"{statement} LANGUAGE plpgsql AS $hk_stub$BEGIN RAISE feature_not_supported USING"
        f" MESSAGE = '{told}'; END$hk_stub$"
    )
