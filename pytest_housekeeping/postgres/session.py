"""What a text means: the settings of our sessions, the same in staging and in production.

A role, a database, a configuration file or the environment can each give a session another
DateStyle, TimeZone, search_path or client encoding, and the same file would then store other dates
or make its tables elsewhere than staging has proved. So each connection sends these settings when
it begins: what comes in the startup message goes before ``ALTER ROLE … SET`` and ``ALTER DATABASE …
SET``, and RESET ALL leads back to it
(https://www.postgresql.org/docs/16/config-setting.html#CONFIG-SETTING-SQL). What a role or a
database would have set instead is told. Limits of time belong to the promotion, and a session
that a role makes read-only could write nothing: they are set as well.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from pytest_housekeeping.declarations.pinned_settings import pinned_names

# A superuser alone may set it, and with it no trigger and no foreign key works.
_ORIGIN = "session_replication_role"


def startup_options(settings: Mapping[str, str]) -> str:
    """The settings as libpq's ``options`` has them, blanks and backslashes escaped.

    https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-CONNECT-OPTIONS
    """
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())


def overridden(connection: psycopg.Connection[tuple[object, ...]]) -> tuple[str, ...]:
    """What role and database would have set otherwise in this session, a setting each, and who.

    Raises nothing: who may connect may read it.
    """
    rows = connection.execute(
        _SET_ELSEWHERE, (sorted(each.lower() for each in pinned_names()),)
    ).fetchall()
    return tuple(f"{name} = {value or repr('')} ({owner})" for name, value, owner in rows)


def replication_role(connection: psycopg.Connection[tuple[object, ...]]) -> str:
    """``origin``, or the value under which triggers and foreign keys do not work."""
    row = connection.execute("SELECT pg_catalog.current_setting(%s)", (_ORIGIN,)).fetchone()
    return str(row[0]) if row else ""


def _escaped(value: str) -> str:
    return "".join(f"\\{each}" if each in " \\\t\n" else each for each in value)


# https://www.postgresql.org/docs/16/catalog-pg-db-role-setting.html
_SET_ELSEWHERE = """
SELECT o.name, o.value,
       pg_catalog.concat_ws(' in ',
           'ALTER ' || CASE WHEN s.setrole = 0 THEN 'DATABASE ' || d.name
                            ELSE 'ROLE ' || session_user END || ' SET',
           CASE WHEN s.setrole <> 0 THEN d.name END)
FROM pg_catalog.pg_db_role_setting AS s
CROSS JOIN LATERAL (
    SELECT CASE WHEN s.setdatabase <> 0 THEN pg_catalog.current_database() END) AS d (name)
CROSS JOIN LATERAL (
    SELECT pg_catalog.split_part(c, '=', 1) AS name,
           pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value
    FROM pg_catalog.unnest(s.setconfig) AS c) AS o
WHERE s.setrole IN (0, pg_catalog.quote_ident(session_user)::regrole)
AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database AS d
                          WHERE d.datname = pg_catalog.current_database()))
AND pg_catalog.lower(o.name) = ANY (%s::text[])
ORDER BY 1, 3
"""
