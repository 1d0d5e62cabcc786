"""The layouts by name."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_housekeeping.config import Config
from pytest_housekeeping.sql.layouts import (
    atlas,
    dbmate,
    diesel,
    drizzle,
    flyway,
    golang_migrate,
    goose,
    node_pg_migrate,
    own,
    prisma,
    sqitch,
    sql_migrate,
    sqlx,
    supabase,
    tern,
)
from pytest_housekeeping.sql.layouts.layout import Layout

OWN = own.LAYOUT.name
LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        own.LAYOUT,
        flyway.LAYOUT,
        dbmate.LAYOUT,
        goose.LAYOUT,
        sql_migrate.LAYOUT,
        tern.LAYOUT,
        node_pg_migrate.LAYOUT,
        golang_migrate.LAYOUT,
        supabase.LAYOUT,
        prisma.LAYOUT,
        sqitch.LAYOUT,
        diesel.LAYOUT,
        sqlx.LAYOUT,
        atlas.LAYOUT,
        drizzle.LAYOUT,
    )
}


def layout_of(config: Config) -> Layout:
    """The layout of a project."""
    return LAYOUTS[config.layout or OWN]
