"""The settings that carry an identity, by their short names: ``context`` of checks/rls.toml."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_housekeeping.databases.content import Content
from pytest_housekeeping.declarations.rls import context_of, full_name
from pytest_housekeeping.sql.text import decode


def completed(content: Content, settings: Mapping[str, object], *, asked: str) -> Mapping[str, str]:
    """The settings by their full names. Raises MisuseError for one that is unknown."""
    if all("." in name for name in settings):
        return {name: str(value) for name, value in settings.items()}
    path = f"{content.config.checks}/rls.toml"
    known: tuple[str, ...] = ()
    if content.files.has(path):
        known = context_of(decode(content.files.read(path), path))
    return {full_name(name, known, asked=asked): str(value) for name, value in settings.items()}
