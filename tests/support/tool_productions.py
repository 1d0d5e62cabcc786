"""A production as each tool has left it: its files applied, and its own table filled."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from pytest_housekeeping.config import Config
from pytest_housekeeping.sql.layouts.layout import Ground
from pytest_housekeeping.sql.layouts.sqitch import changes_of
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.fresh_copy import ROOT
from support.reference_pages import files_of

Files = Mapping[str, str]
_DOWN = re.compile(
    r"^--(?: migrate:down| rambler down| \+(?:goose|migrate) Down| Down Migration|-- create above)"
    r".*",
    re.MULTILINE | re.DOTALL,
)
# What of each tool's files goes up, in its order.
_UP = {
    "flyway": r"V\d+__\w+\.sql",
    "dbmate": r"\d+_\w+\.sql",
    "goose": r"\d+_\w+\.sql",
    "sql-migrate": r"\d+-\w+\.sql",
    "tern": r"\d+_\w+\.sql",
    "node-pg-migrate": r"\d+_\w+\.sql",
    "golang-migrate": r"\d+_\w+\.up\.sql",
    "supabase": r"\d+_\w+\.sql",
    "prisma": r"migration\.sql",
    "sqitch": r"(?!)",
    "diesel": r"up\.sql",
    "sqlx": r"\d+_\w+\.up\.sql",
    "atlas": r"\d+_\w+\.sql",
    "drizzle": r"\d+_\w+\.sql",
    "liquibase": r"\d+-\w+\.sql",
    "rambler": r"\d+_\w+\.sql",
}
TOOLS = tuple(_UP)


def page_of(tool: str) -> Path:
    """The page that is about a tool."""
    return ROOT / f"docs/from/{tool.replace('-', '_')}.md"


def project_of(tool: str) -> Files:
    """The small project that its page shows."""
    return files_of(page_of(tool))


def ups(tool: str, files: Files) -> list[str]:
    """The paths of what goes up, in the tool's order."""
    if tool == "sqitch":
        return ["deploy/items.sql", "deploy/price.sql"]
    return sorted(path for path in files if re.fullmatch(_UP[tool], path.rpartition("/")[2]))


def migrate(connection: psycopg.Connection[object], tool: str, files: Files) -> None:
    """What the tool does with these files on an empty database, as the role that is connected."""
    behind = sorted(path for path in files if "/afterMigrate" in path)
    for path in (*ups(tool, files), *behind):
        connection.execute(_DOWN.sub("", files[path]).encode())
    connection.execute(_TABLES[tool].encode())
    for table, values in rows_of(tool, files):
        row = sql.SQL(", ").join(map(sql.Literal, values))
        connection.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(sql.SQL(table), row))


_Rows = Iterator[tuple[str, tuple[object, ...]]]


def rows_of(tool: str, files: Files) -> _Rows:
    """What the tool puts on record of the files: the table, with its columns, and the values."""
    return _ROWS[tool](files)


def _versions(path: str) -> str:
    return re.split(r"[_/]", path.rpartition("/")[2] or path)[0]


def _flyway(files: Files) -> _Rows:
    for rank, path in enumerate(ups("flyway", files), start=1):
        name = path.rpartition("/")[2]
        crc = 0
        for line in files[path].splitlines():
            crc = zlib.crc32(line.encode(), crc)
        crc = crc - (1 << 32) if crc >= 1 << 31 else crc
        values = (rank, str(rank), name[4:-4], "SQL", name, crc, "app", "2024-01-01", 5, True)
        yield "flyway_schema_history", values


def _by_version(table: str, tool: str) -> Callable[[Files], _Rows]:
    def made(files: Files) -> _Rows:
        for path in ups(tool, files):
            yield table, (_versions(path),)

    return made


def _goose(files: Files) -> _Rows:
    for number in range(len(ups("goose", files)) + 1):
        yield "goose_db_version (version_id, is_applied)", (number, True)


def _golang_migrate(files: Files) -> _Rows:
    yield "schema_migrations", (len(ups("golang-migrate", files)), False)


def _prisma(files: Files) -> _Rows:
    for number, path in enumerate(ups("prisma", files), start=1):
        checksum = hashlib.sha256(files[path].encode()).hexdigest()
        at = f"2024-01-0{number}"
        yield (
            "_prisma_migrations",
            (str(number), checksum, at, path.split("/")[2], None, None, at, 1),
        )


def _sqitch(files: Files) -> _Rows:
    held = ProjectFiles(Path(), read=lambda path: files[path].encode())
    for number, change in enumerate(changes_of(Ground(config=_SQITCH, files=held)), start=1):
        script = files[f"deploy/{change.name}.sql"].encode()
        digest = hashlib.sha1(script, usedforsecurity=False).hexdigest()
        yield "sqitch.changes", (change.id, digest, change.name, "shop", "", f"2024-01-0{number}")


def _diesel(files: Files) -> _Rows:
    for number, path in enumerate(ups("diesel", files), start=1):
        version = path.split("/")[1].partition("_")[0].replace("-", "")
        yield "__diesel_schema_migrations", (version, f"2024-01-0{number}")


def _sqlx(files: Files) -> _Rows:
    for path in ups("sqlx", files):
        version, _, name = path.rpartition("/")[2].partition("_")
        checksum = hashlib.sha384(files[path].encode()).digest()
        named = name.removesuffix(".up.sql")
        yield "_sqlx_migrations", (int(version), named, "2024-01-01", True, checksum, 5)


def _atlas(files: Files) -> _Rows:
    for number, path in enumerate(ups("atlas", files), start=1):
        row = (_versions(path), "x", 2, 1, 1, f"2024-01-0{number}", 5, None, None, "h1", None, "v")
        yield "atlas_schema_revisions.atlas_schema_revisions", row


def _drizzle(files: Files) -> _Rows:
    entries = json.loads(files["drizzle/meta/_journal.json"])["entries"]
    for number, path in enumerate(ups("drizzle", files)):
        digest = hashlib.sha256(files[path].encode()).hexdigest()
        yield "drizzle.__drizzle_migrations", (number + 1, digest, entries[number]["when"])


def _sql_migrate(files: Files) -> _Rows:
    for number, path in enumerate(ups("sql-migrate", files), start=1):
        yield "gorp_migrations", (path.rpartition("/")[2], f"2024-01-0{number}")


def _tern(files: Files) -> _Rows:
    yield "schema_version", (len(ups("tern", files)),)


def _node_pg_migrate(files: Files) -> _Rows:
    for path in ups("node-pg-migrate", files):
        name = path.rpartition("/")[2].removesuffix(".sql")
        yield "pgmigrations (name, run_on)", (name, "2024-01-01")


def _liquibase(files: Files) -> _Rows:
    """With the sums that Liquibase 4.28 has written of the page's files."""
    sums = ("9:d496671facf8c98b1bfc8930375072a4", "9:d3a739e691c2c2e35ec4e9c9e6df1d77")
    for number, path in enumerate(ups("liquibase", files), start=1):
        at = f"2024-01-0{number}"
        columns = "id, author, filename, dateexecuted, orderexecuted, exectype, md5sum"
        values = (str(number), "ada", path, at, number, "EXECUTED", sums[number - 1])
        yield f"databasechangelog ({columns})", values


def _rambler(files: Files) -> _Rows:
    for path in ups("rambler", files):
        yield "migrations", (path.rpartition("/")[2],)


_SQITCH = Config(root=Path(), layout="sqitch", migrations=".")
_ROWS: Mapping[str, Callable[[Files], _Rows]] = {
    "flyway": _flyway,
    "dbmate": _by_version("schema_migrations", "dbmate"),
    "goose": _goose,
    "sql-migrate": _sql_migrate,
    "tern": _tern,
    "node-pg-migrate": _node_pg_migrate,
    "golang-migrate": _golang_migrate,
    "supabase": _by_version("supabase_migrations.schema_migrations", "supabase"),
    "prisma": _prisma,
    "sqitch": _sqitch,
    "diesel": _diesel,
    "sqlx": _sqlx,
    "atlas": _atlas,
    "drizzle": _drizzle,
    "liquibase": _liquibase,
    "rambler": _rambler,
}
_TABLES = {
    "flyway": """
CREATE TABLE flyway_schema_history (installed_rank integer NOT NULL, version varchar(50),
    description varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL,
    checksum integer, installed_by varchar(100) NOT NULL,
    installed_on timestamp NOT NULL DEFAULT now(), execution_time integer NOT NULL,
    success boolean NOT NULL);
ALTER TABLE flyway_schema_history ADD CONSTRAINT flyway_schema_history_pk
    PRIMARY KEY (installed_rank);
CREATE INDEX flyway_schema_history_s_idx ON flyway_schema_history (success)
""",
    "dbmate": "CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY)",
    "goose": """
CREATE TABLE goose_db_version (id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
    version_id bigint NOT NULL, is_applied boolean NOT NULL,
    tstamp timestamp NOT NULL DEFAULT now())
""",
    "sql-migrate": """
CREATE TABLE gorp_migrations (id text NOT NULL PRIMARY KEY, applied_at timestamptz)
""",
    "tern": "CREATE TABLE schema_version (version int4 NOT NULL)",
    "node-pg-migrate": """
CREATE TABLE pgmigrations (id serial PRIMARY KEY, name varchar(255) NOT NULL,
    run_on timestamp NOT NULL)
""",
    "golang-migrate": """
CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)
""",
    "supabase": """
CREATE SCHEMA supabase_migrations;
CREATE TABLE supabase_migrations.schema_migrations (version text NOT NULL PRIMARY KEY,
    statements text[], name text)
""",
    "prisma": """
CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY NOT NULL,
    checksum varchar(64) NOT NULL, finished_at timestamptz, migration_name varchar(255) NOT NULL,
    logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(),
    applied_steps_count integer NOT NULL DEFAULT 0)
""",
    "sqitch": """
CREATE SCHEMA sqitch;
CREATE TABLE sqitch.changes (change_id text PRIMARY KEY, script_hash text, change text NOT NULL,
    project text NOT NULL, note text NOT NULL DEFAULT '',
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(), UNIQUE (project, script_hash))
""",
    "diesel": """
CREATE TABLE __diesel_schema_migrations (version varchar(50) PRIMARY KEY NOT NULL,
    run_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)
""",
    "sqlx": """
CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL,
    installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL,
    checksum bytea NOT NULL, execution_time bigint NOT NULL)
""",
    "atlas": """
CREATE SCHEMA atlas_schema_revisions;
CREATE TABLE atlas_schema_revisions.atlas_schema_revisions (version varchar NOT NULL PRIMARY KEY,
    description varchar NOT NULL, type bigint NOT NULL DEFAULT 2,
    applied bigint NOT NULL DEFAULT 0, total bigint NOT NULL DEFAULT 0,
    executed_at timestamptz NOT NULL, execution_time bigint NOT NULL, error text, error_stmt text,
    hash varchar NOT NULL, partial_hashes jsonb, operator_version varchar NOT NULL)
""",
    "drizzle": """
CREATE SCHEMA drizzle;
CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL,
    created_at bigint)
""",
    "liquibase": """
CREATE TABLE databasechangeloglock (id integer NOT NULL PRIMARY KEY, locked boolean NOT NULL,
    lockgranted timestamp, lockedby varchar(255));
CREATE TABLE databasechangelog (id varchar(255) NOT NULL, author varchar(255) NOT NULL,
    filename varchar(255) NOT NULL, dateexecuted timestamp NOT NULL,
    orderexecuted integer NOT NULL, exectype varchar(10) NOT NULL, md5sum varchar(35),
    description varchar(255), comments varchar(255), tag varchar(255), liquibase varchar(20),
    contexts varchar(255), labels varchar(255), deployment_id varchar(10))
""",
    "rambler": "CREATE TABLE migrations (migration varchar(255) NOT NULL)",
}
