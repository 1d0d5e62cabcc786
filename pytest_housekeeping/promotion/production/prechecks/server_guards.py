"""Guards that the server's own configuration switches off, for every database and every role.

What a role or a database presets is in the catalog, and a rule tells it (`setting-unguarded`). What
stands in postgresql.conf, behind ALTER SYSTEM or on the command line is on no copy: a session shows
it (https://www.postgresql.org/docs/16/view-pg-settings.html).
"""

from __future__ import annotations

from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import Connection

# By name, what it opens; what a role or a database presets has another source.
_OPENS = {
    "lo_compat_privileges": "every session reads and writes every large object, whatever was"
    " granted",
    "allow_system_table_mods": "whoever owns a catalog, or was granted it, alters it",
    "session_replication_role": "no trigger fires and no foreign key is checked",
}
_OPEN = """
SELECT name, setting FROM pg_catalog.pg_settings
WHERE source IN ('configuration file', 'command line', 'environment variable', 'global')
AND (name IN ('lo_compat_privileges', 'allow_system_table_mods') AND setting = 'on'
     OR name = 'session_replication_role' AND setting = 'replica')
ORDER BY name
"""


def server_guards(connection: Connection, *, protects: bool) -> tuple[Finding, ...]:
    """A finding for each: an error where rows are protected from somebody, else a warning."""
    return tuple(
        Finding(
            rule="server-unguarded",
            level=Level.ERROR if protects else Level.WARNING,
            object=name,
            detail=f"is {setting} in the configuration of the server: {_OPENS[name]}",
            fix=f"ALTER SYSTEM RESET {name}; SELECT pg_reload_conf(); and take it out of"
            " postgresql.conf, where it stands there",
            leak=f"SHOW {name};",
        )
        for name, setting in connection.execute(_OPEN.encode()).fetchall()
    )
