"""What a platform says of its migrating role, where the project says nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_housekeeping.sql.platforms import platform_of


def on_platform(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with the name of the platform's migrating role, its search_path, and the
    extensions that it may make there."""
    platform = platform_of(values.get("platform", ""))
    migrator = {"migrator": platform.migrator} if platform.migrator else {}
    path = {"search_path": platform.search_path} if platform.search_path else {}
    session = {"session": {**path, **values.get("session", {})}} if path else {}
    trusted = {"trusted_extensions": platform.creates} if platform.creates else {}
    return {**migrator, **trusted, **values, **session}
