"""What is protected, or open, in a database and judged by nothing here: said, never passed over."""

from __future__ import annotations

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
    protected = [name for name, protects, _ in rows if protects]
    granted = [name for name, protects, roles in rows if roles and not protects]
    roles = sorted({role for _, _, each in rows for role in each})
    found = []
    if protected:
        found.append(f"{named(protected, _SHOWN)} have policies or row-level security")
    if granted and contract is None:
        found.append(f"{named(granted, _SHOWN)} are granted to {named(roles, _SHOWN)}")
    if not found:
        return ()
    place = "schemas of rls.toml" if contract else "rls.toml"
    return (
        Finding(
            rule=RULE,
            level=level,
            object=place,
            detail=f"{'; '.join(found)}: nothing here judges who sees which rows of them",
            fix="declare the schemas, the roles and the context in checks/rls.toml:"
            " python -m pytest_housekeeping docs checks",
        ),
    )


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
