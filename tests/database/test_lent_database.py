"""What one test leaves in its database is gone for the next one, which mostly has the same."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pytest_housekeeping.server import Server, start
from support.lent_database import LentDatabase
from support.server_scripts import settings_from_environment

SWEPT = """
CREATE ROLE lent_one; CREATE ROLE lent_two IN ROLE lent_one; GRANT lent_one TO hk_migrator;
CREATE SCHEMA desk AUTHORIZATION lent_one; CREATE TABLE desk.note (id int);
CREATE TABLE public.plain (id serial PRIMARY KEY); CREATE VIEW public.shown AS TABLE plain;
CREATE TYPE public.kind AS ENUM ('a'); CREATE DOMAIN public.word AS text;
CREATE FUNCTION public.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
GRANT CREATE ON SCHEMA public TO hk_migrator; CREATE PUBLICATION p FOR TABLE public.plain;
ALTER DEFAULT PRIVILEGES FOR ROLE lent_one GRANT SELECT ON TABLES TO lent_two;
CREATE TEMPORARY TABLE gone (id int)
"""


@pytest.fixture
def alone() -> Iterator[LentDatabase]:
    """Of a server on which nobody else has a database."""
    server: Server = start(settings_from_environment())
    lent = LentDatabase(server)
    yield lent
    lent.close()
    server.stop()


def left(lent: LentDatabase, what: str) -> str:
    with lent.lend() as database:
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute(what.encode())
        return database.name


def test_it_is_swept_or_another_one(alone: LentDatabase) -> None:
    first = left(alone, SWEPT)
    assert left(alone, SWEPT) == first, "made once more: nothing was left"
    assert left(alone, "GRANT SELECT ON pg_authid TO PUBLIC") == first
    assert left(alone, "SELECT 1") != first, "what initdb has made is not put back"
