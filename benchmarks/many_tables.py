"""A whole project with any number of tables, for the benchmarks: written into a folder, committed.

Each table has two policies, an index, a foreign key to the table before it in every third, grants
to two roles; every tenth file has a view and a function. An eighth of the tables stand in a zone
that no application may reach. All of it is sound: staging promotes it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "a benchmark"), ("EMAIL", "benchmark@example.invalid"))
}
ROLES = ("work_app", "work_report")
FILE_OF = 10
_BOOTSTRAP = """\
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    GRANT {role} TO hk_migrator;
END;
$$;
"""
_GROUND = """\
CREATE SCHEMA work;
CREATE SCHEMA back;
REVOKE ALL ON SCHEMA work, back FROM public;
GRANT USAGE ON SCHEMA work TO work_app, work_report;
CREATE FUNCTION work.tenant() RETURNS uuid LANGUAGE sql STABLE SET search_path = ''
AS $$ SELECT nullif(current_setting('app.tenant_id', true), '')::uuid $$;
REVOKE ALL ON FUNCTION work.tenant() FROM public;
GRANT EXECUTE ON FUNCTION work.tenant() TO work_app, work_report;
"""
_TABLE = """\
CREATE TABLE work.t{n} (
    id bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id uuid NOT NULL DEFAULT work.tenant(),
    name text NOT NULL,
    parent_id bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id){reference}
);
CREATE INDEX t{n}_name_idx ON work.t{n} (tenant_id, name);
ALTER TABLE work.t{n} ENABLE ROW LEVEL SECURITY;
ALTER TABLE work.t{n} FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON work.t{n} TO work_app, work_report
USING (tenant_id = (SELECT work.tenant())) WITH CHECK (tenant_id = (SELECT work.tenant()));
CREATE POLICY kept ON work.t{n} AS RESTRICTIVE FOR DELETE TO work_app USING (name <> 'kept');
GRANT SELECT, INSERT, UPDATE, DELETE ON work.t{n} TO work_app;
GRANT SELECT ON work.t{n} TO work_report;
"""
_REFERENCE = """,
    FOREIGN KEY (tenant_id, parent_id) REFERENCES work.t{before} (tenant_id, id)"""
_BACK_TABLE = """\
CREATE TABLE back.b{n} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, content text NOT NULL);
"""
_EXTRA = """\
CREATE VIEW work.v{n} WITH (security_invoker = true) AS SELECT t.id, t.name FROM work.t{n} AS t;
GRANT SELECT ON work.v{n} TO work_report;
CREATE FUNCTION work.f{n}() RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = ''
AS $$ BEGIN RETURN (SELECT count(*) FROM work.t{n}); END $$;
REVOKE ALL ON FUNCTION work.f{n}() FROM public;
GRANT EXECUTE ON FUNCTION work.f{n}() TO work_report;
"""
FILES = {
    "pyproject.toml": "[tool.housekeeping]\nlint = false\n",
    ".gitignore": "__pycache__/\n",
    "checks/rls.toml": 'schemas = ["work"]\nroles = ["work_app", "work_report"]\n'
    'context = ["app.tenant_id"]\n',
    "checks/boundaries.toml": """\
[apps.work]
roles = ["work_app", "work_report"]
schemas = ["work"]

[zones.back]
schemas = ["back"]

[[contract]]
name = "work stays out of the back"
type = "forbidden"
source = "work"
target = "back"

[[contract]]
name = "work works on work"
type = "allowed"
source = "work"
target = "work"
""",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationFile:
    """A migration by its number, its name and its text, and what undoes it."""

    name: str
    text: str
    undo: str


def bootstrap(role: str) -> str:
    """Makes a role that a real server already has; run as a superuser."""
    return _BOOTSTRAP.format(role=role)


def migrations(tables: int, per_file: int) -> Iterator[MigrationFile]:
    """The files in their order; the first makes the schemas, each other one so many tables."""
    yield MigrationFile(
        name="0001_ground", text=_GROUND, undo="DROP SCHEMA back;\nDROP SCHEMA work CASCADE;\n"
    )
    numbers = range(1, tables + 1)
    for place, start in enumerate(range(0, tables, per_file), start=2):
        chosen = numbers[start : start + per_file]
        texts = [_back(n) if _is_back(n) else _work(n) for n in chosen]
        undo = [
            f"DROP TABLE back.b{n};\n" if _is_back(n) else f"DROP TABLE work.t{n};\n"
            for n in reversed(chosen)
        ]
        extra = next((n for n in chosen if place % 10 == 0 and not _is_back(n)), 0)
        if extra:
            # PostgreSQL checks the function's body as it would run.
            texts = ["-- hk: row-security=on\n", *texts, _EXTRA.format(n=extra)]
            undo[:0] = [f"DROP FUNCTION work.f{extra}();\n", f"DROP VIEW work.v{extra};\n"]
        yield MigrationFile(
            name=f"{place:04}_tables_{chosen[0]}", text="".join(texts), undo="".join(undo)
        )


def write_project(
    folder: Path, *, tables: int, per_file: int = FILE_OF, rollbacks: bool = False
) -> Path:
    """A project in a new repository at ``folder``, all of it committed on the branch main.

    ``rollbacks`` adds the file that undoes each migration under ``sql/rollback/``. Returns the
    folder.
    """
    files = dict(FILES) | {f"sql/bootstrap/{role}.sql": bootstrap(role) for role in ROLES}
    for each in migrations(tables, per_file):
        files[f"sql/migrations/{each.name}.sql"] = each.text
        if rollbacks:
            files[f"sql/rollback/{each.name}.sql"] = each.undo
    write_files(folder, files)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit_all(folder, f"{tables} tables")
    return folder


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Texts by their path below ``folder``."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def commit_all(folder: Path, message: str) -> None:
    """Commit everything that is in the repository at ``folder``."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def git(folder: Path, *arguments: str) -> str:
    """What git prints, under an author of the benchmarks' own."""
    environment = {**os.environ, **_AUTHOR, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def _is_back(n: int) -> bool:
    return n % 8 == 0


def _back(n: int) -> str:
    return _BACK_TABLE.format(n=n)


def _work(n: int) -> str:
    has_parent = n % 3 == 0 and not _is_back(n - 1)
    reference = _REFERENCE.format(before=n - 1) if has_parent else ""
    return _TABLE.format(n=n, reference=reference)
