"""The throwaway server: starts while pytest collects, gives databases, leaves nothing behind."""

from pytest_housekeeping.server.beginning import Beginning, Begun
from pytest_housekeeping.server.extensions import available_extensions, extension_advice
from pytest_housekeeping.server.kept_folders import build_facts, family_is_kept
from pytest_housekeeping.server.server_settings import ServerSettings, server_settings
from pytest_housekeeping.server.staging_database import StagingDatabase
from pytest_housekeeping.server.throwaway_server import Server, start

__all__ = [
    "Beginning",
    "Begun",
    "Server",
    "ServerSettings",
    "StagingDatabase",
    "available_extensions",
    "build_facts",
    "extension_advice",
    "family_is_kept",
    "server_settings",
    "start",
]
