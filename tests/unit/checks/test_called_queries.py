"""What the function that a policy calls may ask."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.rls.expressions.called import called_queries
from pytest_housekeeping.checks.rls.expressions.function_bodies import ProjectFunction
from pytest_housekeeping.sql.parser import is_a, parse, walk


@pytest.mark.parametrize(("language", "asked"), [("c", 0), ("sql", 1)])
def test_of_a_function_in_c_nothing_is_read(language: str, asked: int) -> None:
    (call,) = (each for each in walk(parse("SELECT lib.sealed(a)")) if is_a(each, "FuncCall"))
    source = "SELECT b FROM t" if asked else "pg_sealed"
    created = f"CREATE FUNCTION lib.sealed(a text) RETURNS text LANGUAGE sql AS '{source}'"
    function = ProjectFunction(
        schema="lib",
        name="sealed",
        language=language,
        source=source,
        definition=created if asked else "",
    )
    assert len(list(called_queries(call, lambda _: (function,)))) == asked
