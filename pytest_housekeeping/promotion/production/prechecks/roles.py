"""Production's roles: whether they are those of staging, and whether they suffice to promote."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_housekeeping.model import Verdict
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks import shared
from pytest_housekeeping.promotion.prechecks.shared import Judgement, error
from pytest_housekeeping.promotion.production.backup.twin_server import LentThrowaway
from pytest_housekeeping.promotion.production.prechecks.promised_roles import (
    ATTRIBUTES,
    PromisedRoles,
    Roles,
    made_roles,
)
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.sql.bootstrap import has_preset
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.platforms import platform_text


def check_privileges(context: RunContext, target: ProductionTarget) -> Judgement:
    """The promoter may lock and dump every table, and create where it must; where everything is
    proved in place, it may act as each role of the contracts as well."""
    roles = list(context.plan.contracts.roles)
    objects = context.plan.contracts.objects
    schemas = list(objects.schemas) if objects else []
    rows = (
        target.connection.get()
        .execute(_PRIVILEGES, {"roles": roles, "schemas": schemas})
        .fetchall()
    )
    user = target.connection.identity().user
    findings = [
        error("privilege", name, detail.format(user=user), fix.format(user=quoted(user), name=name))
        for kind, name, held in rows
        # What an application may do is tried on the copy, by a superuser of its server.
        if not held and not (kind == "role" and context.plan.rehearses)
        for detail, fix in (_LACKING[kind],)
    ]
    verdict = Verdict(examined=len(rows), unit="privileges", findings=tuple(findings))
    return verdict, f"{len(rows)} privileges of {user}"


_LACKING = {
    "dump": (
        "{user} may not read it, and pg_dump locks every table it dumps",
        "GRANT SELECT ON {name} TO {user};",
    ),
    "enter": (
        "{user} may not look into it, and pg_dump locks every table it dumps",
        "GRANT USAGE ON SCHEMA {name} TO {user};",
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
SELECT s.kind, s.name, s.held
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    VALUES
    ('dump', pg_catalog.format('%%I.%%I', n.nspname, c.relname),
     pg_catalog.has_table_privilege(c.oid, 'SELECT')),
    ('enter', pg_catalog.quote_ident(n.nspname),
     pg_catalog.has_schema_privilege(n.oid, 'USAGE'))
) AS s (kind, name, held)
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
GROUP BY s.kind, s.name, s.held
ORDER BY 1, 2
"""


def check_roles(
    context: RunContext,
    target: ProductionTarget,
    throwaway: Throwaway,
    promised: PromisedRoles | None,
) -> Judgement:
    """The roles that sql/bootstrap/ promises are there, with the attributes it gives them."""
    made = _promised(context, throwaway, promised)
    of_platform = _of_platform(context, made)
    rows = target.connection.get().execute(
        f"SELECT rolname, {ATTRIBUTES} FROM pg_catalog.pg_roles ORDER BY 1"
    )
    actual = {name: set(attributes) for name, *attributes in rows.fetchall()}
    findings = []
    for name, attributes in made.items():
        if name in of_platform and actual.get(name, attributes) & _POWERS == attributes & _POWERS:
            continue  # a server of that provider may be older, or newer, than the preset
        if name not in actual:
            findings.append(
                error(
                    "role-missing",
                    name,
                    "is made by sql/bootstrap/ in staging and is no role of this server",
                    f"CREATE ROLE {quoted(name)} {' '.join(sorted(attributes - {''}))};",
                )
            )
        elif actual[name] != attributes:
            lacks = " ".join(sorted(attributes - actual[name]))
            findings.append(
                error(
                    "role-attributes",
                    name,
                    f"is {' '.join(sorted(actual[name]))}; staging proved it as"
                    f" {' '.join(sorted(attributes))}",
                    f"ALTER ROLE {quoted(name)} {lacks};",
                )
            )
    declared, said = shared.roles(
        context, target.connection.get(), target.connection.identity().user
    )
    verdict = Verdict(
        examined=len(made) + declared.examined,
        unit="roles",
        findings=(*findings, *declared.findings),
    )
    return verdict, ", ".join(sorted({*made, *said.split(", ")}))


# What would make another thing of all that was proved with a role.
_POWERS = {"SUPERUSER", "BYPASSRLS"}


def _of_platform(context: RunContext, names: Iterable[str]) -> frozenset[str]:
    """Those that the preset of the platform makes, and no file of the project."""
    config, paths = context.config, context.plan.bootstrap
    if not has_preset(config, paths):
        return frozenset()
    made = frozenset(re.findall(r"\w+", platform_text(config.platform, migrator="")))
    own = " ".join(context.plan.sources.read(path).decode(errors="replace") for path in paths)
    return made.intersection(names) - frozenset(re.findall(r"\w+", own))


def _promised(context: RunContext, throwaway: Throwaway, promised: PromisedRoles | None) -> Roles:
    """By what is known of this machine's servers; on one that was given it is tried each time."""
    if promised is None or isinstance(throwaway, LentThrowaway):
        return made_roles(context, throwaway)
    if promised.known is not None:
        return promised.known
    roles = made_roles(context, throwaway)
    promised.keep(roles)
    return roles
