"""Take over a database that exists already: what is there is what the files would have made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString

from psycopg import sql

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.baseline_drift import NAME as DRIFT
from pytest_housekeeping.declarations.baseline_drift import accepted_drift, only_of
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.postgres.tool_history.readers import their_own
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.prechecks.of_platform import of_platform
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.replay import (
    replay_segment,
    run_bootstrap,
    segments_of,
)
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.snapshot.compare.declared_moves import without_alike
from pytest_housekeeping.snapshot.compare.difference import Difference, diff
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.sql.bootstrap import has_preset
from pytest_housekeeping.sql.file import SqlFile, from_reading
from pytest_housekeeping.sql.layouts.known import layout_of
from pytest_housekeeping.sql.layouts.layout import Entry
from pytest_housekeeping.sql.platforms import platform_with, setting_of


def verify(context: RunContext, target: ProductionTarget, throwaway: Throwaway) -> Judgement:
    """Replay the files on an empty server, and compare: the fingerprints must be equal, but for
    what ``checks/baseline_drift.toml`` accepts and the table in which another tool remembers what
    it has applied."""
    files = [file for segment in context.plan.segments for file in segment.files]
    texts = [(file, context.files.text(file)) for file in files]
    verdict, said = _compared(context, target, throwaway, texts, rule="baseline")
    left = len(context.plan.unapplied) - len(files)
    behind = f"; {left} files are left for the next promotion" if left else ""
    return verdict, said + behind


def verify_theirs(context: RunContext, target: ProductionTarget, throwaway: Throwaway) -> Judgement:
    """The same of the files that another tool has applied, where it goes on applying them: what
    differs was changed past them."""
    layout = layout_of(context.config)
    texts = []
    for entry in context.plan.past:
        found = context.applied(entry)
        placed = Entry(path=entry.path, kind=entry.kind)
        file = from_reading(placed, found, entry.sha256, layout=layout)
        texts.append((file, found.text))
    return _compared(context, target, throwaway, texts, rule="drift")


def _compared(
    context: RunContext,
    target: ProductionTarget,
    throwaway: Throwaway,
    texts: Sequence[tuple[SqlFile, str]],
    *,
    rule: str,
) -> Judgement:
    run_bootstrap(context, throwaway)
    preset = has_preset(context.config, context.plan.bootstrap)
    made = _as_superuser(target, throwaway) if preset else None
    replayed, actual = _replayed(context, target, throwaway, texts), _without_history(target)
    found = without_alike(
        diff(replayed.without("database"), actual.without("database")),
        actual,
        context.config.may_move,
    )
    if made is not None:
        platform = of_platform(made, replayed, actual, target.connection.identity().user)
        found = tuple(each for each in found if not platform.owns(each))
    theirs = their_own(target.connection.get(), context.config)
    differences = [each for each in found if theirs is None or not theirs.owns(each.name)]
    accepted = accepted_drift(context.config, context.plan.sources)
    only = only_of(context.config)
    way = platform_way(context.config, target.connection.get())
    findings = [_finding(each, accepted, rule, only, way) for each in differences]
    names = {each.name for each in differences}
    findings += [_needless(name, rule, only) for name in accepted if name not in names]
    verdict = Verdict(examined=len(texts), unit="files", findings=tuple(findings))
    left = sum(file.path in context.config.rows_only for file, _ in texts)
    told = f", {left} left out, for they change rows" if left else ""
    return verdict, f"{len(texts) - left} files replayed{told}, {len(differences)} objects differ"


_FIXES = {
    "baseline": "bring the files to what production has, or choose another version",
    "drift": "bring the change into a migration, or undo it",
}


def platform_way(config: Config, connection: Connection) -> str:
    """Before the other ways, on a server of a provider whom the settings do not name: the setting
    that says what is his."""
    if config.platform:
        return ""
    rows = connection.execute("SELECT rolname::text FROM pg_catalog.pg_roles").fetchall()
    platform = platform_with([role for (role,) in rows])
    said = f"this server has the roles of {platform}: {setting_of(platform)} replays the files"
    return f"{said} on what it has from the beginning; else, " if platform else ""


def _finding(
    difference: Difference, accepted: Mapping[str, str], rule: str, only: str, way: str
) -> Finding:
    # Columns that were added in another order than the files do are the rule where a schema has
    # grown by hand; nothing but statements without a list of columns depends on it.
    let_stand = difference.is_column_order or difference.name in accepted
    reason = accepted.get(difference.name, "")
    return Finding(
        rule=rule,
        level=Level.WARNING if let_stand else Level.ERROR,
        object=difference.name,
        detail=f"is {difference.change} in production, compared with what the files make"
        + f": {difference.told}" * bool(difference.told)
        + f"; accepted: {reason}" * bool(reason),
        fix=f"{way}{_FIXES[rule]}; to let it stand as it is: an entry of checks/{DRIFT} with this"
        f" object and a reason{only and f', and {only} where others do not differ in it'}",
    )


def _needless(name: str, rule: str, only: str) -> Finding:
    return Finding(
        rule=rule,
        level=Level.ERROR,
        object=name,
        detail=f"is accepted in {DRIFT}, and does not differ",
        fix="take the entry out: it would hide what comes later"
        + f"; where it is about another one, name that there, as in {only}" * bool(only),
    )


def _without_history(target: ProductionTarget) -> Fingerprint:
    """The replay records nothing, so it has no history; production may have had one."""
    return target.read_without_history(target.connection.get())


def _replayed(
    context: RunContext,
    target: ProductionTarget,
    throwaway: Throwaway,
    texts: Sequence[tuple[SqlFile, str]],
) -> Fingerprint:
    """The schema that the files make of an empty database."""
    connection = throwaway.migrator()
    try:
        for segment in segments_of(texts):
            replay_segment(context.config, connection, segment, throwaway)
    finally:
        connection.close()
    owner = owner_there(target.connection.get(), context.config.history_schema)
    owned_as_there(context.config, owner or target.connection.identity().user, throwaway)
    return _as_superuser(target, throwaway)


def _as_superuser(target: ProductionTarget, throwaway: Throwaway) -> Fingerprint:
    connection = connect(throwaway.database().superuser_conninfo)
    try:
        return target.read_without_history(connection)
    finally:
        connection.close()


def owned_as_there(config: Config, theirs: str, throwaway: Throwaway) -> None:
    """Who has run the files in production may be called otherwise than who migrates in staging; as
    the superuser of the throwaway server, it may be, to which everything goes then."""
    ours = config.migrator
    if theirs == ours:
        return
    with throwaway.superuser() as connection:
        query = "SELECT FROM pg_catalog.pg_roles WHERE rolname = %s"
        is_there = connection.execute(query, (theirs,)).fetchone() is not None
        said = "REASSIGN OWNED BY {} TO {}" if is_there else "ALTER ROLE {} RENAME TO {}"
        connection.execute(sql.SQL(said).format(sql.Identifier(ours), sql.Identifier(theirs)))


def owner_there(connection: Connection, history_schema: str) -> str:
    """Who is connected, where anything of the project is its own; otherwise the role that most of
    it belongs to; "" where there is nothing."""
    row = connection.execute(_OWNER, {"history": history_schema}).fetchone()
    return str(row[0]) if row else ""


_OWNER: LiteralString = """
SELECT pg_catalog.pg_get_userbyid(made.owner)::text
FROM (
    SELECT c.relowner AS owner, c.relnamespace AS place, c.tableoid AS of, c.oid AS object
    FROM pg_catalog.pg_class AS c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION ALL
    SELECT p.proowner, p.pronamespace, p.tableoid, p.oid FROM pg_catalog.pg_proc AS p
) AS made
JOIN pg_catalog.pg_namespace AS n ON n.oid = made.place
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', %(history)s)
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS e
        WHERE e.classid = made.of AND e.objid = made.object AND e.deptype = 'e'
    )
GROUP BY made.owner
ORDER BY pg_catalog.pg_get_userbyid(made.owner) = current_user DESC, pg_catalog.count(*) DESC, 1
LIMIT 1
"""
