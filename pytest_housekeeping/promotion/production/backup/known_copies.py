"""Which kept copy is one of which schema, so that a server begins with it before all is compared.

A promotion puts the digest of the schema that it leaves on record in the database. Where a run has
kept a copy of that schema since, the next one most likely needs it: its server begins with it
while production is still looked at. What is written here proves nothing: the copy is taken only
where its key is that of what was dumped.
"""

from __future__ import annotations

from pytest_housekeeping.checks.json_cache import default_folder, read_entries, write_entries
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.promotion.production.promoted.promotion_table import last_digest

_FOLDER, _FILE = "copies", "copies.json"


def foreseen_copy(connection: Connection, history_schema: str) -> str:
    """The key of the copy that was kept of the schema which the last promotion has left; "" where
    none is known."""
    known = read_entries(default_folder(_FOLDER) / _FILE)
    digest = last_digest(connection, history_schema) if known else ""
    return str(known.get(digest, ""))


def remember_copy(digest: str, key: str) -> None:
    """That of the schema of this digest a copy is kept under the key."""
    file = default_folder(_FOLDER) / _FILE
    known = read_entries(file)
    if known.get(digest) != key:
        write_entries(file, known, {digest: key})
