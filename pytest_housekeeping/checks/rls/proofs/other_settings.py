"""No policy listens to a setting, or to a value in its JSON, that the contract does not name.

Any role may SET a setting with a dot in its name, and most of PostgreSQL's own
(https://www.postgresql.org/docs/16/sql-set.html), so each that a policy reads, itself or in a
function that it calls, is a way in. Those that are named are tried by the other proofs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from psycopg import sql

from pytest_housekeeping.checks.rls.expressions.called import Functions
from pytest_housekeeping.checks.rls.expressions.context_only import read_context_only
from pytest_housekeeping.checks.rls.expressions.settings_read import SettingRead, SettingsRead
from pytest_housekeeping.checks.rls.proofs.request import ProofRequest
from pytest_housekeeping.checks.rls.tables import Policy, ProtectedTable
from pytest_housekeeping.checks.rules.evaluation import findings_of
from pytest_housekeeping.checks.rules.scope import run_readonly
from pytest_housekeeping.declarations.identity import Claim
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.toml import toml_string
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection

# Who one is, and not to be chosen: SET ROLE and its like ask for a membership.
_NOT_SETTABLE = frozenset({"role", "session_authorization", "is_superuser"})


def prove_settings(connection: Connection, request: ProofRequest) -> Verdict:
    """Every setting that a policy reads is named in the contract, or no untrusted role can set
    it."""
    tables = request.chosen(request.tables(connection))
    reading = SettingsRead(functions=read_context_only(connection).functions)
    read = [
        (policy, sorted(_reads(reading, policy), key=repr))
        for table in tables
        for policy in table.policies
        if policy.roles
    ]
    own = {each.name for _, reads in read for each in reads if each.name and "." not in each.name}
    fixed = _NOT_SETTABLE | _fixed(connection, own - _NOT_SETTABLE)
    findings = [
        {"object": policy.object, "detail": detail, "setting": name}
        for policy, reads in read
        for each in reads
        for name, detail in _judged(request.contract, each, fixed)
    ]
    return Verdict(
        examined=len(tables), findings=findings_of(request.rule, findings), unit="tables"
    )


def where_in_json(functions: Functions, context: Sequence[Claim], table: ProtectedTable) -> str:
    """What to write into ``context`` where it names a setting as a whole of which the policies read
    a value in its JSON; '' where there is none."""
    plain = {claim.setting.lower(): claim.setting for claim in context if not claim.path}
    reading = SettingsRead(functions=functions)
    found = {
        (plain[each.name], each.path)
        for text in table.expressions
        for each in reading.of(text)
        if each.path and each.name in plain
    }
    entries = ", ".join(
        f"{{ setting = {toml_string(name)}, path = {json.dumps(path, ensure_ascii=False)} }}"
        for name, path in sorted(found)
    )
    return f"-- name in context of rls.toml what of the JSON it is: {entries}" if entries else ""


def _reads(reading: SettingsRead, policy: Policy) -> frozenset[SettingRead]:
    return reading.of(policy.using or "true") | reading.of(policy.check or "true")


def _judged(
    contract: RlsContract, read: SettingRead, fixed: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """The setting, and what is wrong with its being read; nothing where it is named."""
    if read.all:
        yield "a setting", "it reads a view of all settings, which any role may SET"
    elif not read.name:
        yield "a setting", "it reads a setting whose name is made up at run time"
    elif read.name not in (name.lower() for name in contract.context):
        if read.name not in fixed:
            yield read.name, f"it reads {read.name}, which rls.toml does not name in context"
    elif read.path:
        claims = [each for each in contract.claims if each.setting.lower() == read.name]
        if claims and not any(_on_one_way(read.path, each.path) for each in claims):
            claim = Claim(setting=read.name, path=read.path)
            yield str(claim), f"it reads {claim}, which rls.toml does not name in context"


def _on_one_way(path: tuple[str, ...], declared: tuple[str, ...]) -> bool:
    """A function may go a part of the way to a value, or look into it."""
    length = min(len(path), len(declared))
    return path[:length] == declared[:length]


def _fixed(connection: Connection, names: set[str]) -> frozenset[str]:
    """Those of PostgreSQL's own settings that no session sets for itself."""
    if not names:
        return frozenset()
    row = run_readonly(
        connection,
        sql.SQL(
            "SELECT ARRAY(SELECT pg_catalog.lower(s.name) FROM pg_catalog.pg_settings AS s"
            " WHERE pg_catalog.lower(s.name) = ANY ({}::text[])"
            " AND s.context NOT IN ('user', 'backend'))"
        )
        .format(sql.Literal(sorted(names)))
        .as_bytes(connection),
    )
    return frozenset(row[0])
