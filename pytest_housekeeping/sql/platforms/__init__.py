"""What the server of a provider has before the first migration: ``NAME.sql``, run in staging."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

from pytest_housekeeping.sql.identifiers import quoted

SUPABASE = "supabase"
PLATFORMS = (SUPABASE, "rds", "cloudsql")
# In the file's head: -- extensions: pgcrypto uuid-ossp
_FACT = re.compile(
    r"^-- (extensions|creates|migrator|superuser|database|search_path): (.+)$", re.MULTILINE
)


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What a provider's server is, beyond what a file can make; "" where it is like any other.

    ``extensions`` it has from the beginning, and migrations count on them; those that it
    ``creates`` for the migrator, a superuser alone may make elsewhere. ``migrator`` is the role
    that migrations run as, ``superuser`` the one that belongs to the provider, ``database`` the one
    that every project has, and ``search_path`` that of the migrator.
    """

    extensions: frozenset[str] = frozenset()
    creates: tuple[str, ...] = ()
    migrator: str = ""
    superuser: str = ""
    database: str = ""
    search_path: str = ""


def platform_of(name: str) -> Platform:
    """What the head of a preset says; of a name that is none, nothing."""
    if name not in PLATFORMS:
        return Platform()
    facts: dict[str, str] = {}
    for key, said in _FACT.findall(_text(name)):
        facts[key] = f"{facts.get(key, '')} {said.strip()}".strip()  # a long one has several lines
    return Platform(
        extensions=frozenset(facts.get("extensions", "").split()),
        creates=tuple(facts.get("creates", "").split()),
        migrator=facts.get("migrator", ""),
        superuser=facts.get("superuser", ""),
        database=facts.get("database", ""),
        search_path=facts.get("search_path", ""),
    )


def platform_text(name: str, *, migrator: str) -> str:
    """The statements of a platform, for this migrating role."""
    return _text(name).replace("{migrator}", quoted(migrator))


def _text(name: str) -> str:
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
