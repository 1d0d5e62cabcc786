"""What checks/objects.toml may say, and what is told when it says something else."""

from __future__ import annotations

import pytest

from pytest_housekeeping.declarations.objects import (
    DeclaredObject,
    ObjectKind,
    Objects,
    parse,
)
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.sql.identifiers import in_quotes, quoted, spelt, split_name

PATH = "checks/objects.toml"
WHOLE = """
schemas = ["venture"]
roles = ["venture_app"]
views = ["venture.open_orders"]
functions = ["venture.order_total(bigint, numeric(12,2))", "Venture.Now ()"]
indexes = ["venture.orders_customer_idx"]
triggers = ["venture.orders.orders_touch"]
[tables]
"venture.orders" = { id = "bigint", total = "numeric(12,2)", "Ünlike this" = "text" }
'venture."Weird.Name"' = { '"Quoted"' = "text" }
"""


def test_every_kind_is_read() -> None:
    objects = parse(WHOLE, path=PATH)
    assert [str(declared) for declared in objects.declared] == [
        "schema venture",
        "role venture_app",
        "table venture.orders",
        'table venture."Weird.Name"',
        "view venture.open_orders",
        "function venture.order_total(bigint,numeric(12,2))",
        "function venture.now()",
        "index venture.orders_customer_idx",
        "trigger venture.orders.orders_touch",
    ]
    orders, weird = objects.of_kind(ObjectKind.TABLE)
    assert orders.columns == (("id", "bigint"), ("total", "numeric(12,2)"), ("Ünlike this", "text"))
    assert weird.columns == (("Quoted", "text"),)
    assert objects.schemas == ("venture",)


def test_schemas_of_names_count_as_well() -> None:
    objects = parse('schemas = ["a"]\nviews = ["b.v"]\nroles = ["r"]', path=PATH)
    assert objects.schemas == ("a", "b")


def test_facts_are_frozen() -> None:
    declared = DeclaredObject(kind=ObjectKind.SCHEMA, name="a")
    with pytest.raises(AttributeError):
        declared.name = "b"  # type: ignore[misc]
    assert Objects().schemas == ()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.b", ("a", "b")),
        ("A.B", ("a", "b")),
        ('a."B"', ("a", "B")),
        ('"a.b"."c""d"', ("a.b", 'c"d')),
        ('a."f(x)"(integer)', ("a", "f(x)")),
        ("a.b.c", ("a", "b", "c")),
    ],
)
def test_names_are_sql_identifiers(name: str, parts: tuple[str, ...]) -> None:
    assert split_name(name) == parts


@pytest.mark.parametrize("identifier", ["plain", "With Space", 'q"uote', "ümlaut", "1st", "a.b"])
def test_quoting_is_undone_by_splitting(identifier: str) -> None:
    for spelling in (quoted, in_quotes, spelt):
        assert split_name(spelling(identifier)) == (identifier,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it declares nothing"),
        ("schemas = []", "it declares nothing"),
        ("schemas = [", "it is not TOML"),
        ("tabels = []", "'tabels' (did you mean 'tables'?)"),
        ("schemas = 'venture'", "schemas: a list of names was expected"),
        ("schemas = [1]", "schemas: a list of names was expected"),
        ("views = ['open_orders']", "views: 'open_orders' is no name of this kind"),
        ("views = ['a.b.c']", "write it like 'venture.open_orders'"),
        ("views = ['a.b c']", "views: 'a.b c'"),
        ("views = ['a.\"b']", "views: 'a.\"b'"),
        ("functions = ['a.f']", "write it like 'venture.order_total(bigint)'"),
        ("triggers = ['a.b']", "write it like 'venture.orders.orders_touch'"),
        ("views = ['a.b', 'A.B']", "views declares a.b twice"),
        ("tables = ['a.b']", "tables: a table was expected"),
        ("[tables]\na.b = { id = 'int' }", "write it in quotes"),
        ("[tables]\n'a.b' = {}", "a.b: every column with its type was expected"),
        ("[tables]\n'a.b' = { id = 1 }", "a.b: the type of 'id' is no text"),
        ("[tables]\n'a.b' = { id = '' }", "a.b: the type of 'id' is no text"),
        ("[tables]\n'a.b' = { id = 'int', '\"id\"' = 'int' }", "column id is declared twice"),
        ("[tables]\n'a.b' = { id = 'int' }\n'A.b' = { id = 'int' }", "tables declares a.b twice"),
    ],
)
def test_what_is_misread_is_refused(text: str, told: str) -> None:
    with pytest.raises(MisuseError) as caught:
        parse(text, path=PATH)
    assert told in str(caught.value)
    assert PATH in caught.value.found
    assert caught.value.why
    assert caught.value.fix


def test_all_errors_are_told_at_once() -> None:
    text = "shemas = ['a']\nviews = ['b']\n[tables]\n'a.b' = { id = 1 }\n"
    with pytest.raises(MisuseError) as caught:
        parse(text, path=PATH)
    assert all(part in caught.value.found for part in ("shemas", "'b'", "'id'"))
