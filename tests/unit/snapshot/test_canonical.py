"""One spelling of what PostgreSQL prints in two."""

from __future__ import annotations

import pytest

from pytest_housekeeping.snapshot.canonical import canonical


@pytest.mark.parametrize(
    ("printed", "wanted"),
    [
        (
            "((s)::text = ANY ((ARRAY['a'::character varying, 'b,]'::character varying])::text[]))",
            (
                "((s)::text = ANY (ARRAY[('a'::character varying)::text,"
                " ('b,]'::character varying)::text]))"
            ),
        ),
        (
            "(ARRAY[f(1, 2), 3])::numeric(9,2)[]",
            "ARRAY[(f(1, 2))::numeric(9,2), (3)::numeric(9,2)]",
        ),
        ("(ARRAY[1, 2])", "(ARRAY[1, 2])"),
        ("'(ARRAY[' || x", "'(ARRAY[' || x"),
    ],
)
def test_a_cast_of_an_array_has_one_spelling(printed: str, wanted: str) -> None:
    assert canonical(printed) == wanted
