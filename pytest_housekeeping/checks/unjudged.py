"""What is protected, or open, in a database and judged by nothing here: said, never passed over."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.errors import named
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import Connection

RULE = "rls-unjudged"
_SHOWN = 5


def find_unjudged(
    connection: Connection, contract: RlsContract | None, *, level: Level, ours: str
) -> tuple[Finding, ...]:
    """Tables with policies or row-level security of which no contract speaks.

    Without any contract, also those that a role was granted something on: somebody other than the
    owner reads them, and nobody has said which rows. ``ours`` is the schema of the tool itself.
    """
    known = [*(contract.schemas if contract else ()), ours]
    rows = connection.execute(_UNJUDGED, {"known": known}).fetchall()
    others = tuple(_of_other_roles(connection, contract)) if contract else ()
    protected = [name for name, protects, _ in rows if protects]
    granted = [name for name, protects, roles in rows if roles and not protects]
    roles = sorted({role for _, _, each in rows for role in each})
    found = []
    if protected:
        found.append(f"{named(protected, _SHOWN)} have policies or row-level security")
    if granted and contract is None:
        found.append(f"{named(granted, _SHOWN)} are granted to {named(roles, _SHOWN)}")
    if not found:
        return others
    place = "schemas of rls.toml" if contract else "rls.toml"
    return (
        *others,
        Finding(
            rule=RULE,
            level=level,
            object=place,
            detail=f"{'; '.join(found)}: nothing here judges who sees which rows of them",
            fix="declare the schemas, the roles and the context in checks/rls.toml:"
            " python -m pytest_housekeeping docs checks",
        ),
    )


def _of_other_roles(connection: Connection, contract: RlsContract) -> Iterator[Finding]:
    """Roles that were granted protected tables and are none of those that the contract names: a
    policy may show them every row, and no rule looks. It is for the team to say who is trusted."""
    asked = {"schemas": list(contract.schemas), "roles": list(contract.roles)}
    for role, tables in connection.execute(_OTHER_ROLES, asked).fetchall():
        yield Finding(
            rule=RULE,
            level=Level.WARNING,
            object=role,
            detail=f"it is granted {named(tables, _SHOWN)}, and rls.toml does not name it:"
            " nothing here judges which rows it sees",
            fix=f"name {role} in roles of checks/rls.toml; or take the grants away, if it is"
            " not to read them",
        )


# Judged with the named roles are whoever is a member of one, and what they are members of. Who owns
# the tables keeps the schema; of a superuser no rule says anything.
_OTHER_ROLES = """
WITH RECURSIVE below (oid) AS (
    SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = ANY (%(roles)s::text[])
    UNION
    SELECT m.member FROM below AS b JOIN pg_catalog.pg_auth_members AS m ON m.roleid = b.oid
),
above (oid) AS (
    SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = ANY (%(roles)s::text[])
    UNION
    SELECT m.roleid FROM above AS a JOIN pg_catalog.pg_auth_members AS m ON m.member = a.oid
)
SELECT pg_catalog.format('%%I', r.rolname),
       pg_catalog.array_agg(DISTINCT pg_catalog.format('%%I.%%I', n.nspname, c.relname))
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (%(schemas)s::text[])
AND NOT r.rolsuper AND r.rolname <> current_user
AND r.oid NOT IN (SELECT oid FROM below UNION SELECT oid FROM above)
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_class AS o
    WHERE o.relowner = r.oid AND o.relkind IN ('r', 'p') AND o.relnamespace = n.oid)
GROUP BY 1
ORDER BY 1
"""
# The owner's own privileges and those of superusers say nothing: no policy binds them.
_UNJUDGED = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname),
       c.relrowsecurity OR EXISTS (
           SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid),
       ARRAY(
           SELECT DISTINCT coalesce(r.rolname::text, 'PUBLIC')
           FROM pg_catalog.aclexplode(c.relacl) AS a
           LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
           WHERE a.grantee <> c.relowner AND NOT coalesce(r.rolsuper, false)
           ORDER BY 1)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND n.nspname <> ALL (%(known)s::text[])
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
    AND d.deptype = 'e')
ORDER BY 1
"""
