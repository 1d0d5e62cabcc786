"""What the server of a provider has before the first migration: ``NAME.sql``, run in staging."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files

from pytest_housekeeping.sql.identifiers import quoted

SUPABASE = "supabase"
PLATFORMS = (SUPABASE, "rds", "cloudsql")
# In the file's head: -- extensions: pgcrypto uuid-ossp
_FACT = re.compile(
    r"^-- (extensions|creates|migrator|superuser|database|search_path): (.+)$", re.MULTILINE
)
_MADE = re.compile(r"^ +'(\w+) (?:NO)?LOGIN|^CREATE SCHEMA IF NOT EXISTS (\w+)", re.MULTILINE)


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


def platform_making(names: Collection[str]) -> str:
    """The one whose preset makes a role or a schema of one of these names; "" for none."""
    return next((each for each in PLATFORMS if not _made_by(each).isdisjoint(names)), "")


def platform_with(roles: Collection[str]) -> str:
    """The one whose administrators, which bear its name, are among the roles; "" for none."""
    return platform_making([role for role in roles if role.startswith(PLATFORMS)])


def setting_of(platform: str) -> str:
    """What is said where this setting may be the way on."""
    return f'platform = "{platform}" in [tool.housekeeping]'


def _made_by(name: str) -> frozenset[str]:
    return frozenset(role or schema for role, schema in _MADE.findall(_text(name)))


def platform_text(name: str, *, migrator: str) -> str:
    """The statements of a platform, for this migrating role."""
    return _text(name).replace("{migrator}", quoted(migrator))


def _text(name: str) -> str:
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
