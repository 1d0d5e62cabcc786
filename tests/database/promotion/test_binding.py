"""500 changes between plan and promotion, of one byte of a file or one object: each is refused."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.evidence import SourceFacts
from pytest_housekeeping.model import Kind, Mode
from pytest_housekeeping.plan.baseline import Baseline
from pytest_housekeeping.plan.binding import BoundParts
from pytest_housekeeping.plan.code_files import hold_all
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import build
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.promotion.context import RunContext, new_context
from pytest_housekeeping.promotion.production.binding import Measured, bound_parts
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject, read_fingerprint
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.evidence_samples import TARGET
from support.staging_project import PROJECTS

Connection = psycopg.Connection[tuple[object, ...]]
# Always the same ones, in the same order; `tox -e whole` has all of them.
WHOLE = os.environ.get("HK_WHOLE") or os.environ.get("HK_FAULTS")
BYTES, OBJECTS = (350, 150) if WHOLE else (120, 150)
PAST = AppliedFile(
    path="sql/migrations/0001_tickets.sql", sha256="a" * 64, kind=Kind.MIGRATION, commit="c" * 40
)
SCHEMA = """
CREATE SCHEMA s;
CREATE TYPE s.mood AS ENUM ('sad', 'glad');
CREATE TABLE s.a (id int PRIMARY KEY, mood s.mood NOT NULL DEFAULT 'sad', at timestamptz);
CREATE TABLE s.b (a int REFERENCES s.a, n numeric CHECK (n > 0));
CREATE INDEX ON s.b (n) WHERE n > 10;
CREATE VIEW s.v WITH (security_invoker) AS SELECT id, mood FROM s.a;
CREATE FUNCTION s.f(x int) RETURNS int LANGUAGE sql AS 'SELECT x + 1';
ALTER TABLE s.a ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON s.a USING (id > 0);
"""
BATCH = "CREATE TABLE s.c (id int); ALTER TABLE s.a ADD note text; DROP INDEX s.b_n_idx;"


@dataclass(frozen=True)
class Planned:
    """A project on disk, what was measured of it, and the digest that it was planned under."""

    root: Path
    measured: Measured
    digest: str
    held: tuple[str, ...]

    def refused(self) -> Sequence[str]:
        """What is otherwise now; where no plan can be made any more, that."""
        try:
            parts, _ = bound(self.root, self.measured)
        except HousekeepingError:
            return ("no plan",)
        return parts.unlike(self.digest)


def bound(
    root: Path, measured: Measured, past: Sequence[AppliedFile] = (PAST,), **options: object
) -> tuple[BoundParts, tuple[str, ...]]:
    context, held = planned_in(root, past, **options)
    return bound_parts(context, measured), held


def planned_in(
    root: Path, past: Sequence[AppliedFile] = (PAST,), **options: object
) -> tuple[RunContext, tuple[str, ...]]:
    given = RunOptions(root=root, mode=Mode.PROD, tests=TestNames(), inifile="pyproject.toml")
    given = replace(given, **options)  # type: ignore[arg-type]
    sources = ProjectFiles(root)
    config = load_config(root, sources)
    hold_all(config, sources, given.inifile)
    plan = build(
        config,
        given.mode,
        tests=given.tests,
        sources=sources,
        inifile=given.inifile,
        past=past,
        baseline=Baseline(version=given.baseline) if given.baseline else None,
    )
    context = new_context(given, config, plan, None, SourceFacts(reason="no repository"))
    return context, tuple(sources.held)


@pytest.fixture
def planned(connection: Connection, tmp_path: Path) -> Planned:
    root = tmp_path / "project"
    shutil.copytree(PROJECTS / "tenants", root)
    shutil.copytree(PROJECTS / "second_promotion", root, dirs_exist_ok=True)
    (root / "conftest.py").write_text("X = 1\n")
    (root / "checks/test_desk.py").write_text("def test_it() -> None:\n    assert True\n")
    connection.execute(SCHEMA)
    before = read_fingerprint(connection, exclude_schemas=())
    connection.execute(BATCH)
    after = read_fingerprint(connection, exclude_schemas=())
    measured = Measured(before=before, after=(after,), target=TARGET, role="promoter", code={})
    parts, held = bound(root, measured)
    return Planned(root, measured, parts.digest, held)


def test_a_byte_of_any_file_and_any_object_is_a_change(planned: Planned) -> None:
    chance = random.Random(20261129)
    assert planned.refused() == ()
    named: Counter[str] = Counter()
    touched: set[str] = set()
    for _ in range(BYTES):
        path, refused = _byte_changed(planned, chance)
        assert refused, path
        expected = "files" if path.startswith("sql/") else "settings"
        expected = "code" if path.endswith(".py") else expected
        expected = "checks" if path.startswith("checks/") else expected
        assert refused == ("no plan",) or expected in refused, (path, refused)
        touched.add(path)
        named.update(refused)
    assert touched == set(planned.held)
    context, _ = planned_in(planned.root)
    for _ in range(OBJECTS):
        part, name, measured = _object_changed(planned.measured, chance)
        assert bound_parts(context, measured).unlike(planned.digest) == (part,), name
        named[part] += 1
    assert planned.refused() == ()
    # Not all of it may be files that cannot be read any more.
    assert named["no plan"] < BYTES / 2
    assert {"files", "checks", "settings", "code", "before", "after"} <= named.keys()


def _byte_changed(planned: Planned, chance: random.Random) -> tuple[str, Sequence[str]]:
    """One byte of a file that the plan was made of is another one, is gone, or came."""
    path = chance.choice(planned.held)
    file = planned.root / path
    data = file.read_bytes()
    at = chance.randrange(len(data))
    put = chance.choice((b"", data[at : at + 1] + b" ", bytes([(data[at] + 1) % 256])))
    file.write_bytes(data[:at] + put + data[at + 1 :])
    try:
        return path, planned.refused()
    finally:
        file.write_bytes(data)


def _object_changed(measured: Measured, chance: random.Random) -> tuple[str, str, Measured]:
    """One object of the schema before or after has another text, is gone, or came."""
    part = chance.choice(("before", "after"))
    schema = measured.before if part == "before" else measured.after[0]
    entries = list(schema.entries)
    at = chance.randrange(len(entries))
    entry = entries[at]
    more = SchemaObject(name=f"{entry.name}_", parent=entry.parent, text=entry.text)
    put = chance.choice(([], [replace(entry, text=f"{entry.text} ")], [entry, more]))
    entries[at : at + 1] = put
    other: Fingerprint = replace(schema, entries=tuple(entries))
    changed = {"before": other} if part == "before" else {"after": (other,)}
    return part, entry.name, replace(measured, **changed)


def test_another_database_history_option_or_code_is_named(planned: Planned) -> None:
    def unlike(measured: Measured = planned.measured, **given: object) -> Sequence[str]:
        parts, _ = bound(planned.root, measured, **given)  # type: ignore[arg-type]
        return parts.unlike(planned.digest)

    assert unlike() == ()
    for target in (
        replace(TARGET, system_identifier="7000000000000000009"),
        replace(TARGET, database="other"),
        replace(TARGET, server_version="16.99"),
        replace(TARGET, timeline=7),
    ):
        assert unlike(replace(planned.measured, target=target)) == ("target",)
    assert unlike(replace(planned.measured, role="other")) == ("target",)
    # The same server under another name is the same.
    elsewhere = replace(TARGET, host="tunnel", port=1)
    assert unlike(replace(planned.measured, target=elsewhere)) == ()
    assert unlike(past=(replace(PAST, sha256="b" * 64),)) == ("history",)
    assert unlike(past=()) == ("files", "history")
    assert unlike(tests=TestNames(functions=("test", "check"))) == ("options",)
    code = replace(planned.measured, code={"shop": "another text"})  # type: ignore[dict-item]
    assert unlike(code) == ("code",)
    segments = replace(planned.measured, after=(*planned.measured.after,) * 2)
    assert unlike(segments) == ("after",)


def test_what_may_move_by_itself_is_not_bound(
    planned: Planned, connection: Connection, superuser: Connection
) -> None:
    settings = planned.root / "pyproject.toml"
    declared = '\n[tool.housekeeping.may_move]\n"partitions of s.p" = "one a day"\n'
    settings.write_text(settings.read_text() + declared)
    connection.execute("CREATE TABLE s.p (d date) PARTITION BY RANGE (d)")

    def digest() -> str:
        schema = read_fingerprint(connection, exclude_schemas=())
        measured = replace(planned.measured, before=schema)
        return bound(planned.root, measured)[0].digest

    before = digest()
    connection.execute(
        "CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES FROM ('2026-01-01') TO ('2026-01-02');"
        " CREATE INDEX ON s.p1 (d)"
    )
    assert digest() == before
    connection.execute("CREATE TABLE s.no_partition (d date)")
    assert digest() != before
