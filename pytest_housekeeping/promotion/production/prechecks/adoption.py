"""What was made by hand since the last promotion, and files that make the same.

That they do is shown on a throwaway copy of the schema that the last promotion left: with them it
has to become what production has. So the files can be recorded as applied, and are never run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.objects import fetch_fix
from pytest_housekeeping.evidence.plain_audit import plain_audit
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.postgres.statement_errors import run_text
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.promoted import promotion_table
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.repository.kept_schema import kept_schema
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import Change, Difference, in_common
from pytest_housekeeping.snapshot.copies.proof import compare
from pytest_housekeeping.snapshot.copies.restore import restored
from pytest_housekeeping.snapshot.copies.server import start_restore_server
from pytest_housekeeping.snapshot.coverage import Around, beyond
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.extensions import extension_names
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.sql.parser import parse

_WHY = "what was made by hand is what differs from the schema that the last promotion left"
# Statements that make or change rows, or may do anything: no schema tells whether they have run.
_OF_ROWS = ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "TruncateStmt", "CopyStmt")
_OF_ANYTHING = ("SelectStmt", "DoStmt", "CallStmt", "ExecuteStmt", "RefreshMatViewStmt")


@dataclass(frozen=True, kw_only=True)
class LeftSchema:
    """The schema that the last promotion left: its run, pg_dump's text of it, its fingerprint."""

    run: str
    dump: bytes
    fingerprint: Fingerprint


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What differs by now: what files can make, and what is around the schema (``role``, …)."""

    schema: tuple[Difference, ...]
    around: tuple[Difference, ...]


def left_schema(config: Config, repository: Repository, connection: Connection) -> LeftSchema:
    """Raises ProofFailed where no promotion is on record, or none whose evidence is here;
    EvidenceError for a snapshot that was edited."""
    fingerprint = promotion_table.last_fingerprint(connection, config.history_schema)
    last = promotion_table.last_promotion(connection, config.history_schema)
    if fingerprint is None or last is None:
        raise ProofFailed(
            "no promotion is on record in this database",
            why=_WHY,
            fix="promote once, or begin its history with --hk-baseline",
        )
    folder = repository.relative(config.root / config.audit)
    found = list(repository.changes_on_record(folder))
    for path, data in reversed(found):
        known = plain_audit(data)
        if known is not None and known["run"].get("id") == last.run:
            return LeftSchema(
                run=last.run, dump=_dump_of(config, repository, path, data), fingerprint=fingerprint
            )
    raise ProofFailed(
        f"the evidence of run {last.run}, the last promotion of this database, is not here",
        why="the schema that it left stands there",
        fix=fetch_fix(repository),
    )


def _dump_of(config: Config, repository: Repository, path: str, data: bytes) -> bytes:
    from pytest_housekeeping.evidence.audit_file import from_json

    after = from_json(data, name=path, intact=True).snapshot.after
    if after is None:
        raise ProofFailed(
            f"{path} names no schema of after the promotion",
            why="in what production differs from it cannot be shown",
            fix="bring the change into a migration by hand; or undo it",
        )
    return kept_schema(config, repository, after)[0]


def drift_since(left: LeftSchema, now: Fingerprint, config: Config) -> Drift:
    """What has changed since, but for what the settings declare as moving by itself."""
    before, after, _ = in_common(left.fingerprint, now)
    others = split_declared(before, after, config.may_move).others
    kinds = tuple(f"{kind} " for kind in beyond(Around.NOTHING))
    around = tuple(each for each in others if f"{each.name} ".startswith(kinds))
    return Drift(schema=tuple(each for each in others if each not in around), around=around)


def unlike_with(
    left: LeftSchema,
    files: Iterable[tuple[str, str]],
    *,
    now: Fingerprint,
    connection: Connection,
    role: str,
    config: Config,
) -> tuple[Difference, ...]:
    """In what production is not what the files, by path and text, make of the schema that was left.

    ``now`` is the schema of production, which ``connection`` leads to; the files run as ``role``.
    Raises SqlFailed for a file that does not run, BackupNotProved where there can be no copy.
    """
    names = frozenset(extension_names(now))
    server = start_restore_server(now.server_major, names, stubs=config.stubs_and_marks)
    roles = dump_roles(connection)
    try:
        with restored(server, left.dump, roles, left.fingerprint) as copy:
            database = copy.database
            copy.connection.execute(
                sql.SQL("GRANT ALL ON DATABASE {} TO {}").format(
                    sql.Identifier(database.name), sql.Identifier(role)
                )
            )
            conninfo = database.cluster.conninfo(database.name, user=role)
            for path, text in files:
                with connect(conninfo, settings=config.session) as applying:
                    run_text(applying, path, text)
            faults, _ = compare(copy, now, leaving_out=("database",))
            found = read_fingerprint(
                copy.connection, exclude_schemas=now.excluded, around=Around.NOTHING
            )
    finally:
        server.close()
    others = split_declared(now.with_no_more(Around.NOTHING), found, config.may_move).others
    counted = {each.name for each in others}
    return tuple(each for each in faults if each.name in counted)


def verify_adopted(context: RunContext, target: ProductionTarget) -> Judgement:
    """The pending files up to ``--hk-baseline`` make what was made by hand, and nothing else is.

    Nothing is recorded that changes rows: no schema tells whether that has been done.
    """
    files = [file for segment in context.plan.segments for file in segment.files]
    texts = [(file.path, context.files.text(file)) for file in files]
    findings = [each for path, text in texts for each in _rows(path, text)]
    repository = context.required_repository(_WHY)
    connection = target.connection.get()
    left = left_schema(context.config, repository, connection)
    excluded = left.fingerprint.excluded  # by an earlier version: its own tables
    now = (
        read_fingerprint(connection, exclude_schemas=excluded) if excluded else target.fingerprint()
    )
    if not findings:
        unlike = unlike_with(
            left,
            texts,
            now=now,
            connection=connection,
            role=target.connection.identity().user,
            config=context.config,
        )
        findings += [_finding(each, context.config) for each in unlike]
    verdict = Verdict(examined=len(files), unit="files", findings=tuple(findings))
    said = f"{len(files)} files make of the schema of run {left.run} what production has"
    return verdict, said if verdict.passed else f"{len(files)} files were looked at"


def _rows(path: str, text: str) -> Iterator[Finding]:
    for statement in parse(text):
        node = statement.stmt
        fills = node.tag == "CreateTableAsStmt" and node.objtype == "OBJECT_TABLE"
        if fills or node.tag in (*_OF_ROWS, *_OF_ANYTHING):
            yield Finding(
                rule="baseline",
                level=Level.ERROR,
                object=path,
                detail="changes rows, or may: the schema does not tell whether that was done by"
                " hand as well",
                fix="put it into a migration of its own behind this one, which is promoted",
            )
            return


def _finding(difference: Difference, config: Config) -> Finding:
    words = {
        Change.REMOVED: "is in production, and neither the last promotion nor the files made it",
        Change.ADDED: "is made by the files, and is not in production",
        Change.CHANGED: "is another one in production than the files make",
    }
    makes = "take the file that makes it out of what is recorded: it is promoted"
    writes = f"python -m pytest_housekeeping adopt-drift{config.target.option} writes what is"
    told = f": production → files: {difference.told}" if difference.told else ""
    return Finding(
        rule="baseline",
        level=Level.WARNING if difference.is_column_order else Level.ERROR,
        object=difference.name,
        detail=words[difference.change] + told,
        fix=makes if difference.change is Change.ADDED else f"{writes} missing; or undo it",
    )


def named(differences: Sequence[Difference]) -> str:
    """Each on a line of its own."""
    return "".join(f"\n  {each}" for each in differences)
