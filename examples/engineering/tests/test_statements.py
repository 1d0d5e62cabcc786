"""Every statement of the TypeScript services, prepared and planned by the server as their role."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.checks.code.facts import CodeReference, ReferenceKind
from pytest_housekeeping.checks.code.readers.extract import extract

ROOT = Path(__file__).parents[3]
DATA_TEAM = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"


def statements() -> list[CodeReference]:
    found = extract(ROOT, ["examples/engineering/src/**"], cache_folder=None).found
    texts = {each.text: each for each in found if isinstance(each, CodeReference) and each.text}
    return [each for each in texts.values() if each.kind is ReferenceKind.STATEMENT]


def test_there_are_statements() -> None:
    assert len(statements()) >= 8


@pytest.mark.parametrize("name", ["engineering"])
def test_the_server_takes_every_statement(hk_app_url: Callable[[str], str], name: str) -> None:
    with psycopg.connect(hk_app_url(name)) as connection:
        for number, statement in enumerate(statements()):
            if statement.text.split(maxsplit=1)[0] in ("BEGIN", "COMMIT", "ROLLBACK"):
                continue
            connection.execute(f"PREPARE planned_{number} AS {statement.text}".encode())


def test_a_team_sees_its_services(hk_app_url: Callable[[str], str]) -> None:
    with psycopg.connect(hk_app_url("engineering")) as connection:
        connection.execute("SELECT set_config('app.team_id', %s, true)", (DATA_TEAM,))
        seen = connection.execute("SELECT name FROM engineering.service").fetchall()
        connection.execute("SELECT set_config('app.team_id', '', true)")
        nothing = connection.execute("SELECT name FROM engineering.service").fetchall()
    assert seen
    assert nothing == []
