"""What has to be true of production before its batch is begun; each check says what it examined."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.evidence.git_branch import FETCH
from pytest_housekeeping.model import Finding, Level, Mode, RunOutcome, Verdict
from pytest_housekeeping.postgres import history
from pytest_housekeeping.promotion import prechecks
from pytest_housekeeping.promotion.prechecks import Judgement
from pytest_housekeeping.promotion.production import baseline
from pytest_housekeeping.promotion.production import promotion_table as ledger
from pytest_housekeeping.snapshot.difference import diff
from pytest_housekeeping.snapshot.programs import find_pg_dump
from pytest_housekeeping.sql.identifiers import quoted

if TYPE_CHECKING:
    from pytest_housekeeping.promotion.production.target import Production

_PROVED = (RunOutcome.PROMOTED, RunOutcome.NOTHING_TO_PROMOTE)


def _server(around: Production) -> Judgement:
    """The server answers, how fast, which version; and there is a pg_dump that can read it."""
    connection = around.migrator()
    started = time.perf_counter()
    connection.execute("SELECT 1")
    latency = (time.perf_counter() - started) * 1000
    target = around.target()
    if connection.info.server_version < prechecks.OLDEST_SERVER:
        raise ProofFailed(
            f"the server is PostgreSQL {target.server_version}",
            why="security_invoker views and other guards exist since 15",
            fix="upgrade the server to 15 or later",
        )
    find_pg_dump(connection.info.server_version // 10000)
    said = f"PostgreSQL {target.server_version}, {target.database} as {target.user}"
    return Verdict(examined=1, unit="server"), f"{said}, {latency:.1f} ms away"


def _identity(around: Production) -> Judgement:
    """The target is the one that was promoted before, as the committed pin says."""
    target, pin = around.target(), around.pin
    if pin is None:
        return Verdict(examined=1, unit="identity"), "no pin yet: it is written by this promotion"
    findings = [
        _error(
            "wrong-target",
            f"{target.host}:{target.port}/{target.database}",
            f"{name} is {actual}, and the last promotion went to {pinned}",
            f"check the PG*_PROD variables; if production has moved, change {around.pin_path}"
            " in a reviewed commit",
        )
        for name, actual, pinned in (
            ("the system identifier", target.system_identifier, pin.system_identifier),
            ("the database", target.database, pin.database),
        )
        if actual != pinned
    ]
    verdict = Verdict(examined=1, unit="identity", findings=tuple(findings))
    return verdict, f"system identifier {target.system_identifier}"


def _privileges(around: Production) -> Judgement:
    """The promoter may lock and dump every table, act as each role, and create where it must."""
    roles = list(around.plan.contracts.roles)
    objects = around.plan.contracts.objects
    schemas = list(objects.schemas) if objects else []
    rows = around.migrator().execute(_PRIVILEGES, {"roles": roles, "schemas": schemas}).fetchall()
    user = around.target().user
    findings = [
        _error(
            "privilege", name, detail.format(user=user), fix.format(user=quoted(user), name=name)
        )
        for kind, name, held in rows
        if not held
        for detail, fix in (_LACKING[kind],)
    ]
    verdict = Verdict(examined=len(rows), unit="privileges", findings=tuple(findings))
    return verdict, f"{len(rows)} privileges of {user}"


_LACKING = {
    "dump": (
        "{user} may not read it, and pg_dump locks every table it dumps",
        "GRANT SELECT ON {name} TO {user};",
    ),
    "role": (
        "{user} cannot act as it, so nothing could be shown as that role",
        "GRANT {name} TO {user};",
    ),
    "create": (
        "{user} may not create in it",
        "GRANT CREATE ON SCHEMA {name} TO {user};",
    ),
    "database": (
        "{user} may not create schemas in it, and the batch or its history needs one",
        "GRANT CREATE ON DATABASE {name} TO {user};",
    ),
}
_PRIVILEGES = """
SELECT 'database', pg_catalog.quote_ident(pg_catalog.current_database()),
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
UNION ALL
SELECT 'role', pg_catalog.quote_ident(r.rolname),
       pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')
FROM pg_catalog.pg_roles AS r WHERE r.rolname = ANY (%(roles)s)
UNION ALL
SELECT 'create', pg_catalog.quote_ident(n.nspname),
       pg_catalog.has_schema_privilege(n.oid, 'CREATE')
FROM pg_catalog.pg_namespace AS n WHERE n.nspname = ANY (%(schemas)s)
UNION ALL
SELECT 'dump', pg_catalog.format('%%I.%%I', n.nspname, c.relname),
       pg_catalog.has_table_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1, 2
"""


def _segments(around: Production) -> Judgement:
    """A batch of several transactions is not all or nothing, so it has to be acknowledged."""
    count = len(around.plan.segments)
    if count > 1 and around.acknowledged_segments != count:
        files = ", ".join(
            file.path
            for segment in around.plan.segments
            for file in segment.files
            if file.transaction != "batch"
        )
        raise ProofFailed(
            f"the batch is {count} transactions, because of {files or 'how it was promoted'}",
            why="a failure between them leaves the first ones committed and the rest not",
            fix=f"acknowledge it with --hk-segments={count}, or promote those files apart",
        )
    return Verdict(examined=count, unit="segments"), f"{count} transaction" + "s" * (count > 1)


def _history(around: Production) -> Judgement:
    """What is applied is on disk as it was applied, and nothing pending comes before it."""
    plan = around.plan
    findings = [*prechecks.edited(around), *prechecks.late(plan)]
    pending = len(plan.unapplied)
    verdict = Verdict(examined=len(plan.past) + pending, findings=tuple(findings), unit="files")
    return verdict, f"{len(plan.past)} applied, {pending} pending"


def _roles(around: Production) -> Judgement:
    """The roles that sql/bootstrap/ promises are there, with the attributes it gives them."""
    promised = around.promised_roles()
    rows = around.migrator().execute(
        f"SELECT rolname, {_ATTRIBUTES} FROM pg_catalog.pg_roles ORDER BY 1"
    )
    actual = {name: set(attributes) for name, *attributes in rows.fetchall()}
    findings = []
    for name, attributes in promised.items():
        if name not in actual:
            findings.append(
                _error(
                    "role-missing",
                    name,
                    "is made by sql/bootstrap/ in staging and is no role of this server",
                    f"CREATE ROLE {quoted(name)} {' '.join(sorted(attributes - {''}))};",
                )
            )
        elif actual[name] != attributes:
            lacks = " ".join(sorted(attributes - actual[name]))
            findings.append(
                _error(
                    "role-attributes",
                    name,
                    f"is {' '.join(sorted(actual[name]))}; staging proved it as"
                    f" {' '.join(sorted(attributes))}",
                    f"ALTER ROLE {quoted(name)} {lacks};",
                )
            )
    declared, said = prechecks.roles(around)
    verdict = Verdict(
        examined=len(promised) + declared.examined,
        unit="roles",
        findings=(*findings, *declared.findings),
    )
    return verdict, ", ".join(sorted({*promised, *said.split(", ")}))


_ATTRIBUTES = ", ".join(
    f"CASE WHEN {column} THEN '{word}' ELSE 'NO{word}' END"
    for column, word in (
        ("rolsuper", "SUPERUSER"),
        ("rolbypassrls", "BYPASSRLS"),
        ("rolcreaterole", "CREATEROLE"),
        ("rolcreatedb", "CREATEDB"),
        ("rolreplication", "REPLICATION"),
        ("rolcanlogin", "LOGIN"),
        ("rolinherit", "INHERIT"),
    )
)


def role_attributes_query() -> str:
    """Name and attributes of every role that is not PostgreSQL's own."""
    return (
        f"SELECT rolname, {_ATTRIBUTES} FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"
    )


def _drift(around: Production) -> Judgement:
    """The schema is as the last promotion left it: nobody has changed it past the files."""
    now = around.fingerprint()
    recorded = ledger.last_fingerprint(around.migrator(), around.config.history_schema)
    if recorded is None:
        return Verdict(examined=1, unit="fingerprint"), "no promotion on record yet"
    if recorded.digest == now.digest:
        return Verdict(examined=1, unit="fingerprint"), f"as recorded: {now.digest[:12]}"
    _refuse_overtaken(around)
    differences = diff(recorded, now)
    if around.accepted_drift == now.digest:
        return (
            Verdict(examined=1, unit="fingerprint"),
            f"drift of {len(differences)} objects accepted by --hk-accept-drift",
        )
    undoing = around.plan.mode is Mode.ROLLBACK
    findings = tuple(
        Finding(
            rule="drift",
            # What a rollback leaves is compared with the backup, drift and all.
            level=Level.NOTICE if undoing else Level.ERROR,
            object=difference.name,
            detail=f"was {difference.change} since the last promotion, by no file",
            fix=""
            if undoing
            else "bring the change into a migration, or undo it; to accept all of it:"
            f" --hk-accept-drift={now.digest}",
        )
        for difference in differences
    )
    verdict = Verdict(examined=max(1, len(differences)), unit="fingerprint", findings=findings)
    return verdict, f"{len(differences)} objects differ"


def _refuse_overtaken(around: Production) -> None:
    """A promotion that went in since the plan was made is no drift."""
    rows = history.applied(around.migrator(), around.config.history_schema)
    if [row.path for row in rows] != [past.path for past in around.plan.past]:
        raise ProofFailed(
            "another promotion went in after this plan was made",
            why="the schema is not the one that this plan starts from",
            fix="run again: what is applied by now is found in the history",
        )


def _evidence(around: Production) -> Judgement:
    """A committed staging audit says that this very plan was proved."""
    if not around.config.require_staging_evidence:
        return Verdict(
            examined=1, unit="settings"
        ), "not required: require_staging_evidence = false"
    if around.records_only:
        return Verdict(examined=1, unit="plan"), "a baseline runs nothing: it is shown to be there"
    pending = sum(len(segment.files) for segment in around.plan.segments)
    if not pending:
        return Verdict(examined=1, unit="plan"), "nothing is pending, so nothing is to be proved"
    if around.repository is None:
        raise ProofFailed("there is no repository to look for evidence in")
    digest = around.plan.digest
    folder = around.repository.relative(around.config.root / around.config.audit)
    seen = 0
    for path, data in around.repository.evidence(Mode.STAGING, folder):
        seen += 1
        audit = json.loads(data)
        # What an application's own tests were refused is found behind the COMMIT of staging.
        failed = any(step["outcome"] == "failed" for step in audit["steps"])
        proves = audit["plan"]["digest"] == digest and audit["run"]["outcome"] in _PROVED
        if proves and not failed:
            from pytest_housekeeping.evidence.audit import from_json

            proved = from_json(data, name=path, intact=True)
            if not proved.source.dirty:
                return Verdict(examined=seen, unit="staging audits"), f"proved by {path}"
    raise ProofFailed(
        f"none of {seen} committed staging audits proves this plan ({digest[:12]})",
        why="what is promoted has to be exactly what was tried",
        fix="run pytest --hk-mode=staging on this commit; in a clone, fetch its branch first:"
        f" {FETCH}",
    )


def _error(rule: str, name: str, detail: str, fix: str) -> Finding:
    return Finding(rule=rule, level=Level.ERROR, object=name, detail=detail, fix=fix)


CHECKS: dict[str, Callable[[Production], Judgement]] = {
    "server": _server,
    "identity": _identity,
    "privileges": _privileges,
    "segments": _segments,
    "history": _history,
    "roles": _roles,
    "drift": _drift,
    "evidence": _evidence,
    "baseline": baseline.verify,
}
__all__ = ["CHECKS", "role_attributes_query"]
