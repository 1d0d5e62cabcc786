"""The layouts by name."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from pytest_housekeeping.config import Config
from pytest_housekeeping.sql.layouts.layout import Layout

OWN = "own"
# Of each the module that is called so, with "_" for "-".
LAYOUTS = (
    OWN,
    "flyway",
    "dbmate",
    "goose",
    "sql-migrate",
    "tern",
    "node-pg-migrate",
    "golang-migrate",
    "supabase",
    "prisma",
    "sqitch",
    "diesel",
    "sqlx",
    "atlas",
    "drizzle",
    "liquibase",
    "rambler",
)


@cache
def layout_named(name: str) -> Layout:
    """One of them; its module is imported when a project has it."""
    module = import_module(f"pytest_housekeeping.sql.layouts.{name.replace('-', '_')}")
    layout: Layout = module.LAYOUT
    return layout


def layout_of(config: Config) -> Layout:
    """The layout of a project."""
    return layout_named(config.layout or OWN)
