"""Stubs as a project declares them: what is refused, and what comes with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.config import Stub
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.declarations.stubs import shipped_names
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.server.stubs import script
from support.files import write


def stubs(root: Path, text: str) -> tuple[Stub, ...]:
    settings = f"[tool.housekeeping]\n{text}\n"
    write(root, {"pyproject.toml": settings, "sql/a.txt": "", "checks/a.txt": ""})
    return load_config(root).stubs


def test_a_stub_is_its_types_and_functions(tmp_path: Path) -> None:
    (http, vector) = stubs(
        tmp_path,
        "stubs.vector = { types = ['vector(n)'] }\n[tool.housekeeping.stubs.http]\n"
        "types = ['answer AS (status integer)']\nfunctions = ['get(uri text) RETURNS answer',"
        " 'one() RETURNS int RETURN 1']\nversion = '1.6'\nschema = 'net'\ntrusted = true",
    )
    assert (http.name, http.version, http.schema, http.trusted) == ("http", "1.6", "net", True)
    assert (vector.version, vector.trusted) == ("1.0", False)
    typed, refusing, bodied = script(http)
    assert typed == "CREATE TYPE answer AS (status integer)"
    assert "extension http is a stub here, and get has no body in it" in refusing
    assert bodied == "CREATE FUNCTION one() RETURNS int RETURN 1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stubs = 'all'", "'stubs' is written [stubs.<name>]"),
        ("stubs.postgis = 'shipped'", "no stub of it comes with the package"),
        ("stubs.uuid_ossp = 'shipped'", "did you mean 'uuid-ossp'?"),
        ("stubs.http = {}", "declares neither types nor functions"),
        ("stubs.'../x' = { types = ['a'] }", "is no name of an extension"),
        ("stubs.'a--b' = { types = ['a'] }", "is no name of an extension"),
        ("stubs.a = { types = ['a'], casts = ['='] }", "unknown key 'casts'"),
        ("stubs.a = { types = ['a'], tables = ['b AS TABLE c'] }", "behind CREATE TABLE: NAME"),
        ("stubs.a = { types = ['a'], operators = ['='] }", "what stands behind CREATE OPERATOR:"),
        ("stubs.a = { types = ['a'], operator_classes = ['b'] }", "CREATE OPERATOR CLASS"),
        ("stubs.a = { types = ['a'], access_methods = ['b; c'] }", "write the name of one"),
        ("stubs.a = { types = ['a; DROP TABLE b'] }", "write what stands behind CREATE TYPE"),
        ("stubs.a = { types = ['a AS (b int);'] }", "write what stands behind CREATE TYPE"),
        ("stubs.a = { functions = ['f('] }", "write what stands behind CREATE FUNCTION"),
        (
            "stubs.a = { functions = ['f() RETURNS int RETURN 1; SELECT 1'] }",
            "write what stands behind CREATE FUNCTION",
        ),
        ("stubs.a = { types = ['a'], version = '1--2' }", "not digits and dots"),
        ("stubs.a = { types = ['a'], schema = \"b'\" }", "no plain lower-case identifier"),
        ("stubs.a = { types = ['a'], trusted = 1 }", "neither true nor false"),
        ("trusted_extensions = ['../vector']", "is no name of an extension"),
    ],
)
def test_what_is_no_stub_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MisuseError) as refused:
        stubs(tmp_path, text)
    assert said in str(refused.value)


def test_what_comes_with_the_package_can_be_read_and_replaced(tmp_path: Path) -> None:
    assert {"http", "pg_cron", "pg_net", "pgjwt", "uuid-ossp"} < set(shipped_names())
    (shipped,) = stubs(tmp_path, "stubs.uuid-ossp = 'shipped'")
    assert shipped.trusted
    assert len(shipped.functions) == 10
    (own,) = stubs(tmp_path, "stubs.uuid-ossp = { functions = ['f() RETURNS uuid'] }")
    assert own.functions == ("f() RETURNS uuid",)
