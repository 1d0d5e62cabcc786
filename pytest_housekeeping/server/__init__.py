"""The throwaway server: starts while pytest collects, gives databases, leaves nothing behind."""

from pytest_housekeeping.server.extensions import extension_advice
from pytest_housekeeping.server.staging_database import StagingDatabase
from pytest_housekeeping.server.throwaway_server import Server, ServerSettings, start

__all__ = ["Server", "ServerSettings", "StagingDatabase", "extension_advice", "start"]
