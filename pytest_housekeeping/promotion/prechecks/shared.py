"""Prechecks that every target shares; each examines something and says what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import HousekeepingError, ProofFailed
from pytest_housekeeping.evidence import SourceFacts
from pytest_housekeeping.model import Finding, Kind, Level, TargetIdentity, Verdict
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.plan.problems import own_schema_named, problems_of, warnings_of
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.postgres.session import overridden, replication_role
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.repository.attestation import checkout_fix
from pytest_housekeeping.server.libpq import libpq_variables
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.parse import same_meaning
from pytest_housekeeping.sql.password_literals import holds_password
from pytest_housekeeping.sql.path_names import on_disk, whole_of
from pytest_housekeeping.sql.problems import Problem
from pytest_housekeeping.sql.text import decode, excerpt, origin

if TYPE_CHECKING:
    from pytest_housekeeping.checks.code.readers.extract import Extraction

Judgement = tuple[Verdict, str]
# security_invoker views and other guards exist since 15.
OLDEST_SERVER = 150000


def files(context: RunContext) -> Judgement:
    """Every file can be part of one transaction, as far as PostgreSQL's parser sees."""
    plan = context.plan
    findings = []
    # What is only recorded is not judged as if it were to run: another tool has run it.
    recorded = context.options.records_only
    problems = [] if recorded else problems_of(context.config, plan)
    for file, problem in [*problems, *own_schema_named(context.config, plan)]:
        place, shown = _place(context, file, problem)
        found = f"{problem.found}\n  why: {problem.why}{shown}"
        findings.append(error("sql-file", place, found, problem.fix))
    findings += [*_not_run(context), *(() if recorded else _by_line(context))]
    pending = sum(len(segment.files) for segment in plan.segments)
    verdict = Verdict(examined=len(plan.files) + len(plan.past), findings=tuple(findings))
    said = f"{pending} pending, {len(plan.past)} applied before"
    rollbacks = plan.rollbacks
    if rollbacks.unreachable and rollbacks.floor is not None:
        names = ", ".join(file.path for file in rollbacks.unreachable)
        said += f"; nothing leads back beyond {rollbacks.floor.path}: {names} cannot be tried"
    return verdict, said


def _place(context: RunContext, file: SqlFile, problem: Problem) -> tuple[str, str]:
    """Where a problem is, on the disk, and the lines around it."""
    shown, path, line = "", on_disk(file.path), problem.line
    try:
        path, line = origin(context.files.text(file), path, line)
        text = decode(context.plan.sources.read(path), path)
        if not holds_password(text):
            shown = "\n" + excerpt(text, line, problem.column)
    except HousekeepingError:
        pass
    return f"{path}:{line}:{problem.column}", shown


def _not_run(context: RunContext) -> Iterator[Finding]:
    """What stands in the files and does not run, each with the reason."""
    plan = context.plan
    for path, why in plan.passed_over.items():
        yield Finding(
            rule="sql-file", level=Level.NOTICE, object=path, detail=f"is left out: {why}"
        )
    for file in plan.files:
        for each in file.told:
            place, _ = _place(context, file, each)
            said = f"{each.found}: {each.why}"
            yield Finding(rule="sql-file", level=Level.NOTICE, object=place, detail=said)


def _by_line(context: RunContext) -> Iterator[Finding]:
    level = Level.WARNING
    for rule, file, each in warnings_of(context.config, context.plan):
        place, said = _place(context, file, each)[0], f"{each.found}: {each.why}"
        yield Finding(rule=rule, level=level, object=place, detail=said, fix=each.fix)


def code(extractions: Mapping[str, Extraction]) -> Judgement:
    """What the applications' code names, read out of it: before anybody has to wait for a lock."""
    files = [each.files for each in extractions.values()]
    number = sum(len(each) for each in files)
    found = sum(len(facts.found) for each in files for facts in each.values())
    said = f"{number} files of {len(files)} applications, {found} statements and references"
    return Verdict(examined=number, unit="files of code"), said


def worktree(source: SourceFacts) -> Judgement:
    """An audit attests a commit: uncommitted changes are said, and keep it from being committed."""
    if source.commit is None:
        said = source.reason
    elif source.submodules:
        said = f"{source.commit[:12]}, which holds no file of {', '.join(source.submodules)}"
    elif source.dirty and set(source.dirty) <= set(source.rewritten):
        said = f"{source.commit[:12]}, rewritten by git when it was checked out:"
        said += f" {', '.join(source.dirty[:5])}; the bytes of the commit: {checkout_fix(source)}"
    elif source.dirty:
        said = f"{source.commit[:12]} with uncommitted changes: {', '.join(source.dirty[:5])}"
    else:
        said = f"clean at {source.commit[:12]}"
    return Verdict(examined=1, unit="work tree"), said


def refuse_old_server(connection: LentConnection, identity: TargetIdentity, fix: str) -> None:
    """Raises ProofFailed for a server older than 15."""
    if connection.info.server_version < OLDEST_SERVER:
        raise ProofFailed(
            f"the server is PostgreSQL {identity.server_version}",
            why="security_invoker views and other guards exist since 15",
            fix=fix,
        )


def session_findings(connection: LentConnection) -> tuple[Finding, ...]:
    """What role, database and environment would have set otherwise in the run's own sessions.

    Raises ProofFailed where triggers and foreign keys do not work in them.
    """
    role = replication_role(connection)
    if role != "origin":
        raise ProofFailed(
            f"session_replication_role is {role!r} in this session",
            why="no trigger and no foreign key works, so what is written would not be checked",
            fix="ALTER ROLE … RESET session_replication_role; as a superuser, for the role that"
            " promotes, or for its database",
        )
    names = (*overridden(connection), *(f"{name} (environment)" for name in libpq_variables()))
    return tuple(
        Finding(
            rule="session-pinned",
            level=Level.NOTICE,
            object=name,
            detail="does not count here: the files run with the settings that staging has proved",
            fix="where the files need it, set it in them, or under [tool.housekeeping.session]",
        )
        for name in names
    )


def history_findings(context: RunContext) -> list[Finding]:
    """What was promoted is on disk as it was, and nothing pending comes before it."""
    return [*_edited(context), *late(context.plan)]


def _edited(context: RunContext) -> Iterable[Finding]:
    for applied in context.plan.past:
        if applied.kind is not Kind.MIGRATION:
            continue
        sources = context.plan.sources
        back = f"git checkout {applied.commit[:12]} -- {on_disk(applied.path)}"
        if not sources.has(applied.path):
            said = "was promoted and is no longer there"
            yield error("history-removed", applied.path, said, back)
        elif sources.digest(applied.path) != applied.sha256 and _rewritten(context, applied):
            yield error(
                "history-edited",
                applied.path,
                "is not the text that was promoted: git has rewritten it when it checked it out"
                " (line endings, or a filter)",
                checkout_fix(context.source),
            )
        elif sources.digest(applied.path) != applied.sha256:
            yield error(
                "history-edited",
                applied.path,
                f"was edited after it had been promoted{_how_far(context, applied)};"
                " production keeps the old text",
                f"{back}; put the change in a new migration{_half_applied(applied)}",
            )


def _half_applied(applied: AppliedFile) -> str:
    """What to do where a part of a file was applied and what is left of it can never be."""
    if whole_of(applied.path) == applied.path:
        return ""
    return "; if what is left of it cannot run, undo its first parts: --hk-mode=rollback"


def _rewritten(context: RunContext, applied: AppliedFile) -> bool:
    """Whether the commit holds it as it was promoted, and git has made another text of it."""
    repository = context.repository
    if repository is None:
        return False
    return repository.relative(context.config.root / applied.path) in context.source.rewritten


def _how_far(context: RunContext, applied: AppliedFile) -> str:
    """Whether the edit changed anything that PostgreSQL would see."""
    try:
        promoted = context.applied(applied).text
        now = text_of(context.config, context.plan.sources, applied.path)
    except HousekeepingError:
        return ""
    return " (white space or comments only)" if same_meaning(promoted, now) else ""


def late(plan: Plan) -> list[Finding]:
    """A pending migration whose place is before that of one already applied."""
    places = {path: place for place, path in enumerate(plan.order)}
    applied = [path for past in plan.past if (path := whole_of(past.path)) in places]
    if not applied:
        return []
    last = max(applied, key=lambda path: places[path])
    return [
        error(
            "history-order",
            file.path,
            f"comes before {plan.order[last]}, which is applied already",
            f"give it a number above {plan.order[last]}",
        )
        for segment in plan.segments
        for file in segment.files
        if file.kind is Kind.MIGRATION and places[whole_of(file.path)] < places[last]
    ]


def roles(context: RunContext, connection: Connection, migrator: str) -> Judgement:
    """The roles that the contracts speak of exist; and the migrating role may act as each, unless
    what they may do is tried on a copy, by a superuser of its server."""
    names = context.plan.contracts.roles
    rows = connection.execute(
        "SELECT w.name, r.oid IS NOT NULL,"
        " r.oid IS NOT NULL AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')"
        " FROM pg_catalog.unnest(%s::text[]) AS w (name)"
        " LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = w.name ORDER BY 1",
        (list(names),),
    )
    findings = []
    for name, exists, member in rows.fetchall():
        if not exists:
            findings.append(
                error(
                    "role-missing",
                    name,
                    "is named in the contracts and is no role of this server",
                    f"create it in {context.config.sql}/bootstrap/, or correct the name",
                )
            )
        elif not member and not context.plan.rehearses:
            findings.append(
                error(
                    "role-out-of-reach",
                    name,
                    f"cannot be taken on by {migrator}, so nothing can be shown as that role",
                    f"GRANT {quoted(name)} TO {quoted(migrator)};",
                )
            )
    verdict = Verdict(examined=len(names), unit="roles", findings=tuple(findings))
    return verdict, ", ".join(names)


def capacity(plan: Plan, connection: Connection) -> Judgement:
    """The shared lock table can hold the batch, told before anything starts.

    https://www.postgresql.org/docs/16/runtime-config-locks.html
    """
    row = connection.execute(
        "SELECT pg_catalog.current_setting('max_locks_per_transaction')::int"
        " * (pg_catalog.current_setting('max_connections')::int"
        "    + pg_catalog.current_setting('max_prepared_transactions')::int)"
    ).fetchone()
    room = row[0] if row else 0
    needed = locks_needed(plan)
    findings: tuple[Finding, ...] = ()
    if needed > room:
        findings = (
            error(
                "lock-capacity",
                "max_locks_per_transaction",
                f"the batch takes about {needed} locks, and the server has room for {room}",
                "raise max_locks_per_transaction (needs a restart), or promote in smaller batches",
            ),
        )
    said = f"about {needed} locks, room for {room}"
    return Verdict(examined=1, unit="lock table", findings=findings), said


def locks_needed(plan: Plan) -> int:
    """Locks that the largest segment leaves in the lock table, from the kinds of its statements."""
    seeds = sum(file.locks for file in plan.seeds)
    return seeds + max(sum(file.locks for file in segment.files) for segment in plan.segments)


def error(rule: str, name: str, detail: str, fix: str) -> Finding:
    """A finding that fails its precheck."""
    return Finding(rule=rule, level=Level.ERROR, object=name, detail=detail, fix=fix)
