"""What policies and functions read of a session, found in their texts."""

from __future__ import annotations

import pytest

from pytest_housekeeping.promotion.init.contracts_text import Identity, identities

TENANT = Identity(setting="app.tenant")


def claims(*path: str) -> Identity:
    return Identity(setting="request.jwt.claims", path=path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "(tenant = (current_setting('app.tenant'::text, true))::uuid)",
            [TENANT],
        ),
        (
            "nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'",
            [claims("sub")],
        ),
        (
            "((current_setting('request.jwt.claims'::text, true))::json ->> 'sub'::text)",
            [claims("sub")],
        ),
        (
            "(((auth.jwt() -> 'app_metadata'::text) ->> 'org_id'::text))::uuid = org",
            [claims("app_metadata", "org_id")],
        ),
        ("(auth.jwt() ->> 'role'::text) = 'admin'", []),
        (
            "SELECT coalesce(current_setting('a.b', true), current_setting('a.c', true))",
            [Identity(setting="a.b"), Identity(setting="a.c")],
        ),
        ("current_setting('search_path')", []),
        ("true", []),
    ],
)
def test_what_is_read(text: str, found: list[Identity]) -> None:
    assert list(identities([text])) == found


def test_what_is_handed_on_whole_is_read_where_it_is_asked() -> None:
    whole = "SELECT current_setting('request.jwt.claims', true)"
    assert list(identities([whole, "auth.jwt() ->> 'sub'"])) == [claims("sub")]
