"""A second copy beside the first, of before a batch: what is tried there touches no proof."""

from __future__ import annotations

from dataclasses import replace

import psycopg
from psycopg import sql

from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.copies.foreseen import copy_conninfo
from pytest_housekeeping.snapshot.copies.restore import Copy

SPARE = "hk_seeded"
# What a template does not bring along: who owns it, who may enter, and the settings.
# https://www.postgresql.org/docs/16/manage-ag-templatedbs.html
_ALIKE = """
UPDATE pg_catalog.pg_database AS d SET datdba = s.datdba, datacl = s.datacl
FROM pg_catalog.pg_database AS s WHERE d.datname = {spare} AND s.datname = {name};
INSERT INTO pg_catalog.pg_db_role_setting (setdatabase, setrole, setconfig)
SELECT d.oid, r.setrole, r.setconfig FROM pg_catalog.pg_db_role_setting AS r
JOIN pg_catalog.pg_database AS s ON s.oid = r.setdatabase AND s.datname = {name}
CROSS JOIN pg_catalog.pg_database AS d WHERE d.datname = {spare};
"""


def with_spare(copy: Copy, server_major: int) -> Copy:
    """The copy, once there is another one like it, of the name `SPARE`; its session is a new one.

    Nobody may be in a database of which another is made, and so this comes before all else. A copy
    of template1 has none, nor has one for which there is no room.
    """
    database = copy.database
    if database.name == "template1":
        return copy
    copy.connection.close()
    try:
        _make(database)
    except psycopg.Error:
        # No room for it, say: whoever wants to use it tells that there is none.
        spare = None
    else:
        spare = replace(database, name=SPARE)
    return replace(copy, connection=connect(copy_conninfo(database, server_major)), spare=spare)


def _make(database: StagingDatabase) -> None:
    way = database.cluster.conninfo(
        "template1", user=database.migrator, password=database.migrator_password
    )
    with connect(way) as connection:
        made = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
        names = sql.Identifier(SPARE), sql.Identifier(database.name)
        connection.execute(sql.SQL(made).format(*names))
        connection.execute("SET allow_system_table_mods = on")
        alike = sql.SQL(_ALIKE).format(spare=sql.Literal(SPARE), name=sql.Literal(database.name))
        connection.execute(alike)
