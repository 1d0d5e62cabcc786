"""What the server of a provider has before the first migration, as a file for staging."""

from __future__ import annotations

from importlib.resources import files

from pytest_housekeeping.sql.identifiers import quoted

SUPABASE = "supabase"
PLATFORMS = (SUPABASE, "rds", "cloudsql")


def platform_text(name: str, *, migrator: str) -> str:
    """The bootstrap file of a platform, for this migrating role."""
    text = files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return text.replace("{migrator}", quoted(migrator))
