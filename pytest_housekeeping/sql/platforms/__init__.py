"""What the server of a provider has before the first migration: ``NAME.sql``, run in staging."""

from __future__ import annotations

import re
from importlib.resources import files

from pytest_housekeeping.sql.identifiers import quoted

SUPABASE = "supabase"
PLATFORMS = (SUPABASE, "rds", "cloudsql")
# In the file's head: -- extensions: pgcrypto uuid-ossp
_EXTENSIONS = re.compile(r"^-- extensions: (.+)$", re.MULTILINE)


def platform_text(name: str, *, migrator: str) -> str:
    """The statements of a platform, for this migrating role."""
    return _text(name).replace("{migrator}", quoted(migrator))


def platform_extensions(name: str) -> frozenset[str]:
    """The extensions that such a server has from the beginning, and that migrations count on."""
    found = _EXTENSIONS.search(_text(name))
    return frozenset(found[1].split()) if found else frozenset()


def _text(name: str) -> str:
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
