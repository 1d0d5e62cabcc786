"""What has to be true before anything is applied; each check examines something and says what."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from pytest_housekeeping.errors import HousekeepingError, ProofFailed
from pytest_housekeeping.model import Finding, Kind, Level, Verdict
from pytest_housekeeping.plan.plan import AppliedFile, Plan, problems_of
from pytest_housekeeping.postgres.transaction import begin, explain
from pytest_housekeeping.promotion.target_pin import PIN_PATH, read_pin
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.parse import same_meaning

if TYPE_CHECKING:
    from pytest_housekeeping.promotion.context import Surroundings

Judgement = tuple[Verdict, str]
OLDEST_SERVER = 150000


def _files(around: Surroundings) -> Judgement:
    """Every file can be part of one transaction, as far as PostgreSQL's parser sees."""
    findings = []
    for file, problem in problems_of(around.config, around.plan):
        try:
            text = around.text(file)
            shown = "\n" + sqlfile.excerpt(text, problem.line, problem.column)
        except HousekeepingError:
            shown = ""
        findings.append(
            _error(
                "sql-file",
                f"{file.path}:{problem.line}:{problem.column}",
                f"{problem.found}\n  why: {problem.why}{shown}",
                problem.fix,
            )
        )
    files = len(around.plan.files)
    pending = sum(len(segment.files) for segment in around.plan.segments)
    verdict = Verdict(examined=files + len(around.plan.past), findings=tuple(findings))
    said = f"{pending} pending, {len(around.plan.past)} applied before"
    rollbacks = around.plan.rollbacks
    if rollbacks.unreachable and rollbacks.floor is not None:
        names = ", ".join(file.path for file in rollbacks.unreachable)
        said += f"; nothing leads back beyond {rollbacks.floor.path}: {names} cannot be tried"
    return verdict, said


def _code(around: Surroundings) -> Judgement:
    """What the applications' code names, read out of it: before anybody has to wait for a lock."""
    readings = [each.readings for each in around.code().values()]
    files = sum(len(each) for each in readings)
    found = sum(len(reading.found) for each in readings for reading in each.values())
    said = f"{files} files of {len(readings)} applications, {found} statements and references"
    return Verdict(examined=files, unit="files of code"), said


def _worktree(around: Surroundings) -> Judgement:
    """An audit attests a commit: uncommitted changes are said, and keep it from being committed."""
    source = around.source
    if source.commit is None:
        said = source.reason
    elif source.dirty:
        said = f"{source.commit[:12]} with uncommitted changes: {', '.join(source.dirty[:5])}"
    else:
        said = f"clean at {source.commit[:12]}"
    return Verdict(examined=1, unit="work tree"), said


def _server(around: Surroundings) -> Judgement:
    """The server answers, is recent enough, and the migrating role is shaped like a real one."""
    connection = around.migrator()
    target = around.target()
    if connection.info.server_version < OLDEST_SERVER:
        raise ProofFailed(
            f"the server is PostgreSQL {target.server_version}",
            why="security_invoker views and other guards exist since 15",
            fix="use PostgreSQL 15 or later",
        )
    _refuse_production(around)
    row = connection.execute(
        "SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user"
    ).fetchone()
    findings: tuple[Finding, ...] = ()
    if row is None or row[0]:
        findings = (
            _error(
                "migrator-shape",
                target.user,
                "is superuser or BYPASSRLS, so no row-level security would be seen to hold",
                f"ALTER ROLE {quoted(target.user)} NOSUPERUSER NOBYPASSRLS;",
            ),
        )
    said = f"PostgreSQL {target.server_version}, {target.database} as {target.user}"
    return Verdict(examined=1, unit="server", findings=findings), said


def _refuse_production(around: Surroundings) -> None:
    """A given server must not be the pinned production: staging makes roles and databases on it."""
    pin, target = read_pin(around.config, around.repository), around.target()
    if around.server_kind == "given" and pin and pin.system_identifier == target.system_identifier:
        raise ProofFailed(
            f"{target.host}:{target.port} is the server that {PIN_PATH} names as production",
            why="staging makes and drops databases and roles there",
            fix="give --hk-staging-url another server",
        )


def _bootstrap(around: Surroundings) -> Judgement:
    """sql/bootstrap/ makes, as superuser, what the real server already has."""
    paths = around.plan.bootstrap
    with around.superuser() as connection:
        for path in paths:
            text = sqlfile.decode((around.config.root / path).read_bytes(), path)
            try:
                connection.execute(text.encode())
            except psycopg.Error as error:
                raise around.advised(explain(path, text, error)) from None
    return Verdict(examined=len(paths), unit="bootstrap files"), f"{len(paths)} files"


def _history(around: Surroundings) -> Judgement:
    """What was promoted before is as it was, and is replayed, so that the batch runs as in prod."""
    plan = around.plan
    findings = [*edited(around), *late(plan)]
    if not findings:
        _replay(around)
        if plan.rollbacks.whole_batch:
            from pytest_housekeeping.snapshot.fingerprint import read_fingerprint

            around.base = read_fingerprint(
                around.migrator(), exclude_schemas=(around.config.history_schema,)
            )
    said = (
        f"replayed {len(plan.past)} files" if plan.past else "no promotion yet: everything pending"
    )
    verdict = Verdict(examined=len(plan.files) + len(plan.past), findings=tuple(findings))
    return verdict, said


def edited(around: Surroundings) -> list[Finding]:
    findings = []
    for past in around.plan.past:
        if past.kind is not Kind.MIGRATION:
            continue
        path = around.config.root / past.path
        if not path.is_file():
            findings.append(
                _error(
                    "history-removed",
                    past.path,
                    "was promoted and is no longer there",
                    f"git checkout {past.commit[:12]} -- {past.path}",
                )
            )
        elif sqlfile.digest(path.read_bytes()) != past.sha256:
            findings.append(
                _error(
                    "history-edited",
                    past.path,
                    f"was edited after it had been promoted{_how_far(around, past)};"
                    " production keeps the old text",
                    f"git checkout {past.commit[:12]} -- {past.path}; put the change in a new"
                    " migration",
                )
            )
    return findings


def _how_far(around: Surroundings, past: AppliedFile) -> str:
    """Whether the edit changed anything that PostgreSQL would see."""
    path = around.config.root / past.path
    try:
        promoted = around.past_text(past)
        now = sqlfile.decode(path.read_bytes(), past.path)
    except HousekeepingError:
        return ""
    return " (white space or comments only)" if same_meaning(promoted, now) else ""


def late(plan: Plan) -> list[Finding]:
    """A pending migration whose number is lower than one already applied."""
    numbers = [
        int(past.path.rpartition("/")[2].partition("_")[0])
        for past in plan.past
        if past.kind is Kind.MIGRATION
    ]
    highest = max(numbers, default=-1)
    return [
        _error(
            "history-order",
            file.path,
            f"comes before {highest}, which is applied already",
            f"give it a number above {highest}",
        )
        for segment in plan.segments
        for file in segment.files
        if file.kind is Kind.MIGRATION and (file.number or 0) < highest
    ]


def _replay(around: Surroundings) -> None:
    """Segment by segment and unverified: it is history, and it has been proved when it was made."""
    connection = around.migrator()
    past = around.plan.past
    for segment in sorted({entry.segment for entry in past}):
        members = [entry for entry in past if entry.segment == segment]
        loaded = [_loaded(around, entry) for entry in members]
        if any(file.transaction == "none" for file, _ in loaded):
            for file, text in loaded:
                try:
                    connection.execute(text.encode())
                except psycopg.Error as error:
                    raise around.advised(explain(file.path, text, error)) from None
            continue
        transaction = begin(connection, around.config)
        try:
            for file, text in loaded:
                around.before_file(connection, file.path)
                transaction.apply(file, text)
            transaction.seal()
            connection.execute("COMMIT")
        except HousekeepingError as error:
            # A connection that was lost has rolled back as well.
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            raise around.advised(error) from None


def _loaded(around: Surroundings, past: AppliedFile) -> tuple[SqlFile, str]:
    """A promoted file, parsed, so that it runs under the same headers as it did."""
    text = around.past_text(past)
    return sqlfile.examined(past.path, past.kind, text, past.sha256), text


def roles(around: Surroundings) -> Judgement:
    """The roles that the contracts speak of exist, and the migrating role may act as each."""
    names = around.plan.contracts.roles
    rows = around.migrator().execute(
        "SELECT w.name, r.oid IS NOT NULL,"
        " r.oid IS NOT NULL AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')"
        " FROM pg_catalog.unnest(%s::text[]) AS w (name)"
        " LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = w.name ORDER BY 1",
        (list(names),),
    )
    findings = []
    migrator = around.target().user
    for name, exists, member in rows.fetchall():
        if not exists:
            findings.append(
                _error(
                    "role-missing",
                    name,
                    "is named in the contracts and is no role of this server",
                    f"create it in {around.config.sql}/bootstrap/, or correct the name",
                )
            )
        elif not member:
            findings.append(
                _error(
                    "role-out-of-reach",
                    name,
                    f"cannot be taken on by {migrator}, so nothing can be shown as that role",
                    f"GRANT {quoted(name)} TO {quoted(migrator)};",
                )
            )
    verdict = Verdict(examined=len(names), unit="roles", findings=tuple(findings))
    return verdict, ", ".join(names)


def _capacity(around: Surroundings) -> Judgement:
    """The shared lock table can hold the batch, told before anything starts.

    https://www.postgresql.org/docs/16/runtime-config-locks.html
    """
    row = (
        around.migrator()
        .execute(
            "SELECT pg_catalog.current_setting('max_locks_per_transaction')::int"
            " * (pg_catalog.current_setting('max_connections')::int"
            "    + pg_catalog.current_setting('max_prepared_transactions')::int)"
        )
        .fetchone()
    )
    room = row[0] if row else 0
    needed = locks_needed(around.plan)
    findings: tuple[Finding, ...] = ()
    if needed > room:
        findings = (
            _error(
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


def _error(rule: str, name: str, detail: str, fix: str) -> Finding:
    return Finding(rule=rule, level=Level.ERROR, object=name, detail=detail, fix=fix)


CHECKS: dict[str, Callable[[Surroundings], Judgement]] = {
    "files": _files,
    "code": _code,
    "worktree": _worktree,
    "server": _server,
    "capacity": _capacity,
    "bootstrap": _bootstrap,
    "history": _history,
    "roles": roles,
}
