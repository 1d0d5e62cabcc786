"""Databases beside production: targets in a row, and the tenants of a fleet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg import sql

from support.production_project import PASSWORD, PROMOTER, Production


@contextmanager
def beside(production: Production, names: Sequence[str]) -> Iterator[None]:
    """Databases of these names to which nothing was promoted; they are gone afterwards."""
    for name in names:
        production.server.copy("first_promotion", name)
    yield
    with production.server.superuser("postgres") as connection:
        for name in names:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name)))


def variables(production: Production, env: str, database: str = "") -> dict[str, str]:
    """What leads there: ``env`` is what the names end with, or begin with where it ends so."""

    def called(part: str) -> str:
        return f"{env}{part}" if env.endswith("_") else f"{part}_{env}"

    parts = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(production.server.port),
        "PGUSER": PROMOTER,
        "PGPASSWORD": PASSWORD,
    }
    parts |= {"PGDATABASE": database} if database else {}
    return {called(part): value for part, value in parts.items()}
