"""Other people's plugins, as pytest knows them."""

from __future__ import annotations

import pytest


def plugins_of(config: pytest.Config) -> list[object]:
    """All that are registered. pluggy's ``get_plugins`` makes a set of them, and any object may be
    one, of a class without a hash too."""
    return [plugin for _, plugin in config.pluginmanager.list_name_plugin() if plugin is not None]


def package_of(plugin: object) -> str:
    """The name of the package that a plugin is from."""
    module = getattr(plugin, "__name__", None) or type(plugin).__module__
    return str(module).partition(".")[0]
