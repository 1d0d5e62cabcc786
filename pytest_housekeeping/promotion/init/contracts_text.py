"""A first ``checks/rls.toml`` and ``checks/boundaries.toml``, read off a schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pytest_housekeeping.declarations.toml import toml_key, toml_string
from pytest_housekeeping.postgres.connection import Connection

REASON = "found at adoption, not yet judged"
_RLS_HEAD = """\
# Which schemas are protected by row-level security, from which roles, and which settings carry the
# identity of a session. Read off the schema that the files make. All keys:
# python -m pytest_housekeeping docs checks
"""
_EXEMPT_HEAD = """\
# What stands open today, each with its rule, of which the docs have a page. Repair it in
# a migration and take it out of here, or write down why it may stand. After the last day it fails.
"""
_BOUNDARIES_HEAD = """\
# Which application may reach what, as the privileges of today have it. Give each app a better name,
# and the patterns of its code: code = ["src/shop/**"]. All keys:
# python -m pytest_housekeeping docs checks
"""
_NAME = r"[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)+"
_SETTING = re.compile(rf"current_setting\s*\(\s*'({_NAME})'", re.IGNORECASE)
# What is read out of a setting that holds JSON, or out of a function that returns it: the keys.
_KEYS = r"((?:[\s)]*->>?\s*'[^']+'(?:::text)?)+)"
_JSON = re.compile(
    rf"current_setting\s*\(\s*'({_NAME})'[^;]{{0,60}}?::jsonb?{_KEYS}", re.IGNORECASE
)
_CLAIMS = re.compile(rf"\bjwt\(\){_KEYS}", re.IGNORECASE)
_KEY = re.compile(r"'([^']+)'")
# Where PostgREST 10 and later, and Supabase, put what they know of a caller.
_JWT = "request.jwt.claims"
# What says how somebody is logged in, and not who it is.
_NO_IDENTITY = frozenset(["role", "aal", "iss", "aud", "exp"])

# Tables with row-level security or a policy, whoever made them.
_PROTECTED = """
SELECT DISTINCT n.nspname
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p')
    AND (c.relrowsecurity
        OR EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid))
ORDER BY n.nspname
"""
# Who was granted anything on a relation, by its schema; what an owner may do is no grant.
_GRANTED = """
SELECT DISTINCT r.rolname, n.nspname
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND r.rolname = ANY (%(roles)s) AND a.grantee <> c.relowner
ORDER BY r.rolname, n.nspname
"""
_NAMED_IN_POLICIES = """
SELECT DISTINCT r.rolname
FROM pg_catalog.pg_policy AS p
JOIN pg_catalog.pg_roles AS r ON r.oid = ANY (p.polroles)
WHERE r.rolname = ANY (%(roles)s)
ORDER BY r.rolname
"""
# Where a setting is read that decides about rows: in a policy, or in a function of the project.
_READ = """
SELECT coalesce(pg_catalog.pg_get_expr(p.polqual, p.polrelid), '') || ' '
    || coalesce(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), '')
FROM pg_catalog.pg_policy AS p
UNION ALL
SELECT p.prosrc
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = ANY (%(schemas)s)
    OR EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
            AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refobjid = p.oid
    )
"""
_INHABITED = """
SELECT DISTINCT n.nspname
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY n.nspname
"""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What stands open today: a finding that is let stand until the last day."""

    rule: str
    object: str


@dataclass(frozen=True, kw_only=True, order=True)
class Identity:
    """A setting that carries the identity of a session, and where in its JSON, if it holds one."""

    setting: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may reach what by a grant, and what is protected by row-level security."""

    protected: tuple[str, ...]
    untrusted: tuple[str, ...]
    context: tuple[Identity, ...]
    inhabited: tuple[str, ...]
    reached: Mapping[str, frozenset[str]]
    """The schemas that each role was granted something in."""


def read_access(connection: Connection, schemas: Sequence[str], roles: Sequence[str]) -> Access:
    """What the contracts are written from."""
    given = {"schemas": list(schemas), "roles": list(roles)}
    reached: dict[str, set[str]] = {}
    for role, schema in connection.execute(_GRANTED, given):
        reached.setdefault(role, set()).add(schema)
    named = {role for (role,) in connection.execute(_NAMED_IN_POLICIES, given)}
    protected = tuple(name for (name,) in connection.execute(_PROTECTED, given))
    guarded = set(protected)
    untrusted = named | {role for role, there in reached.items() if there & guarded}
    texts = [text for (text,) in connection.execute(_READ, given)]
    return Access(
        protected=protected,
        untrusted=tuple(sorted(untrusted)),
        context=identities(texts),
        inhabited=tuple(name for (name,) in connection.execute(_INHABITED, given)),
        reached={role: frozenset(there) for role, there in sorted(reached.items())},
    )


def identities(texts: Iterable[str]) -> tuple[Identity, ...]:
    """What the texts of policies and functions read of a session."""
    found = set[Identity]()
    for text in texts:
        in_json = [(setting, keys) for setting, keys in _JSON.findall(text)]
        in_json += [(_JWT, keys) for keys in _CLAIMS.findall(text)]
        for setting, keys in in_json:
            path = tuple(_KEY.findall(keys))
            if path[-1] not in _NO_IDENTITY:
                found.add(Identity(setting=setting, path=path))
        whole = set(_SETTING.findall(text)) - {setting for setting, _ in in_json}
        found |= {Identity(setting=setting) for setting in whole}
    # A function that hands on all of the JSON reads what it is asked for.
    structured = {each.setting for each in found if each.path}
    return tuple(sorted(each for each in found if each.path or each.setting not in structured))


def rls_toml(access: Access, standing: Iterable[Standing], until: date) -> str:
    """The contract; "" where nothing is protected, or from nobody."""
    if not (access.protected and access.untrusted):
        return ""
    parts = [
        _RLS_HEAD,
        f"schemas = {_array(access.protected)}",
        f"roles = {_array(access.untrusted)}",
        f"context = {_context(access.context)}",
    ]
    exempt = sorted(set(standing), key=lambda each: (each.rule, each.object))
    if exempt:
        parts += ["", _EXEMPT_HEAD.rstrip()]
    for each in exempt:
        parts += [
            "[[exempt]]",
            f"rule = {toml_string(each.rule)}",
            f"object = {toml_string(each.object)}",
            f"reason = {toml_string(REASON)}",
            f"until = {until}",
            "",
        ]
    return "\n".join(parts).rstrip() + "\n"


def _context(identities: Iterable[Identity]) -> str:
    lines = [
        f"    {{ setting = {toml_string(each.setting)}, path = {_array(each.path)} }},\n"
        if each.path
        else f"    {toml_string(each.setting)},\n"
        for each in identities
    ]
    return "[\n" + "".join(lines) + "]" if lines else "[]"


def boundaries_toml(access: Access) -> str:
    """The contracts between the applications; "" where no border can be read off the grants.

    An application is the roles that reach the same schemas; a schema that two of them reach is no
    border, and nobody but the team knows whose it is.
    """
    apps: dict[frozenset[str], list[str]] = {}
    for role, there in access.reached.items():
        apps.setdefault(there, []).append(role)
    owners: dict[str, int] = {}
    for there in apps:
        for schema in there:
            owners[schema] = owners.get(schema, 0) + 1
    rest = [name for name in access.inhabited if name not in owners]
    if not apps or max(owners.values()) > 1 or (len(apps) == 1 and not rest):
        return ""
    names = {there: roles[0] for there, roles in apps.items()}
    parts = [_BOUNDARIES_HEAD]
    for there, roles in apps.items():
        parts += [
            f"[apps.{toml_key(names[there])}]",
            f"roles = {_array(roles)}",
            f"schemas = {_array(sorted(there))}",
            "",
        ]
    if rest:
        parts += ["[zones.the-rest]", f"schemas = {_array(rest)}", ""]
    others = [*names.values(), *(["the-rest"] if rest else [])]
    for source in names.values():
        for target in others:
            if source == target:
                parts += _contract(f"{source} works on what is its own", "allowed", source, target)
            else:
                parts += _contract(f"{source} stays out of {target}", "forbidden", source, target)
    return "\n".join(parts).rstrip() + "\n"


def _contract(name: str, kind: str, source: str, target: str) -> list[str]:
    pairs = {"name": name, "type": kind, "source": source, "target": target}
    lines = [f"{key} = {toml_string(value)}" for key, value in pairs.items()]
    return ["[[contract]]", *lines, ""]


def _array(names: Iterable[str]) -> str:
    return "[" + ", ".join(toml_string(name) for name in names) + "]"
