"""A text as it is written into the statements that proofs build."""

from __future__ import annotations

from functools import lru_cache

from psycopg import sql


@lru_cache(maxsize=4096)
def literal(value: str | None) -> str:
    """The value as a literal of SQL, whatever characters it holds; NULL for None."""
    return sql.Literal(value).as_string().strip()
