"""``[tool.housekeeping.stubs]``: what stands for extensions that no throwaway server has."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from pytest_housekeeping.config import Stub
from pytest_housekeeping.declarations import shipped_stubs
from pytest_housekeeping.declarations.toml import (
    Problems,
    closest,
    expect_keys,
    named_tables_of,
    text_of,
    texts_of,
)
from pytest_housekeeping.sql.identifiers import SIMPLE
from pytest_housekeeping.sql.parse import SyntaxRefused, parse

# The word that takes the stub of the package.
SHIPPED = "shipped"
# PostgreSQL makes names of files of it: no dot, no slash, and "--" stands before the version.
_NAME = re.compile(r"[a-z0-9_]+(?:-[a-z0-9_]+)*")
_VERSION = re.compile(r"\d+(?:\.\d+)*")
# A type of which nothing is told but its name; with (n) it takes one number: vector(3).
OPAQUE = re.compile(r"([a-z_][a-z0-9_]{0,58})(\(n\))?")
_MORE = ("tables", "access_methods", "operators", "operator_classes")
_KEYS = ("types", "functions", *_MORE, "version", "schema", "trusted")
# Of each key whose texts are the rest of a statement: its beginning, what the parser calls it
# and how the rest is written.
_STATEMENTS: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "types": (
        "CREATE TYPE",
        ("CompositeTypeStmt", "CreateEnumStmt"),
        ", NAME AS (…) or NAME AS ENUM (…), or NAME or NAME(n) alone",
    ),
    "functions": ("CREATE FUNCTION", ("CreateFunctionStmt",), ": NAME(ARGUMENTS) RETURNS TYPE"),
    "tables": ("CREATE TABLE", ("CreateStmt",), ": NAME (COLUMN TYPE, …)"),
    "operators": (
        "CREATE OPERATOR",
        ("DefineStmt",),
        ": <=> (LEFTARG = TYPE, RIGHTARG = TYPE, FUNCTION = NAME)",
    ),
    "operator_classes": (
        "CREATE OPERATOR CLASS",
        ("CreateOpClassStmt",),
        ": NAME FOR TYPE TYPE USING METHOD AS …",
    ),
}


def shipped_names() -> tuple[str, ...]:
    """The extensions of which the package brings a stub."""
    found = (each.name for each in files(shipped_stubs).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def read_stubs(settings: Mapping[str, Any], problems: Problems) -> tuple[Stub, ...]:
    """The stubs of a project, by name; what is wrong is added to the problems."""
    given = settings.get("stubs", {})
    shipped: dict[str, Mapping[str, Any]] = {}
    if isinstance(given, dict):
        for name in [name for name, said in given.items() if said == SHIPPED]:
            given = {key: said for key, said in given.items() if key != name}
            if name in shipped_names():
                shipped[name] = _shipped(name)
            else:
                near = closest(name, shipped_names())
                problems.add(f"stubs.{name}: no stub of it comes with the package{near}")
    tables = {**shipped, **named_tables_of({"stubs": given}, "stubs", problems)}
    return tuple(_stub(name, tables[name], problems) for name in sorted(tables))


def _shipped(name: str) -> Mapping[str, Any]:
    text = files(shipped_stubs).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _stub(name: str, table: Mapping[str, Any], problems: Problems) -> Stub:
    where = f"stubs.{name}"
    expect_keys(table, dict.fromkeys(_KEYS, False), where, problems)
    if not _NAME.fullmatch(name):
        problems.add(f"{where} is no name of an extension: letters, digits, '_' and '-'")
    stub = Stub(
        name=name,
        types=texts_of(table, "types", where, problems),
        functions=texts_of(table, "functions", where, problems),
        **{key: texts_of(table, key, where, problems) for key in _MORE},
        version=text_of(table, "version", where, problems) or Stub.version,
        schema=text_of(table, "schema", where, problems),
        trusted=table.get("trusted", False) is True,
    )
    if not isinstance(table.get("trusted", False), bool):
        problems.add(f"'trusted' of {where} is neither true nor false")
    if not (stub.types or stub.functions):
        problems.add(f"{where} declares neither types nor functions")
    if not _VERSION.fullmatch(stub.version):
        problems.add(f"'version' of {where} is {stub.version!r}, not digits and dots")
    if stub.schema and not SIMPLE.fullmatch(stub.schema):
        problems.add(f"'schema' of {where} is {stub.schema!r}, no plain lower-case identifier")
    for error in _wrong_parts(stub, where):
        problems.add(error)
    return stub


def _wrong_parts(stub: Stub, where: str) -> Iterator[str]:
    for key, (statement, nodes, advice) in _STATEMENTS.items():
        for each in getattr(stub, key):
            opaque = key == "types" and OPAQUE.fullmatch(each)
            if not opaque and not _is_one(f"{statement} {each}", nodes):
                yield (
                    f"'{key}' of {where} holds {each!r}:"
                    f" write what stands behind {statement}{advice}"
                )
    for each in stub.access_methods:
        if not SIMPLE.fullmatch(each):
            yield f"'access_methods' of {where} holds {each!r}: write the name of one, such as hnsw"


def wrongly_trusted(names: tuple[str, ...]) -> Iterator[str]:
    """What of ``trusted_extensions`` is no name of one."""
    for name in names:
        if not _NAME.fullmatch(name):
            yield f"trusted_extensions: {name!r} is no name of an extension"


def _is_one(text: str, kinds: tuple[str, ...]) -> bool:
    try:
        (statement,) = parse(text)
    except (SyntaxRefused, ValueError):
        return False
    # What ends a statement would end that of the script as well.
    return statement.name in kinds and not text.rstrip().endswith(";")
