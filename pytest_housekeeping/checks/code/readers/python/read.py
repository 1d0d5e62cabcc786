"""References out of a Python file: the walk notes what there is, the readers say what it names."""

from __future__ import annotations

import ast
import itertools
import warnings
from collections.abc import Sequence

from pytest_housekeeping.checks.code.facts import FileFacts
from pytest_housekeeping.checks.code.readers.python import calls, models, orm
from pytest_housekeeping.checks.code.readers.python.sinks import add_text
from pytest_housekeeping.checks.code.readers.python.survey import CallSite, Survey, TextSite, span
from pytest_housekeeping.checks.code.readers.python.text import part, static_value
from pytest_housekeeping.checks.code.readers.python.walk import survey_of
from pytest_housekeeping.checks.code.sqltext.collector import Collector
from pytest_housekeeping.checks.code.sqltext.search import is_program
from pytest_housekeeping.checks.code.sqltext.template import join
from pytest_housekeeping.checks.code.vocabulary import vocabulary

_POSTGRES_PACKAGES = vocabulary(
    """
    psycopg psycopg2 asyncpg sqlalchemy django pg8000 aiopg databases sqlmodel peewee pandas
    psycopg_pool supabase airflow alembic tortoise pony records polars dataset geopandas
    """
)
# Their tables stand in calls and classes that are not read.
_UNREAD_PACKAGES = vocabulary(
    """
    piccolo ormar gino pugsql aiosql edgy saffier ibis pyspark petl dlt sqlmesh activerecord
    connectorx adbc_driver_postgresql orator masonite pydal web2py
    gql sgqlc python_graphql_client pypika
    """
)
_OTHER_PACKAGES = vocabulary(
    """
    sqlite3 aiosqlite pymysql MySQLdb mysql aiomysql duckdb clickhouse_driver clickhouse_connect
    snowflake cx_Oracle oracledb pyodbc pymssql cassandra trino pyspark bigquery
    """
)


def read(text: str, file: str) -> FileFacts:
    """What the file names. Raises SyntaxError or ValueError for what is no Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    survey = survey_of(tree)
    others = bool(survey.packages & _OTHER_PACKAGES)
    postgres = bool(survey.packages & _POSTGRES_PACKAGES)
    collector = Collector(file, text, foreign=others and not postgres)
    collector.imports = survey.imports
    for each in survey.imports:
        package = each.module.partition(".")[0]
        if package in _UNREAD_PACKAGES and not each.level:
            collector.add_unread(each.line, each.column, each.symbol, package)
    orm.read(survey, collector, imports_a_database=postgres)
    models.read(survey, collector)
    done = calls.read(survey, collector, imports_a_database=postgres or others)
    for key, site in survey.settings:
        if given := static_value(site.node, site.scope):
            collector.add_setting(key, given, span(collector, site.node, site.symbol))
    if collector.runs_commands:
        _commands(survey, collector)
    for site in survey.texts:
        if id(site.node) not in done and not site.is_message:
            add_text(site, collector, how="python text", sink=False)
    return collector.facts()


def _commands(survey: Survey, collector: Collector) -> None:
    """``["pg_dump", "-t", "governance.ledger"]``, and the same as arguments of a call."""
    # Of calls only those that begin with the program: add_argument("-t", name) is none.
    calls = [site for site in survey.calls if _is_program(site.node.args[:1])]
    handed = {id(each) for site in survey.calls for each in (site.node, *site.node.args)}
    given: list[tuple[CallSite | TextSite, Sequence[ast.expr]]]
    given = [(site, getattr(site.node, "elts", ())) for site in survey.lists]
    for site, items in (*given, *((site, site.node.args) for site in calls)):
        parts = (part(each, site.scope) for each in items)
        spaced = itertools.chain.from_iterable((each, (" ",)) for each in parts)
        place = span(collector, site.node, site.symbol)
        collector.add_arguments(join(*spaced), place, whole=id(site.node) in handed)


def _is_program(words: Sequence[ast.expr]) -> bool:
    return any(isinstance(each, ast.Constant) and is_program(each.value) for each in words)
